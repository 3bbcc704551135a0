// A workflow's shape: which node needs which, as arrays of integers. What plans it, runs it and shows it reads this.
//
// Nodes are the workflow's, numbered in the order of its file; names, commands and conditions on values stay with whoever
// has the specification. common/convert/workflow_graph.h makes one of a specification, with refusals for people.
// Thread rule: a value; const calls from any thread. Cost: every function here is linear in nodes and needs, and none
// recurses: a chain of 100,000 nodes is as good as a fan. About 24 bytes a node and 16 a need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/dependency.h"

namespace muster {

inline constexpr size_t kMostWorkflowTasks = 100'000;  // rows of batches included
inline constexpr size_t kMostWorkflowNeeds = 1'000'000;

// A node's place in its workflow, from 0.
using NodeIndex = uint32_t;

// Of `needs(n)`: what n needs. Of `dependents(n)`: who needs n. The condition is the need's, either way.
struct WorkflowEdge {
  NodeIndex node = 0;
  DependencyCondition condition = DependencyCondition::kSuccess;

  friend bool operator==(const WorkflowEdge&, const WorkflowEdge&) = default;
};

// Each node needs the next one, and the last one the first. The smallest index is first.
struct WorkflowCycle {
  std::vector<NodeIndex> nodes;
};

class WorkflowGraph {
 public:
  WorkflowGraph() = default;
  // `task_counts`: of each node, 1 or its rows. `need_ends`: of each node where its needs end in `needs`, which has those of
  // node 0, then of node 1, ... All needs name nodes that there are.
  static std::variant<WorkflowGraph, WorkflowCycle> Make(std::vector<uint32_t> task_counts, std::vector<uint32_t> need_ends,
                                                         std::vector<WorkflowEdge> needs);

  size_t node_count() const { return task_counts_.size(); }
  size_t need_count() const { return needs_.size(); }
  uint64_t task_count() const { return task_count_; }
  uint32_t tasks(NodeIndex node) const { return task_counts_[node]; }
  std::span<const WorkflowEdge> needs(NodeIndex node) const { return Part(needs_, need_ends_, node); }
  // In the order of the nodes.
  std::span<const WorkflowEdge> dependents(NodeIndex node) const { return Part(dependents_, dependent_ends_, node); }
  // Every node after all that it needs, and else as in the file: a file that is in order keeps its order.
  std::span<const NodeIndex> order() const { return order_; }

 private:
  static std::span<const WorkflowEdge> Part(const std::vector<WorkflowEdge>& edges, const std::vector<uint32_t>& ends,
                                            NodeIndex node) {
    const uint32_t begin = node == 0 ? 0 : ends[node - 1];
    return {edges.data() + begin, ends[node] - begin};
  }
  void FillDependents();
  std::vector<NodeIndex> FillOrder();  // a cycle, if there is one

  std::vector<uint32_t> task_counts_;
  std::vector<uint32_t> need_ends_, dependent_ends_;
  std::vector<WorkflowEdge> needs_, dependents_;
  std::vector<NodeIndex> order_;
  uint64_t task_count_ = 0;
};

// How many nodes must end one after the other before it: 0 needs nothing.
std::vector<uint32_t> Depths(const WorkflowGraph& graph);

// How long the longest way from its start to the end of the workflow takes, `times` being each node's own time: whoever
// has the highest goes first. Source: critical-path-first list scheduling (Graham, 1969; Kelley and Walker, 1959).
std::vector<absl::Duration> BottomLevels(const WorkflowGraph& graph, std::span<const absl::Duration> times);

}  // namespace muster
