// muster attach: takes up the output of a task that runs.
#include <memory>

#include "cli/follow.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {

Action SetUpAttach(Flags& flags) {
  auto selector = std::make_shared<std::string>();
  flags.Usage("attach [flags] SELECTOR");
  flags.Positional("SELECTOR", selector.get(), "An id, a batch, a name, last or last-N.");
  flags.Examples("  muster attach last     exits with the task's code, as run does");
  return [selector](Session& session) -> absl::StatusOr<int> {
    session.HandleInterrupts();
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const std::string resolved, RecentTasks::Of(session.master()).ResolveOne(*selector));
    return FollowTask(session, *client, resolved, {});
  };
}

}  // namespace muster::cli
