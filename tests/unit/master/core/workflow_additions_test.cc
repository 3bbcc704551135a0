// Tasks that are added to a workflow while it runs.
#include <gtest/gtest.h>

#include <string>

#include "common/domain/workflow_graph.h"
#include "master/core/workflow_events.h"
#include "tests/unit/master/core/workflow_by_hand.h"

namespace muster::core {
namespace {

using muster::testing::Addition;
using muster::testing::Flow;
using muster::testing::HeldBy;
using muster::testing::Needs;
using muster::testing::Node;
using muster::testing::OutputNamed;
using muster::testing::StateOfFlow;
using muster::testing::SubmitFlow;
using muster::testing::TaskOf;
using muster::testing::TestCluster;
using muster::testing::With;

absl::Status Add(TestCluster& cluster, AddToWorkflow add) {
  cluster.Apply(std::move(add));
  return cluster.Seen<WorkflowAnswer>().front().status;
}

TEST(WorkflowAdditionsTest, ATaskThatIsAddedWaitsForThoseThatWereThere) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}), Needs({{0}})}));
  cluster.Started(TaskOf(cluster, flow, 0));
  ASSERT_TRUE(Add(cluster, Addition(cluster, flow, {Needs({}), Needs({{0}, {2}})})).ok());
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 2)), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 3)), TaskState::kPending);
  cluster.Exit(TaskOf(cluster, flow, 2), 0);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 3)), TaskState::kPending);
  const TaskId last = TaskOf(cluster, flow, 3);
  const TaskId second = cluster.store().workflows().at(flow).parts.front().tasks[1].tasks.first;
  cluster.Exit(cluster.store().workflows().at(flow).parts.front().tasks[0].tasks.first, 0);
  EXPECT_EQ(cluster.StateOf(last), TaskState::kDispatched);
  cluster.Exit(last, 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kRunning);
  cluster.Exit(second, 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kSucceeded);
  EXPECT_EQ(StateOfFlow(cluster, flow).tally.retries, 0u) << "more tasks are no second try";
}

TEST(WorkflowAdditionsTest, TheyAreThereWithWhatTheyNeedWhenTheMasterDiesAtOnce) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId flow = SubmitFlow(cluster, Flow({With({.outputs = {"o0"}})}));
  const TaskId writer = TaskOf(cluster, flow, 0);
  ASSERT_TRUE(Add(cluster, Addition(cluster, flow, {With({.variables = {{"V", OutputNamed(0)}}}, Needs({{0}}))})).ok());
  cluster.Restart();
  cluster.Join("a", 4, HeldBy(cluster));
  const TaskId reader = TaskOf(cluster, flow, 1);
  EXPECT_EQ(cluster.StateOf(reader), TaskState::kPending);
  cluster.Succeed(writer, {{"o0", "7"}});
  ASSERT_EQ(cluster.Seen<Assign>().size(), 1u);
  EXPECT_EQ(cluster.Seen<Assign>().front().variables, (NamedValues{{"V", "7"}}));
}

TEST(WorkflowAdditionsTest, TheSameCallTwiceAddsThemOnce) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({})}));
  AddToWorkflow add = Addition(cluster, flow, {Needs({})});
  add.request = {.owner = "ann", .id = "r1"};
  ASSERT_TRUE(Add(cluster, add).ok());
  ASSERT_TRUE(Add(cluster, add).ok());
  EXPECT_TRUE(cluster.Seen<WorkflowAnswer>().front().repeated);
  EXPECT_EQ(cluster.store().tasks().size(), 2u);
}

TEST(WorkflowAdditionsTest, OneThatStopsIsCancelledOrHasEndedTakesNoMore) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId stops = SubmitFlow(cluster, Flow({Needs({}), Needs({})}));
  cluster.Started(TaskOf(cluster, stops, 0));
  const AddToWorkflow late = Addition(cluster, stops, {Needs({})});
  cluster.Exit(TaskOf(cluster, stops, 0), 1);
  EXPECT_EQ(Add(cluster, late).code(), absl::StatusCode::kNotFound) << "it has ended meanwhile";

  const TaskId cancelled = SubmitFlow(cluster, Flow({Needs({})}));
  cluster.Apply(CancelWorkflow{CallId(5), cancelled, "ann", ""});
  EXPECT_EQ(Add(cluster, Addition(cluster, cancelled, {Needs({})})).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(WorkflowAdditionsTest, WhatWasCheckedWithOtherNodesIsNotTaken) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({})}));
  const AddToWorkflow first = Addition(cluster, flow, {Needs({})});
  ASSERT_TRUE(Add(cluster, Addition(cluster, flow, {Needs({})})).ok());
  EXPECT_EQ(Add(cluster, first).code(), absl::StatusCode::kResourceExhausted);
}

TEST(WorkflowAdditionsTest, MoreTasksLeaveAWaitingOneItsTurnAlsoAfterARestart) {
  CoreConfig config;
  config.workflows_max_running = 1;
  TestCluster cluster(config);
  cluster.Join("a", 4);
  const TaskId first = SubmitFlow(cluster, Flow({Needs({})}));
  const TaskId second = SubmitFlow(cluster, Flow({Needs({})}));
  const TaskId third = SubmitFlow(cluster, Flow({Needs({})}));
  ASSERT_TRUE(Add(cluster, Addition(cluster, second, {Needs({})})).ok());
  cluster.Restart(config);
  cluster.Join("a", 4, HeldBy(cluster));
  cluster.Exit(TaskOf(cluster, first, 0), 0);
  EXPECT_EQ(StateOfFlow(cluster, second).state, WorkflowState::kRunning);
  EXPECT_EQ(StateOfFlow(cluster, third).state, WorkflowState::kPending);
}

TEST(WorkflowAdditionsTest, ItNeverHasMoreThanAWorkflowMayHave) {
  TestCluster cluster;
  SubmitWorkflow wide = Flow({Needs({})});
  wide.nodes[0] = Node(0, kMostWorkflowTasks);
  const TaskId flow = SubmitFlow(cluster, std::move(wide));
  EXPECT_EQ(Add(cluster, Addition(cluster, flow, {Needs({})})).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace muster::core
