// muster resources: what the cluster has as a whole, and who has it.
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/list_flags.h"
#include "cli/list_printer.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

std::string TakersText(const v1::ClusterResource& resource) {
  return resource.task_ids().empty() ? "-" : absl::StrJoin(resource.task_ids(), ",");
}

absl::StatusOr<int> ListResources(Session& session, const OutputFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_ASSIGN_OR_RETURN(const v1::GetSummaryResponse response, client->GetSummary({}));
  const auto& resources = response.summary().resources();
  PrintList(session.terminal(), flags.Get(), "resources", resources, [](const v1::ClusterResource& one) { return one.name(); },
            Table({"NAME", "USED", "AMOUNT", "WAITING", "TASKS"}), [](const v1::ClusterResource& one, Table* table) {
              table->Add({one.name(), absl::StrCat(one.used()), absl::StrCat(one.amount()), absl::StrCat(one.waiting_count()),
                          TakersText(one)});
            });
  if (IsData(flags.Get()) || !resources.empty()) return 0;
  session.terminal().Say("the master's configuration (resources) names none that the cluster has as a whole");
  return 0;
}

}  // namespace

Action SetUpResources(Flags& flags) {
  auto values = std::make_shared<OutputFlags>();
  flags.Usage("resources [flags]");
  values->Declare(flags);
  flags.Examples("  muster resources                  licences and the like, and the tasks that have them");
  return [values](Session& session) { return ListResources(session, *values); };
}

}  // namespace muster::cli
