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

}  // namespace muster
