// Outputs that decide on other tasks: with what they start, when they are skipped, and when their workflow breaks.
#include "master/core/workflow_values.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "master/core/workflow_events.h"
#include "tests/unit/master/core/workflow_by_hand.h"

namespace muster::core {
namespace {

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
using Condition = DependencyCondition;

WorkflowNode Writer() { return With({.outputs = {"o0"}}); }
WorkflowNode If(const std::string& right, bool negated = false) {
  return With({.condition = NodeCondition{OutputNamed(0), "", negated, right}}, Needs({{0}}));
}
WorkflowNode Reader(uint32_t from = 0) { return With({.variables = {{"V", OutputNamed(from)}}}, Needs({{from}})); }

NamedValues VariablesSent(TestCluster& cluster, TaskId task) {
  for (const Assign& assign : cluster.Seen<Assign>()) {
    if (assign.key.task == task) return assign.variables;
  }
  ADD_FAILURE() << "task " << task.value() << " was not sent";
  return {};
}

TEST(WorkflowValuesTest, WhatATaskWroteIsAVariableOfTheNext) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId flow = SubmitFlow(cluster, Flow({Writer(), Reader()}));
  EXPECT_EQ(cluster.Seen<Assign>().front().workflow, flow);
  cluster.Succeed(TaskOf(cluster, flow, 0), {{"undeclared", "x"}, {"o0", "1.4"}});
  EXPECT_EQ(VariablesSent(cluster, TaskOf(cluster, flow, 1)), (NamedValues{{"V", "1.4"}}));
}

TEST(WorkflowValuesTest, WhatOpenWorkflowsKeepCountsAsWhatWaits) {
  CoreConfig config;
  config.max_queued_bytes = 8000;
  TestCluster cluster(config);
  cluster.Join("a", 1);
  const auto queued_bytes = [&] { return cluster.core().counters().queued_bytes; };
  const TaskId flow = SubmitFlow(cluster, Flow({Writer(), Reader()}));
  const TaskId reader = TaskOf(cluster, flow, 1);
  cluster.Succeed(TaskOf(cluster, flow, 0), {{"o0", std::string(4000, 'x')}, {"undeclared", std::string(4000, 'x')}});
  ASSERT_EQ(cluster.StateOf(reader), TaskState::kDispatched);
  EXPECT_GE(queued_bytes(), 4000u);
  EXPECT_LT(queued_bytes(), 5000u);
  cluster.Restart(config);
  EXPECT_GE(queued_bytes(), 4000u) << "after a restart";
  cluster.core().CheckInvariants();
  cluster.Join("a", 1, HeldBy(cluster));
  cluster.Exit(reader, 0);
  EXPECT_EQ(queued_bytes(), 0u);
}

TEST(WorkflowValuesTest, TheValueIsThereAgainForASecondAttemptAndAfterARestart) {
  TestCluster cluster;
  cluster.Join("a", 1);
  SubmitWorkflow submit = Flow({Writer(), Reader()});
  auto twice = std::make_shared<TaskSpec>(*submit.nodes[1].spec);
  twice->retry.max_attempts = 2;
  submit.nodes[1].spec = std::move(twice);
  const TaskId flow = SubmitFlow(cluster, std::move(submit));
  cluster.Succeed(TaskOf(cluster, flow, 0), {{"o0", "1.4"}});
  const TaskId reader = TaskOf(cluster, flow, 1);
  cluster.Restart();
  cluster.Join("a", 1, HeldBy(cluster));
  cluster.Exit(reader, 1);
  for (int i = 0; i < 100 && cluster.StateOf(reader) != TaskState::kDispatched; ++i) cluster.AdvanceBeating(absl::Seconds(1), {"a"});
  EXPECT_EQ(VariablesSent(cluster, reader), (NamedValues{{"V", "1.4"}}));
}

TEST(WorkflowValuesTest, AConditionThatDoesNotHoldSkipsItsTaskAndIsNoFailure) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId flow = SubmitFlow(cluster, Flow({Writer(), If("5"), If("5", true), Needs({{1}})}));
  cluster.Succeed(TaskOf(cluster, flow, 0), {{"o0", "7"}});
  cluster.Turn();
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 1)), TaskState::kCancelled);
  EXPECT_EQ(cluster.ReasonOf(TaskOf(cluster, flow, 1)), "condition: n0.o0 is '7', and not '5'");
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 2)), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 3)), TaskState::kCancelled) << "it needs the skipped one's success";
  cluster.Exit(TaskOf(cluster, flow, 2), 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kSucceeded);
  EXPECT_EQ(StateOfFlow(cluster, flow).tally.skipped, 2u);
}

