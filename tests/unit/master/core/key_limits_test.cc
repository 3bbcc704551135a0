// Limits by key through the real core: never exceeded in whatever queues, and one after the other with a limit of 1.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using muster::testing::Spec;
using muster::testing::TestCluster;

TaskSpecPtr OfAnn(uint32_t limit, const std::string& queue = "default", int32_t priority = 0, uint32_t attempts = 1) {
  return Spec([&](TaskSpec& spec) {
    spec.limit_key = "user=ann";
    spec.limit = limit;
    spec.queue = queue;
    spec.priority = priority;
    spec.retry.max_attempts = attempts;
  });
}

TEST(KeyLimitsInTheCoreTest, NoMoreRunThanTheLimitInWhateverQueues) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId first = cluster.Submit(OfAnn(2, "x"));
  cluster.Submit(OfAnn(2, "y"));
  const TaskId third = cluster.Submit(OfAnn(2, "z"));
  EXPECT_EQ(cluster.StateOf(third), TaskState::kQueued);
  EXPECT_EQ(cluster.ReasonOf(third), "2 tasks with user=ann run, 2 may");
  EXPECT_EQ(cluster.StateOf(cluster.Submit(Spec())), TaskState::kDispatched);
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kDispatched);
}

TEST(KeyLimitsInTheCoreTest, ALimitOfOneRunsInOrderOfArrivalWhateverThePriority) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId first = cluster.Submit(OfAnn(1));
  const TaskId second = cluster.Submit(OfAnn(1, "x", -50));
  const TaskId third = cluster.Submit(OfAnn(1, "y", 100));
  EXPECT_EQ(cluster.ReasonOf(third), "waits for the end of task 1, which has user=ann before it");
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kQueued);
  cluster.Exit(second, 1);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kDispatched);
}

TEST(KeyLimitsInTheCoreTest, ARetryThatWaitsKeepsTheKeyAlsoOverARestart) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId first = cluster.Submit(OfAnn(1, "default", 0, 3));
  const TaskId second = cluster.Submit(OfAnn(1));
  cluster.Started(first);
  cluster.Exit(first, 1);
  EXPECT_EQ(cluster.StateOf(first), TaskState::kPending);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kQueued);
  cluster.Restart();
  cluster.Join("a", 8);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kQueued);
  cluster.AdvanceBeating(absl::Seconds(3), {"a"});
  ASSERT_EQ(cluster.StateOf(first), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kQueued);
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kDispatched);
}

TEST(KeyLimitsInTheCoreTest, WhoIsCancelledInLineIsPassedOver) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId first = cluster.Submit(OfAnn(1));
  const TaskId second = cluster.Submit(OfAnn(1));
  const TaskId third = cluster.Submit(OfAnn(1));
  cluster.Cancel(second);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kCancelled);
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kDispatched);
}

TEST(KeyLimitsInTheCoreTest, AnOlderOneWhoseStartTimeComesGoesBeforeWhoWaits) {
  TestCluster cluster;
  const absl::Time start = cluster.now() + absl::Seconds(5);
  const TaskId late = cluster.Submit(Spec([&](TaskSpec& spec) {
    spec.limit_key = "user=ann";
    spec.limit = 1;
    spec.start_time = start;
  }));
  const TaskId early = cluster.Submit(OfAnn(1));
  cluster.Advance(absl::Seconds(6));
  cluster.Join("a", 8);
  EXPECT_EQ(cluster.StateOf(late), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(early), TaskState::kQueued);
}

// What starts is in order of id, whatever fails, is retried, and whenever the master dies.
TEST(KeyLimitsInTheCoreTest, NoRandomScheduleChangesTheOrderOfALimitOfOne) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    TestCluster cluster;
    cluster.Join("a", 16);
    std::vector<TaskId> tasks;
    std::vector<TaskId> ended;
    for (int step = 0; step < 200; ++step) {
      TaskId running;
      int at_once = 0;
      for (const TaskId task : tasks) {
        if (cluster.StateOf(task) != TaskState::kDispatched) continue;
        running = task;
        ++at_once;
      }
      ASSERT_LE(at_once, 1);
      switch (random() % 5) {
        case 0:
        case 1:
          tasks.push_back(cluster.Submit(OfAnn(1, random() % 2 == 0 ? "x" : "y", static_cast<int>(random() % 100), 3)));
          break;
        case 2:
          if (running) cluster.Exit(running, random() % 2 == 0 ? 0 : 1);
          break;
        case 3: cluster.AdvanceBeating(absl::Seconds(2), {"a"}); break;
        default: {
          std::vector<HeldAttempt> held;
          if (running) held.push_back({cluster.KeyOf(running), HeldAttempt::Phase::kRunning});
          cluster.Restart();
          cluster.Join("a", 16, held);
          for (const HeldAttempt& one : held) cluster.StartedAs("a", one.key);
          if (running && cluster.StateOf(running) == TaskState::kRunning) cluster.Exit(running, 0);
        }
      }
      for (const TaskId task : tasks) {
        if (!cluster.core().IsOpen(task) && std::find(ended.begin(), ended.end(), task) == ended.end()) ended.push_back(task);
      }
      ASSERT_TRUE(std::is_sorted(ended.begin(), ended.end()));
    }
    EXPECT_GT(ended.size(), 10u);
  }
}

}  // namespace
}  // namespace muster::core
