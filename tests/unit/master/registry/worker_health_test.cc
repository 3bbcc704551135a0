#include "master/registry/worker_health.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Level = Standing::Level;

constexpr uint64_t kWork = 7;
constexpr absl::Duration kAtOnce = absl::Milliseconds(5);
constexpr absl::Duration kLong = absl::Seconds(20);

// Six workers in service, 1 to 6; the sixth is the one that goes wrong.
class WorkerHealthTest : public ::testing::Test {
 protected:
  WorkerHealthTest() { Fleet(6); }

  void Fleet(uint32_t size) {
    for (uint32_t i = 1; i <= size; ++i) health_.SetInService(WorkerId(i), true);
  }
  void End(WorkerId worker, AttemptResult result, absl::Duration run_time, uint64_t fingerprint = kWork) {
    health_.Observe({worker, fingerprint, result, run_time}, now_);
    health_.CheckInvariants();
  }
  void Succeed(WorkerId worker, int times = 1) {
    for (int i = 0; i < times; ++i) End(worker, AttemptResult::kSucceeded, kLong);
  }
  void Fail(WorkerId worker, int times = 1, absl::Duration run_time = kLong) {
    for (int i = 0; i < times; ++i) End(worker, AttemptResult::kFailed, run_time);
  }
  void OthersSucceed(int times = 1) {
    for (uint32_t i = 1; i <= 5; ++i) Succeed(WorkerId(i), times);
  }
  void Wait(absl::Duration time) {
    now_ += time;
    health_.Expire(now_);
    health_.CheckInvariants();
  }
  Level LevelOf(WorkerId worker) { return health_.standing(worker).level; }
  bool MayTry(WorkerId worker) { return health_.standing(worker).may_try; }

  // As bad as can be, and put aside.
  void Quarantine(WorkerId worker) {
    OthersSucceed();
    Fail(worker, 10);
    EXPECT_EQ(LevelOf(worker), Level::kQuarantined);
  }

  const WorkerId bad_{6};
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  WorkerHealth health_{HealthConfig()};
};

TEST_F(WorkerHealthTest, ABlackHoleIsQuarantinedWithItsTenthAttempt) {
  OthersSucceed();
  Fail(bad_, 9);
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
  health_.TakeChanged();
  Fail(bad_);
  EXPECT_EQ(LevelOf(bad_), Level::kQuarantined);
  EXPECT_FALSE(MayTry(bad_));
  EXPECT_THAT(health_.TakeChanged(), ElementsAre(bad_));
  EXPECT_THAT(health_.standing(bad_).reason,
              HasSubstr("10 of its 10 last attempts failed at what works elsewhere; one attempt is tried after 30s"));
  EXPECT_EQ(health_.counts().quarantined, 1u);
}

TEST_F(WorkerHealthTest, HalfOfTenAttemptsIsEnoughAndFourAreNot) {
  OthersSucceed();
  Succeed(bad_, 6);
  Fail(bad_, 4);
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
  Fail(bad_);  // one success has left the window
  EXPECT_EQ(LevelOf(bad_), Level::kQuarantined);
}

TEST_F(WorkerHealthTest, WhatFailsEverywhereIsNobodysFault) {
  for (int round = 0; round < 30; ++round) {
    for (uint32_t i = 1; i <= 6; ++i) Fail(WorkerId(i), 1, kAtOnce);
    Wait(absl::Seconds(2));
  }
  for (uint32_t i = 1; i <= 6; ++i) EXPECT_EQ(LevelOf(WorkerId(i)), Level::kSound);
  EXPECT_EQ(health_.counts().quarantined, 0u);
}

TEST_F(WorkerHealthTest, AMapOfAMissingProgramQuarantinesNobodyHoweverUnevenItIsSpread) {
  OthersSucceed(3);  // of other work there was plenty
  for (uint32_t i = 1; i <= 6; ++i) {
    for (int n = 0; n < 50; ++n) End(WorkerId(i), AttemptResult::kCouldNotStart, absl::ZeroDuration(), 99);
    Wait(absl::Seconds(2));
    EXPECT_EQ(LevelOf(WorkerId(i)), Level::kSound) << i;
  }
}

TEST_F(WorkerHealthTest, AProgramThatOneWorkerLacksPutsItAside) {
  for (uint32_t i = 1; i <= 5; ++i) End(WorkerId(i), AttemptResult::kFailed, kAtOnce);  // it starts there
  for (int n = 0; n < 10; ++n) End(bad_, AttemptResult::kCouldNotStart, absl::ZeroDuration());
  EXPECT_EQ(LevelOf(bad_), Level::kQuarantined);
}

