// The due times of each kind, and the newest ones against a walk over all of them.
#include "master/schedules/timetable.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/master/schedules/cron_model.h"
#include "tests/unit/master/schedules/zones.h"

namespace muster::schedules {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

const absl::Time kAdded = Instant("2026-11-28 12:00+00:00");

Timetable Of(const ScheduleTimes& times) { return *Timetable::Make(times, Zone("Europe/Berlin")); }

TEST(TimetableTest, AnIntervalIsDueAfterEachPeriodWhateverTheClockOnTheWallShows) {
  const Timetable timetable = Of(IntervalTimes{absl::Minutes(90), kAdded});
  EXPECT_EQ(timetable.NextAfter(absl::InfinitePast()), kAdded + absl::Minutes(90));
  EXPECT_EQ(timetable.NextAfter(kAdded), kAdded + absl::Minutes(90));
  EXPECT_EQ(timetable.NextAfter(kAdded + absl::Minutes(90)), kAdded + absl::Minutes(180));
  EXPECT_EQ(timetable.NextAfter(kAdded + absl::Minutes(90) - absl::Nanoseconds(1)), kAdded + absl::Minutes(90));
  EXPECT_EQ(timetable.NextAfter(absl::InfiniteFuture()), absl::InfiniteFuture());
}

TEST(TimetableTest, ASingleTimeIsDueOnce) {
  const Timetable timetable = Of(OneTime{kAdded});
  EXPECT_EQ(timetable.NextAfter(absl::InfinitePast()), kAdded);
  EXPECT_EQ(timetable.NextAfter(kAdded), absl::InfiniteFuture());
  EXPECT_EQ(timetable.LastIn(absl::InfinitePast(), absl::InfiniteFuture()), kAdded);
}

TEST(TimetableTest, WhatAStoreCannotHaveHeldIsRefused) {
  for (const ScheduleTimes& times : std::vector<ScheduleTimes>{
           CronTimes{"61 * * * *", ""}, IntervalTimes{absl::ZeroDuration(), kAdded}, IntervalTimes{-absl::Hours(1), kAdded},
           IntervalTimes{absl::InfiniteDuration(), kAdded}, IntervalTimes{absl::Milliseconds(1500), kAdded},
           IntervalTimes{absl::Hours(1), kAdded + absl::Milliseconds(1)}, OneTime{kAdded + absl::Nanoseconds(1)},
           OneTime{absl::InfiniteFuture()}, IntervalTimes{absl::Hours(1), absl::InfinitePast()}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Timetable::Make(times, absl::UTCTimeZone()).status()));
  }
}

TEST(TimetableTest, TheNewestOfAYearOfMinutesAreFoundWithoutAWalk) {
  const Timetable timetable = Of(CronTimes{"* * * * *", "Europe/Berlin"});
  const absl::Time until = kAdded + absl::Hours(24 * 365) + absl::Seconds(20);
  EXPECT_THAT(timetable.NewestIn(kAdded, until, 2), ElementsAre(until - absl::Seconds(80), until - absl::Seconds(20)));
  EXPECT_EQ(timetable.NewestIn(kAdded, until, 1000).size(), 1000u);
  EXPECT_THAT(timetable.NewestIn(kAdded, until, 0), IsEmpty());
}

TEST(TimetableTest, ADueTimeReadsTheSameWhateverTheZone) {
  EXPECT_EQ(DueText(Instant("2026-03-29 03:00+02:00")), "2026-03-29T01:00:00Z");
}

TEST(TimetableTest, TheNewestOfAnyTimesAreTheLastOfAWalk) {
  Random random(3);
  for (int round = 0; round < 400; ++round) {
    ScheduleTimes times = IntervalTimes{absl::Seconds(RandomIn(&random, 1, 20000)), kAdded};
    if (round % 4 != 0) times = CronTimes{RandomLine(&random).text(), ""};
    const absl::StatusOr<Timetable> timetable = Timetable::Make(times, Zone("Europe/Berlin"));
    if (!timetable.ok()) continue;
    const absl::Time after = kAdded + absl::Seconds(RandomIn(&random, 0, 300 * 86400));
    const absl::Time until = after + absl::Milliseconds(RandomIn(&random, 0, 3 * 86400 * 1000));
    std::vector<absl::Time> walked;
    for (absl::Time due = timetable->NextAfter(after); due <= until; due = timetable->NextAfter(due)) walked.push_back(due);
    for (const size_t most : {size_t{1}, size_t{7}}) {
      const size_t count = std::min(most, walked.size());
      ASSERT_THAT(timetable->NewestIn(after, until, most),
                  ElementsAreArray(walked.end() - static_cast<std::ptrdiff_t>(count), walked.end()));
    }
  }
}

}  // namespace
}  // namespace muster::schedules
