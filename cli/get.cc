// muster get: one task, or a batch, whole.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/list_flags.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/task_table.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

struct GetFlags {
  std::string selector;
  OutputFlags output;
};

absl::StatusOr<int> Get(Session& session, const GetFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::GetRequest request;
  MUSTER_ASSIGN_OR_RETURN(*request.mutable_selector(), RecentTasks::Of(session.master()).ResolveOne(flags.selector));
  MUSTER_ASSIGN_OR_RETURN(const v1::GetResponse response, client->Get(request));
  const Format format = flags.output.Get();
  if (format == Format::kName) {
    Print(absl::StrCat(response.has_batch() ? response.batch().id() : response.task().id(), "\n"));
  } else if (IsData(format)) {
    if (response.has_batch()) {
      PrintMessage(format, response.batch());
    } else {
      PrintMessage(format, response.task());
    }
  } else {
    Print(response.has_batch() ? BatchPage(response.batch(), absl::Now()) : TaskPage(response.task(), absl::Now()));
  }
  return 0;
}

}  // namespace

Action SetUpGet(Flags& flags) {
  auto values = std::make_shared<GetFlags>();
  flags.Usage("get [flags] SELECTOR");
  flags.Positional("SELECTOR", &values->selector, "An id, a batch, BATCH/17, a name, last or last-N.");
  values->output.Declare(flags);
  flags.Examples("  muster get last\n  muster get -o json 3F | jq .exit_code\n  muster get -o yaml 3F | muster submit -f -");
  return [values](Session& session) { return Get(session, *values); };
}

}  // namespace muster::cli
