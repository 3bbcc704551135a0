// A wide task among narrow ones that keep coming: it gets its room, and nobody's turn is taken for it.
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using muster::testing::Offer;
using muster::testing::Spec;
using muster::testing::TestCluster;
using ::testing::HasSubstr;

CoreConfig ConfigOfHeldRoom() {
  CoreConfig config;
  config.heartbeat = config.lost_after = config.self_fence = absl::Hours(100);
  config.prefetch_limit = 0;
  config.reservation_after = absl::Seconds(30);
  return config;
}

class HeldRoomTest : public ::testing::Test {
 protected:
  static TaskSpecPtr Wide(uint32_t slots, int32_t priority = 0, const std::string& queue = "default") {
    return Spec([=](TaskSpec& spec) {
      spec.requirements.resources.slots = slots;
      spec.priority = priority;
      spec.queue = queue;
    });
  }

  static TaskSpecPtr WithMemory(int64_t mebis, const std::string& queue = "default") {
    return Spec([=](TaskSpec& spec) {
      spec.requirements.resources.memory_bytes = mebis << 20;
      spec.queue = queue;
    });
  }

  void JoinWithMemory(const std::string& name, uint32_t slots, int64_t mebis) {
    WorkerOffer offer = Offer(slots);
    offer.capacity.memory_bytes = mebis << 20;
    cluster_.JoinOnly(name, offer, Incarnation(1));
    cluster_.Hello(name);
  }

  // One narrow task ends every two seconds, and two more come.
  void KeepBusy(absl::Duration time, int32_t priority = 0, const std::string& queue = "default") {
    for (absl::Duration passed; passed < time; passed += absl::Seconds(2)) {
      for (int i = 0; i < 2; ++i) narrow_.push_back(cluster_.Submit(Wide(1, priority, queue)));
      EndOne();
      cluster_.Advance(absl::Seconds(2));
    }
  }

  bool EndOne() { return EndOneOf(&narrow_); }
  bool EndOneOf(std::deque<TaskId>* tasks) {
    for (auto task = tasks->begin(); task != tasks->end(); ++task) {
      if (StateOf(*task) != TaskState::kDispatched) continue;
      cluster_.Exit(*task, 0);
      tasks->erase(task);
      return true;
    }
    return false;
  }

  bool StartsWithin(TaskId task, absl::Duration time) {
    for (absl::Duration passed; passed < time && StateOf(task) == TaskState::kQueued; passed += absl::Seconds(2)) {
      KeepBusy(absl::Seconds(2));
    }
    return StateOf(task) == TaskState::kDispatched;
  }

  TaskState StateOf(TaskId task) { return cluster_.StateOf(task); }
  Explanation Explain(TaskId task) { return *cluster_.core().Explain(task); }
  std::string ReasonOfWorker(const std::string& name) { return cluster_.core().FindWorker(name)->reason; }
  uint64_t rooms_held() { return cluster_.core().counters().rooms_held; }

  TestCluster cluster_{ConfigOfHeldRoom()};
  std::deque<TaskId> narrow_;
};

TEST_F(HeldRoomTest, AWideTaskIsNotStarvedByNarrowOnesThatKeepComing) {
  cluster_.Join("a", 4);
  KeepBusy(absl::Seconds(10));
  const TaskId wide = cluster_.Submit(Wide(4));
  KeepBusy(absl::Seconds(28));
  EXPECT_EQ(StateOf(wide), TaskState::kQueued);
  EXPECT_EQ(ReasonOfWorker("a"), "");
  KeepBusy(absl::Seconds(4));
  EXPECT_THAT(ReasonOfWorker("a"), HasSubstr("is emptied for task"));
  EXPECT_EQ(Explain(wide).code, ReasonCode::kRoomIsHeld);
  EXPECT_THAT(Explain(wide).sentence, HasSubstr("takes nothing else until it has room for it"));
  EXPECT_EQ(cluster_.ReasonOf(wide), "waits for room on a, which is emptied for it");
  EXPECT_EQ(Explain(narrow_.back()).code, ReasonCode::kWorkersHeld);
  EXPECT_TRUE(StartsWithin(wide, absl::Seconds(10)));
  EXPECT_EQ(ReasonOfWorker("a"), "");
  cluster_.Exit(wide, 0);
  EXPECT_TRUE(EndOne());
  EXPECT_EQ(rooms_held(), 1u);
}

