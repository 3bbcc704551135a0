// What the cluster has as a whole, through the real core: never more than there is, whatever dies; nobody starves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <vector>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using muster::testing::Offer;
using muster::testing::Spec;
using muster::testing::TestCluster;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kMatlab[] = "license.matlab";

CoreConfig WithLicences(int64_t amount) {
  CoreConfig config;
  config.resources = {{kMatlab, amount}};
  return config;
}

TaskSpecPtr Wanting(int64_t amount, const std::function<void(TaskSpec&)>& change = nullptr) {
  return Spec([&](TaskSpec& spec) {
    spec.requirements.resources.named = {{kMatlab, amount}};
    if (change) change(spec);
  });
}
TaskSpecPtr WantingUnder(OnWorkerLoss mode, int64_t amount) {
  return Wanting(amount, [mode](TaskSpec& spec) { spec.on_worker_loss = mode; });
}

int64_t Used(TestCluster& cluster) { return cluster.core().Resources().at(0).used; }

TEST(ClusterResourcesInTheCore, NoMoreIsTakenThanThereIsInWhateverQueuesAndOnWhateverWorkers) {
  TestCluster cluster(WithLicences(2));
  cluster.Join("a", 8);
  cluster.Join("b", 8);
  const TaskId first = cluster.Submit(Wanting(1));
  cluster.Submit(Wanting(1, [](TaskSpec& spec) { spec.queue = "nightly"; }));
  const TaskId third = cluster.Submit(Wanting(1));
  EXPECT_EQ(cluster.StateOf(third), TaskState::kQueued);
  EXPECT_EQ(cluster.ReasonOf(third), "2 of 2 license.matlab are taken");
  EXPECT_EQ(cluster.StateOf(cluster.Submit(Spec())), TaskState::kDispatched) << "who wants none is not in its way";
  const auto shown = cluster.core().Resources();
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(shown[0].waiting, 1u);
  EXPECT_THAT(shown[0].takers, ElementsAre(first, TaskId(2)));
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kDispatched);
  EXPECT_EQ(Used(cluster), 2);
}

TEST(ClusterResourcesInTheCore, WhoWaitsForItIsCountedByTasksAndNotByWhatTheyHaveInCommon) {
  TestCluster cluster(WithLicences(2));
  cluster.Join("a", 8);
  const TaskId wide = cluster.Submit(Wanting(2));
  for (int i = 0; i < 5; ++i) cluster.Submit(Wanting(1));
  cluster.Submit(Wanting(1, [](TaskSpec& spec) { spec.queue = "nightly"; }));
  const TaskId last = cluster.Submit(Wanting(2));
  cluster.Submit(Wanting(3));  // never: it waits for nothing
  const auto waiting = [&cluster] { return cluster.core().Resources().at(0).waiting; };
  EXPECT_EQ(waiting(), 7u);
  cluster.Cancel(last);
  EXPECT_EQ(waiting(), 6u);
  cluster.Exit(wide, 0);
  EXPECT_EQ(waiting(), 4u);
  cluster.Restart(WithLicences(0));
  EXPECT_EQ(waiting(), 0u);
}

TEST(ClusterResourcesInTheCore, AWorkersAmountOfThatNameIsNotAskedFor) {
  TestCluster cluster(WithLicences(2));
  WorkerOffer offer = Offer(8);
  offer.capacity.named = {{"gpu", 1}};
  cluster.JoinOnly("a", offer, Incarnation(7));
  cluster.Hello("a");
  const TaskId both = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.requirements.resources.named = {{"gpu", 1}, {kMatlab, 1}};
  }));
  EXPECT_EQ(cluster.StateOf(both), TaskState::kDispatched);
  const TaskId gpu = cluster.Submit(Spec([](TaskSpec& spec) { spec.requirements.resources.named = {{"gpu", 1}}; }));
  EXPECT_EQ(cluster.StateOf(gpu), TaskState::kQueued);
  EXPECT_EQ(cluster.Stored(both).attempts.size(), 1u);
}

TEST(ClusterResourcesInTheCore, MoreThanThereEverIsIsAcceptedAndSaidAtOnce) {
  TestCluster cluster(WithLicences(2));
  cluster.Join("a", 8);
  SubmitTasks event;
  event.tasks.push_back({.spec = Wanting(4)});
  const SubmitAnswer answer = cluster.SubmitAll(std::move(event));
  ASSERT_TRUE(answer.status.ok());
  EXPECT_THAT(answer.warnings, ElementsAre("asks for 4 license.matlab, and the cluster has 2"));
  EXPECT_EQ(cluster.core().counters().accepted_impossible, 1u);
  EXPECT_EQ(cluster.ReasonOf(answer.tasks.at(0).first), "asks for 4 license.matlab, and the cluster has 2");
  EXPECT_EQ(cluster.StateOf(cluster.Submit(Wanting(2))), TaskState::kDispatched) << "it holds up nobody";
}

