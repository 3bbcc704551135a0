// muster run: submit one task, then follow it.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/dependency_flag.h"
#include "cli/dry_run.h"
#include "cli/errors.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/task_flags.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

struct RunFlags {
  TaskFlags task;
  std::vector<std::string> argv;
  bool detach = false;
  bool dry_run = false;
};

absl::StatusOr<int> Run(Session& session, const RunFlags& flags) {
  v1::SubmitRequest request;
  MUSTER_ASSIGN_OR_RETURN(*request.mutable_task(), flags.task.BuildWhole(flags.argv, absl::Now()));
  request.set_request_id(flags.task.request_id.empty() ? MakeRequestId() : flags.task.request_id);
  if (flags.dry_run) return PrintDryRun(session, request.task(), Format::kTable);
  if (!flags.detach) {
    request.mutable_task()->set_lossless_output(true);
    session.HandleInterrupts();
  }
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_RETURN_IF_ERROR(ResolveDependencies(RecentTasks::Of(session.master()), request.mutable_task()));
  MUSTER_ASSIGN_OR_RETURN(const v1::SubmitResponse response, client->Submit(request));
  const std::string& id = response.task().id();
  RecentTasks::Of(session.master()).Remember({id});
  WarnOfImpossible(session, id, response.warnings());
  if (flags.detach) {
    Print(absl::StrCat(id, "\n"));
    return 0;
  }
  return FollowTask(session, *client, absl::StrCat("id:", id), {.cancel_when_closed = true, .expected_count = 1});
}

}  // namespace

Action SetUpRun(Flags& flags) {
  auto values = std::make_shared<RunFlags>();
  flags.Usage("run [flags] -- ARGV...");
  flags.TakesCommand(&values->argv, /*bare=*/true);
  values->task.Declare(flags);
  flags.Switch("--detach", &values->detach, "Print the id and return, as submit does.");
  flags.Switch("--dry-run", &values->dry_run, "Say what would become of it, as explain does, and do nothing.");
  flags.Examples(
      "  muster run -- sh -c 'echo hello from $MUSTER_WORKER; exit 3'\n"
      "  muster run --timeout 10m --retries 2 -e LEVEL=9 -- ./build.sh\n"
      "  muster run --shell -- 'ls /usr/bin | wc -l'\n"
      "Exits with the command's code; 124 it timed out, 125 muster could not do it, 126/127 not executable/not found,\n"
      "128+N ended by signal N, 130 left with Ctrl-C.");
  return [values](Session& session) { return Run(session, *values); };
}

}  // namespace muster::cli
