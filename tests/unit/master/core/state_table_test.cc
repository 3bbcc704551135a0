// Every row of the state table in semantics.md, through the real core. docs/states.md names these tests; states_doc_test
// checks that each row there has one.
#include <gtest/gtest.h>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Offer;
using testing::Report;
using testing::Spec;
using testing::TestCluster;
using Phase = HeldAttempt::Phase;

TaskSpecPtr Mode(OnWorkerLoss mode) {
  return Spec([mode](TaskSpec& spec) { spec.on_worker_loss = mode; });
}

TaskSpecPtr Attempts(uint32_t count) {
  return Spec([count](TaskSpec& spec) { spec.retry.max_attempts = count; });
}

class StateTable : public ::testing::Test {
 protected:
  TaskId RunningOn(const std::string& worker, TaskSpecPtr spec) {
    cluster.Join(worker, 1);
    const TaskId task = cluster.Submit(std::move(spec));
    cluster.Started(task);
    EXPECT_EQ(cluster.StateOf(task), TaskState::kRunning);
    return task;
  }
  TaskId ValidatingOn(const std::string& worker, TaskSpecPtr spec) {
    const TaskId task = RunningOn(worker, std::move(spec));
    cluster.Validating(task);
    EXPECT_EQ(cluster.StateOf(task), TaskState::kValidating);
    return task;
  }
  std::vector<TaskState> SeenStates() {
    std::vector<TaskState> states;
    for (const TaskChanged& changed : cluster.Seen<TaskChanged>()) states.push_back(changed.state);
    return states;
  }
  void LoseBySilence() { cluster.Advance(absl::Seconds(31)); }

  TestCluster cluster;
};

TEST_F(StateTable, NoneToQueuedWhenAccepted) {
  const TaskId task = cluster.Submit(Spec());
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
  ASSERT_EQ(cluster.Seen<TasksAccepted>().size(), 1u);
  EXPECT_EQ(cluster.Seen<TasksAccepted>()[0].state, TaskState::kQueued);
}

TEST_F(StateTable, NoneToPendingWhenItStartsLater) {
  const absl::Time start = cluster.now() + absl::Minutes(5);
  const TaskId task = cluster.Submit(Spec([start](TaskSpec& spec) { spec.start_time = start; }));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  EXPECT_EQ(cluster.Seen<TasksAccepted>()[0].state, TaskState::kPending);
  EXPECT_EQ(cluster.core().NextDue(), start);
}

TEST_F(StateTable, PendingToQueuedWhenItsTimeIsReached) {
  const absl::Time start = cluster.now() + absl::Minutes(5);
  const TaskId task = cluster.Submit(Spec([start](TaskSpec& spec) { spec.start_time = start; }));
  cluster.Advance(absl::Minutes(5) - absl::Milliseconds(1));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.Advance(absl::Milliseconds(1));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
}

TEST_F(StateTable, PendingToCancelled) {
  const absl::Time start = cluster.now() + absl::Minutes(5);
  const TaskId task = cluster.Submit(Spec([start](TaskSpec& spec) { spec.start_time = start; }));
  cluster.Cancel(task);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
}

TEST_F(StateTable, QueuedToTimedOutWhenItsQueueDeadlinePassed) {
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) { spec.queue_timeout = absl::Seconds(10); }));
  EXPECT_EQ(cluster.core().NextDue(), cluster.now() + absl::Seconds(10));
  cluster.Advance(absl::Seconds(10));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kTimedOut);
  EXPECT_EQ(cluster.ReasonOf(task).rfind("queue", 0), 0u) << cluster.ReasonOf(task);
}

TEST_F(StateTable, QueuedToDispatchedWhenPlaced) {
  const TaskId task = cluster.Submit(Spec());
  cluster.Join("a", 1);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  EXPECT_EQ(cluster.WorkerOf(task), "a");
  ASSERT_EQ(cluster.transaction().attempts.size(), 1u);
  EXPECT_EQ(cluster.transaction().attempts[0].incarnation, cluster.worker("a").incarnation);
}