TEST(ClusterResourcesInTheCore, ARestartForgetsNoneOfWhatRunsAndLessOfItStopsNothing) {
  TestCluster cluster(WithLicences(2));
  cluster.Join("a", 8);
  const TaskId first = cluster.Submit(Wanting(1));
  const TaskId second = cluster.Submit(Wanting(1));
  const TaskId third = cluster.Submit(Wanting(1));
  cluster.Restart(WithLicences(1));
  EXPECT_EQ(Used(cluster), 2) << "also before the worker is heard";
  cluster.Join("a", 8, {{cluster.KeyOf(first), HeldAttempt::Phase::kRunning}, {cluster.KeyOf(second), HeldAttempt::Phase::kRunning}});
  EXPECT_EQ(cluster.StateOf(first), TaskState::kRunning);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kRunning);
  EXPECT_EQ(cluster.ReasonOf(third), "2 of 1 license.matlab are taken");
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kQueued);
  cluster.Exit(second, 0);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kDispatched);
}

TEST(ClusterResourcesInTheCore, ANameThatIsNoMoreTheClustersIsAskedOfWorkersAgain) {
  TestCluster cluster(WithLicences(2));
  cluster.Join("a", 8);
  const TaskId runs = cluster.Submit(Wanting(2));
  const TaskId waits = cluster.Submit(Wanting(1));
  cluster.Restart();
  cluster.Join("a", 8, {{cluster.KeyOf(runs), HeldAttempt::Phase::kRunning}});
  EXPECT_THAT(cluster.core().Resources(), IsEmpty());
  EXPECT_EQ(cluster.StateOf(runs), TaskState::kRunning);
  EXPECT_THAT(cluster.ReasonOf(waits), ::testing::HasSubstr(kMatlab));
}

TEST(ClusterResourcesInTheCore, WhatMustNotRunTwiceKeepsItUntilItHasSurelyEnded) {
  for (const OnWorkerLoss mode : {OnWorkerLoss::kRerunAfterFence, OnWorkerLoss::kHold}) {
    SCOPED_TRACE(static_cast<int>(mode));
    TestCluster cluster(WithLicences(1));
    cluster.Join("a", 8);
    const TaskId lost = cluster.Submit(WantingUnder(mode, 1));
    cluster.Started(lost);
    cluster.Restart(WithLicences(1));  // the last master may have promised a long lease
    cluster.Join("b", 8);
    const TaskId next = cluster.Submit(Wanting(1, [](TaskSpec& spec) { spec.priority = 50; }));
    cluster.AdvanceBeating(cluster.core().config().lost_after + absl::Seconds(1), {"b"});
    ASSERT_EQ(cluster.StateOf(lost), mode == OnWorkerLoss::kHold ? TaskState::kUnknown : TaskState::kPending);
    EXPECT_EQ(cluster.StateOf(next), TaskState::kQueued);
    cluster.Restart(WithLicences(1));
    cluster.Join("b", 8);
    EXPECT_EQ(Used(cluster), 1);
    EXPECT_EQ(cluster.StateOf(next), TaskState::kQueued);
    cluster.AdvanceBeating(absl::Minutes(20), {"b"});  // the fence, or the patience with what is unknown, is over
    EXPECT_EQ(cluster.StateOf(next), TaskState::kDispatched);
  }
}

TEST(ClusterResourcesInTheCore, ACancelledTaskThatWaitsForTheFenceKeepsItUntilThen) {
  for (const bool cancelled_before : {false, true}) {
    SCOPED_TRACE(cancelled_before);
    TestCluster cluster(WithLicences(1));
    cluster.Join("a", 8);
    const TaskId lost = cluster.Submit(WantingUnder(OnWorkerLoss::kRerunAfterFence, 1));
    cluster.Started(lost);
    cluster.Restart(WithLicences(1));  // the last master may have promised a long lease
    cluster.Join("b", 8);
    if (cancelled_before) cluster.Cancel(lost);
    cluster.AdvanceBeating(cluster.core().config().lost_after + absl::Seconds(1), {"b"});
    if (!cancelled_before) cluster.Cancel(lost);
    ASSERT_EQ(cluster.StateOf(lost), TaskState::kPending);
    EXPECT_THAT(cluster.ReasonOf(lost), ::testing::HasSubstr("is cancelled once it has surely stopped there, in "));
    EXPECT_EQ(Used(cluster), 1);
    cluster.Restart(WithLicences(1));
    cluster.Join("b", 8);
    const TaskId next = cluster.Submit(Wanting(1));
    EXPECT_EQ(Used(cluster), 1);
    EXPECT_EQ(cluster.StateOf(next), TaskState::kQueued);
    cluster.AdvanceBeating(absl::Minutes(20), {"b"});
    EXPECT_EQ(cluster.StateOf(lost), TaskState::kCancelled);
    EXPECT_EQ(cluster.StateOf(next), TaskState::kDispatched);
  }
}

