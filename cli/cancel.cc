// muster cancel: the wish, then the end.
#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wait_for_end.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

struct CancelFlags {
  std::vector<std::string> selectors;
  std::string reason;
  bool no_wait = false, yes = false;
};

// How many open tasks the selectors mean now.
absl::StatusOr<int64_t> CountOpen(Client& client, const std::vector<std::string>& selectors) {
  int64_t count = 0;
  for (const std::string& selector : selectors) {
    v1::GetRequest request;
    request.set_selector(selector);
    MUSTER_ASSIGN_OR_RETURN(const v1::GetResponse response, client.Get(request));
    if (!response.has_batch()) {
      count += IsTerminal(response.task().state()) ? 0 : 1;
      continue;
    }
    count += response.batch().task_count();
    for (const v1::StateCount& state : response.batch().counts()) count -= IsTerminal(state.state()) ? state.count() : 0;
  }
  return count;
}

absl::StatusOr<int> Cancel(Session& session, const CancelFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::CancelRequest request;
  MUSTER_ASSIGN_OR_RETURN(const std::vector<std::string> selectors, RecentTasks::Of(session.master()).Resolve(flags.selectors));
  request.mutable_selectors()->Assign(selectors.begin(), selectors.end());
  request.set_reason(flags.reason);
  Terminal& terminal = session.terminal();
  if (!flags.yes && terminal.in_is_terminal() && terminal.err_is_terminal()) {
    MUSTER_ASSIGN_OR_RETURN(const int64_t count, CountOpen(*client, selectors));
    if (count > 1 && !terminal.Confirm(absl::StrCat("cancel ", count, " tasks?"))) {
      terminal.Say("nothing was cancelled");
      return kExitFailed;
    }
  }
  MUSTER_ASSIGN_OR_RETURN(const v1::CancelResponse response, client->Cancel(request));
  const int64_t requested = response.requested_count(), before = response.already_ended_count();
  const std::string also = before > 0 ? absl::StrCat(before, " had ended before") : "";
  if (requested == 0) {
    terminal.Say(absl::StrCat("nothing to cancel", also.empty() ? "" : ": ", also));
    return 0;
  }
  if (flags.no_wait) {
    terminal.Say(absl::StrCat("cancelling ", requested, also.empty() ? "" : "; ", also));
    return 0;
  }
  WaitOptions options;
  options.progress = [&terminal](const EndOfTasks& now) { terminal.Progress(CountsText(now.counts)); };
  MUSTER_ASSIGN_OR_RETURN(const EndOfTasks end, WaitForEnd(*client, selectors, options));
  terminal.Say(CountsText(end.counts));
  return 0;
}

}  // namespace

Action SetUpCancel(Flags& flags) {
  auto values = std::make_shared<CancelFlags>();
  flags.Usage("cancel [flags] SELECTOR...");
  flags.Positionals("SELECTOR", &values->selectors, "Ids, batches, names, last, last-N.", 1);
  flags.Text("--reason", &values->reason, "R", "Shown with the task.");
  flags.Switch("--no-wait", &values->no_wait, "Return when the wish is durable, not when they have ended.");
  flags.Switch("-y,--yes", &values->yes, "Do not ask.");
  flags.Examples("  muster cancel last --reason 'wrong input'");
  return [values](Session& session) { return Cancel(session, *values); };
}

}  // namespace muster::cli
