#include "cli/follow.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/attachment.h"
#include "cli/errors.h"
#include "cli/text.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr absl::Duration kSecondChance = absl::Seconds(2);
constexpr absl::Duration kTellWaitingAfter = absl::Seconds(2);

class Follower {
 public:
  Follower(Session& session, Client& client, std::string selector, FollowOptions options)
      : session_(session),
        client_(client),
        selector_(std::move(selector)),
        options_(options),
        attachment_(&client, {.say = [&session](const std::string& line) { session.terminal().Say(line); }}),
        attached_count_(options.expected_count) {}

  absl::StatusOr<int> Run() {
    signal(SIGPIPE, SIG_IGN);
    attachment_.Add(selector_);
    const absl::Time begin = absl::Now();
    v1::AttachResponse response;
    while (true) {
      const absl::Time deadline = told_waiting_ ? absl::InfiniteFuture() : begin + kTellWaitingAfter;
      switch (attachment_.Next(&response, deadline)) {
        case Attachment::News::kEvents:
          break;
        case Attachment::News::kNothing:
          if (absl::Now() >= deadline) TellWaiting();
          continue;
        case Attachment::News::kInterrupt:
          return Leave(ExitCodeOf(attachment_.status()) - 128);
        case Attachment::News::kFailed:
          return attachment_.status();
      }
      for (const v1::AttachEvent& event : response.events()) {
        if (event.has_output()) {
          if (std::optional<int> code = Write(event.output())) return *code;
        } else if (event.has_task()) {
          HearTask(event.task());
        } else {
          attached_count_ = event.attached_count();
        }
      }
      if (attached_count_ >= 0 && open_.empty() && ended_ >= attached_count_) return exit_code_;
    }
  }

 private:
  void HearTask(const v1::Task& task) {
    last_ = task;
    if (!IsTerminal(task.state())) {
      open_[task.id()] = true;
      if (!task.attempts().empty() && task.state() == v1::TASK_STATE_RUNNING) Announce(task, task.attempts().rbegin()->number());
      return;
    }
    open_.erase(task.id());
    if (!heard_end_.insert(task.id()).second) return;
    ++ended_;
    exit_code_ = std::max(exit_code_, task.exit_code());
    attachment_.Forget(task.id());
    const std::string text = EndText(task);
    if (!text.empty()) session_.terminal().Say(text);
  }

  // A new attempt begins its output anew; the reader should know where.
  void Announce(const v1::Task& task, uint32_t attempt) {
    uint32_t& known = attempts_[task.id()];
    if (attempt > 1 && attempt > known) {
      const std::string worker = task.attempts().empty() ? "" : absl::StrCat(" on ", task.attempts().rbegin()->worker());
      session_.terminal().Say(absl::StrCat(task.id(), ": attempt ", attempt, worker));
    }
    known = std::max(known, attempt);
  }

  std::optional<int> Write(const v1::OutputChunk& chunk) {
    if (chunk.attempt() > attempts_[chunk.task_id()]) {
      v1::Task named;
      named.set_id(chunk.task_id());
      Announce(named, chunk.attempt());
    }
    if (chunk.skipped_bytes() > 0) {
      session_.terminal().Say(absl::StrCat(chunk.task_id(), ": ", chunk.skipped_bytes(), " bytes of ",
                                           chunk.stream() == v1::OUTPUT_STREAM_STDERR ? "stderr" : "stdout",
                                           " are not to be had any more"));
    }
    const int fd = chunk.stream() == v1::OUTPUT_STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO;
    size_t written = 0;
    switch (WriteAll(fd, chunk.data(), client_.interrupts() != nullptr ? client_.interrupts()->fd() : -1, &written)) {
      case WriteEnd::kDone:
        attachment_.Done(chunk);
        return std::nullopt;
      case WriteEnd::kStopped:
        return Leave(client_.interrupts()->Take());
      case WriteEnd::kClosed:
        attachment_.Detach();
        if (options_.cancel_when_closed) Cancel("the reader of its output has gone");
        return kExitPipeClosed;
      case WriteEnd::kFailed:
        session_.terminal().Say(absl::StrCat("cannot write the output of ", chunk.task_id(), ": ", strerror(errno),
                                             "; it goes on, `muster logs ", chunk.task_id(), "` shows what is kept"));
        attachment_.Detach();
        return kExitFailed;
    }
    return std::nullopt;
  }

