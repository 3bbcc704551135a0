// How long a workflow takes on so many slots, when of what could start the one with the longest way to the end goes first.
//
// Thread rule: one thread. Ownership: the graph and the arrays are the caller's and outlive it. Cost of a run: for t tasks
// t log t; no node of many tasks is ever spread out.
// Source: R. L. Graham, 1969. More slots can take longer (his anomalies), though with this order rarely.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/workflow_graph.h"

namespace muster::workflows {

class ListSchedule {
 public:
  // `times`: of one task of each node. `runs`: nodes for which it is false are over as soon as their needs are.
  ListSchedule(const WorkflowGraph& graph, std::span<const absl::Duration> times, const std::vector<bool>& runs)
      : graph_(graph), times_(times), runs_(runs), levels_(BottomLevels(graph, times)) {}

  struct Outcome {
    absl::Duration makespan;
    uint64_t most_running = 0;
  };
  // Empty: it takes longer than `limit`. `slots` is at least 1.
  std::optional<Outcome> Run(uint64_t slots, absl::Duration limit = absl::InfiniteDuration());

 private:
  struct Ready {
    absl::Duration level;
    NodeIndex node;
    uint32_t tasks;

    bool operator<(const Ready& other) const {
      return level != other.level ? level < other.level : node > other.node;  // the top of a heap goes first
    }
  };
  struct Running {
    absl::Duration end;
    NodeIndex node;
    uint32_t tasks;

    bool operator<(const Running& other) const { return end > other.end; }
  };

  void Begin();
  void BecomeReady(NodeIndex node);
  void Start(absl::Duration now);
  void End(const Running& ended);

  const WorkflowGraph& graph_;
  const std::span<const absl::Duration> times_;
  const std::vector<bool>& runs_;
  const std::vector<absl::Duration> levels_;
  // Of a run.
  std::vector<uint32_t> needs_left_, tasks_left_;
  std::vector<NodeIndex> over_;  // whose dependents do not know yet
  std::vector<Ready> ready_;        // heaps
  std::vector<Running> running_;
  uint64_t free_ = 0;
};

}  // namespace muster::workflows
