// Schedules of workflows in the real core: a run goes on until its workflow has ended, and the rules of schedules hold for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "tests/unit/master/core/schedule_by_hand.h"

namespace muster::core {
namespace {

using testing::AddScheduleEvent;
using testing::RunName;
using testing::ScheduleConfig;
using testing::StartAWorkflow;
using testing::StateOfFlow;
using testing::TaskOf;
using testing::TestCluster;
using ::testing::HasSubstr;

class ScheduledWorkflowsTest : public ::testing::Test {
 protected:
  ScheduleAnswer Change(ChangeSchedule event) {
    cluster_.Apply(std::move(event));
    const auto answers = cluster_.Seen<ScheduleAnswer>();
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? ScheduleAnswer() : answers.front();
  }
  ScheduleAnswer Add(Overlap overlap = Overlap::kAllow) {
    return Change(AddScheduleEvent("s", IntervalTimes{absl::Minutes(1), absl::Time()}, cluster_.now(), [overlap](ScheduleSpec& spec) {
      spec.overlap = overlap;
      StartAWorkflow(spec);
    }));
  }
  void NextDue() { cluster_.AdvanceBeating(absl::Minutes(1), {"a"}); }
  ScheduleView View() { return cluster_.core().FindSchedule("s").value_or(ScheduleView()); }
  TaskId Running() { return View().running.empty() ? TaskId() : View().running.back().task; }
  void Run(TaskId task, int exit_code = 0) {
    cluster_.Started(task);
    cluster_.Exit(task, exit_code);
  }

