// What goes wrong in a cluster, one accident a test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "tests/support/sanitized.h"
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

// --- Results that come late, twice, or for something else

TEST(Accidents, AResultThatComesTwiceIsAcknowledgedTwiceAndChangesNothing) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  const AttemptKey key = cluster.KeyOf(task);
  cluster.Exit(task, 0);
  cluster.ReportAs("a", Report(key, EndReason::kExited, 1));
  EXPECT_EQ(cluster.Seen<Acknowledge>().size(), 1u);
  EXPECT_TRUE(cluster.transaction().outcomes.empty());
  EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
}

TEST(Accidents, AResultOfASupersededAttemptIsKeptAsANote) {
  TestCluster cluster;
  cluster.Join("a", 1);
  cluster.Join("b", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  const AttemptKey old = cluster.KeyOf(task);
  const std::string gone = cluster.WorkerOf(task);
  const std::string other = gone == "a" ? "b" : "a";
  cluster.AdvanceBeating(absl::Seconds(31), {other});
  ASSERT_EQ(cluster.WorkerOf(task), other);
  cluster.Heartbeat(gone);  // the network has healed
  cluster.Hello(gone, {{old, Phase::kRunning}});
  ASSERT_EQ(cluster.Seen<Stop>().size(), 1u);
  EXPECT_EQ(cluster.Seen<Stop>()[0].reason, EndReason::kLost);
  cluster.ReportAs(gone, Report(old, EndReason::kExited, 0));
  EXPECT_EQ(cluster.Seen<Acknowledge>().size(), 1u);
  EXPECT_FALSE(cluster.Stored(task).notes.empty());
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  EXPECT_GE(cluster.core().counters().stale_reports, 1u);
}

TEST(Accidents, AnAttemptThatTheStoreNeverGaveOutIsStoppedAndLoggedAsAnOrphan) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const AttemptKey orphan{TaskId(900), AttemptNumber(3)};
  cluster.CloseSession("a");
  cluster.Advance(absl::Seconds(1));
  cluster.Hello("a", {{orphan, Phase::kRunning}});
  ASSERT_EQ(cluster.Seen<Stop>().size(), 1u);
  EXPECT_TRUE(cluster.transaction().notes.empty()) << "there is no task to note it on";
  cluster.ReportAs("a", Report(orphan, EndReason::kLost));
  EXPECT_EQ(cluster.Seen<Acknowledge>().size(), 1u);
}

TEST(Accidents, AnAttemptThatARestoredStoreLostIsAnOrphanAndItsIdIsNotGivenOutAgain) {
  TestCluster cluster;
  const TaskId before = cluster.Submit(Spec());
  cluster.store().SkipIds(1000);
  cluster.Restart();
  cluster.Join("a", 1);
  EXPECT_EQ(cluster.KeyOf(before).number, AttemptNumber(1025)) << "the lost copy may have given out lower ones";
  const AttemptKey lost{TaskId(before.value() + 17), AttemptNumber(1)};
  cluster.CloseSession("a");
  cluster.Advance(absl::Seconds(1));
  cluster.Hello("a", {{lost, Phase::kRunning}});
  ASSERT_EQ(cluster.Seen<Stop>().size(), 1u);
  EXPECT_TRUE(cluster.transaction().notes.empty()) << "there is no task to note it on";
  bool is_logged = false;
  for (const auto& record : cluster.transaction().activity) {
    const auto* const stale = std::get_if<activity::StaleReport>(&record.event);
    is_logged = is_logged || (stale != nullptr && stale->key == lost && stale->note.find("orphan") == 0);
  }
  EXPECT_TRUE(is_logged);
  EXPECT_EQ(cluster.Submit(Spec()), TaskId(before.value() + 1001));
}

TEST(Accidents, ReportsOfAnOlderSessionAreDropped) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  const AttemptKey key = cluster.KeyOf(task);
  const SessionNumber old = cluster.worker("a").session;
  cluster.CloseSession("a");
  cluster.Advance(absl::Seconds(1));
  cluster.Hello("a", {{key, Phase::kAccepted}});
  WorkerReports late{cluster.worker("a").id, old};
  late.given_back.push_back(key);
  cluster.Apply(std::move(late));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  EXPECT_EQ(cluster.KeyOf(task), key);
  EXPECT_EQ(cluster.core().counters().superseded_reports, 1u);
}

