#include "master/scheduler/task_queues.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

absl::Time At(double seconds) { return kStart + absl::Seconds(seconds); }

ClassKey Needing(const std::string& label = "", WorkerId avoid = WorkerId()) {
  ClassKey key;
  key.requirements.executor = "command";
  key.requirements.resources.slots = 1;
  if (!label.empty()) key.requirements.needs = {Need{.name = label}};
  key.avoid = avoid;
  return key;
}

class TaskQueuesTest : public ::testing::Test {
 protected:
  void Add(uint64_t task, int32_t priority = 0, double since = 0, const std::string& queue = "default",
           const ClassKey& key = Needing()) {
    queues_.Add(TaskId(task), queue, priority, key, At(since));
  }

  std::vector<uint64_t> TakeAll(size_t limit = 1000) {
    std::vector<uint64_t> order;
    while (order.size() < limit) {
      auto next = queues_.Peek();
      if (!next.has_value()) break;
      order.push_back(next->task.value());
      queues_.Take(queues_.Peek()->task);
    }
    return order;
  }

  ClassId ClassOf(uint64_t task) { return *queues_.ClassOf(TaskId(task)); }

  void TearDown() override { queues_.CheckInvariants(); }

  TaskQueues queues_{absl::Seconds(60)};
};

TEST_F(TaskQueuesTest, NothingQueuedNothingNext) {
  EXPECT_FALSE(queues_.Peek().has_value());
  EXPECT_FALSE(queues_.Remove(TaskId(1)));
  EXPECT_THAT(queues_.Queues(), IsEmpty());
}

TEST_F(TaskQueuesTest, HigherPriorityFirstThenAgeThenArrival) {
  Add(1, 0, 0);
  Add(2, 5, 0);
  Add(3, -5, 0);
  Add(5, 5, 0);
  Add(4, 5, 0);
  Add(6, 0, -1);
  EXPECT_THAT(TakeAll(), ElementsAre(2, 4, 5, 6, 1, 3));
}

TEST_F(TaskQueuesTest, AnIntervalOfWaitingIsWorthOneStepOfPriority) {
  Add(1, 0, 0);
  Add(2, 1, 59);
  EXPECT_THAT(TakeAll(), ElementsAre(2, 1));
  Add(3, 0, 0);
  Add(4, 1, 61);
  EXPECT_THAT(TakeAll(), ElementsAre(3, 4));
}

TEST_F(TaskQueuesTest, TheLowestPriorityIsServedInTheEndThoughHigherOnesKeepComing) {
  Add(1, -100, 0);
  uint64_t next_id = 2;
  int served_before = 0;
  for (double now = 0; now < 60 * 250; now += 60) {
    Add(next_id++, 100, now);
    ASSERT_TRUE(queues_.Peek().has_value());
    uint64_t served = queues_.Peek()->task.value();
    queues_.Take(queues_.Peek()->task);
    if (served == 1) break;
    ++served_before;
  }
  EXPECT_EQ(served_before, 200);  // steps between -100 and 100; then it is as far up, and older
}

TEST_F(TaskQueuesTest, ATaskThatComesBackKeepsItsPlaceByItsFirstTime) {
  Add(1, 0, 0);
  Add(2, 0, 1);
  EXPECT_THAT(TakeAll(1), ElementsAre(1));
  Add(1, 0, 0);
  EXPECT_THAT(TakeAll(), ElementsAre(1, 2));
}

TEST_F(TaskQueuesTest, ExtremeTimesAndIntervalsKeepTheOrder) {
  TaskQueues queues(absl::InfiniteDuration());
  queues.Add(TaskId(1), "q", 0, Needing(), absl::InfinitePast());
  queues.Add(TaskId(2), "q", 100, Needing(), At(0));
  queues.Add(TaskId(3), "q", -100, Needing(), At(0));
  queues.Add(TaskId(4), "q", 99, Needing(), At(-1000));
  queues.CheckInvariants();
  std::vector<uint64_t> order;
  for (; queues.Peek().has_value(); queues.Take(queues.Peek()->task)) order.push_back(queues.Peek()->task.value());
  EXPECT_THAT(order, ElementsAre(1, 2, 4, 3));
}

