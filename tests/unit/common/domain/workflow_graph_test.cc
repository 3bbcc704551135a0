#include "common/domain/workflow_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace muster {
namespace {

using Needs = std::vector<std::vector<NodeIndex>>;

std::variant<WorkflowGraph, WorkflowCycle> MakeOf(const Needs& needs) {
  std::vector<uint32_t> ends;
  std::vector<WorkflowEdge> edges;
  for (const std::vector<NodeIndex>& of_one : needs) {
    for (const NodeIndex node : of_one) edges.push_back({node});
    ends.push_back(static_cast<uint32_t>(edges.size()));
  }
  return WorkflowGraph::Make(std::vector<uint32_t>(needs.size(), 1), ends, edges);
}

WorkflowGraph GraphOf(const Needs& needs) { return std::get<WorkflowGraph>(MakeOf(needs)); }
std::vector<NodeIndex> CycleOf(const Needs& needs) { return std::get<WorkflowCycle>(MakeOf(needs)).nodes; }

std::vector<NodeIndex> OrderOf(const WorkflowGraph& graph) { return {graph.order().begin(), graph.order().end()}; }

std::vector<NodeIndex> DependentsOf(const WorkflowGraph& graph, NodeIndex node) {
  std::vector<NodeIndex> nodes;
  for (const WorkflowEdge& edge : graph.dependents(node)) nodes.push_back(edge.node);
  return nodes;
}

TEST(WorkflowGraph, HasItsNeedsBothWaysWithTheirConditions) {
  const auto made = WorkflowGraph::Make({1, 7, 1}, {0, 1, 3},
                                        {{0}, {1, DependencyCondition::kFailure}, {0, DependencyCondition::kAny}});
  const WorkflowGraph& graph = std::get<WorkflowGraph>(made);
  EXPECT_EQ(graph.node_count(), 3u);
  EXPECT_EQ(graph.task_count(), 9u);
  EXPECT_EQ(graph.need_count(), 3u);
  EXPECT_EQ(graph.needs(0).size(), 0u);
  EXPECT_EQ(graph.needs(2)[0], (WorkflowEdge{1, DependencyCondition::kFailure}));
  EXPECT_EQ(graph.dependents(0)[0], (WorkflowEdge{1, DependencyCondition::kSuccess}));
  EXPECT_EQ(graph.dependents(0)[1], (WorkflowEdge{2, DependencyCondition::kAny}));
  EXPECT_EQ(graph.dependents(2).size(), 0u);
}

TEST(WorkflowGraph, AFileThatIsInOrderKeepsItsOrder) {
  EXPECT_EQ(OrderOf(GraphOf({{}, {}, {0}, {}, {1, 2}})), (std::vector<NodeIndex>{0, 1, 2, 3, 4}));
}

TEST(WorkflowGraph, WhatIsNeededComesFirstAndTheRestAsInTheFile) {
  EXPECT_EQ(OrderOf(GraphOf({{3}, {}, {0}, {}})), (std::vector<NodeIndex>{3, 0, 1, 2}));
}

TEST(WorkflowGraph, ACycleIsShownFromItsSmallestNodeEachNeedingTheNext) {
  EXPECT_EQ(CycleOf({{}, {3}, {1}, {2}}), (std::vector<NodeIndex>{1, 3, 2}));
  EXPECT_EQ(CycleOf({{1}, {0}}), (std::vector<NodeIndex>{0, 1}));
  EXPECT_EQ(CycleOf({{0}}), (std::vector<NodeIndex>{0}));
  // A way into it is no part of it.
  EXPECT_EQ(CycleOf({{1}, {2}, {3}, {2}}), (std::vector<NodeIndex>{2, 3}));
}

TEST(WorkflowGraph, AnEmptyOneIsOne) { EXPECT_EQ(GraphOf({}).node_count(), 0u); }

// Written backwards, the walk goes down the whole chain at once.
TEST(WorkflowGraph, AChainOf100000NodesAndACycleOfAsManyEndWithoutRecursion) {
  constexpr NodeIndex kNodes = 100'000;
  Needs chain(kNodes);
  for (NodeIndex node = 0; node + 1 < kNodes; ++node) chain[node] = {node + 1};
  const WorkflowGraph graph = GraphOf(chain);
  EXPECT_EQ(graph.order().front(), kNodes - 1);
  EXPECT_EQ(Depths(graph)[0], kNodes - 1);
  const std::vector<absl::Duration> levels = BottomLevels(graph, std::vector<absl::Duration>(kNodes, absl::Seconds(2)));
  EXPECT_EQ(levels[kNodes - 1], absl::Seconds(2 * kNodes));
  chain[kNodes - 1] = {0};
  EXPECT_EQ(CycleOf(chain).size(), kNodes);
}

// What the definition says, by following every way.
uint32_t DepthByDefinition(const WorkflowGraph& graph, NodeIndex node) {
  uint32_t depth = 0;
  for (const WorkflowEdge& need : graph.needs(node)) depth = std::max(depth, 1 + DepthByDefinition(graph, need.node));
  return depth;
}

absl::Duration LevelByDefinition(const WorkflowGraph& graph, const std::vector<absl::Duration>& times, NodeIndex node) {
  absl::Duration longest;
  for (const WorkflowEdge& next : graph.dependents(node)) longest = std::max(longest, LevelByDefinition(graph, times, next.node));
  return times[node] + longest;
}

// Edges only from later to earlier ranks of a random permutation: no cycle, and no order in the file.
Needs RandomNeeds(std::mt19937_64* random) {
  const size_t nodes = 1 + (*random)() % 9;
  std::vector<NodeIndex> ranks(nodes);
  std::iota(ranks.begin(), ranks.end(), 0);
  std::shuffle(ranks.begin(), ranks.end(), *random);
  Needs needs(nodes);
  for (size_t later = 0; later < nodes; ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      if ((*random)() % 3 == 0) needs[ranks[later]].push_back(ranks[earlier]);
    }
  }
  return needs;
}