TEST(Accidents, AFloodFromAnOlderSessionIsCountedAndLoggedOnceASecond) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const AttemptKey key = cluster.KeyOf(cluster.Submit(Spec()));
  const SessionNumber old = cluster.worker("a").session;
  cluster.CloseSession("a");
  cluster.Advance(absl::Seconds(1));
  cluster.Hello("a", {{key, Phase::kAccepted}});
  std::vector<int64_t> lines;  // how many reports each speaks of
  const auto read = [&] {
    for (const auto& record : cluster.transaction().activity) {
      const auto* const refused = std::get_if<activity::RequestsRefused>(&record.event);
      if (refused == nullptr || refused->cause != "SUPERSEDED_SESSION") continue;
      EXPECT_EQ(refused->by, "a");
      lines.push_back(refused->count);
    }
  };
  for (int i = 0; i < 100; ++i) {
    WorkerReports late{cluster.worker("a").id, old};
    late.started.push_back({key, cluster.now()});
    late.given_back = {key, key};
    cluster.Apply(std::move(late));
    read();
  }
  EXPECT_THAT(lines, ::testing::ElementsAre(3));
  cluster.Advance(absl::Seconds(1));
  read();
  EXPECT_THAT(lines, ::testing::ElementsAre(3, 297)) << "nothing is left out though nothing more comes";
  cluster.Advance(absl::Seconds(1));
  read();
  EXPECT_EQ(lines.size(), 2u);
  EXPECT_EQ(cluster.core().counters().superseded_reports, 300u);
}

// --- Cancels

TEST(Accidents, AResultThatComesBeforeTheCancelIsConfirmedWins) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  cluster.Cancel(task);
  cluster.Exit(task, 0);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
}

TEST(Accidents, AFailureAfterACancelIsNotRetried) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) { spec.retry.max_attempts = 5; }));
  cluster.Started(task);
  cluster.Cancel(task);
  cluster.Exit(task, 7);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kFailed);
}

TEST(Accidents, ACancelIsRepeatedAtTheNextSessionAndAfterARestart) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  const AttemptKey key = cluster.KeyOf(task);
  cluster.CloseSession("a");
  cluster.Cancel(task);
  EXPECT_TRUE(cluster.Seen<Stop>().empty()) << "there is no session to say it on";
  cluster.Restart();
  cluster.Join("a", 1, {{key, Phase::kRunning}});
  ASSERT_EQ(cluster.Seen<Stop>().size(), 1u);
  EXPECT_EQ(cluster.Seen<Stop>()[0].key, key);
}

TEST(Accidents, ACancelOfAHugeBatchCountsWhatIsOpenAndWhatEnded) {
  constexpr int64_t kTasks = kSanitized ? 10'000 : 100'000;
  TestCluster cluster;
  SubmitTasks event;
  event.batch_spec = Spec();
  event.batch_rows = std::make_shared<const ArgumentRows>(kTasks, std::vector<std::string>{"x"});
  const SubmitAnswer answer = cluster.SubmitAll(std::move(event));
  cluster.Cancel(answer.tasks[0].first);
  CancelTasks cancel;
  cancel.call = CallId(1);
  cancel.tasks = {answer.tasks[0], {TaskId(5'000'000), 7}};
  cluster.Apply(std::move(cancel));
  const CancelAnswer cancelled = cluster.Seen<CancelAnswer>()[0];
  EXPECT_EQ(cancelled.requested, kTasks - 1);
  EXPECT_EQ(cancelled.already_ended, 1);
  EXPECT_EQ(cluster.core().OpenTasks(TaskId(), 10).size(), 0u);
}

// --- The master ends and comes back

TEST(Accidents, AKilledMasterTakesRunningCommandsUpAgainAsTheSameAttempt) {
  TestCluster cluster;
  cluster.Join("a", 2);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  const AttemptKey key = cluster.KeyOf(task);
  cluster.Restart();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
  cluster.Join("a", 2, {{key, Phase::kRunning}});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kRunning);
  EXPECT_EQ(cluster.KeyOf(task), key);
  EXPECT_EQ(cluster.core().FindWorker("a")->used.slots, 1u);
  cluster.Exit(task, 0);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
}

