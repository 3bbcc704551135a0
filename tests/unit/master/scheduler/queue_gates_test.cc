// When a queue may start a task, with injected time; and against a plain count over thousands of random steps.
#include "master/scheduler/queue_gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <random>

namespace muster::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kQueue = "nightly";

class QueueGatesTest : public ::testing::Test {
 protected:
  void Set(const QueueSettings& settings, const QueuePause& pause = {}) { gates_.Set(kQueue, settings, pause, now_); }
  bool Start() {
    if (gates_.Look(kQueue, now_) != Gate::kOpen) return false;
    gates_.Start(kQueue, now_);
    gates_.Move(kQueue, Load::kNone, Load::kRuns);
    return true;
  }
  void Stop() { gates_.Move(kQueue, Load::kRuns, Load::kNone); }

  QueueGates gates_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
};

TEST_F(QueueGatesTest, AQueueThatNobodySetIsOpenAndForgottenWithItsLastTask) {
  EXPECT_TRUE(Start());
  EXPECT_THAT(gates_.Queues(), ElementsAre(kQueue));
  Stop();
  EXPECT_THAT(gates_.Queues(), IsEmpty());
}

TEST_F(QueueGatesTest, AFullQueueOpensWhenAPlaceIsFreed) {
  Set({.max_running = 2});
  EXPECT_TRUE(Start() && Start());
  EXPECT_EQ(gates_.Look(kQueue, now_), Gate::kFull);
  gates_.Hold(kQueue, now_);
  EXPECT_EQ(gates_.NextAt(), absl::InfiniteFuture());
  EXPECT_THAT(gates_.TakeOpened(now_ + absl::Hours(1)), IsEmpty());
  Stop();
  EXPECT_THAT(gates_.TakeOpened(now_), ElementsAre(kQueue));
  EXPECT_EQ(gates_.Look(kQueue, now_), Gate::kOpen);
}

TEST_F(QueueGatesTest, ALimitBelowWhatRunsHoldsUntilEnoughHasEnded) {
  EXPECT_TRUE(Start() && Start() && Start());
  Set({.max_running = 2});
  gates_.Hold(kQueue, now_);
  Stop();
  EXPECT_THAT(gates_.TakeOpened(now_), IsEmpty());
  Stop();
  EXPECT_THAT(gates_.TakeOpened(now_), ElementsAre(kQueue));
}

TEST_F(QueueGatesTest, APauseEndsByItselfAtItsTimeAndNotBefore) {
  Set({}, {now_ + absl::Minutes(5), "a deploy"});
  EXPECT_EQ(gates_.Look(kQueue, now_), Gate::kPaused);
  gates_.Hold(kQueue, now_);
  EXPECT_EQ(gates_.NextAt(), now_ + absl::Minutes(5));
  EXPECT_THAT(gates_.TakeOpened(now_ + absl::Minutes(5) - absl::Nanoseconds(1)), IsEmpty());
  EXPECT_THAT(gates_.TakeOpened(now_ + absl::Minutes(5)), ElementsAre(kQueue));
}

TEST_F(QueueGatesTest, AResumeOpensAQueueThatWasPausedForGood) {
  Set({}, {absl::InfiniteFuture(), ""});
  gates_.Hold(kQueue, now_);
  EXPECT_EQ(gates_.NextAt(), absl::InfiniteFuture());
  Set({});
  EXPECT_THAT(gates_.TakeOpened(now_), ElementsAre(kQueue));
}

TEST_F(QueueGatesTest, ARateLetsABurstThroughAndThenOneInEachInterval) {
  Set({.start_rate = 10, .burst = 3});
  EXPECT_TRUE(Start() && Start() && Start());
  EXPECT_EQ(gates_.Look(kQueue, now_), Gate::kRate);
  gates_.Hold(kQueue, now_);
  EXPECT_EQ(gates_.NextAt(), now_ + absl::Milliseconds(100));
  now_ += absl::Milliseconds(100);
  EXPECT_THAT(gates_.TakeOpened(now_), ElementsAre(kQueue));
  EXPECT_TRUE(Start());
  EXPECT_FALSE(Start());
}

TEST_F(QueueGatesTest, AStartThatNeverWasIsTakenBack) {
  Set({.start_rate = 1});
  EXPECT_TRUE(Start());
  EXPECT_FALSE(Start());
  gates_.Hold(kQueue, now_);
  gates_.TakeBack(kQueue);
  EXPECT_THAT(gates_.TakeOpened(now_), ElementsAre(kQueue)) << "at once, not when the start that never was is over";
  EXPECT_TRUE(Start());
}

TEST_F(QueueGatesTest, AfterARestartTheBurstIsTakenAsUsedUp) {
  gates_.Restore(kQueue, {.start_rate = 10, .burst = 5}, {}, now_);
  EXPECT_FALSE(Start());
  now_ += absl::Milliseconds(100);
  EXPECT_TRUE(Start());
  EXPECT_FALSE(Start());
}

TEST_F(QueueGatesTest, AHigherRateDoesNotWaitForTheOldOne) {
  Set({.start_rate = 0.001});
  EXPECT_TRUE(Start());
  Set({.start_rate = 10});
  now_ += absl::Milliseconds(100);
  EXPECT_TRUE(Start());
}

// The promise of a rate, counted by hand: in any time T at most burst + T * rate starts.
TEST_F(QueueGatesTest, NoRandomScheduleStartsMoreThanTheRateAndTheLimitAllow) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const QueueSettings settings{.max_running = 1 + random() % 6,
                                 .start_rate = 0.5 + static_cast<double>(random() % 40),
                                 .burst = static_cast<uint32_t>(1 + random() % 5)};
    gates_ = QueueGates();
    Set(settings);
    std::deque<absl::Time> starts;
    uint64_t running = 0;
    for (int step = 0; step < 2000; ++step) {
      now_ += absl::Milliseconds(random() % 60);
      if (random() % 2 == 0 && running > 0) {
        Stop();
        --running;
      } else if (Start()) {
        starts.push_back(now_);
        ++running;
      } else {
        gates_.Hold(kQueue, now_);
      }
      if (random() % 4 == 0) gates_.TakeOpened(now_);
      ASSERT_LE(running, settings.max_running);
      ASSERT_EQ(gates_.running(kQueue), running);
      gates_.CheckInvariants();
    }
    for (size_t first = 0; first < starts.size(); ++first) {
      for (size_t last = first; last < std::min(starts.size(), first + 50); ++last) {
        const double allowed = settings.burst + absl::ToDoubleSeconds(starts[last] - starts[first]) * settings.start_rate;
        ASSERT_LE(static_cast<double>(last - first + 1), allowed + 1e-6);
      }
    }
    ASSERT_GT(starts.size(), 20u);
  }
}

}  // namespace
}  // namespace muster::scheduler