TEST_F(StateTable, QueuedToCancelled) {
  const TaskId task = cluster.Submit(Spec());
  EXPECT_EQ(cluster.Cancel(task, "enough").requested, 1);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
  EXPECT_EQ(cluster.ReasonOf(task), "enough");
  EXPECT_EQ(cluster.transaction().cancels.size(), 1u) << "the wish and the end share a commit";
}

TEST_F(StateTable, DispatchedToQueuedWhenRefused) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Refuse(task, "disk low");
  // It was queued, and dispatched again by the same commit: there is only this worker.
  ASSERT_EQ(cluster.transaction().attempt_ends.size(), 1u);
  EXPECT_EQ(cluster.transaction().attempt_ends[0].reason, EndReason::kRejected);
  EXPECT_FALSE(cluster.transaction().attempt_ends[0].used_attempt);
  cluster.Refuse(task, "disk low");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued) << "refused twice: it waits a moment";
  EXPECT_FALSE(cluster.Stored(task).outcome);
}

TEST_F(StateTable, DispatchedToQueuedWhenGivenBack) {
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskId other = cluster.Submit(Spec([](TaskSpec& spec) { spec.priority = 5; }));
  cluster.GiveBack(first);
  EXPECT_EQ(cluster.StateOf(first), TaskState::kQueued);
  EXPECT_EQ(cluster.StateOf(other), TaskState::kDispatched);
}

TEST_F(StateTable, DispatchedToQueuedWhenAHelloProvesThatItNeverStarted) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Mode(OnWorkerLoss::kHold));
  cluster.CloseSession("a");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  cluster.Advance(absl::Seconds(1));  // asks for a new session
  cluster.Hello("a", {});
  EXPECT_EQ(cluster.KeyOf(task).number, AttemptNumber(2)) << "dispatched again, even under HOLD";
  EXPECT_FALSE(cluster.Stored(task).attempt_ends[0].used_attempt);
  EXPECT_FALSE(cluster.Stored(task).attempt_ends[0].used_worker_loss);
}

TEST_F(StateTable, DispatchedToRunningWhenStarted) {
  const TaskId task = RunningOn("a", Spec());
  EXPECT_EQ(cluster.core().FindTask(task)->started, cluster.now());
}

TEST_F(StateTable, DispatchedWithAResultBeforeAnyStartGoesThroughRunning) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Exit(task, 0);
  std::vector<TaskState> states;
  for (const TaskChanged& changed : cluster.Seen<TaskChanged>()) states.push_back(changed.state);
  EXPECT_EQ(states, (std::vector<TaskState>{TaskState::kRunning, TaskState::kSucceeded}));
}

TEST_F(StateTable, RunningToSucceeded) {
  const TaskId task = RunningOn("a", Spec());
  cluster.Exit(task, 0);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
}

TEST_F(StateTable, RunningToPendingOnFailureWithAttemptsLeftAndThenAnotherWorker) {
  const TaskId task = RunningOn("a", Attempts(2));
  cluster.Join("b", 1);
  cluster.Exit(task, 7);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  EXPECT_NE(cluster.ReasonOf(task).find("retry 1 of 1"), std::string::npos) << cluster.ReasonOf(task);
  EXPECT_NE(cluster.ReasonOf(task).find("exited with 7"), std::string::npos) << cluster.ReasonOf(task);
  EXPECT_TRUE(cluster.Stored(task).attempt_ends[0].used_attempt);
  cluster.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster.WorkerOf(task), "b");
  EXPECT_EQ(cluster.KeyOf(task).number, AttemptNumber(2));
}

TEST_F(StateTable, RunningToFailedWhenNoAttemptIsLeft) {
  const TaskId task = RunningOn("a", Spec());
  cluster.Exit(task, 7);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kFailed);
  EXPECT_EQ(cluster.Stored(task).outcome->report->end.exit_code, 7);
  EXPECT_EQ(cluster.Stored(task).outcome->attempt, AttemptNumber(1));
}

