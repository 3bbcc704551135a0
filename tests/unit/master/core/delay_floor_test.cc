#include "master/core/delay_floor.h"

#include <deque>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace muster::core {
namespace {

constexpr absl::Duration kTarget = absl::Seconds(4);
constexpr absl::Duration kInterval = absl::Seconds(1);
constexpr absl::Duration kLate = absl::Seconds(5);
constexpr absl::Duration kInTime = absl::Seconds(1);

class DelayFloorTest : public ::testing::Test {
 protected:
  DelayFloorTest() { floor_.OnTurn(now_); }

  // One interval in which each of `offered` is offered, and tasks start: pairs of priority and wait.
  void Interval(const std::vector<std::pair<int, absl::Duration>>& starts, const std::vector<int>& offered = {-5, 0, 10}) {
    for (const int priority : offered) floor_.OnOffer(priority, now_);
    for (const auto& [priority, waited] : starts) floor_.OnStart(priority, waited, now_);
    now_ += kInterval;
    floor_.OnTurn(now_);
  }
  // A backlog that keeps the door under the floor shut.
  void Backlog(int priority, int count = 1000) {
    for (int i = 0; i < count; ++i) floor_.Enter(priority);
  }
  void Drain(int priority, int count = 1000) {
    for (int i = 0; i < count; ++i) floor_.Leave(priority);
  }
  bool Refuses(int priority) const { return floor_.Refuses(priority, now_); }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  DelayFloor floor_{kTarget};
};

TEST_F(DelayFloorTest, WithoutATargetNothingIsEverRefused) {
  DelayFloor off{absl::ZeroDuration()};
  for (int i = 0; i < 100; ++i) {
    off.Enter(0);
    off.OnOffer(0, now_);
    off.OnStart(0, absl::Hours(5), now_);
    off.OnTurn(now_ += absl::Minutes(1));
  }
  EXPECT_FALSE(off.Refuses(-100, now_));
}

TEST_F(DelayFloorTest, TheLowestPriorityThatIsOfferedIsRefusedFirstAndOneMoreEachInterval) {
  Backlog(10);
  Interval({{10, kLate}});
  EXPECT_TRUE(Refuses(-5));
  EXPECT_FALSE(Refuses(0));
  Interval({{10, kLate}});
  EXPECT_TRUE(Refuses(0));
  EXPECT_FALSE(Refuses(10));
  Interval({{10, kLate}});
  EXPECT_TRUE(Refuses(10)) << "when even that is late, it is the whole queue's turn";
  EXPECT_FALSE(Refuses(11));
}

TEST_F(DelayFloorTest, OneThatWaitedForASpecialWorkerProvesNothing) {
  Backlog(0);
  Interval({{0, kLate}, {0, kInTime}});
  EXPECT_EQ(floor_.floor(), std::nullopt);
}

TEST_F(DelayFloorTest, TheOldBacklogHoldsTheFloorButDoesNotRaiseIt) {
  Backlog(-5);
  Interval({{-5, kLate}});
  ASSERT_EQ(floor_.floor(), -4);
  for (int i = 0; i < 5; ++i) Interval({{-5, kLate}, {10, kInTime}});
  EXPECT_EQ(floor_.floor(), -4) << "what was accepted before it rose still starts late; higher ones are well";
}

TEST_F(DelayFloorTest, UnderTheFloorOnlyAsMuchIsTakenAsTheTargetAllowsAndHalfOfItOnePriorityLower) {
  Backlog(0, 100);
  for (int i = 0; i < 3; ++i) Interval({{0, kLate}}, {-5, 0});  // one start a second: four are the target's worth
  Drain(0, 97);
  EXPECT_FALSE(Refuses(0)) << "three wait";
  EXPECT_TRUE(Refuses(-5)) << "it may have two";
  floor_.Enter(0);
  EXPECT_TRUE(Refuses(0));
  floor_.Leave(0);
  floor_.Leave(0);
  floor_.Leave(0);
  EXPECT_FALSE(Refuses(-5));
}

TEST_F(DelayFloorTest, WhatWaitsBelowAPriorityDoesNotShutItsDoor) {
  Backlog(-5);
  Backlog(10);
  for (int i = 0; i < 3; ++i) Interval({{10, kLate}});
  ASSERT_TRUE(Refuses(10));
  Drain(10);
  EXPECT_FALSE(Refuses(10));
  EXPECT_TRUE(Refuses(-5));
}

TEST_F(DelayFloorTest, ItFallsOneStepAnIntervalOnceTheQueueIsShort) {
  Backlog(0);
  for (int i = 0; i < 3; ++i) Interval({{0, kLate}});
  ASSERT_EQ(floor_.floor(), 1) << "-5 and 0";
  Drain(0);
  Interval({{10, kInTime}});
  EXPECT_EQ(floor_.floor(), -4);
  Interval({{10, kInTime}});
  EXPECT_EQ(floor_.floor(), std::nullopt);
}

TEST_F(DelayFloorTest, TasksThatNoWorkerCanRunKeepNobodyOutForLong) {
  Backlog(0);
  Interval({{0, kLate}}, {0});
  ASSERT_TRUE(Refuses(0));
  bool taken = false;
  for (int i = 0; i < 20; ++i) {
    Interval({{10, kInTime}}, {0});  // of priority 0, nothing starts
    taken = taken || !Refuses(0);
  }
  EXPECT_TRUE(taken);
}

TEST_F(DelayFloorTest, APriorityThatIsStarvedIsRefusedThoughNothingOfItStartsLate) {
  floor_.OnOffer(0, now_);
  Backlog(0);
  for (int i = 0; i < 4; ++i) Interval({{10, kInTime}}, {0, 10});
  EXPECT_FALSE(Refuses(0)) << "not for longer than the target";
  Interval({{10, kInTime}}, {0, 10});
  Interval({{10, kInTime}}, {0, 10});
  EXPECT_TRUE(Refuses(0));
  EXPECT_FALSE(Refuses(10));
}

TEST_F(DelayFloorTest, WithoutAnyWorkerNothingIsLate) {
  Backlog(0);
  for (int i = 0; i < 30; ++i) Interval({}, {0});
  EXPECT_FALSE(Refuses(0)) << "that is what queue.max_queued is for";
}

TEST_F(DelayFloorTest, APriorityThatNobodyOffersAnyMoreIsNoStep) {
  Backlog(0);
  Interval({{0, kInTime}}, {-5, 0});
  for (int i = 0; i < 30; ++i) Interval({{0, kInTime}}, {0});
  Interval({{0, kLate}}, {0});
  EXPECT_EQ(floor_.floor(), 1) << "refusing -5 alone would change nothing";
}

TEST_F(DelayFloorTest, PrioritiesOutsideOfTheScaleCountAsItsEnds) {
  Backlog(1'000'000);
  Interval({{1'000'000, kLate}}, {1'000'000, -1'000'000});
  EXPECT_TRUE(Refuses(-1'000'000));
  EXPECT_FALSE(Refuses(1'000'000));
}

TEST_F(DelayFloorTest, TheDelayToldIsHalfOfTheWayAndBounded) {
  Backlog(0, 10);
  for (int i = 0; i < 3; ++i) Interval({{0, kLate}}, {0});
  EXPECT_NEAR(absl::ToDoubleSeconds(floor_.RetryAfter(0)), (10 - 4) / 2.0, 0.01);
  Backlog(0);
  EXPECT_EQ(floor_.RetryAfter(0), absl::Seconds(5));
  Drain(0, 1010);
  EXPECT_EQ(floor_.RetryAfter(0), kInterval);
}

// A server that does 100 a second, offered more than that at two priorities.
class ServerUnderLoad : public DelayFloorTest {
 protected:
  static constexpr absl::Duration kWork = absl::Milliseconds(10);

