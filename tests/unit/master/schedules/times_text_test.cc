// What people may write for the times of a schedule, and what they are told when it is none.
#include "master/schedules/times_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/master/schedules/zones.h"
#include "master/schedules/timetable.h"

namespace muster::schedules {
namespace {

using ::testing::HasSubstr;

const absl::Time kToday = Instant("2026-11-28 12:00+00:00");
const char kBerlin[] = "Europe/Berlin";

absl::StatusOr<ScheduleTimes> Read(const std::string& text) { return ReadTimes(text, kBerlin, Zone(kBerlin), kToday); }

std::string RefusalOf(const std::string& text) {
  const absl::StatusOr<ScheduleTimes> times = Read(text);
  if (times.ok()) return "it was read";
  EXPECT_TRUE(absl::IsInvalidArgument(times.status()));
  return std::string(times.status().message());
}

TEST(TimesTextTest, ACronLineKeepsItsTextAndItsZone) {
  EXPECT_EQ(*Read("30 2 * * *"), ScheduleTimes(CronTimes{"30 2 * * *", kBerlin}));
  EXPECT_EQ(*Read("@daily"), ScheduleTimes(CronTimes{"@daily", kBerlin}));
  EXPECT_EQ(RefusalOf("61 * * * *"), "minute 61 at column 1: 0 to 59");
}

TEST(TimesTextTest, AnIntervalCountsFromNowInWholeSeconds) {
  EXPECT_EQ(*Read("every 5m"), ScheduleTimes(IntervalTimes{absl::Minutes(5), kToday}));
  EXPECT_EQ(*Read(" Every  1w2d3h4m5s "), ScheduleTimes(IntervalTimes{absl::Hours(9 * 24 + 3) + absl::Seconds(245), kToday}));
  const absl::Time later = kToday + absl::Milliseconds(700);
  EXPECT_EQ(*ReadTimes("every 90s", "", absl::UTCTimeZone(), later), ScheduleTimes(IntervalTimes{absl::Seconds(90), kToday}));
}

TEST(TimesTextTest, AnIntervalThatIsNoneIsRefusedWithWhatToWrite) {
  for (const std::string text : {"5", "m", "5x", "5m5", "5m 1s", "1s5m", "5m5m", "-5m", "9999999999s", "day"}) {
    EXPECT_EQ(RefusalOf("every " + text),
              "interval " + text + " at column 7: a number with a unit of w, d, h, m or s, such as 5m or 1h30m");
  }
  EXPECT_THAT(RefusalOf("every"), HasSubstr("interval missing at column 6"));
  EXPECT_EQ(RefusalOf("every 0s"), "interval 0s at column 7: 1s to 366d");
  EXPECT_EQ(RefusalOf("every 53w"), "interval 53w at column 7: 1s to 366d");
  EXPECT_EQ(RefusalOf("every 999999999w"), "interval 999999999w at column 7: 1s to 366d");
}

TEST(TimesTextTest, AnIntervalBeyondAllNumbersIsNone) {
  EXPECT_THAT(RefusalOf("every 22222222222222222222222222222222221w"), HasSubstr("a number with a unit"));
}

TEST(TimesTextTest, AnEventIsAWordAndIsNeverDue) {
  EXPECT_EQ(*Read("on push"), ScheduleTimes(EventTimes{"push"}));
  EXPECT_EQ(*Read(" On  a.b-c_7 "), ScheduleTimes(EventTimes{"a.b-c_7"}));
  EXPECT_THAT(RefusalOf("on"), HasSubstr("event missing at column 3"));
  EXPECT_THAT(RefusalOf("on a b"), HasSubstr("event a b at column 4"));
  EXPECT_THAT(RefusalOf("on a/b"), HasSubstr("[A-Za-z0-9._-]"));
  EXPECT_THAT(RefusalOf("on " + std::string(129, 'x')), HasSubstr("1 to 128 characters"));
  const Timetable never = *Timetable::Make(*Read("on push"), absl::UTCTimeZone());
  EXPECT_TRUE(never.waits_for_event());
  EXPECT_EQ(never.NextAfter(absl::InfinitePast()), absl::InfiniteFuture());
  EXPECT_TRUE(never.NewestIn(absl::UnixEpoch(), kToday, 5).empty());
}

TEST(TimesTextTest, ASingleTimeIsReadInTheZoneUnlessItNamesItsOwn) {
  const ScheduleTimes evening(OneTime{Instant("2026-12-24 18:00+01:00")});
  for (const std::string text : {"2026-12-24 18:00", "2026-12-24T18:00", "2026-12-24 18:00:00", "2026-12-24T17:00:00Z",
                                 "2026-12-24T12:00-05:00", "2026-12-24 17:59:59.5"}) {
    EXPECT_EQ(*Read("at " + text), evening) << text;
  }
}

TEST(TimesTextTest, ASingleTimeInASkippedOrRepeatedHourIsTakenAsThatOfALine) {
  EXPECT_EQ(*Read("at 2027-03-28 02:30"), ScheduleTimes(OneTime{Instant("2027-03-28 03:00+02:00")}));
  EXPECT_EQ(*Read("at 2027-10-31 02:30"), ScheduleTimes(OneTime{Instant("2027-10-31 02:30+02:00")}));
}

TEST(TimesTextTest, ASingleTimeThatIsNoneOrHasPassedIsRefused) {
  EXPECT_EQ(RefusalOf("at 2027-02-30 10:00"),
            "time 2027-02-30 10:00 at column 4: there is no day 30 in 2027-02, which has 28");
  EXPECT_EQ(RefusalOf("at 2027-13-01 10:00"), "time 2027-13-01 10:00 at column 4: there is no month 13");
  for (const std::string text : {"tomorrow", "18:00", "2027-01-01", "2027-01-01 25:00", "2027-01-01 10:00 CET",
                                 "10000-01-01 00:00"}) {
    EXPECT_THAT(RefusalOf("at " + text), HasSubstr("at column 4: write it as 2026-12-24 18:00 or ")) << text;
  }
  EXPECT_THAT(RefusalOf("at"), HasSubstr("time missing at column 3"));
  EXPECT_EQ(RefusalOf("at 2026-11-28 13:00"),
            "time 2026-11-28 13:00 at column 4: it has passed; it is 2026-11-28 13:00:00+01:00");
}

TEST(TimesTextTest, WhatIsWrittenIsReadBack) {
  for (const std::string text : {"30 2 * * *", "every 5m", "every 1w2d3h4m5s", "at 2026-12-24T17:00:00Z"}) {
    EXPECT_EQ(TimesText(*Read(text)), text);
  }
}

}  // namespace
}  // namespace muster::schedules
