#include "common/domain/workflow.h"

#include <array>

namespace muster {

std::string_view WorkflowStateName(WorkflowState state) {
  static constexpr std::array<std::string_view, 6> kNames = {"NONE", "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"};
  const auto index = static_cast<size_t>(state);
  return index < kNames.size() ? kNames[index] : "NONE";
}

bool CanMove(WorkflowState from, WorkflowState to) {
  switch (from) {
    case WorkflowState::kNone: return to == WorkflowState::kPending || to == WorkflowState::kRunning;
    case WorkflowState::kPending:
      return to != WorkflowState::kNone && to != WorkflowState::kPending;
    case WorkflowState::kRunning: return HasEnded(to);
    case WorkflowState::kFailed:
    case WorkflowState::kCancelled: return to == WorkflowState::kPending || to == WorkflowState::kRunning;  // tried again
    case WorkflowState::kSucceeded: return false;
  }
  return false;
}

std::vector<uint32_t> OrderOf(const WorkflowSpec& spec) {
  std::vector<uint32_t> open(spec.nodes.size());
  std::vector<std::vector<uint32_t>> dependents(spec.nodes.size());
  std::vector<uint32_t> order;
  for (uint32_t node = 0; node < spec.nodes.size(); ++node) {
    open[node] = static_cast<uint32_t>(spec.nodes[node].needs.size());
    for (const NodeNeed& need : spec.nodes[node].needs) dependents[need.node].push_back(node);
    if (open[node] == 0) order.push_back(node);
  }
  for (size_t i = 0; i < order.size(); ++i) {
    for (const uint32_t node : dependents[order[i]]) {
      if (--open[node] == 0) order.push_back(node);
    }
  }
  return order;
}

}  // namespace muster
