#include "cli/map_run.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/dry_run.h"
#include "cli/errors.h"
#include "cli/follow.h"
#include "cli/selectors.h"
#include "cli/text.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr size_t kOutputMemory = 8 << 20;
constexpr absl::Duration kProgressInterval = absl::Milliseconds(100);
constexpr size_t kMostSelectors = 1000;  // of one request

std::string RowSelector(const std::string& batch_id, int64_t index) { return absl::StrCat("id:", batch_id, "/", index); }

}  // namespace

std::string ProgressText(const std::string& batch_id, int64_t done, std::optional<int64_t> total, int64_t running, int64_t failed,
                         absl::Duration elapsed) {
  const double seconds = absl::ToDoubleSeconds(elapsed);
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string text = absl::StrCat(batch_id.empty() ? "" : absl::StrCat(batch_id, ": "), done, total ? absl::StrCat("/", *total) : "", " done, ",
                                  running, " running");
  if (failed > 0) absl::StrAppend(&text, ", ", failed, " failed");
  absl::StrAppend(&text, absl::StrFormat(", %.*f/s", rate < 10 ? 1 : 0, rate));
  if (total && rate > 0 && done < *total) {
    absl::StrAppend(&text, ", ", DurationText(absl::Ceil(absl::Seconds(static_cast<double>(*total - done) / rate), absl::Seconds(1))), " left");
  }
  return text;
}

MapRun::MapRun(Session& session, Client& client, MapOptions options, std::unique_ptr<ArgumentRows> rows)
    : session_(session),
      client_(client),
      options_(std::move(options)),
      rows_(std::move(rows)),
      begin_(absl::Now()),
      attachment_(&client, {.say = [&session](const std::string& line) { session.terminal().Say(line); },
                            .still_wanted = [this] { return StillWanted(); }}),
      store_(kOutputMemory) {}

MapRun::~MapRun() = default;

uint8_t& MapRun::StateOf(int64_t index) {
  if (static_cast<size_t>(index) > states_.size()) states_.resize(static_cast<size_t>(index), v1::TASK_STATE_UNSPECIFIED);
  return states_[static_cast<size_t>(index) - 1];
}

absl::StatusOr<int> MapRun::Run() {
  signal(SIGPIPE, SIG_IGN);
  MUSTER_RETURN_IF_ERROR(job_log_.Open(options_.job_log_file));
  submitter_ = std::make_unique<MapSubmitter>(
      MapSubmitter::Options{.task_template = options_.task_template,
                            .most_open = options_.most_open,
                            .request_id = options_.request_id,
                            .keep_rows = options_.tag || !options_.job_log_file.empty(),
                            .waits_for_room = !session_.is_patience_given()},
      rows_.get(), &client_);
  v1::AttachResponse response;
  while (true) {
    HearSubmitter();
    ConsiderHalt();
    if (submitted_.finished && submitted_.batch_id.empty()) {
      if (!submitted_.status.ok()) return submitted_.status;
      session_.terminal().Say("no arguments, nothing to do");
      return 0;
    }
    if (AllEnded()) break;
    ShowProgress();
    if (submitted_.batch_id.empty()) {
      if (client_.wakeup().Wait(absl::InfiniteFuture(), client_.interrupts()) == Wakeup::Cause::kInterrupt) {
        return Interrupted(client_.interrupts()->Take());
      }
      continue;
    }
    const absl::Time deadline = session_.terminal().err_is_terminal() ? absl::Now() + kProgressInterval : absl::InfiniteFuture();
    switch (attachment_.Next(&response, deadline)) {
      case Attachment::News::kEvents:
        break;
      case Attachment::News::kNothing:
        continue;
      case Attachment::News::kInterrupt:
        return Leave(ExitCodeOf(attachment_.status()) - 128);
      case Attachment::News::kFailed:
        return attachment_.status();
    }
    for (const v1::AttachEvent& event : response.events()) {
      std::optional<int> code;
      if (event.has_output()) code = HearOutput(event.output());
      if (event.has_task()) HearTask(event.task());
      if (!code) code = PrintReady();
      if (code) return *code;
    }
  }
  session_.terminal().Say(absl::StrCat(submitted_.batch_id, ": ", Counts(), " in ", DurationText(absl::Now() - begin_)));
  return submitted_.status.ok() ? exit_code_ : std::max(exit_code_, kExitFailed);
}

