// What a workflow would be before it runs: its stages, its longest way, its work, and the slots that are worth having.
//
// It is planned as if nothing failed: nodes that only run when something does count nothing, though they stand in their
// stage. Tasks of a batch run side by side, so a batch is as long as one of its tasks.
// Thread rule: pure functions. Bounds: kMostWorkflowTasks; a plan of as many takes a fraction of a second.
// Source: list scheduling with the critical path first (R. L. Graham, "Bounds on multiprocessing timing anomalies", 1969).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/workflow_graph.h"

namespace muster::workflows {

// With so much more than the critical path's time a number of slots is still said to reach it.
inline constexpr double kAboutTheCriticalPath = 1.05;
inline constexpr absl::Duration kAssumedOfNothing = absl::Seconds(1);

// Nodes that need equally many others to end before them, one after the other.
struct Stage {
  std::vector<NodeIndex> nodes;  // in the order of the file
  uint64_t task_count = 0;
};

struct Plan {
  std::vector<Stage> stages;
  uint64_t width = 0;  // the most tasks of one stage
  std::vector<NodeIndex> critical_path;
  absl::Duration critical_path_time;
  absl::Duration total_work;  // of all tasks together
  uint64_t slots_to_reach_critical_path = 0;
  uint64_t unknown_count = 0;  // tasks
  absl::Duration assumed;      // what those count as: the median of the known tasks, or kAssumedOfNothing
  std::vector<absl::Duration> node_times;  // of one task of each node; zero for what runs only after a failure
};

// `known`: the run time of one task of each node, as far as it is known.
Plan MakePlan(const WorkflowGraph& graph, std::span<const std::optional<absl::Duration>> known);

// Of each node: whether it runs when nothing fails. A node that is skipped for its needs has not succeeded.
std::vector<bool> RunWhenAllSucceed(const WorkflowGraph& graph);

}  // namespace muster::workflows
