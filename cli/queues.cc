// muster queues: the table.
#include <memory>

#include "cli/list_flags.h"
#include "cli/list_printer.h"
#include "cli/queue_table.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

absl::StatusOr<int> ListQueues(Session& session, const OutputFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_ASSIGN_OR_RETURN(const v1::ListQueuesResponse response, client->ListQueues({}));
  const bool wide = flags.Get() == Format::kWide;
  PrintList(session.terminal(), flags.Get(), "queues", response.queues(), [](const v1::Queue& queue) { return queue.name(); },
            Table(QueueHeader(wide)), [wide](const v1::Queue& queue, Table* table) {
              table->Add(QueueRow(queue, wide), QueueColour(queue), kQueueStateColumn);
            });
  if (IsData(flags.Get())) return 0;
  if (response.queues().empty()) session.terminal().Say("no queue has a task or a setting; `muster run --queue NAME` begins one");
  return 0;
}

}  // namespace

Action SetUpQueues(Flags& flags) {
  auto values = std::make_shared<OutputFlags>();
  flags.Usage("queues [flags]");
  values->Declare(flags);
  flags.Examples("  muster queues -o wide");
  return [values](Session& session) { return ListQueues(session, *values); };
}

}  // namespace muster::cli