TEST(Accidents, AWorkerThatDoesNotComeBackAfterTheMasterDidIsLost) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId rerun = cluster.Submit(Spec());
  cluster.Restart();
  cluster.Advance(absl::Seconds(29));
  EXPECT_EQ(cluster.StateOf(rerun), TaskState::kDispatched);
  cluster.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster.StateOf(rerun), TaskState::kQueued);
}

TEST(Accidents, AWorkerThatComesBackAsANewIncarnationAfterTheMasterDidHasDied) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  cluster.Restart();
  cluster.Reincarnate("a");
  EXPECT_EQ(cluster.KeyOf(task).number, AttemptNumber(2));
  EXPECT_FALSE(cluster.Stored(task).attempt_ends[0].used_worker_loss) << "nobody knows any more that it had started";
}

TEST(Accidents, ARetryDelayDoesNotBeginAnewWithEachRestart) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.retry.max_attempts = 2;
    spec.retry.base_delay = absl::Hours(1);
    spec.retry.max_delay = absl::Hours(1);
  }));
  cluster.Exit(task, 1);
  const absl::Time due = cluster.Stored(task).attempt_ends[0].retry_at;
  cluster.Advance((due - cluster.now()) / 2);
  cluster.Restart();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.Advance(due - cluster.now());
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
}

TEST(Accidents, AClockThatWasSetBackDoesNotKeepATaskQueuedForEver) {
  TestCluster cluster;
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) { spec.queue_timeout = absl::Seconds(10); }));
  cluster.SetClock(cluster.now() - absl::Hours(48));
  cluster.Restart();
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
  cluster.Advance(absl::Seconds(10));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kTimedOut);
}

TEST(Accidents, ACancelThatWasDurableHoldsAfterARestart) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Cancel(task);
  cluster.Restart();
  cluster.Join("a", 1, {});  // it never got there
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
  EXPECT_EQ(cluster.Stored(task).attempts.size(), 1u);
}

TEST(Accidents, IdsGoOnAfterARestartAlsoForBatches) {
  TestCluster cluster;
  SubmitTasks event;
  event.batch_spec = Spec();
  event.batch_rows = std::make_shared<const ArgumentRows>(3, std::vector<std::string>{"x"});
  const SubmitAnswer batch = cluster.SubmitAll(event);
  EXPECT_EQ(batch.batch, TaskId(1));
  EXPECT_EQ(batch.tasks[0], (TaskRange{TaskId(2), 3}));
  cluster.Restart();
  EXPECT_EQ(cluster.Submit(Spec()), TaskId(5));
  EXPECT_EQ(cluster.core().FindTask(TaskId(3))->batch_index, 2u);
  SubmitTasks more;
  more.batch_spec = event.batch_spec;
  more.batch_rows = event.batch_rows;
  more.extend_batch = batch.batch;
  more.extend_from = 3;
  const SubmitAnswer extended = cluster.SubmitAll(more);
  EXPECT_EQ(extended.batch, batch.batch);
  EXPECT_EQ(extended.batch_size, 6u);
  EXPECT_EQ(extended.tasks[0], (TaskRange{TaskId(6), 3}));
  EXPECT_EQ(cluster.core().FindTask(TaskId(6))->batch_index, 4u);
}

// --- Workers

TEST(Accidents, AFencedTaskRunsAgainOnlyWhenItsFirstCopyIsSurelyDead) {
  CoreConfig config;
  config.lost_after = absl::Seconds(10);
  config.self_fence = absl::Seconds(20);  // longer than lost_after, to see the wait
  TestCluster cluster(config);
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Mode(OnWorkerLoss::kRerunAfterFence));
  cluster.Started(task);
  cluster.Join("b", 1);
  cluster.AdvanceBeating(absl::Seconds(11), {"b"});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.AdvanceBeating(absl::Seconds(16), {"b"});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.AdvanceBeating(absl::Seconds(2), {"b"});
  EXPECT_EQ(cluster.WorkerOf(task), "b");
}