TEST_F(StateTable, RunningTimedOutCountsAsAFailureAndTheLastOneIsTimedOut) {
  const TaskId task = RunningOn("a", Attempts(2));
  cluster.End(task, EndReason::kTimeout);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.Advance(absl::Seconds(1));
  cluster.End(task, EndReason::kTimeout);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kTimedOut);
}

TEST_F(StateTable, RunningToQueuedWhenADrainStopsIt) {
  const TaskId task = RunningOn("a", Spec());
  cluster.Apply(DrainWorker{CallId(1), "a", absl::Seconds(5), "kernel update"});
  cluster.AdvanceBeating(absl::Seconds(4), {"a"});
  EXPECT_TRUE(cluster.Seen<Stop>().empty());
  cluster.Advance(absl::Seconds(1));
  ASSERT_EQ(cluster.Seen<Stop>().size(), 1u);
  EXPECT_EQ(cluster.Seen<Stop>()[0].reason, EndReason::kPreempted);
  cluster.End(task, EndReason::kPreempted, true, true);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
  EXPECT_FALSE(cluster.Stored(task).attempt_ends[0].used_attempt);
}

TEST_F(StateTable, RunningUnderHoldFailsWhenADrainStopsIt) {
  const TaskId task = RunningOn("a", Mode(OnWorkerLoss::kHold));
  cluster.End(task, EndReason::kPreempted, true, true);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kFailed);
  EXPECT_EQ(cluster.ReasonOf(task).rfind("preempted", 0), 0u) << cluster.ReasonOf(task);
}

TEST_F(StateTable, DispatchedToPendingWhenTheWorkerIsLost) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  LoseBySilence();
  // PENDING (worker lost) is due at once, so the same turn has queued it again.
  ASSERT_EQ(cluster.transaction().attempt_ends.size(), 1u);
  EXPECT_EQ(cluster.transaction().attempt_ends[0].retry_at, cluster.now());
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
}

TEST_F(StateTable, RunningToPendingWhenTheWorkerIsLost) {
  const TaskId task = RunningOn("a", Spec());
  LoseBySilence();
  std::vector<TaskState> states;
  for (const TaskChanged& changed : cluster.Seen<TaskChanged>()) states.push_back(changed.state);
  EXPECT_EQ(states, (std::vector<TaskState>{TaskState::kPending, TaskState::kQueued}));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
}

TEST_F(StateTable, RunningToPendingWhenTheWorkerIsBackWithANewIncarnation) {
  const TaskId task = RunningOn("a", Spec());
  cluster.Reincarnate("a");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  EXPECT_EQ(cluster.KeyOf(task).number, AttemptNumber(2));
  EXPECT_TRUE(cluster.Stored(task).attempt_ends[0].used_worker_loss);
}

TEST_F(StateTable, RunningUnderHoldToUnknownWhenTheWorkerIsLost) {
  const TaskId task = RunningOn("a", Mode(OnWorkerLoss::kHold));
  LoseBySilence();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kUnknown);
  EXPECT_EQ(cluster.transaction().unknowns.size(), 1u);
}

TEST_F(StateTable, DispatchedUnderHoldToUnknownWhenTheWorkerIsLost) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Mode(OnWorkerLoss::kHold));
  LoseBySilence();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kUnknown);
}

TEST_F(StateTable, RunningToPoisonedAtTheLastWorkerLoss) {
  const TaskId task = RunningOn("a", Spec([](TaskSpec& spec) { spec.max_worker_losses = 3; }));
  for (int loss = 1; loss < 3; ++loss) {
    cluster.Reincarnate("a");
    ASSERT_EQ(cluster.StateOf(task), TaskState::kDispatched) << loss;
    cluster.Started(task);
  }
  cluster.Reincarnate("a");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPoisoned);
  EXPECT_EQ(cluster.ReasonOf(task),
            "its worker died 3 times while it ran; the last time: worker a died and started anew");
}