TEST_F(TaskQueuesTest, ACancelledTaskIsNotServed) {
  for (uint64_t task : {1, 2, 3}) Add(task);
  EXPECT_TRUE(queues_.Remove(TaskId(1)));
  EXPECT_TRUE(queues_.Remove(TaskId(3)));
  EXPECT_FALSE(queues_.Remove(TaskId(3)));
  EXPECT_FALSE(queues_.Contains(TaskId(3)));
  EXPECT_THAT(TakeAll(), ElementsAre(2));
}

TEST_F(TaskQueuesTest, AParkedClassLetsTheOthersPass) {
  Add(1, 9, 0, "default", Needing("gpu"));
  Add(2, 8, 0, "default", Needing("gpu"));
  Add(3);
  queues_.Park(queues_.Peek()->cls);
  EXPECT_THAT(TakeAll(), ElementsAre(3));
  EXPECT_EQ(queues_.size(), 2u);
  queues_.Wake(ClassOf(1));
  EXPECT_THAT(TakeAll(), ElementsAre(1, 2));
}

TEST_F(TaskQueuesTest, AParkedClassThatFitsAgainHasKeptItsPlaceInLine) {
  Add(1, 0, 1);
  Add(2, 0, 2, "default", Needing("gpu"));
  Add(3, 0, 3, "default", Needing("fpga"));
  Add(4, 0, 4, "default", Needing("gpu"));
  queues_.Park(ClassOf(2));
  queues_.Park(ClassOf(3));
  std::vector<uint64_t> order;
  std::vector<uint64_t> asked;
  const auto gpu_fits = [&asked](const NextTask& next, const ClassKey& key) {
    asked.push_back(next.task.value());
    return key.requirements.needs[0].name == "gpu";
  };
  while (const auto next = queues_.Peek(gpu_fits)) {
    order.push_back(next->task.value());
    queues_.Take(next->task);
  }
  EXPECT_THAT(order, ElementsAre(1, 2, 4));
  EXPECT_THAT(asked, ElementsAre(2, 3, 4, 3));  // nobody who is behind the one that is shown
}

TEST_F(TaskQueuesTest, SharesHoldAmongQueuesOfWhichAllTasksAreParked) {
  queues_.SetWeight("b", 3);
  for (uint64_t id = 1; id <= 1000; ++id) Add(id, 0, 0, id % 2 == 0 ? "a" : "b");
  queues_.Park(ClassOf(1));
  uint64_t from_a = 0;
  for (int slot = 0; slot < 400; ++slot) {
    const auto next = queues_.Peek([](const NextTask&, const ClassKey&) { return true; });
    from_a += next->task.value() % 2 == 0 ? 1 : 0;
    queues_.Take(next->task);
  }
  EXPECT_EQ(from_a, 100u);
}

TEST_F(TaskQueuesTest, AQueueWhoseTasksWereAllParkedIsNotOwedForThatTime) {
  for (uint64_t id = 1; id <= 500; ++id) Add(id, 0, 0, "busy");
  for (uint64_t id = 1001; id <= 1100; ++id) Add(id, 0, 0, "late", Needing("gpu"));
  queues_.Park(ClassOf(1001));
  TakeAll(400);
  uint64_t late = 0;
  for (int slot = 0; slot < 20; ++slot) {
    const auto next = queues_.Peek([](const NextTask&, const ClassKey&) { return true; });
    late += next->parked ? 1 : 0;
    queues_.Take(next->task);
  }
  EXPECT_EQ(late, 10u);
}

TEST_F(TaskQueuesTest, RoomThatIsLeftIsNotForgottenOfThoseThatAreParkedInABlockedQueue) {
  const auto fits = [](const NextTask&, const ClassKey&) { return true; };
  Add(1, 0, 0, "held");
  queues_.Park(ClassOf(1));
  queues_.Block("held");
  EXPECT_FALSE(queues_.Peek(fits).has_value());
  queues_.Unblock("held");
  EXPECT_FALSE(queues_.Peek().has_value());
  queues_.Block("held");
  queues_.WakeBlocked();
  EXPECT_FALSE(queues_.Peek(fits).has_value());
  Add(2, 0, 0, "open");
  EXPECT_EQ(queues_.Peek()->task, TaskId(2));
  queues_.Park(ClassOf(2));
  queues_.WakeBlocked();  // it was asked in the open queue
  EXPECT_FALSE(queues_.Peek().has_value());
  queues_.Remove(TaskId(2));
  queues_.WakeBlocked();
  queues_.Unblock("held");
  EXPECT_EQ(queues_.Peek()->task, TaskId(1));
}

