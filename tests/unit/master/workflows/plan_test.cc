#include "master/workflows/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "master/workflows/list_schedule.h"

namespace muster::workflows {
namespace {

using ::testing::ElementsAre;
using KnownTimes = std::vector<std::optional<absl::Duration>>;

struct Node {
  uint32_t tasks = 1;
  std::vector<WorkflowEdge> needs;
};

WorkflowGraph GraphOf(const std::vector<Node>& nodes) {
  std::vector<uint32_t> counts, ends;
  std::vector<WorkflowEdge> needs;
  for (const Node& node : nodes) {
    counts.push_back(node.tasks);
    needs.insert(needs.end(), node.needs.begin(), node.needs.end());
    ends.push_back(static_cast<uint32_t>(needs.size()));
  }
  return std::get<WorkflowGraph>(WorkflowGraph::Make(counts, ends, needs));
}

KnownTimes Seconds(const std::vector<int>& seconds) {
  KnownTimes times;
  for (const int each : seconds) times.emplace_back(absl::Seconds(each));
  return times;
}

// fetch -> {a, b x 4} -> merge; and nothing hangs on note.
std::vector<Node> Diamond() { return {{1, {}}, {1, {{0}}}, {4, {{0}}}, {1, {{1}, {2}}}, {1, {{0}}}}; }

TEST(WorkflowPlan, HasStagesWidthWorkAndTheLongestWay) {
  const Plan plan = MakePlan(GraphOf(Diamond()), Seconds({1, 10, 6, 2, 5}));
  ASSERT_EQ(plan.stages.size(), 3u);
  EXPECT_THAT(plan.stages[0].nodes, ElementsAre(0));
  EXPECT_THAT(plan.stages[1].nodes, ElementsAre(1, 2, 4));
  EXPECT_THAT(plan.stages[2].nodes, ElementsAre(3));
  EXPECT_EQ(plan.stages[1].task_count, 6u);
  EXPECT_EQ(plan.width, 6u);
  EXPECT_THAT(plan.critical_path, ElementsAre(0, 1, 3));
  EXPECT_EQ(plan.critical_path_time, absl::Seconds(13));
  EXPECT_EQ(plan.total_work, absl::Seconds(1 + 10 + 24 + 2 + 5));
  EXPECT_EQ(plan.unknown_count, 0u);
}

// a takes 10 s, and meanwhile two slots do the four of b, twice 5 s; the note has time while the merge runs.
TEST(WorkflowPlan, SaysHowManySlotsReachTheCriticalPath) {
  const WorkflowGraph graph = GraphOf(Diamond());
  EXPECT_EQ(MakePlan(graph, Seconds({1, 10, 5, 2, 1})).slots_to_reach_critical_path, 3u);
  // With b longer than half of a, each of the four needs a slot of its own.
  EXPECT_EQ(MakePlan(graph, Seconds({1, 10, 9, 2, 1})).slots_to_reach_critical_path, 5u);
  EXPECT_EQ(MakePlan(GraphOf({{1, {}}, {1, {{0}}}}), Seconds({3, 3})).slots_to_reach_critical_path, 1u);
}

TEST(WorkflowPlan, WhatIsNotKnownCountsAsTheMedianOfTheKnownTasks) {
  const WorkflowGraph graph = GraphOf({{1, {}}, {5, {}}, {1, {}}, {2, {}}});
  const Plan plan = MakePlan(graph, KnownTimes{absl::Seconds(1), absl::Seconds(7), absl::Seconds(100), std::nullopt});
  EXPECT_EQ(plan.assumed, absl::Seconds(7));
  EXPECT_EQ(plan.unknown_count, 2u);
  EXPECT_EQ(plan.node_times[3], absl::Seconds(7));
  EXPECT_EQ(plan.total_work, absl::Seconds(1 + 35 + 100 + 14));
}

TEST(WorkflowPlan, OfNothingKnownEachTaskCountsAsASecond) {
  const Plan plan = MakePlan(GraphOf(Diamond()), KnownTimes(5));
  EXPECT_EQ(plan.assumed, absl::Seconds(1));
  EXPECT_EQ(plan.critical_path_time, absl::Seconds(3));
  EXPECT_EQ(plan.unknown_count, 8u);
}

TEST(WorkflowPlan, WhatRunsOnlyAfterAFailureStandsInItsStageAndCountsNothing) {
  const auto on_failure = DependencyCondition::kFailure;
  const auto any = DependencyCondition::kAny;
  // 0 build; 1 mend (of a failure), 2 tell (after mend); 3 clean (after whatever becomes of mend).
  const WorkflowGraph graph = GraphOf({{1, {}}, {1, {{0, on_failure}}}, {1, {{1}}}, {1, {{1, any}}}});
  EXPECT_THAT(RunWhenAllSucceed(graph), ElementsAre(true, false, false, true));
  const Plan plan = MakePlan(graph, KnownTimes{absl::Seconds(2), absl::Seconds(50), std::nullopt, absl::Seconds(3)});
  EXPECT_EQ(plan.critical_path_time, absl::Seconds(5));
  EXPECT_EQ(plan.total_work, absl::Seconds(5));
  EXPECT_EQ(plan.unknown_count, 0u);
  EXPECT_EQ(plan.stages.size(), 3u);
  EXPECT_THAT(plan.critical_path, ElementsAre(0, 1, 3));
  EXPECT_THAT(MakePlan(GraphOf({{1, {}}, {1, {{0, on_failure}}}}), Seconds({1, 9})).critical_path, ElementsAre(0));
}

TEST(WorkflowPlan, TimesThatAreNoneOrEndlessDoNoHarm) {
  const Plan plan = MakePlan(GraphOf({{3, {}}, {1, {{0}}}}), KnownTimes{absl::InfiniteDuration(), absl::Seconds(-1)});
  EXPECT_LT(plan.total_work, absl::InfiniteDuration());
  EXPECT_EQ(plan.slots_to_reach_critical_path, 3u);
  EXPECT_EQ(MakePlan(GraphOf({{3, {}}}), Seconds({0})).slots_to_reach_critical_path, 1u);
  EXPECT_EQ(MakePlan(WorkflowGraph(), {}).slots_to_reach_critical_path, 0u);
}

// Everything again by the definitions, one task and one second at a time.
class ByDefinition {
 public:
  ByDefinition(const std::vector<Node>& nodes, const std::vector<int>& seconds) : nodes_(nodes), seconds_(seconds) {}