TEST(WorkflowGraph, OrderDepthsAndLevelsAreThoseOfTheDefinitionOnRandomGraphs) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 3000; ++round) {
    const Needs needs = RandomNeeds(&random);
    const WorkflowGraph graph = GraphOf(needs);
    std::vector<size_t> place(needs.size(), needs.size());
    for (size_t i = 0; i < graph.order().size(); ++i) place[graph.order()[i]] = i;
    std::vector<absl::Duration> times;
    for (size_t node = 0; node < needs.size(); ++node) times.push_back(absl::Seconds(random() % 5));
    const std::vector<uint32_t> depths = Depths(graph);
    const std::vector<absl::Duration> levels = BottomLevels(graph, times);
    for (NodeIndex node = 0; node < needs.size(); ++node) {
      ASSERT_LT(place[node], needs.size()) << round;
      for (const NodeIndex needed : needs[node]) {
        ASSERT_LT(place[needed], place[node]) << round;
        const std::vector<NodeIndex> dependents = DependentsOf(graph, needed);
        ASSERT_TRUE(std::count(dependents.begin(), dependents.end(), node) == 1) << round;
      }
      ASSERT_EQ(depths[node], DepthByDefinition(graph, node)) << round;
      ASSERT_EQ(levels[node], LevelByDefinition(graph, times, node)) << round;
    }
  }
}

// A cycle planted anywhere is found, and each of it needs the next.
TEST(WorkflowGraph, APlantedCycleIsFoundOnRandomGraphs) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 3000; ++round) {
    Needs needs = RandomNeeds(&random);
    const WorkflowGraph graph = GraphOf(needs);
    const NodeIndex first = graph.order()[random() % needs.size()];
    NodeIndex last = first;
    while (!graph.dependents(last).empty() && random() % 4 != 0) last = graph.dependents(last)[0].node;
    needs[first].push_back(last);
    const std::vector<NodeIndex> cycle = CycleOf(needs);
    ASSERT_FALSE(cycle.empty());
    for (size_t i = 0; i < cycle.size(); ++i) {
      const std::vector<NodeIndex>& of_one = needs[cycle[i]];
      ASSERT_NE(std::find(of_one.begin(), of_one.end(), cycle[(i + 1) % cycle.size()]), of_one.end()) << round;
    }
  }
}

}  // namespace
}  // namespace muster