TEST_F(TaskQueuesTest, TheFirstOfAClassIsThatOfItsQueueWhileItHasSomeThere) {
  Add(1, 0, 5, "a");
  Add(2, 3, 5, "a");
  Add(3, 0, 1, "b");
  const ClassId cls = ClassOf(1);
  EXPECT_EQ(queues_.FirstOf(cls, "a"), TaskId(2));
  EXPECT_EQ(queues_.FirstOf(cls, "b"), TaskId(3));
  queues_.Remove(TaskId(3));
  EXPECT_EQ(queues_.FirstOf(cls, "b"), TaskId(2));
  TakeAll();
  EXPECT_EQ(queues_.FirstOf(cls, "a"), std::nullopt);
}

TEST_F(TaskQueuesTest, ANewTaskOfAParkedClassIsParkedWithIt) {
  Add(1, 0, 0, "a", Needing("gpu"));
  ClassId gpu = ClassOf(1);
  queues_.Park(gpu);
  Add(2, 100, 0, "b", Needing("gpu"));
  EXPECT_EQ(ClassOf(2), gpu);
  EXPECT_FALSE(queues_.Peek().has_value());
  EXPECT_THAT(queues_.parked(), ElementsAre(gpu));
  queues_.WakeAll();
  EXPECT_THAT(queues_.parked(), IsEmpty());
  EXPECT_EQ(TakeAll().size(), 2u);
}

TEST_F(TaskQueuesTest, AParkedClassIsForgottenWithItsLastTaskAndStartsAnew) {
  Add(1, 0, 0, "default", Needing("gpu"));
  ClassId gone = ClassOf(1);
  queues_.Park(gone);
  queues_.Remove(TaskId(1));
  EXPECT_THAT(queues_.parked(), IsEmpty());
  queues_.Wake(gone);
  queues_.Park(gone);
  Add(2, 0, 0, "default", Needing("gpu"));
  EXPECT_NE(ClassOf(2), gone);
  EXPECT_THAT(TakeAll(), ElementsAre(2));
}

TEST_F(TaskQueuesTest, TheWorkerToAvoidMakesAClassOfItsOwn) {
  Add(1);
  Add(2, 0, 0, "default", Needing("", WorkerId(7)));
  EXPECT_NE(ClassOf(1), ClassOf(2));
  EXPECT_EQ(queues_.key(ClassOf(2)).avoid, WorkerId(7));
  queues_.Park(ClassOf(2));
  EXPECT_THAT(TakeAll(), ElementsAre(1));
}

TEST_F(TaskQueuesTest, QueuesShareByWeightExactly) {
  queues_.SetWeight("b", 2);
  queues_.SetWeight("c", 3);
  uint64_t id = 1;
  for (int i = 0; i < 6000; ++i) {
    for (const char* queue : {"a", "b", "c"}) Add(id++, 0, 0, queue);
  }
  TakeAll(6000);
  std::map<std::string, uint64_t> served;
  for (const QueueStatus& queue : queues_.Queues()) served[queue.name] = queue.served;
  EXPECT_EQ(served["a"], 1000u);
  EXPECT_EQ(served["b"], 2000u);
  EXPECT_EQ(served["c"], 3000u);
}

TEST_F(TaskQueuesTest, PriorityActsWithinAQueueAndNotAcross) {
  for (uint64_t id = 1; id <= 4; ++id) Add(id, 100, 0, "loud");
  for (uint64_t id = 11; id <= 14; ++id) Add(id, 0, 0, "quiet");
  EXPECT_THAT(TakeAll(), ElementsAre(1, 11, 2, 12, 3, 13, 4, 14));
}

