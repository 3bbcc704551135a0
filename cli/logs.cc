// muster logs: what is kept of a task's output, then what comes; to the streams that it was written to.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/backoff.h"
#include "cli/errors.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(10);

struct LogsFlags {
  std::string selector;
  bool follow = false, only_stdout = false, only_stderr = false;
  std::optional<int64_t> tail, attempt;
};

class LogPrinter {
 public:
  explicit LogPrinter(Terminal& terminal) : terminal_(terminal) {}

  // False: nobody reads any more.
  bool Write(v1::OutputChunk chunk) {
    int64_t& told = told_[Key(chunk)];
    const int64_t end = chunk.offset() + static_cast<int64_t>(chunk.data().size());
    if (end < told || (end == told && !chunk.data().empty())) return true;  // again, after a reconnection
    if (chunk.offset() < told) chunk.mutable_data()->erase(0, static_cast<size_t>(told - chunk.offset()));
    if (chunk.skipped_bytes() > 0) {
      terminal_.Say(absl::StrCat("... ", SizeText(chunk.skipped_bytes()), " of ", chunk.task_id(), "'s ", StreamName(chunk.stream()), " not kept ..."));
    }
    told = end;
    size_t written = 0;
    const int fd = chunk.stream() == v1::OUTPUT_STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO;
    return WriteAll(fd, chunk.data(), -1, &written) == WriteEnd::kDone;
  }

  void AddResume(v1::LogsRequest* request) const {
    request->clear_resume();
    for (const auto& [key, offset] : told_) {
      v1::OutputPosition* position = request->add_resume();
      position->set_task_id(std::get<0>(key));
      position->set_attempt(std::get<1>(key));
      position->set_stream(static_cast<v1::OutputStream>(std::get<2>(key)));
      position->set_offset(offset);
    }
  }

 private:
  using KeyType = std::tuple<std::string, uint32_t, int>;
  static KeyType Key(const v1::OutputChunk& chunk) { return {chunk.task_id(), chunk.attempt(), chunk.stream()}; }
  static const char* StreamName(v1::OutputStream stream) { return stream == v1::OUTPUT_STREAM_STDERR ? "stderr" : "stdout"; }

  Terminal& terminal_;
  absl::flat_hash_map<KeyType, int64_t> told_;
};

absl::StatusOr<int> Logs(Session& session, const LogsFlags& flags) {
  if (flags.tail && *flags.tail < 0) return UsageError("--tail is negative");
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::LogsRequest request;
  MUSTER_ASSIGN_OR_RETURN(*request.mutable_selector(), RecentTasks::Of(session.master()).ResolveOne(flags.selector));
  request.set_follow(flags.follow);
  if (flags.only_stdout) request.add_streams(v1::OUTPUT_STREAM_STDOUT);
  if (flags.only_stderr) request.add_streams(v1::OUTPUT_STREAM_STDERR);
  if (flags.tail) request.set_tail_lines(static_cast<int32_t>(std::min<int64_t>(*flags.tail, INT32_MAX)));
  if (flags.attempt) request.set_attempt(static_cast<uint32_t>(std::clamp<int64_t>(*flags.attempt, 0, UINT32_MAX)));
  if (flags.tail && *flags.tail == 0 && !flags.follow) return 0;

  LogPrinter printer(session.terminal());
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1));
  absl::Time last_heard = absl::Now();
  bool ever_heard = false;
  while (true) {
    auto stream = client->Logs(request);
    v1::LogsResponse response;
    StreamNews news;
    while ((news = stream->Next(&response, absl::InfiniteFuture())) != StreamNews::kEnd) {
      if (news != StreamNews::kMessage) continue;
      ever_heard = true;
      last_heard = absl::Now();
      for (v1::OutputChunk& chunk : *response.mutable_chunks()) {
        if (!printer.Write(std::move(chunk))) return kExitPipeClosed;
      }
    }
    const absl::Status status = stream->status();
    if (status.ok()) return 0;
    const absl::Duration patience = ever_heard ? kPatience : absl::Seconds(2);
    if (!IsPassing(status) || absl::Now() - last_heard > patience) return status;
    printer.AddResume(&request);
    MUSTER_RETURN_IF_ERROR(client->Pause(backoff.Next(status)));
  }
}

}  // namespace

Action SetUpLogs(Flags& flags) {
  auto values = std::make_shared<LogsFlags>();
  flags.Usage("logs [flags] SELECTOR");
  flags.Positional("SELECTOR", &values->selector, "An id, a batch, a name, last or last-N.");
  flags.Switch("-f,--follow", &values->follow, "Go on with what comes, until the task ends.");
  flags.Switch("--stdout", &values->only_stdout, "Only its stdout.");
  flags.Switch("--stderr", &values->only_stderr, "Only its stderr.");
  flags.Number("--tail", &values->tail, "N", "Only the last N lines.");
  flags.Number("--attempt", &values->attempt, "N", "Of this attempt (default: the newest).");
  flags.Examples("  muster logs -f --tail 20 last\n  muster logs --stderr 3F 2>errors");
  return [values](Session& session) { return Logs(session, *values); };
}

}  // namespace muster::cli
