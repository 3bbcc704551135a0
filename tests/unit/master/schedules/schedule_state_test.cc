// What is decided about due times: missed ones, overlaps, pauses, changes, and the end of a single time.
#include "master/schedules/schedule_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/master/schedules/zones.h"

namespace muster::schedules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kNoon = Instant("2026-11-28 12:00+00:00");
absl::Time At(int minute) { return kNoon + absl::Minutes(minute); }

ScheduleDecision Start(int minute) { return StartRun{At(minute)}; }
ScheduleDecision Stop(int minute) { return StopRun{At(minute)}; }
ScheduleDecision Skip(int first, int last, SkipCause cause) { return SkipRuns{At(first), At(last), cause}; }
ScheduleDecision Skip(int minute, SkipCause cause) { return Skip(minute, minute, cause); }

// Due every ten minutes from noon on, which is over already.
class ScheduleStateTest : public ::testing::Test {
 protected:
  ScheduleState New(const ScheduleSpec& spec, const ScheduleTimes& times = CronTimes{"*/10 * * * *", ""}) {
    return ScheduleState(spec, *Timetable::Make(times, absl::UTCTimeZone()), {.decided_until = kNoon});
  }
};

TEST_F(ScheduleStateTest, ADueTimeStartsOnceHoweverOftenTheClockIsLookedAt) {
  ScheduleState state = New({});
  EXPECT_EQ(state.NextAt(), At(10));
  EXPECT_THAT(state.Due(At(9)), IsEmpty());
  EXPECT_THAT(state.Due(At(10)), ElementsAre(Start(10)));
  EXPECT_EQ(state.NextAt(), At(20));
  EXPECT_THAT(state.Due(At(10)), IsEmpty());
  EXPECT_THAT(state.Due(At(11)), IsEmpty());
}

TEST_F(ScheduleStateTest, AClockThatIsSetBackStartsNothingAgain) {
  ScheduleState state = New({});
  EXPECT_THAT(state.Due(At(20)), ElementsAre(Skip(10, SkipCause::kMissed), Start(20)));
  EXPECT_THAT(state.Due(At(10)), IsEmpty());
  EXPECT_THAT(state.Due(At(20)), IsEmpty());
  EXPECT_THAT(state.Due(At(30)), ElementsAre(Start(30)));
}

TEST_F(ScheduleStateTest, SkippingStartsOnlyWhatIsOnTime) {
  ScheduleState state = New({.missed = MissedRuns::kSkip});
  EXPECT_THAT(state.Due(At(31)), ElementsAre(Skip(10, 20, SkipCause::kMissed), Start(30)));
  EXPECT_THAT(state.Due(At(61) + absl::Milliseconds(1)), ElementsAre(Skip(40, 60, SkipCause::kMissed)));
  EXPECT_THAT(state.Due(At(72)), ElementsAre(Skip(70, SkipCause::kMissed)));
  EXPECT_THAT(state.Due(At(80)), ElementsAre(Start(80)));
}

TEST_F(ScheduleStateTest, RunOnceStartsTheNewestOfAllThatWereMissed) {
  ScheduleState state = New({.missed = MissedRuns::kRunOnce});
  EXPECT_THAT(state.Due(At(65)), ElementsAre(Skip(10, 50, SkipCause::kMissed), Start(60)));
  EXPECT_THAT(state.Due(At(75)), ElementsAre(Start(70)));
}

TEST_F(ScheduleStateTest, RunAllStartsTheNewestUpToItsLimitInOrder) {
  ScheduleState state = New({.missed = MissedRuns::kRunAll, .missed_limit = 2});
  EXPECT_THAT(state.Due(At(45)), ElementsAre(Skip(10, 20, SkipCause::kMissed), Start(30), Start(40)));
  EXPECT_THAT(state.Due(At(65)), ElementsAre(Start(50), Start(60)));
  // What is due just now is not missed.
  EXPECT_THAT(state.Due(At(100)), ElementsAre(Skip(70, SkipCause::kMissed), Start(80), Start(90), Start(100)));
}