TEST(WorkflowValuesTest, AConditionOnATextIsLookedAtWhenTheTurnOfItsWorkflowComes) {
  CoreConfig config;
  config.workflows_max_running = 1;
  TestCluster cluster(config);
  cluster.Join("a", 4);
  const TaskId first = SubmitFlow(cluster, Flow({Needs({})}));
  const TaskId flow = SubmitFlow(cluster, Flow({With({.condition = NodeCondition{std::nullopt, "Bonn", false, "Ulm"}})}));
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 0)), TaskState::kPending);
  cluster.Exit(TaskOf(cluster, first, 0), 0);
  cluster.Turn();
  EXPECT_EQ(cluster.ReasonOf(TaskOf(cluster, flow, 0)), "condition: 'Bonn' is not 'Ulm'");
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kSucceeded);
}

TEST(WorkflowValuesTest, ASkippedTaskTakesNoPlaceOfTheOthers) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId flow = SubmitFlow(cluster, Flow({With({.condition = NodeCondition{std::nullopt, "a", false, "b"}}), Needs({})},
                                               [](WorkflowSpec& spec) { spec.max_parallel = 1; }));
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 0)), TaskState::kCancelled);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 1)), TaskState::kDispatched);
}

TEST(WorkflowValuesTest, AValueThatWasNotWrittenBreaksTheWorkflowAndTheOthersGoOn) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId other = SubmitFlow(cluster, Flow({Needs({}), Needs({{0}})}));
  const TaskId flow = SubmitFlow(cluster, Flow({Writer(), Reader(), Needs({}), Needs({{2}}), Needs({{0, Condition::kAny}, {1, Condition::kAny}})}));
  cluster.Succeed(TaskOf(cluster, flow, 0), {{"misspelt", "7"}});
  cluster.Turn();
  const std::string broke = absl::StrCat("broke at task ", TaskOf(cluster, flow, 1).value(), ": its variable V is n0.o0, which was not written");
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 1)), TaskState::kCancelled);
  EXPECT_EQ(cluster.ReasonOf(TaskOf(cluster, flow, 1)), "values: its variable V is n0.o0, which was not written");
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 3)), TaskState::kCancelled) << "nothing new starts";
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 4)), TaskState::kDispatched) << "but what is for any end";
  cluster.Restart();
  cluster.Join("a", 8, HeldBy(cluster));
  EXPECT_EQ(cluster.core().FindWorkflow(flow)->reason, broke);
  cluster.Exit(TaskOf(cluster, flow, 4), 0);
  cluster.Exit(TaskOf(cluster, flow, 2), 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kFailed);
  EXPECT_EQ(StateOfFlow(cluster, flow).reason, broke);
  cluster.Exit(TaskOf(cluster, other, 0), 0);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, other, 1)), TaskState::kDispatched);
}

