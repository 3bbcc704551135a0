// muster retry: new tasks from finished ones.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/output.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

struct RetryFlags {
  std::vector<std::string> selectors;
  std::string request_id, queue;
  std::optional<absl::Duration> since;
  bool failed = false, yes = false, dry_run = false;
};

absl::StatusOr<int> Retry(Session& session, const RetryFlags& flags) {
  if (flags.selectors.empty() && !flags.failed) return UsageError("which tasks? give selectors, or --failed for all that failed");
  if (!flags.failed && (!flags.queue.empty() || flags.since)) return UsageError("--queue and --since go with --failed");
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  RecentTasks recent = RecentTasks::Of(session.master());
  v1::RetryRequest request;
  MUSTER_ASSIGN_OR_RETURN(const std::vector<std::string> selectors, recent.Resolve(flags.selectors));
  request.mutable_selectors()->Assign(selectors.begin(), selectors.end());
  request.set_failed(flags.failed);
  request.set_queue(flags.queue);
  if (flags.since) convert::ToProto(*flags.since, request.mutable_since());
  Terminal& terminal = session.terminal();
  if (flags.dry_run || (!flags.yes && terminal.in_is_terminal() && terminal.err_is_terminal())) {
    v1::RetryRequest rehearsal = request;
    rehearsal.set_dry_run(true);
    MUSTER_ASSIGN_OR_RETURN(const v1::RetryResponse response, client->Retry(rehearsal));
    if (flags.dry_run) {
      Print(absl::StrCat(response.count(), "\n"));
      return 0;
    }
    // One that was named is meant; one of all that failed may not be.
    const bool asks = response.count() > (flags.failed ? 0 : 1);
    if (asks && !terminal.Confirm(absl::StrCat("retry ", response.count(), response.count() == 1 ? " task?" : " tasks?"))) {
      terminal.Say("nothing was retried");
      return kExitFailed;
    }
  }
  request.set_request_id(flags.request_id.empty() ? MakeRequestId() : flags.request_id);
  MUSTER_ASSIGN_OR_RETURN(const v1::RetryResponse response, client->Retry(request));
  for (const std::string& id : response.task_ids()) Print(absl::StrCat(id, "\n"));
  recent.Remember({response.task_ids().begin(), response.task_ids().end()});
  if (response.count() == 0) terminal.Say("nothing to retry");
  if (response.count() > response.task_ids_size()) {
    terminal.Say(absl::StrCat(response.count(), " new tasks, the first ", response.task_ids_size(), " are listed"));
  }
  return 0;
}

}  // namespace

Action SetUpRetry(Flags& flags) {
  auto values = std::make_shared<RetryFlags>();
  flags.Usage("retry [flags] SELECTOR...|--failed");
  flags.Positionals("SELECTOR", &values->selectors, "Ids, batches, names, last, last-N.", 0);
  flags.Switch("--failed", &values->failed, "Only what FAILED, TIMED_OUT, was LOST or POISONED and was not retried yet; of all tasks when none are named.");
  flags.Text("--queue", &values->queue, "NAME", "With --failed: only tasks of this queue.");
  flags.Time("--since", &values->since, "D", "With --failed: only what ended within this time.");
  flags.Switch("--dry-run", &values->dry_run, "Print how many it would be.");
  flags.Text("--request-id", &values->request_id, "ID", "The same id makes the same tasks.");
  flags.Switch("-y,--yes", &values->yes, "Do not ask.");
  flags.Examples("  muster retry last\n  muster retry --failed 40      the failed tasks of batch 40\n"
                 "  muster retry --failed --queue nightly --since 12h");
  return [values](Session& session) { return Retry(session, *values); };
}

}  // namespace muster::cli
