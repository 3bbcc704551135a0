#include "master/request_handler/workflow_retry.h"

#include <algorithm>

#include "master/core/workflow_table.h"
#include "master/core/workflow_values.h"

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
  Choice(const WorkflowSpec& spec, const Ends& ends) : spec_(spec), ends_(spec.nodes.size()), again_(spec.nodes.size()), writes_again_(spec.nodes.size()) {
    for (const core::RecoveredEnd& end : ends) {
      ends_[end.node].push_back(end);
      if (end.state == TaskState::kSucceeded) values_.Keep(spec, end.node, end.outputs);
    }
    for (const core::RecoveredEnd& end : ends) {
      const NodeValues* const wanted = spec.nodes[end.node].values.get();
      if (wanted != nullptr && core::BrokeAtValue(end.state, end.reason)) WriteAgain(*wanted);
    }
  }

  void Look(uint32_t node, WorkflowRetry* retry) {
    const auto& needs = spec_.nodes[node].needs;
    const bool hangs = writes_again_[node] || std::any_of(needs.begin(), needs.end(), [this](const NodeNeed& need) { return again_[need.node]; });
    const bool cannot = std::any_of(needs.begin(), needs.end(), [this](const NodeNeed& need) {
      return !again_[need.node] && NeverHolds(need.condition, ends_[need.node]);
    }) || (!hangs && core::Judge(spec_, node, values_).kind == core::Judgement::Kind::kSkipped);
    RetriedNode retried{node, {}};
    for (const core::RecoveredEnd& end : ends_[node]) {
      const bool again = hangs || Failed(end) || (end.state != TaskState::kSucceeded && !cannot);
      again ? retried.tasks.push_back(end.task) : retry->kept.push_back(end);
    }
    again_[node] = !retried.tasks.empty();
    if (again_[node]) retry->nodes.push_back(std::move(retried));
  }

 private:
  // Who succeeded, and did not write what another needed.
  void WriteAgain(const NodeValues& wanted) {
    const auto look = [this](const OutputOf& output) {
      if (values_.Find(output) == nullptr) writes_again_[output.node] = true;
    };
    for (const NodeVariable& variable : wanted.variables) look(variable.value);
    if (wanted.condition && wanted.condition->left) look(*wanted.condition->left);
  }

  const WorkflowSpec& spec_;
  std::vector<Ends> ends_;  // by node
  core::WorkflowValues values_;
  std::vector<bool> again_;
  std::vector<bool> writes_again_;
};

}  // namespace

WorkflowRetry ChooseRetry(const WorkflowSpec& spec, const std::vector<uint32_t>& order, const Ends& ends) {
  WorkflowRetry retry;
  Choice choice(spec, ends);
  for (const uint32_t node : order) choice.Look(node, &retry);
  return retry;
}

}  // namespace muster::handler