TEST_F(ScheduleStateTest, AYearOfMissedMinutesCostsALimitAndNotAWalk) {
  ScheduleState state = New({.missed = MissedRuns::kRunAll, .missed_limit = 5}, CronTimes{"* * * * *", ""});
  const ScheduleDecisions decisions = state.Due(At(500'000) + absl::Seconds(30));
  ASSERT_EQ(decisions.size(), 7u);
  EXPECT_EQ(decisions.front(), Skip(1, 499'994, SkipCause::kMissed));
  EXPECT_EQ(decisions.back(), Start(500'000));
}

TEST_F(ScheduleStateTest, AllowStartsBesideWhatRunsUpToABound) {
  ScheduleState state = New({.overlap = Overlap::kAllow}, IntervalTimes{absl::Seconds(1), kNoon});
  absl::Time now = kNoon;
  for (size_t i = 0; i < ScheduleState::kMostRuns; ++i) {
    now += absl::Seconds(1);
    ASSERT_THAT(state.Due(now), ElementsAre(ScheduleDecision(StartRun{now})));
  }
  now += absl::Seconds(1);
  EXPECT_THAT(state.Due(now), ElementsAre(ScheduleDecision(SkipRuns{now, now, SkipCause::kTooManyRuns})));
  EXPECT_THAT(state.RunEnded(kNoon + absl::Seconds(1)), IsEmpty());
  now += absl::Seconds(1);
  EXPECT_THAT(state.Due(now), ElementsAre(ScheduleDecision(StartRun{now})));
}

TEST_F(ScheduleStateTest, ForbidSkipsWhatFindsARunAndGoesOnAfterIt) {
  ScheduleState state = New({.overlap = Overlap::kForbid});
  EXPECT_THAT(state.Due(At(10)), ElementsAre(Start(10)));
  EXPECT_THAT(state.Due(At(20)), ElementsAre(Skip(20, SkipCause::kStillRuns)));
  EXPECT_THAT(state.RunEnded(At(10)), IsEmpty());
  EXPECT_THAT(state.RunEnded(At(10)), IsEmpty());
  EXPECT_THAT(state.Due(At(30)), ElementsAre(Start(30)));
}

TEST_F(ScheduleStateTest, ForbidWithRunAllStartsThemOneAfterAnotherAndKeepsTheNewest) {
  ScheduleState state = New({.missed = MissedRuns::kRunAll, .missed_limit = 2, .overlap = Overlap::kForbid});
  EXPECT_THAT(state.Due(At(40)), ElementsAre(Skip(10, SkipCause::kMissed), Start(20)));
  EXPECT_THAT(state.progress().waiting, ElementsAre(At(30), At(40)));
  EXPECT_THAT(state.Due(At(50)), ElementsAre(Skip(30, SkipCause::kStillRuns)));
  EXPECT_THAT(state.RunEnded(At(20)), ElementsAre(Start(40)));
  EXPECT_THAT(state.RunEnded(At(40)), ElementsAre(Start(50)));
  EXPECT_THAT(state.RunEnded(At(50)), IsEmpty());
  EXPECT_THAT(state.progress().running, IsEmpty());
}

TEST_F(ScheduleStateTest, ReplaceStopsTheRunAndStartsOnlyWhenItHasEnded) {
  ScheduleState state = New({.overlap = Overlap::kReplace});
  EXPECT_THAT(state.Due(At(10)), ElementsAre(Start(10)));
  EXPECT_THAT(state.Due(At(20)), ElementsAre(Stop(10)));
  EXPECT_THAT(state.Due(At(30)), ElementsAre(Skip(20, SkipCause::kReplaced))) << "a run is told to stop once";
  EXPECT_THAT(state.RunEnded(At(10)), ElementsAre(Start(30)));
  EXPECT_THAT(state.RunEnded(At(30)), IsEmpty());
  EXPECT_THAT(state.Due(At(40)), ElementsAre(Start(40)));
}

TEST_F(ScheduleStateTest, ReplaceRunsOnlyTheNewestOfWhatWasMissed) {
  ScheduleState state = New({.missed = MissedRuns::kRunAll, .overlap = Overlap::kReplace});
  EXPECT_THAT(state.Due(At(45)), ElementsAre(Skip(10, 30, SkipCause::kMissed), Start(40)));
}

TEST_F(ScheduleStateTest, WhatComesDueInAPauseIsSkippedWhateverIsSaidOfMissedRuns) {
  ScheduleState state = New({.missed = MissedRuns::kRunAll});
  EXPECT_THAT(state.Pause(At(10)), ElementsAre(Start(10))) << "it was due before the pause";
  EXPECT_EQ(state.NextAt(), absl::InfiniteFuture());
  EXPECT_EQ(state.next(), At(20));
  EXPECT_THAT(state.Due(At(35)), IsEmpty());
  EXPECT_THAT(state.Resume(At(45)), ElementsAre(Skip(20, 40, SkipCause::kPaused)));
  EXPECT_EQ(state.NextAt(), At(50));
  EXPECT_THAT(state.Due(At(50)), ElementsAre(Start(50)));
}

TEST_F(ScheduleStateTest, APauseLetsWhatRunsRunAndDropsWhatWaits) {
  ScheduleState state = New({.overlap = Overlap::kReplace});
  state.Due(At(10));
  state.Due(At(20));
  EXPECT_THAT(state.Pause(At(21)), ElementsAre(Skip(20, SkipCause::kPaused)));
  EXPECT_THAT(state.RunEnded(At(10)), IsEmpty());
}

TEST_F(ScheduleStateTest, AChangeHoldsFromNowOnAndDecidesNothingThatWasDueBeforeIt) {
  ScheduleState state = New({.overlap = Overlap::kForbid});
  EXPECT_THAT(state.Due(At(10)), ElementsAre(Start(10)));
  const Timetable each_minute = *Timetable::Make(CronTimes{"* * * * *", ""}, absl::UTCTimeZone());
  EXPECT_THAT(state.Change({.overlap = Overlap::kForbid}, each_minute, At(25)),
              ElementsAre(Skip(20, SkipCause::kStillRuns)));
  EXPECT_EQ(state.NextAt(), At(26));
  EXPECT_THAT(state.Due(At(26)), ElementsAre(Skip(26, SkipCause::kStillRuns))) << "the run of before counts";
  EXPECT_THAT(state.Change({}, each_minute, At(3)), IsEmpty());
  EXPECT_EQ(state.NextAt(), At(27)) << "a clock that is set back decides nothing again";
}

TEST_F(ScheduleStateTest, ASingleTimeEndsItsScheduleWhenItsRunHasEnded) {
  ScheduleState state = New({}, OneTime{At(10)});
  EXPECT_FALSE(state.HasEnded());
  EXPECT_THAT(state.Due(At(50)), ElementsAre(Start(10))) << "late, since one missed run is made up for";
  EXPECT_EQ(state.NextAt(), absl::InfiniteFuture());
  EXPECT_FALSE(state.HasEnded());
  EXPECT_THAT(state.RunEnded(At(10)), IsEmpty());
  EXPECT_TRUE(state.HasEnded());
}

TEST_F(ScheduleStateTest, ASingleTimeThatWasMissedOrPausedOverEndsItsScheduleWithoutARun) {
  ScheduleState missed = New({.missed = MissedRuns::kSkip}, OneTime{At(10)});
  EXPECT_THAT(missed.Due(At(50)), ElementsAre(Skip(10, SkipCause::kMissed)));
  EXPECT_TRUE(missed.HasEnded());
  ScheduleState paused = New({.paused = true}, OneTime{At(10)});
  EXPECT_THAT(paused.Resume(At(50)), ElementsAre(Skip(10, SkipCause::kPaused)));
  EXPECT_TRUE(paused.HasEnded());
}

TEST_F(ScheduleStateTest, TheRepeatedHourStartsALineOfFixedTimesOnceAndAPeriodicOneTwice) {
  const absl::Time evening = Instant("2026-10-24 20:00+02:00");
  for (const auto& [line, runs] : std::vector<std::pair<std::string, int>>{{"30 2 * * *", 1}, {"30 * * * *", 8}}) {
    ScheduleState state({}, *Timetable::Make(CronTimes{line, ""}, Zone("Europe/Berlin")),
                        {.decided_until = Instant("2026-10-24 23:45+02:00")});
    int started = 0;
    for (absl::Time now = evening; now < evening + absl::Hours(12); now += absl::Seconds(20)) {
      started += static_cast<int>(state.Due(now).size());
    }
    EXPECT_EQ(started, runs) << line;
  }
}

}  // namespace
}  // namespace muster::schedules
