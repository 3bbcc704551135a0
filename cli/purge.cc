// muster purge: finished tasks go before their retention is over.
#include <functional>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

struct PurgeFlags {
  std::optional<absl::Duration> older_than;
  bool yes = false, dry_run = false;
};

// All parts of it. `so_far` hears the sum after each.
absl::StatusOr<int64_t> PurgeAll(Client& client, v1::PurgeTasksRequest request,
                                 const std::function<void(int64_t)>& so_far) {
  int64_t count = 0;
  do {
    MUSTER_ASSIGN_OR_RETURN(const v1::PurgeTasksResponse part, client.PurgeTasks(request));
    count += part.count();
    request.set_page_token(part.next_page_token());
    so_far(count);
  } while (!request.page_token().empty());
  return count;
}

absl::StatusOr<int> Purge(Session& session, const PurgeFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  Terminal& terminal = session.terminal();
  v1::PurgeTasksRequest request;
  if (flags.older_than.has_value()) convert::ToProto(*flags.older_than, request.mutable_older_than());
  if (flags.dry_run || (!flags.yes && terminal.in_is_terminal() && terminal.err_is_terminal())) {
    v1::PurgeTasksRequest rehearsal = request;
    rehearsal.set_dry_run(true);
    MUSTER_ASSIGN_OR_RETURN(const int64_t count, PurgeAll(*client, rehearsal, [&terminal](int64_t so_far) {
      terminal.Progress(absl::StrCat(so_far, " finished tasks so far"));
    }));
    if (flags.dry_run) {
      Print(absl::StrCat(count, "\n"));
      return 0;
    }
    if (count > 0 && !terminal.Confirm(absl::StrCat("purge ", count, " finished tasks?"))) {
      terminal.Say("nothing was purged");
      return kExitFailed;
    }
  }
  MUSTER_ASSIGN_OR_RETURN(const int64_t count, PurgeAll(*client, request, [&terminal](int64_t so_far) {
    terminal.Progress(absl::StrCat(so_far, " purged"));
  }));
  terminal.Say(count == 0 ? "nothing to purge" : absl::StrCat(count, " purged"));
  return 0;
}

}  // namespace

Action SetUpPurge(Flags& flags) {
  auto values = std::make_shared<PurgeFlags>();
  flags.Usage("purge [flags]");
  flags.Time("--older-than", &values->older_than, "D", "Only tasks that ended this long ago.");
  flags.Switch("--dry-run", &values->dry_run, "Print how many it would be.");
  flags.Switch("-y,--yes", &values->yes, "Do not ask.");
  flags.Examples("  muster purge --older-than 24h      what ended yesterday or before\n"
                 "  muster purge --dry-run             how many finished tasks are kept\n"
                 "An open task is never purged, and a batch goes when all of it has ended.");
  return [values](Session& session) { return Purge(session, *values); };
}

}  // namespace muster::cli