  void TellWaiting() {
    told_waiting_ = true;
    const bool waits = last_.state() == v1::TASK_STATE_QUEUED || last_.state() == v1::TASK_STATE_PENDING;
    if (waits && session_.terminal().err_is_terminal()) {
      session_.terminal().Say(absl::StrCat(last_.id(), " waits", last_.reason().empty() ? " for a free slot" : ": ", last_.reason()));
    }
  }

  int Leave(int signal) {
    attachment_.Detach();
    return LeaveOrCancel(session_, client_, selector_, signal);
  }

  void Cancel(const std::string& reason) {
    v1::CancelRequest request;
    request.add_selectors(selector_);
    request.set_reason(reason);
    (void)client_.Cancel(request);
  }

  Session& session_;
  Client& client_;
  const std::string selector_;
  const FollowOptions options_;
  Attachment attachment_;
  absl::flat_hash_map<std::string, bool> open_;
  absl::flat_hash_map<std::string, uint32_t> attempts_;
  absl::flat_hash_set<std::string> heard_end_;
  v1::Task last_;
  int64_t attached_count_;
  int64_t ended_ = 0;
  int exit_code_ = 0;
  bool told_waiting_ = false;
};

}  // namespace

std::string EndText(const v1::Task& task) {
  const v1::AttemptEnd end = task.attempts().empty() ? v1::AttemptEnd() : task.attempts().rbegin()->end();
  const std::string why = !end.message().empty() ? end.message() : task.reason();
  const auto with_why = [&](const std::string& text) {
    return why.empty() ? absl::StrCat(task.id(), " ", text) : absl::StrCat(task.id(), " ", text, ": ", why);
  };
  switch (task.state()) {
    case v1::TASK_STATE_TIMED_OUT:
      return with_why("timed out");
    case v1::TASK_STATE_CANCELLED:
      return absl::StrCat(task.id(), " was cancelled",
                          task.cancel_reason().empty() ? (task.reason().empty() ? "" : absl::StrCat(": ", task.reason()))
                                                       : absl::StrCat(": ", task.cancel_reason()));
    case v1::TASK_STATE_LOST:
      return absl::StrCat(with_why("is lost"), "; `muster retry ", task.id(), "` runs it again");
    case v1::TASK_STATE_POISONED:
      return with_why("is poisoned (its workers died)");
    case v1::TASK_STATE_FAILED:
      if (end.reason() == v1::END_REASON_EXITED || end.reason() == v1::END_REASON_UNSPECIFIED) return "";
      if (end.reason() == v1::END_REASON_SIGNALED) {
        const char* name = sigabbrev_np(end.signal());
        return absl::StrCat(task.id(), " ended by signal ", end.signal(), name != nullptr ? absl::StrCat(" (SIG", name, ")") : "");
      }
      if (end.reason() == v1::END_REASON_START_FAILED) return with_why("could not start");
      if (end.reason() == v1::END_REASON_OUT_OF_MEMORY) return with_why("ran out of memory");
      if (end.reason() == v1::END_REASON_VALIDATION_FAILED) return with_why("failed its validation");
      return with_why(absl::StrCat("failed (", EndReasonName(end.reason()), ")"));
    default:
      return "";
  }
}

int LeaveOrCancel(Session& session, Client& client, const std::string& selector, int signal) {
  const std::string shown = selector.rfind("id:", 0) == 0 ? selector.substr(3) : selector;
  if (signal == SIGTERM) {
    session.terminal().Say(absl::StrCat("detached; ", shown, " goes on"));
    return 128 + SIGTERM;
  }
  session.terminal().Say(absl::StrCat("detached; ", shown, " goes on. `muster attach ", shown,
                                      "` takes it up again, `muster cancel ", shown, "` or Ctrl-C once more ends it"));
  Interrupts* interrupts = client.interrupts();
  if (interrupts == nullptr || interrupts->WaitFor(kSecondChance) == 0) return kExitInterrupted;
  v1::CancelRequest request;
  request.add_selectors(selector);
  request.set_reason("Ctrl-C");
  const absl::StatusOr<v1::CancelResponse> answer = client.Cancel(request);
  if (answer.ok()) {
    session.terminal().Say(absl::StrCat("cancelled ", shown));
  } else {
    session.terminal().Say(absl::StrCat("not cancelled: ", ErrorLine(answer.status(), client.master())));
  }
  return kExitInterrupted;
}

absl::StatusOr<int> FollowTask(Session& session, Client& client, const std::string& selector, const FollowOptions& options) {
  return Follower(session, client, selector, options).Run();
}

}  // namespace muster::cli
