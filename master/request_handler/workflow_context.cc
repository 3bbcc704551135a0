#include "master/request_handler/workflow_context.h"

#include "common/base/status_macros.h"

namespace muster::handler {

absl::StatusOr<KnownRequest> WorkflowContext::LookUp(const core::RequestKey& request) {
  KnownRequest known;
  if (request.id.empty()) return known;
  MUSTER_ASSIGN_OR_RETURN(const auto row, deps.store->FindRequest(request.owner, request.id));
  if (!row.has_value()) return known;
  known.id_is_taken = row->digest != request.digest;
  if (!known.id_is_taken) known.workflow = row->batch;
  return known;
}

}  // namespace muster::handler
