// Attempts that are sent ahead of a free slot: who, how many, and how they come back.
#include <gtest/gtest.h>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Report;
using testing::Spec;
using testing::TestCluster;

TaskSpecPtr Quick(int32_t priority = 0) {
  return Spec([priority](TaskSpec& spec) {
    spec.fingerprint = 7;
    spec.priority = priority;
  });
}

class PrefetchTest : public ::testing::Test {
 protected:
  void Learn() {  // that fingerprint 7 takes a millisecond
    cluster.Join("a", 1);
    for (int i = 0; i < 8; ++i) cluster.Exit(cluster.Submit(Quick()), 0);
  }
  bool SentAhead(TaskId task) {
    const auto view = cluster.core().FindTask(task);
    const auto* sent = std::get_if<Dispatched>(&view->state);
    return sent != nullptr && sent->prefetched;
  }

  TestCluster cluster;
};

TEST_F(PrefetchTest, NothingIsSentAheadBeforeItsRunTimeIsKnown) {
  cluster.Join("a", 1);
  cluster.Submit(Quick());
  EXPECT_EQ(cluster.StateOf(cluster.Submit(Quick())), TaskState::kQueued);
}

TEST_F(PrefetchTest, ShortOnesAreSentAheadAsManyAsRunInTheHorizon) {
  Learn();
  std::vector<TaskId> tasks;
  for (int i = 0; i < 40; ++i) tasks.push_back(cluster.Submit(Quick()));
  EXPECT_FALSE(SentAhead(tasks[0]));
  EXPECT_TRUE(SentAhead(tasks[1]));
  const uint32_t ahead = cluster.core().FindWorker("a")->prefetched;
  EXPECT_GE(ahead, 15u);
  EXPECT_LE(ahead, 20u) << "20 ms of 1 ms each";
  EXPECT_EQ(cluster.StateOf(tasks.back()), TaskState::kQueued);
  EXPECT_TRUE(cluster.core().NextDue() > cluster.now()) << "and the loop rests";
}

TEST_F(PrefetchTest, TheOldestTakesTheSlotThatFrees) {
  Learn();
  const TaskId first = cluster.Submit(Quick());
  const TaskId second = cluster.Submit(Quick());
  const TaskId third = cluster.Submit(Quick());
  ASSERT_TRUE(SentAhead(second));
  cluster.Exit(first, 0);
  EXPECT_FALSE(SentAhead(second));
  EXPECT_TRUE(SentAhead(third));
  EXPECT_EQ(cluster.core().FindWorker("a")->used.slots, 1u);
}

TEST_F(PrefetchTest, TasksThatMustNotRunTwiceAreNotSentAhead) {
  Learn();
  cluster.Submit(Quick());
  const TaskId held = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.fingerprint = 7;
    spec.on_worker_loss = OnWorkerLoss::kHold;
  }));
  EXPECT_EQ(cluster.StateOf(held), TaskState::kQueued);
}

TEST_F(PrefetchTest, AHigherPriorityThatWaitsRecallsThemAndOnlyGivenBackFreesThem) {
  Learn();
  cluster.Submit(Quick());
  const TaskId ahead = cluster.Submit(Quick());
  ASSERT_TRUE(SentAhead(ahead));
  const TaskId urgent = cluster.Submit(Spec([](TaskSpec& spec) { spec.priority = 50; }));
  ASSERT_EQ(cluster.Seen<Recall>().size(), 1u);
  EXPECT_EQ(cluster.Seen<Recall>()[0].key.task, ahead);
  EXPECT_EQ(cluster.StateOf(ahead), TaskState::kDispatched);
  cluster.GiveBack(ahead);
  EXPECT_EQ(cluster.StateOf(ahead), TaskState::kQueued) << "and it is not sent ahead again while the other waits";
  EXPECT_EQ(cluster.StateOf(urgent), TaskState::kQueued);
}

TEST_F(PrefetchTest, NothingIsSentAheadOfWhatWaitedBeforeIt) {
  Learn();
  const TaskId running = cluster.Submit(Quick());
  const TaskId slow = cluster.Submit(Spec([](TaskSpec& spec) { spec.requirements.executor = "noop"; }));
  cluster.Advance(absl::Milliseconds(1));
  const TaskId quick = cluster.Submit(Quick());
  EXPECT_EQ(cluster.StateOf(quick), TaskState::kQueued);
  cluster.Exit(running, 0);
  EXPECT_EQ(cluster.StateOf(slow), TaskState::kDispatched);
}

TEST_F(PrefetchTest, AnIdleWorkerGetsThem) {
  Learn();
  cluster.Submit(Quick());
  const TaskId ahead = cluster.Submit(Quick());
  cluster.Join("b", 1);
  ASSERT_EQ(cluster.Seen<Recall>().size(), 1u);
  EXPECT_EQ(cluster.Seen<Recall>()[0].key.task, ahead);
  cluster.GiveBack(ahead);
  EXPECT_EQ(cluster.WorkerOf(ahead), "b");
  EXPECT_FALSE(SentAhead(ahead));
}

TEST_F(PrefetchTest, ARecallThatCrossesAStartChangesNothing) {
  Learn();
  cluster.Submit(Quick());
  const TaskId ahead = cluster.Submit(Quick());
  cluster.Join("b", 1);
  ASSERT_EQ(cluster.Seen<Recall>().size(), 1u);
  cluster.Started(ahead);
  EXPECT_EQ(cluster.StateOf(ahead), TaskState::kRunning);
  cluster.Exit(ahead, 0);
  EXPECT_EQ(cluster.StateOf(ahead), TaskState::kSucceeded);
}

TEST_F(PrefetchTest, NothingIsRecalledFromAWorkerThatIsForgotten) {
  CoreConfig config;
  config.max_workers = 2;
  cluster.Restart(config);
  Learn();
  cluster.Submit(Quick());
  const TaskId ahead = cluster.Submit(Quick());
  ASSERT_TRUE(SentAhead(ahead));
  cluster.JoinOnly("b", testing::Offer(1), Incarnation(50));
  cluster.AdvanceBeating(absl::Seconds(31), {"b"});
  cluster.JoinOnly("c", testing::Offer(1), Incarnation(51));
  ASSERT_FALSE(cluster.core().FindWorker("a").has_value());
  const TaskId urgent = cluster.Submit(Spec([](TaskSpec& spec) { spec.priority = 50; }));
  EXPECT_TRUE(cluster.Seen<Recall>().empty());
  EXPECT_EQ(cluster.StateOf(ahead), TaskState::kQueued);
  cluster.Hello("c");
  EXPECT_EQ(cluster.WorkerOf(urgent), "c");
}

}  // namespace
}  // namespace muster::core