  int LongestWay(NodeIndex to) const {
    int longest = 0;
    for (const WorkflowEdge& need : nodes_[to].needs) longest = std::max(longest, LongestWay(need.node));
    return longest + seconds_[to];
  }
  int CriticalPathSeconds() const {
    int longest = 0;
    for (NodeIndex node = 0; node < nodes_.size(); ++node) longest = std::max(longest, LongestWay(node));
    return longest;
  }
  int LongestFrom(NodeIndex from) const {
    int longest = 0;
    for (NodeIndex node = 0; node < nodes_.size(); ++node) {
      for (const WorkflowEdge& need : nodes_[node].needs) {
        if (need.node == from) longest = std::max(longest, LongestFrom(node));
      }
    }
    return longest + seconds_[from];
  }
  // Seconds until all has run, each second given to whoever has the longest way to the end and is not yet started.
  int Makespan(size_t slots) const {
    struct Task {
      NodeIndex node;
      int left;
      bool started = false;
    };
    std::vector<Task> tasks;
    for (NodeIndex node = 0; node < nodes_.size(); ++node) {
      tasks.insert(tasks.end(), nodes_[node].tasks, {node, seconds_[node]});
    }
    const auto over = [&tasks](NodeIndex node) {
      return std::all_of(tasks.begin(), tasks.end(), [node](const Task& task) { return task.node != node || task.left == 0; });
    };
    int now = 0;
    for (;; ++now) {
      std::vector<Task*> open;
      size_t busy = 0;
      for (Task& task : tasks) {
        if (task.left == 0) continue;
        const auto& needs = nodes_[task.node].needs;
        busy += task.started ? 1 : 0;
        if (!task.started && std::all_of(needs.begin(), needs.end(), [&](const WorkflowEdge& e) { return over(e.node); })) {
          open.push_back(&task);
        }
      }
      if (busy == 0 && open.empty()) return now;
      std::stable_sort(open.begin(), open.end(), [this](const Task* a, const Task* b) {
        const int from_a = LongestFrom(a->node), from_b = LongestFrom(b->node);
        return from_a != from_b ? from_a > from_b : a->node < b->node;
      });
      for (size_t i = 0; i < open.size() && busy < slots; ++i, ++busy) open[i]->started = true;
      for (Task& task : tasks) task.left -= task.started && task.left > 0 ? 1 : 0;
    }
  }

