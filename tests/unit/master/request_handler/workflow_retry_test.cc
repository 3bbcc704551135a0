// Which tasks of a workflow are tried again, and which stay.
#include "master/request_handler/workflow_retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::handler {
namespace {

using ::testing::ElementsAre;
using Condition = DependencyCondition;

constexpr EndReason kByItself = EndReason::kExited;

WorkflowSpec Spec(std::vector<std::vector<NodeNeed>> needs) {
  WorkflowSpec spec;
  for (auto& of_node : needs) spec.nodes.push_back({std::move(of_node)});
  return spec;
}

// Task 10 + node of each.
core::RecoveredEnd End(uint32_t node, TaskState state) {
  return {TaskId(10 + node), node, state, state == TaskState::kCancelled ? EndReason::kNone : kByItself};
}

std::vector<uint32_t> NodesOf(const WorkflowSpec& spec, const std::vector<core::RecoveredEnd>& ends) {
  std::vector<uint32_t> nodes;
  for (const RetriedNode& retried : ChooseRetry(spec, OrderOf(spec), ends).nodes) nodes.push_back(retried.node);
  return nodes;
}

TEST(WorkflowRetryTest, WhatFailedAndWhatHangsOnItIsTriedAgainAndTheRestStays) {
  const WorkflowSpec spec = Spec({{}, {{0}}, {{1}}, {}});
  const auto retry = ChooseRetry(spec, OrderOf(spec), {End(0, TaskState::kSucceeded), End(1, TaskState::kFailed),
                                                        End(2, TaskState::kCancelled), End(3, TaskState::kSucceeded)});
  ASSERT_EQ(retry.nodes.size(), 2u);
  EXPECT_EQ(retry.nodes[0].node, 1u);
  EXPECT_EQ(retry.nodes[1].node, 2u);
  EXPECT_EQ(retry.kept.size(), 2u);
}

TEST(WorkflowRetryTest, WhatSucceededOnAHalfResultRunsAgain) {
  EXPECT_THAT(NodesOf(Spec({{}, {{0, Condition::kAny}}}), {End(0, TaskState::kFailed), End(1, TaskState::kSucceeded)}), ElementsAre(0, 1));
}

TEST(WorkflowRetryTest, WhatWasStoppedBeforeItCouldRunRunsNow) {
  EXPECT_THAT(NodesOf(Spec({{}, {}, {{1}}}), {End(0, TaskState::kFailed), End(1, TaskState::kSucceeded), End(2, TaskState::kCancelled)}),
              ElementsAre(0, 2));
}

TEST(WorkflowRetryTest, WhatIsForAFailureThatDidNotComeStaysSkipped) {
  EXPECT_THAT(NodesOf(Spec({{}, {{0, Condition::kFailure}}, {}}),
                      {End(0, TaskState::kSucceeded), End(1, TaskState::kCancelled), End(2, TaskState::kTimedOut)}),
              ElementsAre(2));
}

TEST(WorkflowRetryTest, OfABatchOnlyTheRowsThatFailed) {
  const WorkflowSpec spec = Spec({{}, {{0}}});
  std::vector<core::RecoveredEnd> ends = {{TaskId(1), 0, TaskState::kSucceeded, kByItself}, {TaskId(2), 0, TaskState::kLost, EndReason::kLost},
                                          {TaskId(3), 0, TaskState::kSucceeded, kByItself}, End(1, TaskState::kCancelled)};
  const auto retry = ChooseRetry(spec, OrderOf(spec), ends);
  ASSERT_EQ(retry.nodes.size(), 2u);
  EXPECT_THAT(retry.nodes[0].tasks, ElementsAre(TaskId(2)));
}

WorkflowNode With(NodeValues values, std::vector<NodeNeed> needs) { return {std::move(needs), false, std::make_shared<const NodeValues>(std::move(values))}; }

TEST(WorkflowRetryTest, WhatAConditionSkippedAndWhatSucceededAfterItStay) {
  WorkflowSpec spec;
  spec.nodes = {With({.outputs = {"rows"}}, {}), With({.condition = NodeCondition{OutputOf{0, 0, "fetch.rows"}, "", true, "0"}}, {{0}}),
                {{{1, Condition::kAny}}}, {}};
  core::RecoveredEnd fetch = End(0, TaskState::kSucceeded);
  fetch.outputs = {{"rows", "0"}};
  EXPECT_THAT(NodesOf(spec, {fetch, End(1, TaskState::kCancelled), End(2, TaskState::kSucceeded), End(3, TaskState::kFailed)}), ElementsAre(3));
}

TEST(WorkflowRetryTest, WhoDidNotWriteWhatAnotherBrokeAtRunsAgain) {
  WorkflowSpec spec;
  spec.nodes = {With({.outputs = {"rows"}}, {}), With({.variables = {{"V", OutputOf{0, 0, "fetch.rows"}}}}, {{0}}), {}};
  core::RecoveredEnd broke = End(1, TaskState::kCancelled);
  broke.reason = EndReason::kStartFailed;
  EXPECT_THAT(NodesOf(spec, {End(0, TaskState::kSucceeded), broke, End(2, TaskState::kSucceeded)}), ElementsAre(0, 1));
}

TEST(WorkflowRetryTest, NothingFailedNothingIsTriedAgain) {
  EXPECT_TRUE(NodesOf(Spec({{}, {{0, Condition::kFailure}}}), {End(0, TaskState::kSucceeded), End(1, TaskState::kCancelled)}).empty());
}

TEST(WorkflowRetryTest, AFileInAnyOrderIsLookedAtInTheOrderOfItsNeeds) {
  EXPECT_THAT(OrderOf(Spec({{{1}}, {{2}}, {}})), ElementsAre(2, 1, 0));
}

}  // namespace
}  // namespace muster::handler
