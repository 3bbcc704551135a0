// What the master must understand of a workflow: which of its nodes need which, how many of its tasks run at once, and
// what a failure means for the others. The rest of it is the tasks' own.
//
// Thread rule: immutable once shared. The states and what leads from one to the other: docs/states.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
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

// An output of another node, which it needs.
struct OutputOf {
  uint32_t node = 0;
  uint32_t output = 0;  // its place among that node's
  std::string text;     // "fetch.version", for people
};

inline constexpr size_t kMostWorkflowOutputs = 10'000;  // of all nodes: the master keeps them in memory

struct NodeVariable {
  std::string name;  // of the environment
  OutputOf value;
};

// `left == right`, or `left != right`.
struct NodeCondition {
  std::optional<OutputOf> left;
  std::string text;  // without `left`: what stands there
  bool negated = false;
  std::string right;
};

struct NodeValues {
  std::vector<std::string> outputs;  // that its command may write
  std::vector<NodeVariable> variables;
  std::optional<NodeCondition> condition;

  // What another's outputs decide of it: whether, and with what, it starts.
  bool HangsOnValues() const { return !variables.empty() || condition.has_value(); }
};

struct WorkflowNode {
  std::vector<NodeNeed> needs;
  bool may_fail = false;
  std::shared_ptr<const NodeValues> values;  // null: it neither has nor uses any
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

// The places of its nodes, each after those that it needs; otherwise as they come free of needs.
std::vector<uint32_t> OrderOf(const WorkflowSpec& spec);

// The tasks that were made of a node by one call: of a batch, all of them or those of its rows that are tried again.
struct NodeTasks {
  uint32_t node = 0;
  TaskRange tasks;
  TaskId batch;                   // 0: a single task
  std::vector<TaskId> replaces;   // earlier tasks, one for each
};

}  // namespace muster