 private:
  const std::vector<Node>& nodes_;
  const std::vector<int>& seconds_;
};

TEST(WorkflowPlan, OfRandomGraphsIsThatOfTheDefinitions) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 400; ++round) {
    std::vector<Node> nodes(1 + random() % 8);
    std::vector<int> seconds;
    for (NodeIndex node = 0; node < nodes.size(); ++node) {
      nodes[node].tasks = 1 + static_cast<uint32_t>(random() % 3);
      seconds.push_back(1 + static_cast<int>(random() % 9));
      for (NodeIndex before = 0; before < node; ++before) {
        if (random() % 3 == 0) nodes[node].needs.push_back({before});
      }
    }
    const ByDefinition truth(nodes, seconds);
    const WorkflowGraph graph = GraphOf(nodes);
    const Plan plan = MakePlan(graph, Seconds(seconds));
    ASSERT_EQ(plan.critical_path_time, absl::Seconds(truth.CriticalPathSeconds())) << round;
    // The way that is named is one, from a start to an end, and as long as is said.
    absl::Duration along;
    for (size_t i = 0; i < plan.critical_path.size(); ++i) {
      along += plan.node_times[plan.critical_path[i]];
      if (i == 0) continue;
      const auto needs = graph.needs(plan.critical_path[i]);
      ASSERT_TRUE(std::any_of(needs.begin(), needs.end(),
                              [&](const WorkflowEdge& need) { return need.node == plan.critical_path[i - 1]; }))
          << round;
    }
    ASSERT_EQ(along, plan.critical_path_time) << round;
    const std::vector<bool> runs(nodes.size(), true);
    ListSchedule schedule(graph, plan.node_times, runs);
    for (uint64_t slots = 1; slots <= 6; ++slots) {
      ASSERT_EQ(schedule.Run(slots)->makespan, absl::Seconds(truth.Makespan(slots))) << round << " on " << slots;
    }
    const uint64_t reach = plan.slots_to_reach_critical_path;
    const double limit = kAboutTheCriticalPath * truth.CriticalPathSeconds();
    ASSERT_LE(truth.Makespan(reach), limit) << round;
    if (reach > 1) {
      ASSERT_GT(truth.Makespan(reach - 1), limit) << round;
    }
  }
}

// A hundred layers of a thousand, each needing five of the layer before; and one batch of all. Bounds far above what it takes.
TEST(WorkflowPlan, AHundredThousandTasksArePlannedInASecond) {
  std::mt19937_64 random(8);
  std::vector<Node> nodes(100'000);
  KnownTimes times;
  for (NodeIndex node = 0; node < nodes.size(); ++node) {
    times.emplace_back(absl::Milliseconds(1 + random() % 100'000));
    const NodeIndex layer = node / 1000;
    for (NodeIndex k = 0; layer > 0 && k < 5; ++k) nodes[node].needs.push_back({(layer - 1) * 1000 + k * 200 + NodeIndex(random() % 200)});
  }
  const WorkflowGraph graph = GraphOf(nodes);
  const absl::Time before = absl::Now();
  const Plan plan = MakePlan(graph, times);
  const absl::Duration took = absl::Now() - before;
  RecordProperty("milliseconds", static_cast<int>(absl::ToInt64Milliseconds(took)));
  EXPECT_EQ(plan.stages.size(), 100u);
  EXPECT_GT(plan.slots_to_reach_critical_path, 100u);
  const Plan batch = MakePlan(GraphOf({{100'000, {}}}), Seconds({1}));
  EXPECT_EQ(batch.slots_to_reach_critical_path, 100'000u);
#ifdef NDEBUG
  EXPECT_LT(took, absl::Seconds(4));
#endif
}

}  // namespace
}  // namespace muster::workflows
