#include "master/request_handler/workflow_retry.h"

#include <algorithm>

#include "master/core/workflow_table.h"

namespace muster::handler {
namespace {

using Ends = std::vector<core::RecoveredEnd>;

bool Failed(const core::RecoveredEnd& end) {
  return end.state != TaskState::kSucceeded && !core::WasSkipped(end.state, end.reason);
}

// Whether the ends that stay say that the need can never hold.
bool NeverHolds(DependencyCondition condition, const Ends& ends) {
  const bool all_succeeded = std::all_of(ends.begin(), ends.end(), [](const auto& end) { return end.state == TaskState::kSucceeded; });
  if (condition == DependencyCondition::kSuccess) return !all_succeeded;
  return condition == DependencyCondition::kFailure && all_succeeded;
}

class Choice {
 public:
  Choice(const WorkflowSpec& spec, const Ends& ends) : spec_(spec), ends_(spec.nodes.size()), again_(spec.nodes.size()) {
    for (const core::RecoveredEnd& end : ends) ends_[end.node].push_back(end);
  }

  void Look(uint32_t node, WorkflowRetry* retry) {
    const auto& needs = spec_.nodes[node].needs;
    const bool hangs = std::any_of(needs.begin(), needs.end(), [this](const NodeNeed& need) { return again_[need.node]; });
    const bool cannot = std::any_of(needs.begin(), needs.end(), [this](const NodeNeed& need) {
      return !again_[need.node] && NeverHolds(need.condition, ends_[need.node]);
    });
    RetriedNode retried{node, {}};
    for (const core::RecoveredEnd& end : ends_[node]) {
      const bool again = hangs || Failed(end) || (end.state != TaskState::kSucceeded && !cannot);
      again ? retried.tasks.push_back(end.task) : retry->kept.push_back(end);
    }
    again_[node] = !retried.tasks.empty();
    if (again_[node]) retry->nodes.push_back(std::move(retried));
  }

 private:
  const WorkflowSpec& spec_;
  std::vector<Ends> ends_;  // by node
  std::vector<bool> again_;
};

}  // namespace

WorkflowRetry ChooseRetry(const WorkflowSpec& spec, const std::vector<uint32_t>& order, const Ends& ends) {
  WorkflowRetry retry;
  Choice choice(spec, ends);
  for (const uint32_t node : order) choice.Look(node, &retry);
  return retry;
}

}  // namespace muster::handler
