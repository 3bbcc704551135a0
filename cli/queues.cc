// muster queues: the table.
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/list_flags.h"
#include "cli/queue_table.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

absl::StatusOr<int> ListQueues(Session& session, const OutputFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_ASSIGN_OR_RETURN(const v1::ListQueuesResponse response, client->ListQueues({}));
  const Format format = flags.Get();
  if (IsData(format)) {
    ListWriter list(format, "queues");
    for (const v1::Queue& queue : response.queues()) list.Add(queue);
    list.Finish();
    return 0;
  }
  const bool wide = format == Format::kWide;
  Table table(QueueHeader(wide));
  for (const v1::Queue& queue : response.queues()) {
    if (format == Format::kName) {
      Print(absl::StrCat(queue.name(), "\n"));
    } else {
      table.Add(QueueRow(queue, wide), QueueColour(queue), kQueueStateColumn);
    }
  }
  if (format != Format::kName) table.Print(session.terminal());
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