TEST_F(StateTable, RunningToPoisonedAtTheOnlyWorkerLossThatIsAllowedSaysNothingOfTimes) {
  const TaskId task = RunningOn("a", Spec([](TaskSpec& spec) { spec.max_worker_losses = 1; }));
  cluster.Reincarnate("a");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPoisoned);
  EXPECT_EQ(cluster.ReasonOf(task), "its worker died while it ran: worker a died and started anew");
}

TEST_F(StateTable, UnknownToRunningWhenTheAttemptReportsAgain) {
  const TaskId task = RunningOn("a", Mode(OnWorkerLoss::kHold));
  const AttemptKey key = cluster.KeyOf(task);
  LoseBySilence();
  cluster.Heartbeat("a");
  cluster.Hello("a", {{key, Phase::kRunning}});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kRunning);
  EXPECT_EQ(cluster.KeyOf(task), key) << "re-adoption does not rename it";
  cluster.AdvanceBeating(absl::Minutes(20), {"a"});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kRunning) << "the give-up time holds no more";
}

TEST_F(StateTable, UnknownEndsByItsResult) {
  const TaskId task = RunningOn("a", Mode(OnWorkerLoss::kHold));
  const AttemptKey key = cluster.KeyOf(task);
  LoseBySilence();
  cluster.Heartbeat("a");
  cluster.Hello("a", {{key, Phase::kFinished}});
  cluster.ReportAs("a", Report(key, EndReason::kExited, 0));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
}

TEST_F(StateTable, UnknownToQueuedWhenTheSameIncarnationSaysHelloWithoutIt) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Mode(OnWorkerLoss::kHold));  // sent, never heard of
  LoseBySilence();
  ASSERT_EQ(cluster.StateOf(task), TaskState::kUnknown);
  cluster.Heartbeat("a");
  cluster.Hello("a", {});
  std::vector<TaskState> states;
  for (const TaskChanged& changed : cluster.Seen<TaskChanged>()) states.push_back(changed.state);
  EXPECT_EQ(states, (std::vector<TaskState>{TaskState::kQueued, TaskState::kDispatched}));
}

TEST_F(StateTable, UnknownToLostWhenANewIncarnationJoins) {
  const TaskId task = RunningOn("a", Mode(OnWorkerLoss::kHold));
  LoseBySilence();
  cluster.Reincarnate("a");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kLost);
}

TEST_F(StateTable, UnknownToLostAfterUnknownTimeout) {
  const TaskId task = RunningOn("a", Mode(OnWorkerLoss::kHold));
  LoseBySilence();
  cluster.Advance(absl::Minutes(15) - absl::Seconds(1));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kUnknown);
  cluster.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kLost);
}

TEST_F(StateTable, DispatchedToCancelledWhenTheWorkerConfirms) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Cancel(task);
  ASSERT_EQ(cluster.Seen<Stop>().size(), 1u);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  cluster.End(task, EndReason::kCancelled, false, true);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
}

TEST_F(StateTable, RunningToCancelledWhenTheWorkerConfirms) {
  const TaskId task = RunningOn("a", Spec());
  cluster.Cancel(task);
  cluster.End(task, EndReason::kCancelled, true, true);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
}

TEST_F(StateTable, RunningToCancelledWhenTheWorkerIsLostUnderARerunMode) {
  const TaskId task = RunningOn("a", Mode(OnWorkerLoss::kRerunAfterFence));
  cluster.Cancel(task);
  LoseBySilence();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
}

TEST_F(StateTable, UnknownToCancelledWhenItIsProvenThatItNeverStarted) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Mode(OnWorkerLoss::kHold));
  LoseBySilence();
  cluster.Cancel(task);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kUnknown);
  cluster.Heartbeat("a");
  cluster.Hello("a", {});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
}