  TestCluster cluster_{ScheduleConfig()};
};

TEST_F(ScheduledWorkflowsTest, ARunIsAWorkflowThatGoesOnUntilAllOfItHasEnded) {
  cluster_.Join("a", 2);
  ASSERT_TRUE(Add().status.ok());
  NextDue();
  const TaskId flow = Running();
  ASSERT_TRUE(flow);
  EXPECT_EQ(StateOfFlow(cluster_, flow).state, WorkflowState::kRunning);
  EXPECT_EQ(cluster_.store().workflows().at(flow).row.spec->name, RunName("s", cluster_.now()));
  Run(TaskOf(cluster_, flow, 0));
  EXPECT_EQ(Running(), flow) << "its second task is to come";
  Run(TaskOf(cluster_, flow, 1));
  EXPECT_TRUE(View().running.empty());
  ASSERT_EQ(View().recent.size(), 1u);
  EXPECT_EQ(View().recent[0].ended_as, TaskState::kSucceeded);
  EXPECT_EQ(View().recent[0].task, flow);
}

TEST_F(ScheduledWorkflowsTest, TheWorkflowIsInTheCommitOfTheProgressThatTellsOfIt) {
  Add();
  cluster_.Advance(absl::Minutes(1));
  const Transaction& transaction = cluster_.transaction();
  ASSERT_EQ(transaction.workflows.size(), 1u);
  EXPECT_EQ(transaction.specifications.size(), 2u);
  ASSERT_EQ(transaction.schedules.progress.size(), 1u);
  EXPECT_EQ(transaction.schedules.progress[0].running[0].task, transaction.workflows[0].id);
}

TEST_F(ScheduledWorkflowsTest, AFailureIsToldWithItsReason) {
  cluster_.Join("a", 2);
  Add();
  NextDue();
  Run(TaskOf(cluster_, Running(), 0), 3);
  ASSERT_EQ(View().recent.size(), 1u);
  EXPECT_EQ(View().recent[0].ended_as, TaskState::kFailed);
  EXPECT_THAT(View().recent[0].reason, HasSubstr("FAILED"));
}

TEST_F(ScheduledWorkflowsTest, ForbidSkipsWhatComesWhileTheWorkflowGoesOn) {
  cluster_.Join("a", 2);
  Add(Overlap::kForbid);
  NextDue();
  const TaskId flow = Running();
  Run(TaskOf(cluster_, flow, 0));
  NextDue();
  EXPECT_EQ(Running(), flow);
  ASSERT_EQ(View().recent.size(), 1u);
  EXPECT_EQ(View().recent[0].result, RunResult::kSkipped);
}

TEST_F(ScheduledWorkflowsTest, ReplaceCancelsTheWorkflowAndStartsWhenAllOfItHasEnded) {
  cluster_.Join("a", 2);
  Add(Overlap::kReplace);
  NextDue();
  const TaskId first = Running();
  const TaskId task = TaskOf(cluster_, first, 0);
  cluster_.Started(task);
  NextDue();
  EXPECT_EQ(Running(), first) << "its worker has not confirmed yet";
  EXPECT_EQ(View().waiting.size(), 1u);
  cluster_.End(task, EndReason::kCancelled);
  EXPECT_EQ(StateOfFlow(cluster_, first).state, WorkflowState::kCancelled);
  EXPECT_NE(Running(), first);
  EXPECT_EQ(StateOfFlow(cluster_, Running()).state, WorkflowState::kRunning);
  ASSERT_EQ(View().recent.size(), 1u);
  EXPECT_EQ(View().recent[0].ended_as, TaskState::kCancelled);
  EXPECT_THAT(View().recent[0].reason, HasSubstr("a newer run takes its place"));
}

TEST_F(ScheduledWorkflowsTest, ARestartFindsTheWorkflowThatRunsAndSeesItsEnd) {
  Add(Overlap::kForbid);
  cluster_.Advance(absl::Minutes(1));
  const TaskId flow = Running();
  cluster_.Restart(ScheduleConfig());
  EXPECT_EQ(Running(), flow);
  cluster_.Advance(absl::Minutes(1));
  EXPECT_EQ(Running(), flow);
  cluster_.Apply(CancelWorkflow{CallId(5), flow, "ann", "not needed"});
  cluster_.Advance(absl::ZeroDuration());
  EXPECT_FALSE(Running());
  EXPECT_EQ(View().recent.front().ended_as, TaskState::kCancelled);
}

TEST_F(ScheduledWorkflowsTest, AWorkflowThatTheQueueDoesNotTakeIsToldAndTheNextOneTriesAgain) {
  CoreConfig config = ScheduleConfig();
  config.max_queued = 3;
  cluster_.Restart(std::move(config));
  Add();
  cluster_.Advance(absl::Minutes(1));
  EXPECT_TRUE(Running());
  cluster_.Advance(absl::Minutes(1));
  ASSERT_EQ(View().recent.size(), 1u);
  EXPECT_EQ(View().recent[0].result, RunResult::kRefused);
  EXPECT_THAT(View().recent[0].reason, HasSubstr("wait already"));
  cluster_.Apply(CancelWorkflow{CallId(5), Running(), "ann", ""});
  cluster_.Advance(absl::Minutes(1));
  EXPECT_TRUE(Running());
}

TEST_F(ScheduledWorkflowsTest, OneThatCouldNeverBeTakenIsRefusedWhenItIsAdded) {
  CoreConfig config = ScheduleConfig();
  config.max_queued = 1;
  cluster_.Restart(std::move(config));
  EXPECT_EQ(ReasonOf(Add().status), "CALL_TOO_LARGE");
}

TEST_F(ScheduledWorkflowsTest, ARunByHandIsAWorkflowToo) {
  Add();
  const ScheduleAnswer run = Change({.call = CallId(2), .name = "s", .by = "ann", .what = RunSchedule{"r-1"}});
  ASSERT_TRUE(run.status.ok()) << run.status;
  EXPECT_EQ(run.run.task, Running());
  EXPECT_EQ(Change({.call = CallId(3), .name = "s", .by = "ann", .what = RunSchedule{"r-1"}}).run.task, run.run.task);
}

}  // namespace
}  // namespace muster::core
