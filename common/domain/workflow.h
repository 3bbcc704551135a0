// What the master must understand of a workflow: which of its nodes need which, how many of its tasks run at once, and
// what a failure means for the others. The rest of it is the tasks' own.
//
// Thread rule: immutable once shared. The states and what leads from one to the other: docs/states.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/dependency.h"
#include "common/domain/ids.h"

namespace muster {

// Numbers are those of muster.v1.WorkflowState.
enum class WorkflowState : uint8_t { kNone = 0, kPending = 1, kRunning = 2, kSucceeded = 3, kFailed = 4, kCancelled = 5 };

constexpr bool HasEnded(WorkflowState state) { return state >= WorkflowState::kSucceeded; }
std::string_view WorkflowStateName(WorkflowState state);  // "RUNNING"
// Whether the table of docs/states.md has a move from one to the other. kNone is "not there yet".
bool CanMove(WorkflowState from, WorkflowState to);

// Numbers are those of muster.v1.FailureRule.
enum class FailureRule : uint8_t { kStop = 1, kContinue = 2, kFailFast = 3 };

struct NodeNeed {
  uint32_t node = 0;  // its place in the workflow
  DependencyCondition condition = DependencyCondition::kSuccess;

  friend bool operator==(const NodeNeed&, const NodeNeed&) = default;
};

struct WorkflowNode {
  std::vector<NodeNeed> needs;
  bool may_fail = false;
};

struct WorkflowSpec {
  std::string name;
  std::string owner;
  uint32_t max_parallel = 0;  // 0: the master's own
  FailureRule on_failure = FailureRule::kStop;
  std::vector<WorkflowNode> nodes;
  std::string payload;  // the serialized muster.v1.WorkflowSpec without its tasks, which have rows of their own
};
using WorkflowSpecPtr = std::shared_ptr<const WorkflowSpec>;

// The tasks that were made of a node by one call: of a batch, all of them or those of its rows that are tried again.
struct NodeTasks {
  uint32_t node = 0;
  TaskRange tasks;
  TaskId batch;                   // 0: a single task
  std::vector<TaskId> replaces;   // earlier tasks, one for each
};

}  // namespace muster
