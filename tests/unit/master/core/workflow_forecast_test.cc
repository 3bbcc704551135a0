// Time left, through the real core with injected time: what was learned of run times, and the graph that is left.
#include "master/core/workflow_forecast.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "tests/support/sanitized.h"
#include "tests/unit/master/core/workflow_by_hand.h"

namespace muster::core {
namespace {

using muster::testing::Flow;
using muster::testing::Node;
using muster::testing::Report;
using muster::testing::Spec;
using muster::testing::SubmitFlow;
using muster::testing::TaskOf;
using muster::testing::TasksOf;
using muster::testing::TestCluster;

constexpr uint64_t kShort = 11, kLong = 12, kNew = 13;  // fingerprints

void EndAfter(TestCluster& cluster, TaskId task, absl::Duration time) {
  auto report = std::make_shared<AttemptReport>(*Report(cluster.KeyOf(task), EndReason::kExited));
  report->end.usage.wall_time = time;
  cluster.ReportAs(cluster.WorkerOf(task), report);
}

void Learn(TestCluster& cluster, uint64_t fingerprint, absl::Duration time) {
  for (int run = 0; run < 3; ++run) {
    EndAfter(cluster, cluster.Submit(Spec([&](TaskSpec& spec) { spec.fingerprint = fingerprint; })), time);
  }
}

// A 10 s task and a 60 s task are known.
class WorkflowForecastTest : public ::testing::Test {
 protected:
  WorkflowForecastTest() {
    cluster_.Join("a", 4);
    Learn(cluster_, kShort, absl::Seconds(10));
    Learn(cluster_, kLong, absl::Seconds(60));
  }

  TaskId Run(std::vector<WorkflowNode> nodes, std::vector<uint64_t> kinds, uint64_t rows_of_last = 0, uint32_t max_parallel = 0) {
    SubmitWorkflow submit = Flow(std::move(nodes), [max_parallel](WorkflowSpec& spec) { spec.max_parallel = max_parallel; });
    if (rows_of_last > 0) submit.nodes.back() = Node(static_cast<uint32_t>(submit.nodes.size()) - 1, rows_of_last);
    for (size_t i = 0; i < kinds.size(); ++i) submit.nodes[i].spec->fingerprint = kinds[i];
    return SubmitFlow(cluster_, std::move(submit));
  }
  std::optional<absl::Duration> Left(TaskId flow) { return cluster_.core().FindWorkflow(flow)->time_left; }