TEST_F(StateTable, UnknownUnderHoldEndsLostThoughCancelled) {
  const TaskId task = RunningOn("a", Mode(OnWorkerLoss::kHold));
  LoseBySilence();
  cluster.Cancel(task);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kUnknown);
  cluster.Advance(absl::Minutes(15));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kLost);
  EXPECT_EQ(cluster.ReasonOf(task).rfind("cancel requested", 0), 0u) << cluster.ReasonOf(task);
}

// --- VALIDATING

TEST_F(StateTable, RunningToValidatingWhenItsCommandHasEndedWell) {
  const TaskId task = RunningOn("a", Spec());
  const absl::Time started = cluster.now();
  cluster.AdvanceBeating(absl::Seconds(2), {"a"});
  cluster.Validating(task);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kValidating);
  EXPECT_EQ(cluster.core().FindTask(task)->started, started) << "it is still the same run";
  EXPECT_EQ(cluster.WorkerOf(task), "a");
  cluster.Validating(task);
  cluster.Started(task);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kValidating) << "what is said again moves nothing";
}

TEST_F(StateTable, DispatchedWithAValidationBeforeAnyStartGoesThroughRunning) {
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Validating(task);
  EXPECT_EQ(SeenStates(), (std::vector<TaskState>{TaskState::kRunning, TaskState::kValidating}));
}

TEST_F(StateTable, ValidatingToSucceeded) {
  const TaskId task = ValidatingOn("a", Spec());
  cluster.Exit(task, 0);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
}

TEST_F(StateTable, ValidatingToPendingOnFailureWithAttemptsLeftAndThenAnotherWorker) {
  const TaskId task = ValidatingOn("a", Attempts(2));
  cluster.Join("b", 1);
  cluster.End(task, EndReason::kValidationFailed);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  EXPECT_NE(cluster.ReasonOf(task).find("failed its validation"), std::string::npos) << cluster.ReasonOf(task);
  EXPECT_TRUE(cluster.Stored(task).attempt_ends[0].used_attempt);
  cluster.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster.WorkerOf(task), "b");
}

TEST_F(StateTable, ValidatingToFailedWhenNoAttemptIsLeft) {
  const TaskId task = ValidatingOn("a", Spec());
  cluster.End(task, EndReason::kValidationFailed);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kFailed);
  EXPECT_EQ(cluster.Stored(task).outcome->reason, EndReason::kValidationFailed);
}

TEST_F(StateTable, ValidatingToTimedOutWhenTheWholeAttemptRanPastItsTimeout) {
  const TaskId task = ValidatingOn("a", Spec());
  cluster.End(task, EndReason::kTimeout);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kTimedOut);
}

TEST_F(StateTable, ValidatingToQueuedWhenADrainStopsIt) {
  const TaskId task = ValidatingOn("a", Spec());
  cluster.Apply(DrainWorker{CallId(1), "a", absl::Seconds(5), "kernel update"});
  cluster.AdvanceBeating(absl::Seconds(4), {"a"});
  cluster.Advance(absl::Seconds(1));
  ASSERT_EQ(cluster.Seen<Stop>().size(), 1u);
  cluster.End(task, EndReason::kPreempted, true, true);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
  EXPECT_FALSE(cluster.Stored(task).attempt_ends[0].used_attempt);
}

TEST_F(StateTable, ValidatingUnderHoldFailsWhenADrainStopsIt) {
  const TaskId task = ValidatingOn("a", Mode(OnWorkerLoss::kHold));
  cluster.End(task, EndReason::kPreempted, true, true);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kFailed);
}

TEST_F(StateTable, ValidatingToPendingWhenTheWorkerIsLost) {
  ValidatingOn("a", Spec());
  LoseBySilence();
  EXPECT_EQ(SeenStates(), (std::vector<TaskState>{TaskState::kPending, TaskState::kQueued}));
}

