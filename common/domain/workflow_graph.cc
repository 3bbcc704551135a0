#include "common/domain/workflow_graph.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace muster {
namespace {

enum class Visit : uint8_t { kNew, kOpen, kDone };

// The open nodes from `again` on, which the last of them needs.
std::vector<NodeIndex> CycleOf(const std::vector<std::pair<NodeIndex, uint32_t>>& open, NodeIndex again) {
  std::vector<NodeIndex> cycle;
  for (const auto& [node, next] : open) {
    if (node == again || !cycle.empty()) cycle.push_back(node);
  }
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

}  // namespace

std::variant<WorkflowGraph, WorkflowCycle> WorkflowGraph::Make(std::vector<uint32_t> task_counts,
                                                               std::vector<uint32_t> need_ends,
                                                               std::vector<WorkflowEdge> needs) {
  MUSTER_CHECK(task_counts.size() == need_ends.size());
  MUSTER_CHECK((need_ends.empty() ? 0 : need_ends.back()) == needs.size());
  WorkflowGraph graph;
  for (const uint32_t count : task_counts) graph.task_count_ += count;
  graph.task_counts_ = std::move(task_counts);
  graph.need_ends_ = std::move(need_ends);
  graph.needs_ = std::move(needs);
  graph.FillDependents();
  std::vector<NodeIndex> cycle = graph.FillOrder();
  if (!cycle.empty()) return WorkflowCycle{std::move(cycle)};
  return graph;
}

// A counting sort of the needs by the node that is needed.
void WorkflowGraph::FillDependents() {
  std::vector<uint32_t> next(node_count() + 1);
  for (const WorkflowEdge& need : needs_) ++next[need.node + 1];
  for (size_t node = 0; node < node_count(); ++node) next[node + 1] += next[node];
  dependent_ends_.assign(next.begin() + 1, next.end());
  dependents_.resize(needs_.size());
  for (NodeIndex node = 0; node < node_count(); ++node) {
    for (const WorkflowEdge& need : needs(node)) dependents_[next[need.node]++] = {node, need.condition};
  }
}

// Depth first, each node after its needs. The way from the root is a list of its own (a node, and which of its needs is
// next), since a chain is deeper than any stack.
std::vector<NodeIndex> WorkflowGraph::FillOrder() {
  order_.reserve(node_count());
  std::vector<Visit> visits(node_count(), Visit::kNew);
  std::vector<std::pair<NodeIndex, uint32_t>> open;
  for (NodeIndex root = 0; root < node_count(); ++root) {
    if (visits[root] != Visit::kNew) continue;
    open.emplace_back(root, 0);
    visits[root] = Visit::kOpen;
    while (!open.empty()) {
      auto& [node, next] = open.back();
      if (next == needs(node).size()) {
        visits[node] = Visit::kDone;
        order_.push_back(node);
        open.pop_back();
        continue;
      }
      const NodeIndex needed = needs(node)[next++].node;
      if (visits[needed] == Visit::kOpen) return CycleOf(open, needed);
      if (visits[needed] == Visit::kDone) continue;
      visits[needed] = Visit::kOpen;
      open.emplace_back(needed, 0);
    }
  }
  return {};
}

std::vector<uint32_t> Depths(const WorkflowGraph& graph) {
  std::vector<uint32_t> depths(graph.node_count());
  for (const NodeIndex node : graph.order()) {
    for (const WorkflowEdge& need : graph.needs(node)) depths[node] = std::max(depths[node], depths[need.node] + 1);
  }
  return depths;
}

std::vector<absl::Duration> BottomLevels(const WorkflowGraph& graph, std::span<const absl::Duration> times) {
  MUSTER_CHECK(times.size() == graph.node_count());
  std::vector<absl::Duration> levels(graph.node_count());
  const std::span<const NodeIndex> order = graph.order();
  for (size_t i = order.size(); i-- > 0;) {
    const NodeIndex node = order[i];
    for (const WorkflowEdge& dependent : graph.dependents(node)) levels[node] = std::max(levels[node], levels[dependent.node]);
    levels[node] += times[node];
  }
  return levels;
}

}  // namespace muster