TEST_F(WorkerHealthTest, WhereHalfTheFleetFailsNobodyIsAnOutlier) {
  for (int n = 0; n < 20; ++n) {
    for (uint32_t i = 1; i <= 3; ++i) Succeed(WorkerId(i));
    for (uint32_t i = 4; i <= 6; ++i) n % 2 == 0 ? Fail(WorkerId(i)) : Succeed(WorkerId(i));
  }
  for (uint32_t i = 4; i <= 6; ++i) EXPECT_EQ(LevelOf(WorkerId(i)), Level::kSound);
}

TEST_F(WorkerHealthTest, ThreeFailuresAtOnceLeaveOneAttemptAtATimeUntilASuccess) {
  OthersSucceed();
  Fail(bad_, 2, kAtOnce);
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
  Fail(bad_, 1, kAtOnce);
  EXPECT_EQ(LevelOf(bad_), Level::kOneAtATime);
  EXPECT_FALSE(MayTry(bad_));
  Wait(absl::Milliseconds(50));
  EXPECT_TRUE(MayTry(bad_));
  Fail(bad_, 1, kAtOnce);
  EXPECT_FALSE(MayTry(bad_));
  Wait(absl::Milliseconds(99));
  EXPECT_FALSE(MayTry(bad_));
  Wait(absl::Milliseconds(1));
  EXPECT_TRUE(MayTry(bad_));
  Succeed(bad_);
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
}

TEST_F(WorkerHealthTest, SlowFailuresDoNotLimit) {
  OthersSucceed();
  Fail(bad_, 5);
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
}

TEST_F(WorkerHealthTest, FastFailuresAreHeldBackWhileTheOthersStillRunTheSame) {
  for (uint32_t i = 1; i <= 5; ++i) health_.NoteStarted(WorkerId(i), kWork, now_);
  Fail(bad_, 3, kAtOnce);
  EXPECT_EQ(LevelOf(bad_), Level::kOneAtATime);
  int attempts = 3;
  while (LevelOf(bad_) == Level::kOneAtATime && attempts < 100) {
    Wait(absl::Milliseconds(10));
    if (!MayTry(bad_)) continue;
    Fail(bad_, 1, kAtOnce);
    ++attempts;
  }
  // They run on for longer than it takes to fail at once: that is evidence enough, no success is waited for.
  EXPECT_EQ(LevelOf(bad_), Level::kQuarantined);
  EXPECT_LE(attempts, 12);
}

TEST_F(WorkerHealthTest, ACommandThatFailsHereFirstAndThenThereIsNotHeldBackForLong) {
  health_.NoteStarted(WorkerId(1), kWork, now_);
  Fail(bad_, 3, kAtOnce);
  EXPECT_EQ(LevelOf(bad_), Level::kOneAtATime);
  Fail(WorkerId(1), 1, kAtOnce);
  Wait(absl::Milliseconds(50));
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
}

TEST_F(WorkerHealthTest, ADependencyThatBreaksForAllTakesAtMostAThirdAndLetsThemOutAgain) {
  for (uint32_t i = 1; i <= 6; ++i) Succeed(WorkerId(i), 10);
  for (int n = 0; n < 40; ++n) {
    for (uint32_t i = 1; i <= 6; ++i) Fail(WorkerId(i));
  }
  EXPECT_LE(health_.quarantined(), 2u);
  Wait(absl::Minutes(1));
  for (uint32_t i = 1; i <= 6; ++i) Fail(WorkerId(i));  // the probes, too, and it is plain now whose fault it is
  EXPECT_EQ(health_.quarantined(), 0u);
}

TEST_F(WorkerHealthTest, TwoWorkersAreNeverJudged) {
  WorkerHealth pair{HealthConfig()};
  pair.SetInService(WorkerId(1), true);
  pair.SetInService(WorkerId(2), true);
  for (int n = 0; n < 30; ++n) {
    pair.Observe({WorkerId(1), kWork, AttemptResult::kSucceeded, kAtOnce}, now_);
    pair.Observe({WorkerId(2), kWork, AttemptResult::kFailed, kAtOnce}, now_);
  }
  EXPECT_EQ(pair.standing(WorkerId(2)).level, Level::kSound);
}

TEST_F(WorkerHealthTest, SwitchedOffItJudgesNobody) {
  WorkerHealth off{HealthConfig{.enabled = false}};
  for (uint32_t i = 1; i <= 6; ++i) off.SetInService(WorkerId(i), true);
  for (int n = 0; n < 30; ++n) {
    off.Observe({WorkerId(1), kWork, AttemptResult::kSucceeded, kAtOnce}, now_);
    off.Observe({WorkerId(6), kWork, AttemptResult::kFailed, kAtOnce}, now_);
  }
  EXPECT_EQ(off.standing(WorkerId(6)).level, Level::kSound);
}