TEST(Accidents, AWorkerThatWasLostIsToldThatItsOldSessionIsClosedWithItsNextLease) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const SessionNumber old = cluster.worker("a").session;
  cluster.Heartbeat("a");
  EXPECT_EQ(cluster.Seen<HeartbeatAnswer>()[0].first_valid_session, old);
  cluster.Advance(absl::Seconds(31));
  cluster.Heartbeat("a");
  EXPECT_GT(cluster.Seen<HeartbeatAnswer>().back().first_valid_session, old);
}

TEST(Accidents, ALongLeaseFromAMasterThatStoppedKeepsAFencedTaskWaitingUnderTheNextOne) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Mode(OnWorkerLoss::kRerunAfterFence));
  cluster.Started(task);
  cluster.Apply(StopMaster{"SIGTERM"});
  cluster.Heartbeat("a");
  ASSERT_EQ(cluster.Seen<HeartbeatAnswer>()[0].lease, absl::Seconds(120));
  cluster.Restart();
  cluster.Join("b", 1);
  cluster.AdvanceBeating(absl::Seconds(31), {"b"});  // a is cut off: lost, and may still run it
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.AdvanceBeating(absl::Seconds(94), {"b"});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.AdvanceBeating(absl::Seconds(5), {"b"});
  EXPECT_EQ(cluster.WorkerOf(task), "b");
}

TEST(Accidents, APartitionDoesNotCountAgainstTheTask) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) { spec.max_worker_losses = 1; }));
  cluster.Started(task);
  cluster.Advance(absl::Seconds(31));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
}

TEST(Accidents, PartitionsOfTheSameProcessNeverCountHoweverManyThereAre) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) { spec.max_worker_losses = 3; }));
  const WorkerOffer offer = cluster.worker("a").offer;
  const Incarnation same = cluster.worker("a").incarnation;
  for (int i = 0; i < 4; ++i) {
    cluster.Started(task);
    cluster.Advance(absl::Seconds(31));
    cluster.JoinOnly("a", offer, same);
    cluster.Hello("a");
    ASSERT_EQ(cluster.StateOf(task), TaskState::kDispatched) << i;
  }
  cluster.Started(task);
  cluster.Reincarnate("a");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched) << "one death, of the three that are allowed";
}

TEST(Accidents, AWorkerThatIsForgottenBetweenTwoPartsOfARoundIsNotFilled) {
  CoreConfig config;
  config.max_workers = 2;
  TestCluster cluster(config);
  cluster.Join("a", 1);
  SubmitTasks event;
  event.batch_spec = Spec();
  event.batch_rows = std::make_shared<const ArgumentRows>(9000, std::vector<std::string>{"x"});
  cluster.SubmitAll(std::move(event));
  cluster.AdvanceBeating(absl::Seconds(2), {"a"});
  cluster.JoinOnly("b", Offer(9000), Incarnation(99));
  cluster.AdvanceBeating(absl::Seconds(29), {"b"});
  cluster.SetClock(cluster.now() + absl::Seconds(3));
  cluster.Hello("b");  // in the same turn a is lost, and the round ends at its bound
  ASSERT_EQ(cluster.core().FindWorker("a")->state, WorkerState::kLost);
  ASSERT_EQ(cluster.core().NextDue(), cluster.now());
  cluster.JoinOnly("c", Offer(1), Incarnation(100));
  EXPECT_FALSE(cluster.core().FindWorker("a").has_value());
  while (cluster.core().NextDue() <= cluster.now()) cluster.Turn();
  EXPECT_EQ(cluster.core().FindWorker("b")->used.slots, 9000u);
}

TEST(Accidents, TwoTasksThatWorkersDiedOfKeepApartAndUseTheRoomThatThereIs) {
  TestCluster cluster;
  cluster.Join("a", 10);
  const auto spec = Spec([](TaskSpec& task) { task.max_worker_losses = 5; });
  const TaskId first = cluster.Submit(spec);
  const TaskId second = cluster.Submit(spec);
  for (int i = 0; i < 2; ++i) {
    cluster.Started(first);
    cluster.Started(second);
    cluster.Reincarnate("a");
  }
  ASSERT_EQ(cluster.WorkerOf(first), "a");
  ASSERT_EQ(cluster.StateOf(second), TaskState::kQueued) << "there is no other worker";
  cluster.Join("b", 2);
  ASSERT_EQ(cluster.WorkerOf(cluster.Submit(Spec())), "b");
  cluster.AdvanceBeating(absl::Seconds(1), {"a", "b"});
  EXPECT_EQ(cluster.WorkerOf(second), "b") << "although a has the smaller share of its slots taken";
}

