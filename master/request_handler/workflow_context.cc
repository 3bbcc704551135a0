#include "master/request_handler/workflow_context.h"

#include "common/base/status_macros.h"
#include "master/request_handler/ask_loop.h"

namespace muster::handler {

int64_t TasksMadeBy(const KnownRequest& known, const store::StoredWorkflow& stored) {
  int64_t count = 0;
  for (const core::WorkflowPartRow& part : stored.parts) {
    if (part.tasks.front().tasks.first.value() - known.tasks.first.value() >= known.tasks.count) continue;
    for (const NodeTasks& made : part.tasks) count += static_cast<int64_t>(made.tasks.count);
  }
  return count;
}

absl::StatusOr<KnownRequest> WorkflowContext::LookUp(const core::RequestKey& request) {
  KnownRequest known;
  if (request.id.empty()) return known;
  MUSTER_ASSIGN_OR_RETURN(const auto row, deps.store->FindRequest(request.owner, request.id));
  if (!row.has_value()) return known;
  known.id_is_taken = row->digest != request.digest;
  if (known.id_is_taken) return known;
  known.workflow = row->batch;
  if (!row->tasks.empty()) known.tasks = row->tasks.front();
  return known;
}

absl::StatusOr<KnownTimes> WorkflowContext::MedianTimes(const std::vector<TaskSpecPtr>& specs) {
  std::vector<uint64_t> fingerprints;
  fingerprints.reserve(specs.size());
  for (const TaskSpecPtr& spec : specs) fingerprints.push_back(spec->fingerprint);
  return AskLoop<KnownTimes>(deps.inspector, deps.limits.inspect_wait,
                             [fingerprints = std::move(fingerprints)](const core::ClusterCore& core) { return core.MedianTimes(fingerprints); });
}

}  // namespace muster::handler
