#include "master/app/loop_time.h"

#include <gtest/gtest.h>

namespace muster::master {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(LoopTimeTest, ItIsTheClockWhileTheLoopTurns) {
  LoopTime time;
  for (int second = 0; second < 100; ++second) {
    EXPECT_EQ(time.Advance(kStart + absl::Seconds(second), absl::Seconds(1)), kStart + absl::Seconds(second));
  }
}

TEST(LoopTimeTest, AStallCountsForASecondOnly) {
  LoopTime time;
  time.Advance(kStart, absl::ZeroDuration());
  EXPECT_EQ(time.Advance(kStart + absl::Minutes(10), absl::ZeroDuration()), kStart + absl::Seconds(1));
}

TEST(LoopTimeTest, SleepThatWasMeantIsNoStall) {
  LoopTime time;
  time.Advance(kStart, absl::ZeroDuration());
  EXPECT_EQ(time.Advance(kStart + absl::Seconds(30), absl::Seconds(30)), kStart + absl::Seconds(30));
}

TEST(LoopTimeTest, ItMeetsTheClockAgainWithoutEverJumping) {
  LoopTime time;
  time.Advance(kStart, absl::ZeroDuration());
  absl::Time now = kStart + absl::Minutes(2);
  absl::Time last = time.Advance(now, absl::ZeroDuration());
  for (int step = 0; step < 100'000 && time.behind() > absl::ZeroDuration(); ++step) {
    now += absl::Milliseconds(100);
    const absl::Time told = time.Advance(now, absl::Milliseconds(100));
    EXPECT_GT(told, last);
    EXPECT_LE(told - last, absl::Milliseconds(105) + absl::Nanoseconds(1));
    last = told;
  }
  EXPECT_EQ(last, now);
}

// A lease that is given out while it catches up must end on the worker before it ends here; a twentieth is what the
// configuration leaves between the two.
TEST(LoopTimeTest, AMasterThatWasStoppedForAMinuteOutrunsNoLease) {
  for (const absl::Duration stopped : {absl::Seconds(3), absl::Seconds(31), absl::Minutes(1), absl::Hours(1)}) {
    LoopTime time;
    time.Advance(kStart, absl::ZeroDuration());
    const absl::Time resumed = kStart + stopped;
    const absl::Time granted = time.Advance(resumed, absl::ZeroDuration());
    absl::Time now = resumed;
    absl::Time told = granted;
    while (told < granted + absl::Seconds(30)) {
      now += absl::Milliseconds(100);
      told = time.Advance(now, absl::Milliseconds(100));
    }
    EXPECT_GE(now - resumed, absl::Seconds(30) / 1.05 - absl::Milliseconds(1)) << stopped;
  }
}

TEST(LoopTimeTest, AClockThatGoesBackDoesNotTakeTheTimeBack) {
  LoopTime time;
  const absl::Time before = time.Advance(kStart, absl::ZeroDuration());
  EXPECT_GE(time.Advance(kStart - absl::Seconds(5), absl::ZeroDuration()), before);
}

}  // namespace
}  // namespace muster::master