TEST(ClusterResourcesInTheCore, OneThatGaveItsTurnAwayAndComesBackKeepsNothingThatItCannotUse) {
  TestCluster cluster(WithLicences(1));
  cluster.Join("a", 8);
  const auto keyed = [](TaskSpec& spec) {
    spec.limit_key = "k=1";
    spec.limit = 1;
  };
  const TaskId taker = cluster.Submit(Wanting(1));
  const TaskId older = cluster.Submit(testing::Spec([&](TaskSpec& spec) {
    keyed(spec);
    spec.start_time = cluster.now() + absl::Seconds(5);
  }));
  const TaskId stuck = cluster.Submit(Wanting(1, [&](TaskSpec& spec) {
    keyed(spec);
    spec.requirements.needs.push_back({.name = "gpu"});
  }));
  cluster.AdvanceBeating(absl::Seconds(20), {"a"});
  ASSERT_EQ(cluster.StateOf(older), TaskState::kDispatched);
  const TaskId next = cluster.Submit(Wanting(1));
  cluster.Exit(older, 0);
  cluster.AdvanceBeating(absl::Seconds(1), {"a"});
  cluster.Exit(taker, 0);
  EXPECT_EQ(cluster.StateOf(stuck), TaskState::kQueued);
  EXPECT_EQ(cluster.StateOf(next), TaskState::kDispatched) << cluster.ReasonOf(next);
}

TEST(ClusterResourcesInTheCore, AStreamOfNarrowOnesDoesNotStarveAWideOne) {
  TestCluster cluster(WithLicences(4));
  cluster.Join("a", 64);
  std::vector<TaskId> running;
  for (int i = 0; i < 4; ++i) running.push_back(cluster.Submit(Wanting(1)));
  const TaskId wide = cluster.Submit(Wanting(4));
  const absl::Time submitted = cluster.now();
  size_t passed = 0;
  while (cluster.StateOf(wide) == TaskState::kQueued && cluster.now() - submitted < absl::Minutes(2)) {
    const TaskId narrow = cluster.Submit(Wanting(1));
    running.push_back(narrow);
    cluster.AdvanceBeating(absl::Seconds(1), {"a"});
    for (const TaskId task : running) {
      if (cluster.StateOf(task) != TaskState::kDispatched) continue;
      cluster.Exit(task, 0);
      break;
    }
    passed += cluster.StateOf(narrow) == TaskState::kDispatched ? 1 : 0;
  }
  EXPECT_EQ(cluster.StateOf(wide), TaskState::kDispatched);
  EXPECT_LE(cluster.now() - submitted, cluster.core().config().reservation_after + absl::Seconds(6));
  EXPECT_GE(passed, 3u) << "before that, what is free is used";
}

TEST(ClusterResourcesInTheCore, WhatIsKeptForOneWhoseQueueIsPausedIsFree) {
  TestCluster cluster(WithLicences(2));
  cluster.Join("a", 8);
  cluster.Submit(Wanting(1));
  const TaskId wide = cluster.Submit(Wanting(2, [](TaskSpec& spec) { spec.queue = "x"; }));
  cluster.AdvanceBeating(absl::Seconds(11), {"a"});
  const TaskId narrow = cluster.Submit(Wanting(1));
  EXPECT_EQ(cluster.ReasonOf(narrow), "1 of 2 license.matlab is taken, the rest is kept for task 2");
  ASSERT_EQ(wide, TaskId(2));
  cluster.Apply(PauseQueue{CallId(1), "x", cluster.now() + absl::Hours(1), std::nullopt, "", ""});
  EXPECT_EQ(cluster.StateOf(narrow), TaskState::kDispatched);
}