TEST_F(StateTable, ValidatingToPendingWhenTheWorkerIsBackWithANewIncarnation) {
  const TaskId task = ValidatingOn("a", Spec());
  cluster.Reincarnate("a");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  EXPECT_EQ(cluster.KeyOf(task).number, AttemptNumber(2)) << "the command runs again, too";
  EXPECT_TRUE(cluster.Stored(task).attempt_ends[0].used_worker_loss);
}

TEST_F(StateTable, ValidatingUnderHoldToUnknownAndBackWhenTheWorkerIsCutOff) {
  const TaskId task = ValidatingOn("a", Mode(OnWorkerLoss::kHold));
  const AttemptKey key = cluster.KeyOf(task);
  LoseBySilence();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kUnknown);
  cluster.Heartbeat("a");
  cluster.Hello("a", {{key, Phase::kValidating}});
  EXPECT_EQ(SeenStates(), (std::vector<TaskState>{TaskState::kRunning, TaskState::kValidating}));
  EXPECT_EQ(cluster.KeyOf(task), key);
}

TEST_F(StateTable, ValidatingToPoisonedAtTheLastWorkerLoss) {
  const TaskId task = ValidatingOn("a", Spec([](TaskSpec& spec) { spec.max_worker_losses = 1; }));
  cluster.Reincarnate("a");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPoisoned);
}

TEST_F(StateTable, ValidatingToCancelledWhenTheWorkerConfirms) {
  const TaskId task = ValidatingOn("a", Spec());
  cluster.Cancel(task);
  ASSERT_EQ(cluster.Seen<Stop>().size(), 1u);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kValidating);
  cluster.End(task, EndReason::kCancelled, true, true);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
}

TEST_F(StateTable, ValidatingToCancelledWhenTheWorkerIsLostUnderARerunMode) {
  const TaskId task = ValidatingOn("a", Mode(OnWorkerLoss::kRerunAfterFence));
  cluster.Cancel(task);
  LoseBySilence();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
}

TEST_F(StateTable, DispatchedToValidatingByHelloAfterARestartOfTheMaster) {
  const TaskId task = ValidatingOn("a", Spec());
  const AttemptKey key = cluster.KeyOf(task);
  cluster.Restart();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  cluster.Join("a", 1, {{key, Phase::kValidating}});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kValidating);
  cluster.Exit(task, 0);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
  EXPECT_EQ(cluster.Stored(task).outcome->attempt, key.number) << "the same attempt";
}

TEST_F(StateTable, NoneToPendingWhenItDependsOnOthers) {
  const TaskId first = cluster.Submit(Spec());
  const TaskId task = cluster.Submit(Spec([first](TaskSpec& spec) { spec.dependencies = {{{first, 1}}}; }));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  EXPECT_EQ(cluster.Seen<TasksAccepted>()[0].state, TaskState::kPending);
  EXPECT_EQ(cluster.Seen<SubmitAnswer>()[0].state, TaskState::kPending);
}

TEST_F(StateTable, PendingToQueuedWhenWhatItDependsOnHasEnded) {
  const TaskId first = RunningOn("a", Spec());
  const TaskId task = cluster.Submit(Spec([first](TaskSpec& spec) { spec.dependencies = {{{first, 1}}}; }));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.Exit(first, 0);
  EXPECT_EQ(SeenStates(), (std::vector<TaskState>{TaskState::kSucceeded, TaskState::kQueued, TaskState::kDispatched}));
}

TEST_F(StateTable, PendingToCancelledWhenADependencyCanNeverBeMet) {
  const TaskId first = RunningOn("a", Spec());
  const TaskId task = cluster.Submit(Spec([first](TaskSpec& spec) { spec.dependencies = {{{first, 1}}}; }));
  cluster.Exit(first, 3);
  EXPECT_EQ(SeenStates(), (std::vector<TaskState>{TaskState::kFailed, TaskState::kCancelled}));
  EXPECT_EQ(cluster.Stored(task).outcome->message, "dependency: task 1 ended FAILED");
  EXPECT_EQ(cluster.Stored(task).outcome->reason, EndReason::kCancelled);
}

}  // namespace
}  // namespace muster::core