TEST(Accidents, AWorkerUnderALiveOnesNameIsRefused) {
  TestCluster cluster;
  cluster.Join("a", 1);
  WorkerJoin second;
  second.name = "a";
  second.incarnation = Incarnation(4711);
  second.address = "elsewhere:7071";
  cluster.Apply(second);
  const JoinAnswer answer = cluster.Seen<JoinAnswer>()[0];
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(answer.status.message().find("a:7071"), absl::string_view::npos);
  EXPECT_NE(answer.status.message().find("elsewhere:7071"), absl::string_view::npos);
}

TEST(Accidents, AWorkerThatRefusesForEverDoesNotSpinTheLoop) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  int refusals = 0;
  const absl::Time end = cluster.now() + absl::Seconds(10);
  while (cluster.now() < end) {
    if (cluster.StateOf(task) == TaskState::kDispatched) {
      cluster.Refuse(task, "no");
      ++refusals;
    }
    cluster.AdvanceBeating(absl::Milliseconds(50), {"a"});
  }
  EXPECT_LE(refusals, 8);
  EXPECT_EQ(cluster.core().FindTask(task).has_value(), true);
}

TEST(Accidents, ASessionThatDoesNotOpenIsAskedForAgainMoreAndMoreSlowly) {
  TestCluster cluster;
  cluster.JoinOnly("a", Offer(1), Incarnation(7));
  std::vector<absl::Duration> waits;
  for (int i = 0; i < 6; ++i) {
    cluster.CloseSession("a");
    const absl::Time due = cluster.core().NextDue();
    waits.push_back(due - cluster.now());
    cluster.Advance(due - cluster.now());
    cluster.Heartbeat("a");
  }
  EXPECT_EQ(waits[0], absl::Milliseconds(200));
  EXPECT_EQ(waits[1], absl::Milliseconds(400));
  EXPECT_EQ(waits[5], absl::Milliseconds(3200));
}

TEST(Accidents, ATaskThatNoWorkerCanRunIsAcceptedWithAWarningAndWaits) {
  TestCluster cluster;
  cluster.Join("a", 1);
  SubmitTasks event;
  event.tasks.push_back({Spec([](TaskSpec& spec) { spec.requirements.needs = {{"gpu", "a100", true}}; }), TaskId()});
  const SubmitAnswer answer = cluster.SubmitAll(std::move(event));
  ASSERT_TRUE(answer.status.ok());
  ASSERT_EQ(answer.warnings.size(), 1u);
  EXPECT_NE(answer.warnings[0].find("gpu=a100"), std::string::npos) << answer.warnings[0];
  const TaskId task = answer.tasks[0].first;
  EXPECT_NE(cluster.ReasonOf(task).find("gpu=a100"), std::string::npos) << cluster.ReasonOf(task);
  cluster.JoinOnly("b", Offer(1, {{"gpu", "a100"}}), Incarnation(99));
  cluster.Hello("b");
  EXPECT_EQ(cluster.WorkerOf(task), "b");
}

TEST(Accidents, ATaskThatWaitsForASlotSaysSo) {
  TestCluster cluster;
  cluster.Join("a", 2);
  for (int i = 0; i < 2; ++i) cluster.Submit(Spec());
  EXPECT_EQ(cluster.ReasonOf(cluster.Submit(Spec())), "waits for a free slot: 2 of 2 busy");
}

// --- Submitting

TEST(Accidents, AnAnswerThatWasLostIsGivenAgainForTheSameRequestId) {
  TestCluster cluster;
  SubmitTasks event;
  event.request = {"user@host", "request-1", Digest{1}};
  event.tasks.push_back({Spec(), TaskId()});
  const SubmitAnswer first = cluster.SubmitAll(event);
  const SubmitAnswer again = cluster.SubmitAll(event);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.tasks, first.tasks);
  EXPECT_TRUE(cluster.transaction().Empty());
  event.request.digest = Digest{2};
  const SubmitAnswer other = cluster.SubmitAll(event);
  EXPECT_EQ(other.status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(muster::ReasonOf(other.status), "REQUEST_ID_REUSED");
}