void MapRun::HearSubmitter() {
  if (submitted_.finished) return;
  MapSubmitter::Progress now = submitter_->progress();
  if (submitted_.batch_id.empty() && !now.batch_id.empty()) {
    RecentTasks::Of(client_.master()).Remember({now.batch_id});
    WarnOfImpossible(session_, now.batch_id, now.warnings);
  }
  submitted_ = std::move(now);
  if (submitted_.submitted > attached_) attachment_.Add(absl::StrCat("id:", submitted_.batch_id));
  attached_ = submitted_.submitted;
  if (submitted_.finished && !submitted_.status.ok() && !submitted_.batch_id.empty() && !told_broken_off_) {
    told_broken_off_ = true;
    session_.terminal().Say(absl::StrCat("stopped after ", submitted_.submitted, " tasks: ", ErrorLine(submitted_.status, client_.master()),
                                         "; waiting for those to end"));
  }
}

bool MapRun::AllEnded() const {
  return submitted_.finished && ended_count_ >= submitted_.submitted && ready_.empty();
}

void MapRun::HearTask(const v1::Task& task) {
  const int64_t index = task.batch_index();
  if (index < 1 || task.batch_id() != submitted_.batch_id) return;
  uint8_t& known = StateOf(index);
  if (IsTerminal(static_cast<v1::TaskState>(known))) return;  // told again after a reconnection
  if (known != v1::TASK_STATE_UNSPECIFIED) --counts_[known];
  known = static_cast<uint8_t>(task.state());
  ++counts_[known];
  if (!IsTerminal(task.state())) {
    if (options_.ungroup && options_.tag && !live_tags_.contains(task.id())) {
      const std::string tag = absl::StrJoin(submitter_->RowOf(index), " ");
      live_tags_.emplace(task.id(), std::make_pair(LineTagger(tag), LineTagger(tag)));
    }
    return;
  }
  const std::vector<std::string> row = submitter_->TakeRow(index);
  CountEnd(task, row);
  attachment_.Forget(task.id());
  live_tags_.erase(task.id());
  ended_[index] = {task.id(), options_.tag ? absl::StrJoin(row, " ") : ""};
  if (options_.keep_order) {
    const std::vector<int64_t> ready = order_.Ready(index);
    ready_.insert(ready_.end(), ready.begin(), ready.end());
  } else {
    ready_.push_back(index);
  }
}

void MapRun::CountEnd(const v1::Task& task, const std::vector<std::string>& row) {
  ++ended_count_;
  submitter_->SetEnded(ended_count_);
  if (job_log_.is_open()) job_log_.Add(task, RowCommandText(options_.task_template, row, task.batch_index()));
  const bool by_us = halted_ != Halt::kNot && task.state() == v1::TASK_STATE_CANCELLED;
  if (task.state() == v1::TASK_STATE_SUCCEEDED) {
    ++succeeded_count_;
  } else if (!by_us) {
    ++failed_count_;
  }
  if (!by_us) exit_code_ = std::max(exit_code_, task.exit_code());
  const std::string text = EndText(task);
  if (!text.empty() && !by_us) session_.terminal().Say(text);
}

std::optional<int> MapRun::HearOutput(const v1::OutputChunk& chunk) {
  if (chunk.skipped_bytes() > 0) {
    session_.terminal().Say(absl::StrCat(chunk.task_id(), ": ", chunk.skipped_bytes(), " bytes of its output are not to be had any more"));
  }
  if (options_.ungroup) {
    const bool err = chunk.stream() == v1::OUTPUT_STREAM_STDERR;
    const auto tags = live_tags_.find(chunk.task_id());
    const std::optional<int> code =
        tags == live_tags_.end() ? Write(err ? STDERR_FILENO : STDOUT_FILENO, chunk.data())
                                 : Write(err ? STDERR_FILENO : STDOUT_FILENO, (err ? tags->second.second : tags->second.first).Tag(chunk.data()));
    if (code) return code;
  } else {
    const absl::Status stored = store_.Add(chunk);
    if (!stored.ok() && !told_spill_) {
      told_spill_ = true;
      session_.terminal().Say(absl::StrCat(stored.message(), "; output that waits for its turn is held in memory"));
    }
  }
  attachment_.Done(chunk);
  return std::nullopt;
}

std::optional<int> MapRun::PrintReady() {
  for (const int64_t index : std::exchange(ready_, {})) {
    const auto found = ended_.find(index);
    if (found == ended_.end()) continue;
    if (std::optional<int> code = PrintTask(found->second)) return code;
    ended_.erase(found);
  }
  return std::nullopt;
}

std::optional<int> MapRun::PrintTask(const Ended& ended) {
  std::optional<int> code;
  std::pair<LineTagger, LineTagger> tags{LineTagger(ended.tag), LineTagger(ended.tag)};
  store_.Take(ended.id, [&](v1::OutputStream stream, std::string_view bytes) {
    const bool err = stream == v1::OUTPUT_STREAM_STDERR;
    const int fd = err ? STDERR_FILENO : STDOUT_FILENO;
    code = options_.tag ? Write(fd, (err ? tags.second : tags.first).Tag(bytes)) : Write(fd, bytes);
    return !code.has_value();
  });
  return code;
}

