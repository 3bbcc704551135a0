#include "cli/dry_run.h"

#include "absl/time/clock.h"
#include "cli/dependency_flag.h"
#include "cli/explanation_page.h"
#include "common/base/status_macros.h"

namespace muster::cli {

absl::StatusOr<int> PrintDryRun(Session& session, const v1::TaskSpec& task, Format format) {
  v1::ExplainRequest request;
  *request.mutable_task() = task;
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_RETURN_IF_ERROR(ResolveDependencies(RecentTasks::Of(session.master()), request.mutable_task()));
  MUSTER_ASSIGN_OR_RETURN(const v1::ExplainResponse response, client->Explain(request));
  if (response.explanations().empty()) return absl::InternalError("the master explained nothing");
  const v1::Explanation& explanation = response.explanations(0);
  if (IsData(format)) {
    PrintMessage(format, explanation);
  } else {
    Print(ExplanationPage(explanation, absl::Now()));
  }
  return 0;
}

}  // namespace muster::cli