TEST(WorkflowValuesTest, AConditionOnATaskThatFailedBreaksItsWorkflow) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const auto looks = [](Condition condition) { return With({.condition = NodeCondition{OutputNamed(0), "", true, ""}}, Needs({{0, condition}})); };
  WorkflowNode writer = Writer();
  writer.may_fail = true;
  const TaskId flow = SubmitFlow(cluster, Flow({writer, looks(Condition::kAny)}));
  cluster.Exit(TaskOf(cluster, flow, 0), 1);
  cluster.Turn();
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kFailed);
  EXPECT_EQ(StateOfFlow(cluster, flow).reason, absl::StrCat("broke at task ", TaskOf(cluster, flow, 1).value(),
                                                            ": the left side of its condition is n0.o0, which was not written"));
}

TEST(WorkflowValuesTest, ABreakWhileAnotherFailureStopsItIsCountedBeforeAndAfterARestart) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId flow = SubmitFlow(cluster, Flow({Writer(), Needs({}), With({.variables = {{"V", OutputNamed(0)}}}, Needs({{0}, {1, Condition::kAny}})), Needs({})}));
  cluster.Exit(TaskOf(cluster, flow, 1), 1);
  cluster.Succeed(TaskOf(cluster, flow, 0), {});
  cluster.Turn();
  EXPECT_EQ(cluster.ReasonOf(TaskOf(cluster, flow, 2)), "values: its variable V is n0.o0, which was not written");
  const std::string reason = cluster.core().FindWorkflow(flow)->reason;
  EXPECT_EQ(reason, absl::StrCat("task ", TaskOf(cluster, flow, 1).value(), " ended FAILED, and 1 more failed"));
  cluster.Restart();
  EXPECT_EQ(cluster.core().FindWorkflow(flow)->reason, reason);
}

TEST(WorkflowValuesTest, ABrokenOneThatIsCancelledTooLateHasFailed) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId flow = SubmitFlow(cluster, Flow({Writer(), Reader(), Needs({})}, [](WorkflowSpec& spec) { spec.on_failure = FailureRule::kContinue; }));
  cluster.Succeed(TaskOf(cluster, flow, 0), {});
  cluster.Turn();
  cluster.Apply(CancelWorkflow{CallId(5), flow, "ann", ""});
  cluster.Exit(TaskOf(cluster, flow, 2), 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kFailed);
}

TEST(WorkflowValuesTest, AWideBatchThatIsSkippedTakesSeveralTurnsAndNoneOfItStarts) {
  TestCluster cluster;
  cluster.Join("a", 4);
  SubmitWorkflow submit = Flow({Writer(), If("1")});
  submit.nodes[1] = Node(1, WorkflowEvents::kEndsATurn + 1000);
  const TaskId flow = SubmitFlow(cluster, std::move(submit));
  cluster.Succeed(TaskOf(cluster, flow, 0), {{"o0", "0"}});
  for (int i = 0; i < 10 && !HasEnded(StateOfFlow(cluster, flow).state); ++i) {
    EXPECT_TRUE(cluster.transaction().attempts.empty());
    cluster.Turn();
  }
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kSucceeded);
}

TEST(WorkflowValuesTest, WhatIsTriedAgainHasTheValuesOfWhatWasKept) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId flow = SubmitFlow(cluster, Flow({Writer(), Reader()}));
  const TaskId writer = TaskOf(cluster, flow, 0);
  const TaskId failed = TaskOf(cluster, flow, 1);
  cluster.Succeed(writer, {{"o0", "1.4"}});
  cluster.Exit(failed, 1);
  const RecoveredWorkflow& stored = cluster.store().workflows().at(flow);
  RetryWorkflow retry{CallId(9), {}, stored.row, stored.parts};
  retry.kept = {{writer, 0, TaskState::kSucceeded, EndReason::kExited, {{"o0", "1.4"}}}};
  retry.nodes = {Node(1)};
  retry.nodes[0].replaces = {failed};
  cluster.Apply(retry);
  EXPECT_EQ(VariablesSent(cluster, TaskOf(cluster, flow, 1)), (NamedValues{{"V", "1.4"}}));
}

}  // namespace
}  // namespace muster::core