std::optional<int> MapRun::Write(int fd, std::string_view bytes) {
  session_.terminal().ClearProgress();
  size_t written = 0;
  switch (WriteAll(fd, bytes, client_.interrupts() != nullptr ? client_.interrupts()->fd() : -1, &written)) {
    case WriteEnd::kDone:
      return std::nullopt;
    case WriteEnd::kStopped:
      return Leave(client_.interrupts()->Take());
    case WriteEnd::kClosed:
      submitter_->Stop();
      attachment_.Detach();
      Cancel("the reader of its output has gone");
      return kExitPipeClosed;
    case WriteEnd::kFailed:
      break;
  }
  session_.terminal().Say(absl::StrCat("cannot write the output: ", std::strerror(errno), "; the batch goes on, `muster wait ",
                                       submitted_.batch_id, "` waits for it"));
  attachment_.Detach();
  return kExitFailed;
}

void MapRun::ConsiderHalt() {
  if (halted_ == Halt::kNot) {
    const std::optional<int64_t> total = submitted_.finished ? std::optional<int64_t>(submitted_.submitted) : rows_->total();
    halted_ = options_.halt.Decide(failed_count_, succeeded_count_, total);
    if (halted_ == Halt::kNot) return;
    session_.terminal().Say(absl::StrCat("halting (", options_.halt.text(), "): ",
                                         halted_ == Halt::kNow ? "cancelling the rest" : "starting nothing new"));
    submitter_->Stop();
  }
  // What the last call took is known only now.
  if (!submitted_.finished || cancelled_rest_) return;
  cancelled_rest_ = true;
  if (halted_ == Halt::kNow) {
    Cancel(absl::StrCat("--halt ", options_.halt.text()));
  } else {
    CancelNotStarted();
  }
}

void MapRun::Cancel(const std::string& reason) {
  v1::CancelRequest request;
  request.add_selectors(absl::StrCat("id:", submitted_.batch_id));
  request.set_reason(reason);
  const absl::StatusOr<v1::CancelResponse> answer = client_.Cancel(request);
  if (!answer.ok()) session_.terminal().Say(absl::StrCat("not cancelled: ", ErrorLine(answer.status(), client_.master())));
}

void MapRun::CancelNotStarted() {
  v1::CancelRequest request;
  request.set_reason(absl::StrCat("--halt ", options_.halt.text()));
  const auto send = [&] {
    if (request.selectors().empty()) return;
    const absl::StatusOr<v1::CancelResponse> answer = client_.Cancel(request);
    if (!answer.ok()) session_.terminal().Say(absl::StrCat("not cancelled: ", ErrorLine(answer.status(), client_.master())));
    request.clear_selectors();
  };
  for (int64_t index = 1; index <= submitted_.submitted; ++index) {
    if (StateOf(index) > v1::TASK_STATE_QUEUED) continue;
    request.add_selectors(RowSelector(submitted_.batch_id, index));
    if (static_cast<size_t>(request.selectors_size()) == kMostSelectors) send();
  }
  send();
}

std::vector<std::string> MapRun::StillWanted() {
  attached_ = submitted_.submitted;
  std::vector<std::string> selectors;
  for (int64_t index = 1; index <= submitted_.submitted; ++index) {
    if (IsTerminal(static_cast<v1::TaskState>(StateOf(index)))) continue;
    // Too many to be named one by one: those that have ended will be told again, and ignored.
    if (selectors.size() == kMostSelectors) return {absl::StrCat("id:", submitted_.batch_id)};
    selectors.push_back(RowSelector(submitted_.batch_id, index));
  }
  return selectors;
}

int MapRun::Leave(int signal) {
  submitter_->Stop();
  attachment_.Detach();
  return LeaveOrCancel(session_, client_, absl::StrCat("id:", submitted_.batch_id), signal);
}

std::string MapRun::Counts() const {
  std::vector<v1::StateCount> counts;
  for (int state = 0; state < v1::TaskState_ARRAYSIZE; ++state) {
    v1::StateCount& count = counts.emplace_back();
    count.set_state(static_cast<v1::TaskState>(state));
    count.set_count(counts_[state]);
  }
  return CountsText(counts);
}

void MapRun::ShowProgress() {
  if (!session_.terminal().err_is_terminal()) return;
  const absl::Time now = absl::Now();
  if (now < progress_at_) return;
  progress_at_ = now + kProgressInterval;
  const std::optional<int64_t> total = submitted_.finished ? std::optional<int64_t>(submitted_.submitted) : rows_->total();
  session_.terminal().Progress(ProgressText(submitted_.batch_id, ended_count_, total,
                                            counts_[v1::TASK_STATE_RUNNING] + counts_[v1::TASK_STATE_VALIDATING], failed_count_, now - begin_));
}

}  // namespace muster::cli