TEST_F(HeldRoomTest, ATaskThatIsWideInMemoryGetsItsRoomToo) {
  JoinWithMemory("a", 8, 4);
  std::deque<TaskId> small;
  for (int i = 0; i < 60; ++i) small.push_back(cluster_.Submit(WithMemory(1)));
  const TaskId big = cluster_.Submit(Spec([](TaskSpec& spec) {
    spec.requirements.resources.memory_bytes = 4 << 20;
    spec.priority = 1;
  }));
  for (int i = 0; i < 50 && StateOf(big) == TaskState::kQueued; ++i) {
    EndOneOf(&small);
    cluster_.Advance(absl::Seconds(2));
  }
  EXPECT_EQ(StateOf(big), TaskState::kDispatched);
  EXPECT_FALSE(small.empty());
}

TEST_F(HeldRoomTest, WhatTheEndOfAnyTaskMakesRoomForEmptiesNobody) {
  JoinWithMemory("a", 8, 4);
  std::deque<TaskId> all;
  for (int i = 0; i < 100; ++i) all.push_back(cluster_.Submit(WithMemory(1, i % 2 == 0 ? "one" : "two")));
  while (EndOneOf(&all)) cluster_.Advance(absl::Seconds(5));
  EXPECT_TRUE(all.empty());
  EXPECT_EQ(rooms_held(), 0u);
}

// Whatever waits, a queue that is owed one start in a hundred gets about one in a hundred, be they ever so wide.
TEST_F(HeldRoomTest, RoomIsHeldOnlyForAQueueWhoseTurnItIs) {
  CoreConfig config = ConfigOfHeldRoom();
  config.reservation_after = absl::Seconds(1);
  config.queues["narrow"].weight = 99;
  cluster_.Restart(config);
  cluster_.Join("a", 4);
  std::deque<TaskId> narrow, wide;
  int of_narrow = 0;
  int of_wide = 0;
  for (int i = 0; i < 4000; ++i) {
    while (narrow.size() < 20) narrow.push_back(cluster_.Submit(Wide(1, 0, "narrow")));
    while (wide.size() < 5) wide.push_back(cluster_.Submit(Wide(4, 0, "wide")));
    of_wide += EndOneOf(&wide) ? 1 : 0;
    of_narrow += EndOneOf(&narrow) ? 1 : 0;
    cluster_.Advance(absl::Seconds(2));
  }
  EXPECT_NEAR(static_cast<double>(of_wide) / (of_wide + of_narrow), 0.01, 0.002);
}

TEST_F(HeldRoomTest, NobodyIsEmptiedForATaskWhileHigherPrioritiesComeBeforeIt) {
  cluster_.Join("a", 4);
  KeepBusy(absl::Seconds(10), 5);
  const TaskId wide = cluster_.Submit(Wide(4));
  KeepBusy(absl::Seconds(120), 5);
  EXPECT_EQ(rooms_held(), 0u);
  // Five steps of aging later it is before those that come now, and those that were before it have to end.
  for (int i = 0; i < 600 && StateOf(wide) == TaskState::kQueued; ++i) KeepBusy(absl::Seconds(2), 5);
  EXPECT_EQ(StateOf(wide), TaskState::kDispatched);
}

TEST_F(HeldRoomTest, ANeighbourThatNeverEndsDoesNotHoldItUpForEver) {
  cluster_.Join("a", 2);
  const TaskId endless = cluster_.Submit(Spec());
  cluster_.Join("b", 2);
  KeepBusy(absl::Seconds(10));
  const TaskId wide = cluster_.Submit(Wide(2));
  EXPECT_TRUE(StartsWithin(wide, absl::Minutes(6)));
  EXPECT_EQ(cluster_.WorkerOf(wide), "b");
  EXPECT_EQ(StateOf(endless), TaskState::kDispatched);
}

TEST_F(HeldRoomTest, AQueueThatIsAlwaysFullOfNarrowTasksStartsItsWideOne) {
  CoreConfig config = ConfigOfHeldRoom();
  config.queues["default"].max_running = 3;
  cluster_.Restart(config);
  cluster_.Join("a", 4);
  KeepBusy(absl::Seconds(10));
  const TaskId wide = cluster_.Submit(Wide(4));
  EXPECT_TRUE(StartsWithin(wide, absl::Minutes(2)));
}

TEST_F(HeldRoomTest, TasksThatNobodyCouldTakeAreNotInTheWayOfThoseBehind) {
  cluster_.Join("a", 4);
  for (int i = 0; i < 30; ++i) {
    cluster_.Submit(Spec([i](TaskSpec& spec) { spec.requirements.resources.slots = 100 + static_cast<uint32_t>(i); }));
  }
  KeepBusy(absl::Seconds(10));
  const TaskId wide = cluster_.Submit(Wide(4));
  EXPECT_TRUE(StartsWithin(wide, absl::Minutes(3)));
}