TEST(Accidents, AResumeThatNoSessionCarriedIsToldWithTheNextOne) {
  TestCluster cluster;
  cluster.Join("a", 1);
  cluster.Apply(DrainWorker{.call = CallId(100), .name = "a"});
  ASSERT_EQ(cluster.Seen<SendDrain>().size(), 1u);
  cluster.CloseSession("a");
  cluster.Apply(ResumeWorker{CallId(101), "a"});
  EXPECT_TRUE(cluster.Seen<SendDrain>().empty()) << "there is nobody to tell";
  cluster.Advance(absl::Seconds(5));
  cluster.Heartbeat("a");
  cluster.Hello("a");
  const auto told = cluster.Seen<SendDrain>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].resume);
}

TEST(Accidents, AWorkerThatAnotherMasterToldToDrainIsToldThatItIsNot) {
  TestCluster cluster;
  cluster.Join("a", 1);  // what it was told before, this master cannot know
  const auto told = cluster.Seen<SendDrain>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].resume);
  cluster.Apply(DrainWorker{.call = CallId(100), .name = "a"});
  cluster.Restart();
  cluster.Join("a", 1);
  ASSERT_EQ(cluster.Seen<SendDrain>().size(), 1u);
  EXPECT_FALSE(cluster.Seen<SendDrain>()[0].resume) << "a drain outlives a restart";
}

TEST(Accidents, AnExecutorThatNobodyEverOfferedIsRefusedNamingThoseThereAre) {
  TestCluster cluster;
  SubmitTasks event;
  event.tasks.push_back({Spec([](TaskSpec& spec) { spec.requirements.executor = "sql"; }), TaskId()});
  const SubmitAnswer answer = cluster.SubmitAll(event);
  EXPECT_EQ(muster::ReasonOf(answer.status), "UNKNOWN_EXECUTOR");
  const auto violations = ViolationsOf(answer.status);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "task.executor");
  EXPECT_NE(violations[0].description.find("command, noop"), std::string::npos);
  WorkerOffer offer = Offer(1);
  offer.executors.push_back({"sql", "1"});
  cluster.JoinOnly("a", offer, Incarnation(3));
  EXPECT_TRUE(cluster.SubmitAll(event).status.ok());
}

TEST(Accidents, AnExecutorThatWasEverOfferedIsStillKnownAfterARestartBeforeAnyWorkerIsBack) {
  TestCluster cluster;
  WorkerOffer offer = Offer(1);
  offer.executors.push_back({"sql", "1"});
  cluster.JoinOnly("a", offer, Incarnation(3));
  ASSERT_EQ(cluster.transaction().executors.size(), 1u) << "those of the configuration need no row";
  EXPECT_EQ(cluster.transaction().executors[0].name, "sql");
  cluster.JoinOnly("b", offer, Incarnation(4));
  EXPECT_TRUE(cluster.transaction().executors.empty());
  cluster.Restart();
  cluster.Submit(Spec([](TaskSpec& spec) { spec.requirements.executor = "sql"; }));
  cluster.JoinOnly("a", offer, Incarnation(5));
  EXPECT_TRUE(cluster.transaction().executors.empty());
}

TEST(Accidents, AFullQueueRefusesWithADelayAndGoesOnWithWhatItHas) {
  CoreConfig config;
  config.max_queued = 2;
  TestCluster cluster(config);
  const TaskId first = cluster.Submit(Spec());
  cluster.Submit(Spec());
  SubmitTasks event;
  event.tasks.push_back({Spec(), TaskId()});
  const SubmitAnswer answer = cluster.SubmitAll(event);
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(muster::ReasonOf(answer.status), "QUEUE_FULL");
  EXPECT_TRUE(RetryAfterOf(answer.status).has_value());
  cluster.Join("a", 1);
  EXPECT_EQ(cluster.StateOf(first), TaskState::kDispatched);
  EXPECT_TRUE(cluster.SubmitAll(event).status.ok()) << "a dispatch made room";
}