TEST_F(TaskQueuesTest, AQueueThatWasEmptyIsNotOwedForThatTime) {
  for (uint64_t id = 1; id <= 1000; ++id) Add(id, 0, 0, "busy");
  TakeAll(500);
  for (uint64_t id = 2001; id <= 2100; ++id) Add(id, 0, 0, "late");
  uint64_t late = 0;
  for (uint64_t id : TakeAll(20)) late += id > 2000 ? 1 : 0;
  EXPECT_EQ(late, 10u);
}

TEST_F(TaskQueuesTest, SharesHoldWhenEveryTaskHasToWaitForItsSlot) {
  // Saturation: the one class is parked after each placement and woken for the next free slot.
  queues_.SetWeight("b", 3);
  for (uint64_t id = 1; id <= 1000; ++id) Add(id, 0, 0, "a");
  for (uint64_t id = 1001; id <= 2000; ++id) Add(id, 0, 0, "b");
  uint64_t from_a = 0;
  for (int slot = 0; slot < 400; ++slot) {
    NextTask next = *queues_.Peek();
    from_a += next.task.value() <= 1000 ? 1 : 0;
    queues_.Take(queues_.Peek()->task);
    queues_.Park(next.cls);
    queues_.Wake(next.cls);
  }
  EXPECT_EQ(from_a, 100u);
}

TEST_F(TaskQueuesTest, ReportsWhatWaitsAndSinceWhen) {
  Add(1, 0, 5, "a");
  Add(2, 50, 9, "a");
  Add(3, 0, 3, "b", Needing("gpu"));
  queues_.Park(ClassOf(3));
  std::vector<QueueStatus> all = queues_.Queues();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[0].queued, 2u);
  EXPECT_EQ(all[0].oldest_since, At(5));
  EXPECT_EQ(all[1].oldest_since, At(3));
  EXPECT_EQ(queues_.QueuedIn("a"), 2u);
  EXPECT_EQ(queues_.QueuedIn("nowhere"), 0u);
}

TEST_F(TaskQueuesTest, ShowsWhoWouldBeBeforeATaskThatIsNotThereYet) {
  Add(1, 0, 1);
  Add(2, 5, 2, "default", Needing("gpu"));
  Add(3, 0, 9);
  Add(4, -5, 1);
  Add(5, 9, 0, "elsewhere");
  std::map<TaskId, int32_t> before;
  const QueuePlace place{"default", 0, At(5), TaskId(99)};
  EXPECT_TRUE(queues_.VisitAhead(place, 100, [&](const TaskAhead& other) { before[other.task] = other.priority; }));
  EXPECT_EQ(before, (std::map<TaskId, int32_t>{{TaskId(1), 0}, {TaskId(2), 5}}));
  size_t shown = 0;
  EXPECT_FALSE(queues_.VisitAhead(place, 1, [&](const TaskAhead&) { ++shown; }));
  EXPECT_EQ(shown, 1u);
  EXPECT_TRUE(queues_.VisitAhead({"nowhere", 0, At(5), TaskId(99)}, 1, [](const TaskAhead&) { FAIL(); }));
}

TEST_F(TaskQueuesTest, ABlockedQueueIsOutOfTurnAndComesBackWithoutCredit) {
  for (uint64_t id = 1; id <= 3; ++id) Add(id, 0, 0, "held");
  for (uint64_t id = 11; id <= 16; ++id) Add(id, 0, 0, "free");
  queues_.Block("held");
  EXPECT_THAT(TakeAll(3), ElementsAre(11, 12, 13));
  Add(4, 100, 0, "held");
  EXPECT_EQ(queues_.Peek()->task, TaskId(14));
  queues_.Unblock("held");
  queues_.CheckInvariants();
  EXPECT_THAT(TakeAll(6), ElementsAre(4, 1, 14, 2, 15, 3));
}

TEST_F(TaskQueuesTest, AHeldClassIsNotAmongTheParkedAndWakesByItselfAlone) {
  Add(1);
  Add(2, 0, 0, "default", Needing("gpu"));
  queues_.Hold(ClassOf(1));
  EXPECT_THAT(queues_.parked(), IsEmpty());
  EXPECT_THAT(TakeAll(), ElementsAre(2));
  queues_.WakeAll();
  EXPECT_FALSE(queues_.Peek().has_value());
  queues_.Wake(ClassOf(1));
  EXPECT_THAT(TakeAll(), ElementsAre(1));
}