// The claim is of a task in one queue, the turn is its class's in the other one.
TEST(ClusterResourcesInTheCore, TasksAlikeInTwoQueuesDoNotHoldOneAnother) {
  TestCluster cluster(WithLicences(2));
  cluster.Join("a", 8);
  const TaskId first = cluster.Submit(Wanting(2, [](TaskSpec& spec) { spec.queue = "x"; }));
  std::vector<TaskId> waiting;
  for (int i = 0; i < 6; ++i) {
    waiting.push_back(cluster.Submit(Wanting(2, [i](TaskSpec& spec) { spec.queue = i % 2 == 0 ? "x" : "y"; })));
  }
  cluster.AdvanceBeating(absl::Seconds(11), {"a"});
  cluster.Exit(first, 0);
  for (size_t round = 0; round < waiting.size(); ++round) {
    TaskId running;
    for (const TaskId task : waiting) running = cluster.StateOf(task) == TaskState::kDispatched ? task : running;
    ASSERT_NE(running, TaskId()) << "in round " << round;
    cluster.AdvanceBeating(absl::Seconds(11), {"a"});
    cluster.Exit(running, 0);
  }
}

TEST(ClusterResourcesInTheCore, OneWithAHigherPriorityTakesWhatIsKept) {
  TestCluster cluster(WithLicences(2));
  cluster.Join("a", 8);
  cluster.Submit(Wanting(1));
  cluster.Submit(Wanting(2));
  cluster.AdvanceBeating(absl::Seconds(11), {"a"});
  const auto narrow = [](int32_t priority) {
    return Wanting(1, [=](TaskSpec& spec) {
      spec.priority = priority;
      spec.requirements.resources.memory_bytes = priority;  // a class of its own
    });
  };
  EXPECT_EQ(cluster.StateOf(cluster.Submit(narrow(0))), TaskState::kQueued);
  EXPECT_EQ(cluster.StateOf(cluster.Submit(narrow(5))), TaskState::kDispatched);
}

TEST(ClusterResourcesInTheCore, NothingOfItIsSentAhead) {
  TestCluster cluster(WithLicences(100));
  cluster.Join("a", 1);
  for (int i = 0; i < 20; ++i) {  // it becomes known as short
    const TaskId task = cluster.Submit(Wanting(1));
    cluster.Started(task);
    cluster.Exit(task, 0);
  }
  cluster.Submit(Wanting(1));
  EXPECT_EQ(cluster.StateOf(cluster.Submit(Wanting(1))), TaskState::kQueued);
  EXPECT_EQ(Used(cluster), 1);
}

// Submits, ends, retries, losses under all modes, masters that die: by what the store knows, never more is taken than there is.
TEST(ClusterResourcesInTheCore, NoRandomScheduleTakesMoreThanThereIs) {
  constexpr int64_t kAmount = 3;
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    TestCluster cluster(WithLicences(kAmount));
    cluster.Join("a", 8);
    cluster.Join("b", 8);
    std::vector<TaskId> tasks;
    const auto on_a_worker = [&](TaskId task) {
      const TaskState state = cluster.StateOf(task);
      return state == TaskState::kDispatched || state == TaskState::kRunning;
    };
    for (int step = 0; step < 300; ++step) {
      const TaskId task = tasks.empty() ? TaskId() : tasks[random() % tasks.size()];
      const bool runs = !tasks.empty() && on_a_worker(task);
      switch (random() % 8) {
        case 0:
        case 1: {
          const auto mode = static_cast<OnWorkerLoss>(random() % 3);
          const auto amount = static_cast<int64_t>(1 + random() % 3);
          tasks.push_back(cluster.Submit(Wanting(amount, [&](TaskSpec& spec) {
            spec.on_worker_loss = mode;
            spec.retry.max_attempts = 2;
          })));
          break;
        }
        case 2:
        case 3: if (runs) cluster.Exit(task, static_cast<int>(random() % 2)); break;
        case 4: if (runs) cluster.Started(task); break;
        case 5: cluster.AdvanceBeating(absl::Seconds(random() % 8), {"a", "b"}); break;
        case 6: if (random() % 6 == 0) cluster.Reincarnate(random() % 2 == 0 ? "a" : "b"); break;
        case 7: if (!tasks.empty() && random() % 8 == 0) cluster.Cancel(task); break;
      }
      int64_t taken = 0;
      for (const TaskId one : tasks) {
        if (on_a_worker(one)) taken += cluster.store().SpecOf(one).requirements.resources.named.at(0).second;
      }
      ASSERT_LE(taken, kAmount);
      ASSERT_GE(Used(cluster), taken);
      ASSERT_LE(Used(cluster), kAmount);
    }
  }
}

}  // namespace
}  // namespace muster::core