  void Offer(int priority) {
    floor_.OnOffer(priority, now_);
    if (floor_.Refuses(priority, now_)) return;
    floor_.Enter(priority);
    (priority > 0 ? high_ : low_).push_back(now_);
    ++(priority > 0 ? high_taken_ : low_taken_);
  }
  void Serve() {
    std::deque<absl::Time>& queue = high_.empty() ? low_ : high_;
    if (queue.empty()) return;
    const int priority = &queue == &high_ ? 10 : 0;
    waited_ = now_ - queue.front();
    queue.pop_front();
    floor_.Leave(priority);
    floor_.OnStart(priority, waited_, now_);
    ++served_;
  }
  // `high` and `low`: offered in the time that one takes.
  void Run(absl::Duration time, int high, int low) {
    served_ = high_taken_ = low_taken_ = 0;
    longest_ = absl::ZeroDuration();
    for (const absl::Time end = now_ + time; now_ < end; now_ += kWork) {
      for (int i = 0; i < high; ++i) Offer(10);
      for (int i = 0; i < low; ++i) Offer(0);
      Serve();
      longest_ = std::max(longest_, waited_);
      floor_.OnTurn(now_);
    }
  }

  std::deque<absl::Time> high_, low_;
  int served_ = 0, high_taken_ = 0, low_taken_ = 0;
  absl::Duration waited_, longest_;
};

TEST_F(ServerUnderLoad, AtTenTimesItsCapacityItStaysBusyAndTheQueueNearItsTarget) {
  Run(absl::Seconds(120), 0, 10);
  EXPECT_EQ(served_, 12000) << "never idle";
  Run(absl::Seconds(60), 0, 10);
  EXPECT_EQ(served_, 6000);
  EXPECT_LT(longest_, 2 * kTarget) << "once it knows";
  EXPECT_GT(longest_, kTarget / 2);
}

TEST_F(ServerUnderLoad, TheHigherPriorityGetsWhatTheServerCanDo) {
  Run(absl::Seconds(240), 2, 5);
  Run(absl::Seconds(60), 2, 5);
  EXPECT_EQ(served_, 6000);
  EXPECT_GT(high_taken_, 5500);
  EXPECT_LT(low_taken_, 300) << "the lowest is refused first";
}

TEST_F(ServerUnderLoad, WhatTheHigherPriorityLeavesNothingForIsRefusedAndSoonAfterTheLoadTakenAgain) {
  Run(absl::Seconds(240), 1, 2);
  EXPECT_EQ(served_, 24000);
  EXPECT_LT(low_taken_, 8000) << "of 48,000";
  Run(absl::Seconds(60), 0, 0);
  EXPECT_FALSE(floor_.Refuses(0, now_));
  Run(absl::Seconds(30), 0, 1);
  EXPECT_EQ(low_taken_, 3000);
}

}  // namespace
}  // namespace muster::core