TEST_F(TaskQueuesTest, TasksWithDifferentLimitsByKeyAreOfDifferentClasses) {
  ClassKey ann = Needing();
  ann.limit_key = "user=ann";
  ann.limit = 2;
  Add(1);
  Add(2, 0, 0, "default", ann);
  EXPECT_NE(ClassOf(1), ClassOf(2));
  queues_.Hold(ClassOf(2));
  EXPECT_THAT(TakeAll(), ElementsAre(1));
}

TEST_F(TaskQueuesTest, CountsWhoIsBeforeATaskUpToALimit) {
  for (uint64_t id = 1; id <= 10; ++id) Add(id, 0, static_cast<double>(id));
  Add(20, 1, 0, "default", Needing("gpu"));
  Add(30, 9, 0, "elsewhere");
  EXPECT_EQ(queues_.AheadOf(TaskId(20), 100), 0u);
  EXPECT_EQ(queues_.AheadOf(TaskId(4), 100), 4u);
  EXPECT_EQ(queues_.AheadOf(TaskId(10), 5), 5u);
  EXPECT_FALSE(queues_.AheadOf(TaskId(99), 5).has_value());
}

TEST_F(TaskQueuesTest, MadeUpQueueNamesDoNotPileUp) {
  for (uint64_t id = 1; id <= 20'000; ++id) {
    Add(id, 0, 0, "queue-" + std::to_string(id));
    queues_.Take(queues_.Peek()->task);
  }
  EXPECT_THAT(queues_.Queues(), IsEmpty());
  queues_.SetWeight("kept", 5);
  for (uint64_t id = 30'001; id <= 35'000; ++id) {
    Add(id, 0, 0, "more-" + std::to_string(id));
    queues_.Take(queues_.Peek()->task);
  }
  ASSERT_EQ(queues_.Queues().size(), 1u);
  EXPECT_EQ(queues_.Queues()[0].weight, 5u);
}

TEST_F(TaskQueuesTest, WhatIsLeftOverIsShownInTheOrderOfTheLineAndBlockedQueuesLast) {
  Add(1, 0, 0, "a", Needing("x"));
  Add(2, 5, 1, "a", Needing("y"));
  Add(3, 0, 0, "blocked", Needing("x"));
  Add(4, 0, 0, "a", Needing("ready"));
  queues_.Park(ClassOf(1));
  queues_.Park(ClassOf(2));
  queues_.Block("blocked");
  std::vector<uint64_t> shown;
  const auto show = [&shown](const NextTask& head) {
    shown.push_back(head.task.value());
    return true;
  };
  queues_.VisitLeftOver(show);
  EXPECT_THAT(shown, ElementsAre(2, 1, 3));
  shown.clear();
  queues_.VisitLeftOver([&](const NextTask& head) { return show(head) && false; });
  EXPECT_THAT(shown, ElementsAre(2));
}

TEST_F(TaskQueuesTest, WhoIsBeforeWhomFollowsPriorityAndTheTurnOfTheQueues) {
  Add(1, 0, 0, "a");
  Add(2, 1, 0, "a");
  Add(3, 0, 0, "b");
  EXPECT_TRUE(queues_.IsBefore(TaskId(2), TaskId(1)));
  EXPECT_FALSE(queues_.IsBefore(TaskId(1), TaskId(2)));
  EXPECT_TRUE(queues_.IsBefore(TaskId(1), TaskId(3)));
  queues_.Take(TaskId(2));  // and b's turn has come
  EXPECT_TRUE(queues_.IsBefore(TaskId(3), TaskId(1)));
  queues_.Block("b");
  EXPECT_FALSE(queues_.IsBefore(TaskId(3), TaskId(1)));
}

TEST_F(TaskQueuesTest, AClassCountsItsTasksInAllQueues) {
  Add(1, 0, 0, "a");
  Add(2, 3, 0, "a");
  Add(3, 0, 0, "b");
  const ClassId cls = ClassOf(1);
  EXPECT_EQ(queues_.SizeOf(cls), 3u);
  while (queues_.Peek()) queues_.Take(queues_.Peek()->task);
  EXPECT_EQ(queues_.SizeOf(cls), 0u);
}

}  // namespace
}  // namespace muster::scheduler
