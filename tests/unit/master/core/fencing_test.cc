// Accidents in which only care keeps two copies of a task from running at once.
#include <gtest/gtest.h>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Offer;
using testing::Spec;
using testing::TestCluster;

TaskSpecPtr Fenced() {
  return Spec([](TaskSpec& spec) { spec.on_worker_loss = OnWorkerLoss::kRerunAfterFence; });
}

// A join waits in a connection that was cut; its process dies, a new one joins and takes work; then the cut heals.
TEST(Fencing, AJoinThatIsOlderThanItsSuccessorStealsNothing) {
  for (const OnWorkerLoss mode : {OnWorkerLoss::kRerun, OnWorkerLoss::kRerunAfterFence, OnWorkerLoss::kHold}) {
    TestCluster cluster;
    cluster.Join("a", 1);
    const Incarnation living = cluster.worker("a").incarnation;
    const TaskId task = cluster.Submit(Spec([mode](TaskSpec& spec) { spec.on_worker_loss = mode; }));
    cluster.Started(task);
    const AttemptKey key = cluster.KeyOf(task);

    cluster.JoinOnly("a", Offer(1), Incarnation(900));  // the dead one's
    EXPECT_EQ(cluster.StateOf(task), TaskState::kRunning);
    cluster.Apply(SessionOpened{cluster.worker("a").id, cluster.worker("a").session, living, {}});  // who answers there
    EXPECT_EQ(cluster.StateOf(task), TaskState::kRunning);

    cluster.JoinOnly("a", Offer(1), living);  // a heartbeat was answered with "join again"
    cluster.Hello("a", {{key, HeldAttempt::Phase::kRunning}});
    EXPECT_EQ(cluster.KeyOf(task), key);
    cluster.Advance(absl::Seconds(9));
    EXPECT_EQ(cluster.StateOf(task), TaskState::kRunning);
    cluster.ReportAs("a", testing::Report(key, EndReason::kExited));
    EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
  }
}

TEST(Fencing, AWorkerThatStartedAnewAndCannotBeReachedLosesWhatItsPredecessorHeldToSilence) {
  CoreConfig config;
  TestCluster cluster(config);
  cluster.Join("a", 3);
  const TaskId plain = cluster.Submit(Spec());
  const TaskId fenced = cluster.Submit(Fenced());
  const TaskId held = cluster.Submit(Spec([](TaskSpec& spec) { spec.on_worker_loss = OnWorkerLoss::kHold; }));
  for (const TaskId task : {plain, fenced, held}) cluster.Started(task);
  cluster.JoinOnly("a", Offer(3), Incarnation(900));
  cluster.Join("b", 1);
  cluster.AdvanceBeating(config.lost_after - absl::Seconds(1), {"a", "b"});
  EXPECT_EQ(cluster.StateOf(plain), TaskState::kRunning);
  cluster.AdvanceBeating(absl::Seconds(2), {"a", "b"});
  EXPECT_EQ(cluster.WorkerOf(plain), "b");
  EXPECT_EQ(cluster.StateOf(fenced), TaskState::kPending) << "until the new one's lease is over, too";
  EXPECT_EQ(cluster.StateOf(held), TaskState::kUnknown);
  // Its Hello then proves the death: nothing is known to be left.
  cluster.CloseSession("a");
  cluster.AdvanceBeating(absl::Seconds(1), {"a", "b"});
  cluster.Hello("a");
  EXPECT_EQ(cluster.StateOf(held), TaskState::kLost);
}

TEST(Fencing, TasksThatKilledTwoWorkersKeepApartAfterARestartToo) {
  TestCluster cluster;
  const auto poisonous = [] { return Spec([](TaskSpec& spec) { spec.max_worker_losses = 9; }); };
  cluster.Join("a", 4);
  const TaskId first = cluster.Submit(poisonous());
  const TaskId second = cluster.Submit(poisonous());
  for (int death = 0; death < 2; ++death) {
    cluster.Started(first);
    cluster.Started(second);
    cluster.Reincarnate("a");
  }
  // Both killed two workers; one of them runs, the other one waits for a place of its own.
  const TaskId runs = cluster.StateOf(first) == TaskState::kDispatched ? first : second;
  const TaskId waits = runs == first ? second : first;
  ASSERT_EQ(cluster.StateOf(runs), TaskState::kDispatched);
  ASSERT_EQ(cluster.StateOf(waits), TaskState::kQueued);
  cluster.Started(runs);
  const AttemptKey key = cluster.KeyOf(runs);
  cluster.Restart();
  cluster.Join("a", 4, {{key, HeldAttempt::Phase::kRunning}});
  cluster.AdvanceBeating(absl::Seconds(5), {"a"});
  EXPECT_EQ(cluster.StateOf(waits), TaskState::kQueued) << "three slots are free, beside its like";
  cluster.Exit(runs, 0);
  cluster.AdvanceBeating(absl::Seconds(5), {"a"});
  EXPECT_EQ(cluster.WorkerOf(waits), "a");
}

// The master ended in order, so the worker holds a lease of two minutes; it is cut off, and lost under the next master;
// that one is killed, and the third begins with a clock that was set an hour ahead.
TEST(Fencing, ACalendarThatJumpedDoesNotShortenAFence) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Fenced());
  cluster.Started(task);
  cluster.Apply(StopMaster{"SIGTERM"});
  cluster.Heartbeat("a");
  cluster.Restart();
  cluster.Advance(absl::Seconds(31));
  ASSERT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.SetClock(cluster.now() + absl::Hours(1));
  cluster.Restart();
  cluster.Join("b", 1);
  cluster.AdvanceBeating(absl::Seconds(80), {"b"});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.AdvanceBeating(absl::Seconds(60), {"b"});
  EXPECT_EQ(cluster.WorkerOf(task), "b");
}

}  // namespace
}  // namespace muster::core
