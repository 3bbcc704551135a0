// Workflows through a real store: what was written is what a start and a reader find, retention leaves open ones whole and
// takes what is left of old ones, and a lost workflow starts nothing.
#include "master/store/workflow_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "master/store/schema.h"
#include "muster/v1/workflow.pb.h"
#include "tests/unit/master/store/store_fixture.h"

namespace muster::store {
namespace {

using ::testing::ElementsAre;

// `load` needs `fetch`, which is a batch of two.
WorkflowSpecPtr Nightly() {
  v1::WorkflowSpec message;
  message.set_name("nightly");
  message.add_nodes()->set_name("fetch");
  v1::WorkflowNode* const load = message.add_nodes();
  load->set_name("load");
  load->add_needs()->set_node("fetch");
  return convert::MakeWorkflowSpec(message, "ann@host", message.SerializeAsString());
}

TaskSpecPtr InWorkflow() {
  auto spec = std::make_shared<TaskSpec>(*MakeSpec("node"));
  v1::TaskSpec message;
  message.ParseFromString(spec->payload);
  message.set_in_workflow(true);
  return convert::MakeTaskSpec(message, message.SerializeAsString());
}

core::WorkflowStateRow StateRow(WorkflowState state) {
  core::WorkflowStateRow row{.workflow = TaskId(1), .state = state, .started = At(1), .reason = "why"};
  if (HasEnded(state)) row.ended = At(9);
  row.tally.by_state[static_cast<size_t>(TaskState::kSucceeded)] = 2;
  row.tally.skipped = 1;
  return row;
}

class WorkflowRowsTest : public StoreTest {
 protected:
  WorkflowRowsTest() { Reopen(); }

  // Workflow 1: batch 2 with the tasks 3 and 4, then task 5.
  void Accept() {
    core::Transaction transaction;
    transaction.specifications = {BatchPart(2, 3, 2), SingleTask(5, InWorkflow())};
    transaction.workflows = {{TaskId(1), Nightly(), At(0)}};
    transaction.workflow_parts = {{TaskId(1), {{0, {TaskId(3), 2}, TaskId(2), {}}, {1, {TaskId(5), 1}, TaskId(), {}}}, At(0)}};
    transaction.workflow_states = {StateRow(WorkflowState::kPending), StateRow(WorkflowState::kRunning)};
    Commit(transaction);
  }
  void End(std::vector<core::OutcomeRow> outcomes, std::vector<core::WorkflowStateRow> states = {}) {
    core::Transaction transaction;
    transaction.outcomes = std::move(outcomes);
    transaction.workflow_states = std::move(states);
    Commit(transaction);
  }
  // Lets the retention have its way.
  void Settle() {
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(store_->Maintain().ok());
      Commit({});
    }
  }
  core::OutcomeRow Skipped(uint64_t task) {
    core::OutcomeRow row = Outcome(task, TaskState::kCancelled, 0);
    row.reason = EndReason::kNone;
    return row;
  }
};

TEST_F(WorkflowRowsTest, AnOpenOneComesBackWithItsNeedsAndWhatHasEnded) {
  Accept();
  End({Outcome(3, TaskState::kFailed)});
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.workflows.size(), 1u);
  const core::RecoveredWorkflow& workflow = state.workflows[0];
  EXPECT_EQ(workflow.row.spec->name, "nightly");
  EXPECT_EQ(workflow.row.spec->owner, "ann@host");
  EXPECT_EQ(workflow.state.state, WorkflowState::kRunning);
  EXPECT_EQ(workflow.state.started, At(1));
  ASSERT_EQ(workflow.ends.size(), 1u);
  EXPECT_EQ(workflow.ends[0].state, TaskState::kFailed);
  ASSERT_EQ(state.groups.size(), 2u);
  EXPECT_EQ(state.groups[0]->workflow, TaskId(1));
  EXPECT_THAT(state.groups[1]->row.spec->dependencies, ElementsAre(Dependency{{TaskId(3), 2}, DependencyCondition::kSuccess, false}));
  EXPECT_EQ(state.next_id, TaskId(6));
}