TEST_F(HeldRoomTest, NorWhenNothingStartsBetweenTwoLooks) {
  cluster_.Join("a", 4);
  for (uint32_t i = 0; i < 30; ++i) {
    cluster_.Submit(Spec([i](TaskSpec& spec) { spec.requirements.resources.slots = 100 + i; }));
  }
  KeepBusy(absl::Seconds(10));
  const TaskId wide = cluster_.Submit(Wide(4));
  for (int i = 0; i < 90 && StateOf(wide) == TaskState::kQueued; ++i) {
    KeepBusy(absl::Seconds(2));
    for (int look = 0; look < 3; ++look) cluster_.Advance(absl::Milliseconds(200));
  }
  EXPECT_EQ(StateOf(wide), TaskState::kDispatched);
}

TEST_F(HeldRoomTest, WhenOneOfTwoIsCancelledTheOtherKeepsTheRoomThatIsNearer) {
  for (int i = 0; i < 16; ++i) cluster_.Join("w" + std::to_string(i), 2);
  for (int i = 0; i < 40; ++i) narrow_.push_back(cluster_.Submit(Spec()));
  const TaskId first = cluster_.Submit(Wide(2));
  const TaskId second = cluster_.Submit(Wide(2));
  const auto emptied = [&] {
    std::vector<std::string> reasons;
    for (int i = 0; i < 16; ++i) {
      if (const std::string why = ReasonOfWorker("w" + std::to_string(i)); !why.empty()) reasons.push_back(why);
    }
    return reasons;
  };
  for (int i = 0; i < 30 && emptied().size() < 2; ++i) KeepBusy(absl::Seconds(2));
  ASSERT_EQ(StateOf(first), TaskState::kQueued);
  ASSERT_EQ(StateOf(second), TaskState::kQueued);
  ASSERT_EQ(emptied().size(), 2u);
  EXPECT_NE(emptied()[0], emptied()[1]) << "each is emptied for one of them";
  EXPECT_EQ(Explain(second).code, ReasonCode::kRoomIsHeld);
  cluster_.Cancel(first);
  cluster_.Advance(absl::Milliseconds(200));
  EXPECT_EQ(emptied().size(), 1u);
  EXPECT_EQ(Explain(second).code, ReasonCode::kRoomIsHeld);
  EXPECT_EQ(rooms_held(), 2u);
}

TEST_F(HeldRoomTest, WhatNobodyWantsAnyMoreIsLetGo) {
  cluster_.Join("a", 2);
  KeepBusy(absl::Seconds(4));
  const TaskId wide = cluster_.Submit(Wide(2));
  KeepBusy(absl::Seconds(34));
  ASSERT_NE(ReasonOfWorker("a"), "");
  cluster_.Cancel(wide);
  cluster_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(ReasonOfWorker("a"), "");
  EXPECT_TRUE(EndOne());
  EXPECT_TRUE(EndOne());
}

TEST_F(HeldRoomTest, ARoomThatIsNotNeededAfterAllIsOfferedAtOnce) {
  cluster_.Join("a", 2);
  KeepBusy(absl::Seconds(4));
  const TaskId wide = cluster_.Submit(Wide(2));
  KeepBusy(absl::Seconds(34));
  ASSERT_NE(ReasonOfWorker("a"), "");
  cluster_.Join("b", 2);
  EXPECT_EQ(cluster_.WorkerOf(wide), "b");
  EXPECT_EQ(ReasonOfWorker("a"), "");
  cluster_.Turn();
  EXPECT_EQ(cluster_.core().FindWorker("a")->used.slots, 2u);
}

TEST_F(HeldRoomTest, WhatIsLeftBesideTheWideTaskIsOfferedAtOnce) {
  cluster_.Join("a", 4);
  KeepBusy(absl::Seconds(10));
  const TaskId wide = cluster_.Submit(Wide(3));
  ASSERT_TRUE(StartsWithin(wide, absl::Minutes(2)));
  cluster_.Turn();
  EXPECT_EQ(cluster_.core().FindWorker("a")->used.slots, 4u);
}

TEST_F(HeldRoomTest, APausedQueueHoldsNobodysRoom) {
  cluster_.Join("a", 2);
  KeepBusy(absl::Seconds(4));
  const TaskId wide = cluster_.Submit(Wide(2, 0, "wide"));
  KeepBusy(absl::Seconds(34));
  ASSERT_NE(ReasonOfWorker("a"), "");
  cluster_.Apply(PauseQueue{CallId(1), "wide", cluster_.now() + absl::Hours(1), std::nullopt, "", ""});
  cluster_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(ReasonOfWorker("a"), "");
  KeepBusy(absl::Seconds(60));
  EXPECT_EQ(ReasonOfWorker("a"), "");
  cluster_.Apply(ResumeQueue{CallId(2), "wide", ""});
  EXPECT_TRUE(StartsWithin(wide, absl::Seconds(20)));
}