TEST_F(WorkerHealthTest, AThirdBlackHoleInAFleetOfSixIsOnlyCounted) {
  for (uint32_t i = 1; i <= 3; ++i) Succeed(WorkerId(i), 10);
  Fail(WorkerId(4), 10);
  Fail(WorkerId(5), 10);
  for (int n = 0; n < 4; ++n) {  // dilute: the share that counts elsewhere falls under a third of its own
    for (uint32_t i = 1; i <= 3; ++i) Succeed(WorkerId(i), 10);
  }
  EXPECT_EQ(health_.quarantined(), 2u);
  health_.SetInService(WorkerId(7), true);
  health_.SetInService(WorkerId(8), true);
  Succeed(WorkerId(7), 10);
  Succeed(WorkerId(8), 10);
  Fail(bad_, 10);
  EXPECT_EQ(health_.quarantined(), 2u);  // of eight, three would be more than a third
  EXPECT_GE(health_.counts().withheld, 1u);
  health_.SetInService(WorkerId(9), true);
  Succeed(WorkerId(9), 10);
  Fail(bad_);
  EXPECT_EQ(health_.quarantined(), 3u);
}

TEST_F(WorkerHealthTest, WhenOthersLeaveTheOneThatWouldBeTriedNextIsLetOut) {
  Quarantine(bad_);
  Wait(absl::Seconds(10));
  Quarantine(WorkerId(5));
  health_.TakeChanged();
  health_.SetInService(WorkerId(1), false);
  health_.CheckInvariants();
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
  EXPECT_EQ(LevelOf(WorkerId(5)), Level::kQuarantined);
  EXPECT_THAT(health_.TakeChanged(), ElementsAre(bad_));
}

TEST_F(WorkerHealthTest, OneProbeAfterThirtySecondsOpensIt) {
  Quarantine(bad_);
  EXPECT_EQ(health_.NextDue(), now_ + absl::Seconds(30));
  Wait(absl::Seconds(29.9));
  EXPECT_FALSE(MayTry(bad_));
  Wait(absl::Seconds(0.1));
  EXPECT_TRUE(MayTry(bad_));
  EXPECT_EQ(LevelOf(bad_), Level::kQuarantined);
  Succeed(bad_);
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
  Fail(bad_, 9);  // it begins anew: what was before is forgotten
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
}

TEST_F(WorkerHealthTest, EachFailedProbeDoublesTheWaitToTenMinutes) {
  Quarantine(bad_);
  std::vector<int64_t> waits;
  for (int probe = 0; probe < 7; ++probe) {
    const absl::Duration wait = health_.NextDue() - now_;
    waits.push_back(absl::ToInt64Seconds(wait));
    Wait(wait);
    Fail(bad_);
  }
  EXPECT_THAT(waits, ElementsAre(30, 60, 120, 240, 480, 600, 600));
  EXPECT_EQ(health_.counts().probes, 7u);
}

TEST_F(WorkerHealthTest, WhatWasUnderWayBeforeTheQuarantineIsNoProbe) {
  Quarantine(bad_);
  Succeed(bad_);
  EXPECT_EQ(LevelOf(bad_), Level::kQuarantined);
  Fail(bad_, 3);
  EXPECT_EQ(health_.NextDue(), now_ + absl::Seconds(30));
}

TEST_F(WorkerHealthTest, ANewProcessAndAPersonsWordGiveACleanSheet) {
  Quarantine(bad_);
  health_.Restarted(bad_);
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
  EXPECT_EQ(health_.NextDue(), absl::InfiniteFuture());
  Quarantine(bad_);
  health_.Clear(bad_);
  EXPECT_EQ(LevelOf(bad_), Level::kSound);
}

TEST_F(WorkerHealthTest, NeverMoreThanAThirdWhateverHappens) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    WorkerHealth health{HealthConfig()};
    uint64_t quarantines = 0;
    for (int step = 0; step < 2000; ++step) {
      const WorkerId worker(1 + random() % 12);
      now_ += absl::Milliseconds(random() % 2000);
      health.Expire(now_);
      switch (random() % 20) {
        case 0: health.SetInService(worker, random() % 4 != 0); break;
        case 1: health.Restarted(worker); break;
        case 2: health.NoteStarted(worker, random() % 3, now_); break;
        default: {
          const bool fails = worker.value() <= 4 && random() % 8 != 0;
          const auto result = !fails ? AttemptResult::kSucceeded
                              : random() % 2 == 0 ? AttemptResult::kFailed : AttemptResult::kCouldNotStart;
          health.Observe({worker, random() % 3, result, absl::Milliseconds(random() % 400)}, now_);
        }
      }
      health.CheckInvariants();
      ASSERT_LE(health.quarantined() * 3, health.in_service()) << "seed " << seed;
    }
    quarantines += health.counts().quarantined;
    EXPECT_GT(quarantines, 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace muster::registry