TEST_F(WorkflowRowsTest, OneThatHasEndedIsReadAndIsNotOpen) {
  Accept();
  End({Outcome(3), Outcome(4, TaskState::kFailed), Skipped(5)}, {StateRow(WorkflowState::kFailed)});
  EXPECT_TRUE(Reopen().workflows.empty());
  const auto stored = store_->FindWorkflow(TaskId(1));
  ASSERT_TRUE(stored.ok() && stored->has_value()) << stored.status();
  EXPECT_EQ((*stored)->state.state, WorkflowState::kFailed);
  EXPECT_EQ((*stored)->state.tally.skipped, 1u);
  EXPECT_THAT(*store_->FindWorkflowsByName("nightly", 5), ElementsAre(TaskId(1)));
  EXPECT_EQ(store_->WorkflowEnds(**stored)->size(), 3u);
  EXPECT_TRUE(store_->ListWorkflows({})->empty());
  EXPECT_EQ(store_->ListWorkflows({.ended_too = true})->size(), 1u);
  EXPECT_TRUE(store_->ListWorkflows({.ended_too = true, .owner = "bob"})->empty());
  const auto counts = *store_->CountEnds({{TaskId(3), 2}, {TaskId(5), 1}});
  EXPECT_EQ(counts[0].by_state[static_cast<size_t>(TaskState::kFailed)], 1u);
  EXPECT_EQ(counts[1].skipped, 1u);
}

TEST_F(WorkflowRowsTest, RetentionTakesNothingOfAnOpenOneAndAllOfAnOldOne) {
  config_.floor_lag = 1;
  config_.retention.tasks.age = absl::Hours(1);
  config_.calendar = [] { return At(1'000'000); };
  Reopen();
  Accept();
  End({Outcome(3), Outcome(4, TaskState::kFailed)});
  Settle();
  EXPECT_EQ(store_->WorkflowEnds(**store_->FindWorkflow(TaskId(1)))->size(), 2u);
  Reopen();
  Settle();
  EXPECT_EQ(store_->WorkflowEnds(**store_->FindWorkflow(TaskId(1)))->size(), 2u) << "after a restart, too";
  End({Skipped(5)}, {StateRow(WorkflowState::kFailed)});
  core::Transaction newest;  // which no purge takes
  newest.specifications = {SingleTask(6)};
  Commit(newest);
  Settle();
  EXPECT_FALSE((*store_->FindTask(TaskId(3))).has_value());
  EXPECT_FALSE((*store_->FindTask(TaskId(5))).has_value());
  EXPECT_FALSE((*store_->FindWorkflow(TaskId(1))).has_value());
  EXPECT_TRUE(Reopen().workflows.empty());
}

TEST_F(WorkflowRowsTest, OneThatIsTriedAgainKeepsWhatSucceeded) {
  config_.floor_lag = 1;
  config_.retention.tasks.age = absl::Hours(1);
  const auto now = std::make_shared<std::atomic<int64_t>>(10);
  config_.calendar = [now] { return At(*now); };
  Reopen();
  Accept();
  End({Outcome(3), Outcome(4), Outcome(5, TaskState::kFailed)}, {StateRow(WorkflowState::kFailed)});
  const std::vector<core::WorkflowPartRow> parts = (*store_->FindWorkflow(TaskId(1)))->parts;
  core::Transaction again;
  again.specifications = {SingleTask(6, InWorkflow())};
  again.reopened_parts = parts;
  again.workflow_parts = {{TaskId(1), {{1, {TaskId(6), 1}, TaskId(), {TaskId(5)}}}, At(11)}};
  again.workflow_states = {StateRow(WorkflowState::kRunning)};
  Commit(again);
  *now = 1'000'000;
  Settle();
  const auto ends = *store_->WorkflowEnds(**store_->FindWorkflow(TaskId(1)));
  EXPECT_EQ(ends.size(), 2u) << "of the two rows; the third was replaced";
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.groups.size(), 1u);
  EXPECT_THAT(state.groups[0]->row.spec->dependencies, ElementsAre(Dependency{{TaskId(3), 2}, DependencyCondition::kSuccess, false}));
}

TEST_F(WorkflowRowsTest, ATaskWhoseWorkflowIsLostDependsOnWhatCanNeverBeMet) {
  Accept();
  ASSERT_TRUE(Database::Open(DatabasePath(), {}).value()->Execute("DELETE FROM workflow").ok());
  EXPECT_TRUE(absl::IsDataLoss(TryReopen()));
  ASSERT_TRUE(WriteMeta(Database::Open(DatabasePath(), {}).value().get(), kMetaAgreesFrom, "2").ok());
  const core::RecoveredState state = Reopen();
  EXPECT_TRUE(state.workflows.empty());
  EXPECT_THAT(state.groups[1]->row.spec->dependencies, ElementsAre(Dependency{}));
}

}  // namespace
}  // namespace muster::store
