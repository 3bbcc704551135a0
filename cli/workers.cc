// muster workers: the table.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/list_flags.h"
#include "cli/list_printer.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "cli/worker_table.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

absl::StatusOr<int> Workers(Session& session, const OutputFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_ASSIGN_OR_RETURN(const v1::ListWorkersResponse response, client->ListWorkers({}));
  const bool wide = flags.Get() == Format::kWide;
  PrintList(session.terminal(), flags.Get(), "workers", response.workers(), [](const v1::Worker& worker) { return worker.name(); },
            Table(WorkerHeader(wide)), [wide](const v1::Worker& worker, Table* table) {
              table->Add(WorkerRow(worker, wide, absl::Now()), StateColour(worker.state()), kWorkerStateColumn);
            });
  if (IsData(flags.Get())) return 0;
  if (response.workers().empty()) {
    session.terminal().Say(absl::StrCat("no workers yet; `muster-worker --master=", session.master(), " --name=w1` adds one"));
  }
  return 0;
}

}  // namespace

Action SetUpWorkers(Flags& flags) {
  auto values = std::make_shared<OutputFlags>();
  flags.Usage("workers [flags]");
  values->Declare(flags);
  flags.Examples("  muster workers -o wide");
  return [values](Session& session) { return Workers(session, *values); };
}

}  // namespace muster::cli