  TestCluster cluster_;
};

TEST_F(WorkflowForecastTest, AWayThatIsNearlyDoneHidesNoOtherOne) {
  // 60 alone, beside 10 -> 10 -> 10.
  const TaskId flow = Run({{}, {}, {{{1}}}, {{{2}}}}, {kLong, kShort, kShort, kShort});
  cluster_.Started(TaskOf(cluster_, flow, 0));
  cluster_.AdvanceBeating(absl::Seconds(55), {"a"});
  EXPECT_EQ(Left(flow), absl::Seconds(30));
}

TEST_F(WorkflowForecastTest, ANeedMayStandBelowInTheFile) {
  SubmitWorkflow submit = Flow({{{{1}}}, {{{2}}}, {}});
  for (NewNode& node : submit.nodes) node.spec->fingerprint = kShort;
  std::reverse(submit.nodes.begin(), submit.nodes.end());
  EXPECT_EQ(Left(SubmitFlow(cluster_, std::move(submit))), absl::Seconds(30));
}

TEST_F(WorkflowForecastTest, ItIsTheLongestWayThroughWhatIsOpen) {
  // 10 -> 60 beside 10 -> 10.
  const TaskId flow = Run({{}, {{{0}}}, {{{0}}}}, {kShort, kLong, kShort});
  EXPECT_EQ(Left(flow), absl::Seconds(70));
  cluster_.Started(TaskOf(cluster_, flow, 0));
  cluster_.AdvanceBeating(absl::Seconds(4), {"a"});
  EXPECT_EQ(Left(flow), absl::Seconds(66)) << "of what runs, what it has run is done";
  cluster_.AdvanceBeating(absl::Seconds(20), {"a"});
  EXPECT_EQ(Left(flow), absl::Seconds(60)) << "no less than what comes after it";
  EndAfter(cluster_, TaskOf(cluster_, flow, 0), absl::Seconds(24));
  EndAfter(cluster_, TaskOf(cluster_, flow, 1), absl::Seconds(30));
  EXPECT_EQ(Left(flow), absl::Seconds(10));
}

TEST_F(WorkflowForecastTest, AWideOneTakesItsWorkOverTheSlots) {
  const TaskId flow = Run({{}}, {kShort}, 100);
  EXPECT_EQ(Left(flow), absl::Seconds(100 * 10 / 4));
  for (uint64_t i = 0; i < 20; ++i) EndAfter(cluster_, TaskId(TasksOf(cluster_, flow, 0).first.value() + i), absl::Seconds(10));
  EXPECT_EQ(Left(flow), absl::Seconds(80 * 10 / 4));
}

TEST_F(WorkflowForecastTest, MaxParallelAndOthersTakeFromItsShare) {
  const TaskId flow = Run({{}}, {kShort}, 100, 2);
  EXPECT_EQ(Left(flow), absl::Seconds(100 * 10 / 2));
  const TaskId wide = Run({{}}, {kShort}, 100);
  EXPECT_EQ(Left(wide), absl::Seconds(100 * 10 / 2)) << "two share four slots";
}

TEST_F(WorkflowForecastTest, ItIsUnknownWhenTooLittleIsKnown) {
  const TaskId half = Run({{}, {{{0}}}}, {kShort, kNew});
  EXPECT_EQ(Left(half), absl::Seconds(20)) << "what is not known counts as the mean of what is";
  EXPECT_EQ(Left(Run({{}, {{{0}}}, {{{1}}}}, {kShort, kNew, kNew})), std::nullopt);
  EXPECT_EQ(Left(Run({{}}, {kNew})), std::nullopt);
}

TEST_F(WorkflowForecastTest, WhatOnlyRunsAfterAFailureCountsNothing) {
  const TaskId flow = Run({{}, {{{0, DependencyCondition::kFailure}}}, {{{1}}}}, {kShort, kLong, kLong});
  EXPECT_EQ(Left(flow), absl::Seconds(10));
}

TEST_F(WorkflowForecastTest, ItIsUnknownWhileItIsStoppedOrNobodyCanRunIt) {
  const TaskId flow = Run({{}, {}, {{{0}}}}, {kShort, kShort, kShort});
  EXPECT_TRUE(Left(flow).has_value());
  cluster_.Exit(TaskOf(cluster_, flow, 0), 1);
  EXPECT_EQ(Left(flow), std::nullopt);
  CoreConfig one_at_a_time;
  one_at_a_time.workflows_max_running = 1;
  TestCluster other(one_at_a_time);
  SubmitFlow(other, Flow({{}}));
  EXPECT_EQ(other.core().FindWorkflow(SubmitFlow(other, Flow({{}})))->time_left, std::nullopt);
}

TEST_F(WorkflowForecastTest, AsTasksOfOneKindEndItFollowsTheirTimes) {
  const TaskId flow = Run({{}}, {kShort}, 100);
  EXPECT_EQ(Left(flow), absl::Seconds(250));
  for (uint64_t i = 0; i < 40; ++i) EndAfter(cluster_, TaskId(TasksOf(cluster_, flow, 0).first.value() + i), absl::Seconds(20));
  EXPECT_EQ(Left(flow), absl::Seconds(150)) << "it is not looked at anew at once";
  cluster_.Advance(WorkflowForecast::kFresh + absl::Seconds(1));
  EXPECT_EQ(Left(flow), absl::Seconds(300));
}

TEST_F(WorkflowForecastTest, OneOfAHundredThousandTasksIsReadInNoTimeBetweenTwoLooks) {
  const uint32_t count = kSanitized ? 5000 : 100'000;
  std::vector<WorkflowNode> nodes(count);
  for (uint32_t node = 100; node < count; ++node) nodes[node].needs = {{node - 100}, {node - 1 - node % 100}};
  const TaskId flow = Run(std::move(nodes), std::vector<uint64_t>(count, kShort));
  EXPECT_EQ(Left(flow), absl::Seconds(10) * (count / 4));
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Left(flow).has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(kSanitized ? 1000 : 100)) << "1,000 of them";
}

}  // namespace
}  // namespace muster::core