TEST_F(HeldRoomTest, AWorkerThatIsLostWhileItIsEmptiedIsReplaced) {
  cluster_.Join("a", 2);
  cluster_.Join("b", 2);
  KeepBusy(absl::Seconds(10));
  const TaskId wide = cluster_.Submit(Wide(2));
  KeepBusy(absl::Seconds(34));
  const std::string emptied = ReasonOfWorker("a").empty() ? "b" : "a";
  ASSERT_NE(ReasonOfWorker(emptied), "");
  cluster_.CloseSession(emptied);
  EXPECT_TRUE(StartsWithin(wide, absl::Minutes(2)));
  EXPECT_NE(cluster_.WorkerOf(wide), emptied);
}

TEST_F(HeldRoomTest, AnEighthOfTheWorkersIsEmptiedAtMost) {
  for (int i = 0; i < 16; ++i) cluster_.Join("w" + std::to_string(i), 2);
  for (int i = 0; i < 40; ++i) narrow_.push_back(cluster_.Submit(Spec()));
  for (int i = 0; i < 10; ++i) cluster_.Submit(Wide(2, 0, "q" + std::to_string(i)));
  size_t most = 0;
  for (int i = 0; i < 60; ++i) {
    KeepBusy(absl::Seconds(2));
    size_t held = 0;
    for (const auto& worker : cluster_.core().Workers()) held += worker.reason.empty() ? 0 : 1;
    most = std::max(most, held);
  }
  EXPECT_EQ(most, 2u);
}

TEST_F(HeldRoomTest, AfterARestartItsWaitStillCounts) {
  cluster_.Join("a", 2);
  KeepBusy(absl::Seconds(4));
  const TaskId wide = cluster_.Submit(Wide(2));
  KeepBusy(absl::Seconds(30));
  std::vector<HeldAttempt> held;
  for (const TaskId task : narrow_) {
    if (StateOf(task) == TaskState::kDispatched) held.push_back({cluster_.KeyOf(task), HeldAttempt::Phase::kRunning});
  }
  cluster_.Restart(ConfigOfHeldRoom());
  cluster_.Join("a", 2, held);
  for (int i = 0; i < 6 && StateOf(wide) == TaskState::kQueued; ++i) {
    for (const TaskId task : narrow_) {
      if (StateOf(task) != TaskState::kDispatched && StateOf(task) != TaskState::kRunning) continue;
      cluster_.Exit(task, 0);
      break;
    }
    cluster_.Advance(absl::Seconds(2));
  }
  EXPECT_EQ(StateOf(wide), TaskState::kDispatched);
}

// Whatever comes and goes: no worker is over capacity (each step checks), what is held is let go or used, and all end.
TEST_F(HeldRoomTest, RandomLoadsOfAllWidthsAllEnd) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    TestCluster cluster(ConfigOfHeldRoom());
    for (int i = 0; i < 3; ++i) cluster.Join("w" + std::to_string(i), 4);
    std::vector<TaskId> open;
    for (int step = 0; step < 400; ++step) {
      if (random() % 3 > 0) {
        const uint32_t width = random() % 8 == 0 ? 2 + random() % 3 : 1;
        open.push_back(cluster.Submit(Wide(width, static_cast<int32_t>(random() % 3), random() % 4 == 0 ? "other" : "default")));
      }
      if (random() % 40 == 0 && !open.empty()) cluster.Cancel(open[random() % open.size()]);
      for (int i = 0; i < 2 && !open.empty(); ++i) {
        const TaskId task = open[random() % std::min<size_t>(open.size(), 16)];
        if (cluster.StateOf(task) == TaskState::kDispatched) cluster.Exit(task, static_cast<int>(random() % 2));
      }
      std::erase_if(open, [&](TaskId task) { return IsTerminal(cluster.StateOf(task)); });
      cluster.Advance(absl::Seconds(1));
    }
    for (int i = 0; i < 5000 && !open.empty(); ++i) {
      for (const TaskId task : open) {
        if (cluster.StateOf(task) != TaskState::kDispatched) continue;
        cluster.Exit(task, 0);
        break;
      }
      std::erase_if(open, [&](TaskId task) { return IsTerminal(cluster.StateOf(task)); });
      cluster.Advance(absl::Seconds(1));
    }
    ASSERT_TRUE(open.empty());
    for (const auto& worker : cluster.core().Workers()) ASSERT_EQ(worker.reason, "");
  }
}

}  // namespace
}  // namespace muster::core
