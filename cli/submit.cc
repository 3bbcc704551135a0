// muster submit: one task from the command line, or a stream of them from a file or a pipe.
//
// A stream is sent in calls of up to kTasksPerCall tasks, each accepted whole, one call at a time: what the master
// does not take yet stays in the pipe. A call leaves early when the input pauses.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/batch_calls.h"
#include "cli/dependency_flag.h"
#include "cli/dry_run.h"
#include "cli/errors.h"
#include "cli/output.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/task_flags.h"
#include "cli/task_input.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/overlay.h"

namespace muster::cli {
namespace {

constexpr int kTasksPerCall = 1024;
constexpr size_t kBytesPerCall = 2 << 20;

struct SubmitFlags {
  TaskFlags task;
  std::vector<std::string> argv;
  std::string format;
  bool quiet = false;
  bool dry_run = false;
};

absl::StatusOr<int> SubmitOne(Session& session, const SubmitFlags& flags) {
  v1::SubmitRequest request;
  MUSTER_ASSIGN_OR_RETURN(*request.mutable_task(), flags.task.BuildWhole(flags.argv, absl::Now()));
  if (flags.dry_run) return PrintDryRun(session, request.task(), *ParseFormat(flags.format));
  request.set_request_id(flags.task.request_id.empty() ? MakeRequestId() : flags.task.request_id);
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_RETURN_IF_ERROR(ResolveDependencies(RecentTasks::Of(session.master()), request.mutable_task()));
  MUSTER_ASSIGN_OR_RETURN(const v1::SubmitResponse response, client->Submit(request));
  RecentTasks::Of(session.master()).Remember({response.task().id()});
  WarnOfImpossible(session, response.task().id(), response.warnings());
  const Format format = *ParseFormat(flags.format);
  if (IsData(format)) {
    PrintMessage(format, response.task());
  } else {
    Print(absl::StrCat(response.task().id(), "\n"));
  }
  return 0;
}

// Collects tasks until a call is full (`most` of them) or nothing more waits to be read. False at the end.
absl::StatusOr<bool> Collect(TaskReader& reader, const v1::TaskSpec& overrides, const std::string& owner,
                             const RecentTasks& recent, int most, v1::SubmitBatchRequest* request) {
  size_t bytes = 0;
  while (request->tasks_size() < most && bytes < kBytesPerCall) {
    if (request->tasks_size() > 0 && !reader.HasMoreNow()) return true;
    v1::TaskSpec spec;
    MUSTER_ASSIGN_OR_RETURN(const bool found, reader.Next(&spec));
    if (!found) return false;
    convert::Overlay(overrides, &spec);
    MUSTER_RETURN_IF_ERROR(ResolveDependencies(recent, &spec));
    if (spec.owner().empty()) spec.set_owner(owner);
    bytes += spec.ByteSizeLong();
    request->add_tasks()->Swap(&spec);
  }
  return true;
}

absl::StatusOr<int> SubmitStream(Session& session, const SubmitFlags& flags) {
  const std::string& file = flags.task.file;
  const int fd = file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return UsageError(absl::StrCat("cannot open ", file, ": ", std::strerror(errno)));
  MUSTER_ASSIGN_OR_RETURN(const v1::TaskSpec overrides, flags.task.Build({}, absl::Now()));
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  RecentTasks recent = RecentTasks::Of(session.master());
  const RecentTasks before = recent.Snapshot();  // `last` is none of the stream's own
  TaskReader reader(fd, file == "-" ? "stdin" : file);
  const std::string owner = Owner();
  BatchCalls calls(client, {.waits_for_room = !session.is_patience_given()});
  ImpossibleCauses causes(&session);
  int64_t accepted = 0;
  const auto prepare = [&](v1::SubmitBatchRequest* call) {
    // A given id stays the same for the same stream, call by call.
    const std::string& id = flags.task.request_id;
    call->set_request_id(id.empty() ? MakeRequestId() : absl::StrCat(id, ".", accepted));
  };
  const auto note = [&](const v1::SubmitBatchRequest& call, const v1::SubmitBatchResponse& response) {
    for (const std::string& id : response.task_ids()) Print(absl::StrCat(id, "\n"));
    if (response.task_ids_size() > 0) causes.Note(response.task_ids(0), call.tasks_size(), response.warnings());
    std::fflush(stdout);
    recent.Remember({response.task_ids().begin(), response.task_ids().end()});
    accepted += response.task_ids_size();
    return true;
  };
  bool more = true;
  while (more) {
    v1::SubmitBatchRequest request;
    const absl::StatusOr<bool> collected =
        Collect(reader, overrides, owner, before, std::min(kTasksPerCall, calls.most_items()), &request);
    more = collected.ok() && *collected;
    absl::Status status = request.tasks_size() > 0 ? calls.Send(std::move(request), prepare, note) : absl::OkStatus();
    if (status.ok()) status = collected.status();
    if (!status.ok()) {
      if (accepted > 0) session.terminal().Say(absl::StrCat(accepted, " tasks before this were accepted"));
      causes.Finish();
      return status;
    }
  }
  causes.Finish();
  if (accepted == 0) return UsageError(absl::StrCat("no task in ", file == "-" ? "stdin" : file));
  return 0;
}

}  // namespace

Action SetUpSubmit(Flags& flags) {
  auto values = std::make_shared<SubmitFlags>();
  flags.Usage("submit [flags] -- ARGV...   |   muster submit [flags] -f FILE|-");
  flags.TakesCommand(&values->argv, /*bare=*/true);
  values->task.Declare(flags);
  flags.Choice("-o,--output", &values->format, {"table", "wide", "json", "jsonl", "yaml", "name"}, "What to print of the task.");
  flags.Switch("-q,--quiet", &values->quiet, "Print ids alone (as without).");
  flags.Switch("--dry-run", &values->dry_run, "Say what would become of it, as explain does, and do nothing.");
  flags.Examples(
      "  id=$(muster submit -- ./nightly.sh)\n"
      "  muster submit --script train.sh -- --epochs 3\n"
      "  muster submit --after last -- ./report.sh       when what was submitted last has succeeded\n"
      "  muster submit -f tasks.yaml\n"
      "  generate | muster submit -f -     JSON lines, accepted as they come");
  return [values](Session& session) -> absl::StatusOr<int> {
    const bool stream = !values->task.file.empty() && values->argv.empty() && values->task.script.empty();
    if (stream && values->dry_run) return UsageError("--dry-run takes one task, not a stream of them");
    return stream ? SubmitStream(session, *values) : SubmitOne(session, *values);
  };
}

}  // namespace muster::cli