TEST(Accidents, AMasterThatStopsRefusesSubmitsExtendsLeasesAndLeavesAMark) {
  TestCluster cluster;
  cluster.Join("a", 1);
  cluster.Apply(StopAdmission{"shutting down"});
  SubmitTasks event;
  event.tasks.push_back({Spec(), TaskId()});
  const SubmitAnswer answer = cluster.SubmitAll(event);
  EXPECT_EQ(answer.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(muster::ReasonOf(answer.status), "SHUTTING_DOWN");
  cluster.Apply(StopMaster{"SIGTERM"});
  EXPECT_EQ(cluster.Seen<Stopped>().size(), 1u);
  EXPECT_TRUE(cluster.store().last_end_clean());
  cluster.Heartbeat("a");
  EXPECT_EQ(cluster.Seen<HeartbeatAnswer>()[0].lease, absl::Seconds(120));
}

// --- Retries

TEST(Accidents, ARetryStormIsHeldBackByTheClustersBudget) {
  TestCluster cluster;
  cluster.Join("a", 1000);
  SubmitTasks event;
  event.batch_spec = Spec([](TaskSpec& spec) {
    spec.retry.max_attempts = 2;
    spec.retry.base_delay = absl::Milliseconds(1);
  });
  event.batch_rows = std::make_shared<const ArgumentRows>(1000, std::vector<std::string>{"x"});
  const TaskRange range = cluster.SubmitAll(event).tasks[0];
  WorkerReports reports{cluster.worker("a").id, cluster.worker("a").session};
  for (uint64_t i = 0; i < range.count; ++i) {
    reports.results.push_back(Report({TaskId(range.first.value() + i), AttemptNumber(1)}, EndReason::kExited, 1));
  }
  cluster.Apply(std::move(reports));
  const uint64_t before = cluster.core().counters().dispatched;
  cluster.AdvanceBeating(absl::Seconds(10), {"a"});
  const uint64_t retried = cluster.core().counters().dispatched - before;
  EXPECT_LE(retried, 1000 * 0.2 + 10 * 10 + 100);
  EXPECT_GE(retried, 100u);
  EXPECT_LT(cluster.core().NextDue(), cluster.now() + absl::Seconds(1));
}

TEST(Accidents, AnExitCodeThatIsNotToBeRetriedEndsTheTask) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.retry.max_attempts = 3;
    spec.retry.on_exit_codes = {75};
  }));
  cluster.Exit(task, 75);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.Advance(absl::Seconds(1));
  cluster.Exit(task, 1);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kFailed);
}

TEST(Accidents, AnExitCodeThatTheTaskAcceptsIsASuccessAndNoOther) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const auto accepts = [](TaskSpec& spec) { spec.accepted_exit_codes = {3, 4}; };
  const TaskId accepted = cluster.Submit(Spec(accepts));
  cluster.Exit(accepted, 4);
  EXPECT_EQ(cluster.StateOf(accepted), TaskState::kSucceeded);
  const TaskId zero = cluster.Submit(Spec(accepts));
  cluster.Exit(zero, 0);
  EXPECT_EQ(cluster.StateOf(zero), TaskState::kFailed);
  const auto worker = cluster.core().FindWorker(cluster.worker("a").id);
  ASSERT_TRUE(worker.has_value());
  EXPECT_EQ(worker->failed_count, 1u);
}

TEST(Accidents, AValidationThatFailedCountsAsCodeOneForWhatIsRetried) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId asked = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.retry.max_attempts = 3;
    spec.retry.on_exit_codes = {1};
  }));
  cluster.End(asked, EndReason::kValidationFailed);
  EXPECT_EQ(cluster.StateOf(asked), TaskState::kPending);
  const TaskId never = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.retry.max_attempts = 3;
    spec.retry.never_on_exit_codes = {1};
  }));
  cluster.End(never, EndReason::kValidationFailed);
  EXPECT_EQ(cluster.StateOf(never), TaskState::kFailed);
}

TEST(Accidents, AnExitCodeThatIsNeverToBeRetriedEndsTheTaskThoughItHasAttemptsLeft) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.retry.max_attempts = 5;
    spec.retry.never_on_exit_codes = {64};
  }));
  cluster.Exit(task, 1);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.Advance(absl::Seconds(1));
  cluster.Exit(task, 64);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kFailed);
}

}  // namespace
}  // namespace muster::core
