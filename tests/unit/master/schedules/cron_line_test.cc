// What a cron line names: by table, and against plain sets of values.
#include "master/schedules/cron_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/master/schedules/cron_model.h"

namespace muster::schedules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> FirstOf(const std::string& text, int count, absl::CivilMinute from = absl::CivilMinute(2026, 11, 28)) {
  const absl::StatusOr<CronLine> line = CronLine::Parse(text);
  if (!line.ok()) return {line.status().ToString()};
  std::vector<std::string> minutes;
  while (static_cast<int>(minutes.size()) < count) {
    const auto minute = line->NextFrom(from);
    if (!minute) break;
    minutes.push_back(absl::FormatCivilTime(*minute));
    from = *minute + 1;
  }
  return minutes;
}

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<CronLine> line = CronLine::Parse(text);
  if (line.ok()) return "it was read";
  EXPECT_TRUE(absl::IsInvalidArgument(line.status()));
  return std::string(line.status().message());
}

// 2026-11-28 is a Saturday.
TEST(CronLineTest, ListsRangesStepsAndNamesAreRead) {
  EXPECT_THAT(FirstOf("30 2 * * *", 2), ElementsAre("2026-11-28T02:30", "2026-11-29T02:30"));
  EXPECT_THAT(FirstOf("*/20 * * * *", 4),
              ElementsAre("2026-11-28T00:00", "2026-11-28T00:20", "2026-11-28T00:40", "2026-11-28T01:00"));
  EXPECT_THAT(FirstOf("10-30/10,59 5 * * *", 5), ElementsAre("2026-11-28T05:10", "2026-11-28T05:20", "2026-11-28T05:30",
                                                             "2026-11-28T05:59", "2026-11-29T05:10"));
  EXPECT_THAT(FirstOf("0 9 * JAN,dec mon-Fri", 2), ElementsAre("2026-12-01T09:00", "2026-12-02T09:00"));
  EXPECT_THAT(FirstOf("  0\t9  1 6 *  ", 1), ElementsAre("2027-06-01T09:00"));
}

TEST(CronLineTest, SundayIsZeroAndSevenAndEndsARangeThatBeginsInTheWeek) {
  for (const std::string weekday : {"0", "7", "SUN", "0,7", "sun"}) {
    EXPECT_THAT(FirstOf("0 0 * * " + weekday, 2), ElementsAre("2026-11-29T00:00", "2026-12-06T00:00")) << weekday;
  }
  for (const std::string weekend : {"SAT-SUN", "6-7", "6-0", "6,0"}) {
    EXPECT_THAT(FirstOf("0 0 * * " + weekend, 3), ElementsAre("2026-11-28T00:00", "2026-11-29T00:00", "2026-12-05T00:00"))
        << weekend;
  }
  EXPECT_THAT(FirstOf("0 0 * * SUN-MON", 3), ElementsAre("2026-11-29T00:00", "2026-11-30T00:00", "2026-12-06T00:00"));
  EXPECT_THAT(FirstOf("0 0 * * */7", 1), ElementsAre("2026-11-29T00:00"));
}

TEST(CronLineTest, TwoFieldsForDaysNameADayThatFitsEitherUnlessOneBeginsWithAStar) {
  EXPECT_THAT(FirstOf("0 0 1,15 * SUN", 4),
              ElementsAre("2026-11-29T00:00", "2026-12-01T00:00", "2026-12-06T00:00", "2026-12-13T00:00"));
  EXPECT_THAT(FirstOf("0 0 * * SUN", 2), ElementsAre("2026-11-29T00:00", "2026-12-06T00:00"));
  EXPECT_THAT(FirstOf("0 0 15 * *", 2), ElementsAre("2026-12-15T00:00", "2027-01-15T00:00"));
  EXPECT_THAT(FirstOf("0 0 */2 * SUN", 2), ElementsAre("2026-11-29T00:00", "2026-12-13T00:00"));  // odd Sundays
  EXPECT_THAT(FirstOf("0 0 13 * */5", 2), ElementsAre("2026-12-13T00:00", "2027-06-13T00:00"));   // on a Sunday or Friday
}

TEST(CronLineTest, TheNamedLinesAreWhatTheyStandFor) {
  EXPECT_THAT(FirstOf("@hourly", 2), ElementsAre("2026-11-28T00:00", "2026-11-28T01:00"));
  EXPECT_THAT(FirstOf("@daily", 2), ElementsAre("2026-11-28T00:00", "2026-11-29T00:00"));
  EXPECT_THAT(FirstOf("@midnight", 1), ElementsAre("2026-11-28T00:00"));
  EXPECT_THAT(FirstOf("@Weekly", 2), ElementsAre("2026-11-29T00:00", "2026-12-06T00:00"));
  EXPECT_THAT(FirstOf(" @monthly ", 2), ElementsAre("2026-12-01T00:00", "2027-01-01T00:00"));
  EXPECT_THAT(FirstOf("@yearly", 1), ElementsAre("2027-01-01T00:00"));
  EXPECT_THAT(FirstOf("@annually", 1), ElementsAre("2027-01-01T00:00"));
}

TEST(CronLineTest, ALeapDayIsFoundAlsoOverACenturyWithoutOne) {
  EXPECT_THAT(FirstOf("0 0 29 2 *", 2), ElementsAre("2028-02-29T00:00", "2032-02-29T00:00"));
  EXPECT_THAT(FirstOf("0 0 29 FEB *", 2, absl::CivilMinute(2096, 2, 29)), ElementsAre("2096-02-29T00:00", "2104-02-29T00:00"));
  // A leap day on a Sunday: the longest wait there is.
  EXPECT_THAT(FirstOf("0 0 29 2 */7", 2, absl::CivilMinute(2080, 1, 1)), ElementsAre("2088-02-29T00:00", "2128-02-29T00:00"));
}

TEST(CronLineTest, NothingIsNamedAfterTheLastYear) {
  EXPECT_THAT(FirstOf("0 0 1 1 *", 2, absl::CivilMinute(9998, 6, 1)), ElementsAre("9999-01-01T00:00"));
}

TEST(CronLineTest, AValueThatIsOutOfRangeIsRefusedWithItsColumnAndTheRange) {
  EXPECT_EQ(ErrorOf("61 * * * *"), "minute 61 at column 1: 0 to 59");
  EXPECT_EQ(ErrorOf("0 24 * * *"), "hour 24 at column 3: 0 to 23");
  EXPECT_EQ(ErrorOf("0 0 1,32 * *"), "day of month 32 at column 7: 1 to 31");
  EXPECT_EQ(ErrorOf("0 0 0 * *"), "day of month 0 at column 5: 1 to 31");
  EXPECT_EQ(ErrorOf("0 0 * 13 *"), "month 13 at column 7: 1 to 12 or JAN to DEC");
  EXPECT_EQ(ErrorOf("0 0 * * MON-8"), "day of week 8 at column 13: 0 to 7 (both are Sunday) or SUN to SAT");
  EXPECT_EQ(ErrorOf("99999999999999999999 * * * *"), "minute 99999999999999999999 at column 1: 0 to 59");
  EXPECT_EQ(ErrorOf("5-70 * * * *"), "minute 70 at column 3: 0 to 59");
  EXPECT_EQ(ErrorOf("-5 * * * *"), "minute -5 at column 1: a range has two ends; 0 to 59");
  EXPECT_EQ(ErrorOf("L 0 * * *"), "minute L at column 1: 0 to 59");
}

TEST(CronLineTest, AnUnknownNameIsRefusedWithTheNearest) {
  EXPECT_EQ(ErrorOf("0 0 * FEV *"), "month FEV at column 7: did you mean FEB?");
  EXPECT_EQ(ErrorOf("0 0 * Sept *"), "month Sept at column 7: did you mean SEP?");
  EXPECT_EQ(ErrorOf("0 0 * * MON-Friday"), "day of week Friday at column 13: did you mean FRI?");
  EXPECT_EQ(ErrorOf("0 0 * XQZ *"), "month XQZ at column 7: 1 to 12 or JAN to DEC");
  EXPECT_EQ(ErrorOf("@dayly"), "@dayly at column 1: did you mean @daily?");
  EXPECT_EQ(ErrorOf("@reboot"), "@reboot at column 1: there are @hourly, @daily, @weekly, @monthly and @yearly");
  EXPECT_EQ(ErrorOf("@daily 5"), "5 at column 8: nothing follows @daily");
}

TEST(CronLineTest, AStepOrARangeThatIsNoneIsRefusedWithWhatToWrite) {
  EXPECT_EQ(ErrorOf("*/0 * * * *"), "step 0 at column 3: 1 to 59");
  EXPECT_EQ(ErrorOf("*/ * * * *"), "step missing at column 3: 1 to 59");
  EXPECT_EQ(ErrorOf("* */24 * * *"), "step 24 at column 5: 1 to 23");
  EXPECT_EQ(ErrorOf("5/15 * * * *"), "minute 5/15 at column 1: a step needs a range; write 5-59/15");
  EXPECT_EQ(ErrorOf("0 22-6 * * *"), "hour 22-6 at column 3: it runs backwards; write 22-23,0-6");
  EXPECT_EQ(ErrorOf("0 0 * NOV-FEB *"), "month NOV-FEB at column 7: it runs backwards; write NOV-DEC,JAN-FEB");
  EXPECT_EQ(ErrorOf("0 0 * * FRI-MON"), "day of week FRI-MON at column 9: it runs backwards; write FRI-SAT,SUN-MON");
  EXPECT_EQ(ErrorOf("1,,2 * * * *"), "minute missing at column 3: 0 to 59");
  EXPECT_EQ(ErrorOf("1, * * * *"), "minute missing at column 3: 0 to 59");
}

TEST(CronLineTest, ALineWithTooFewOrTooManyFieldsIsRefusedWithTheShape) {
  EXPECT_THAT(ErrorOf("0 0 * *"), HasSubstr("day of week missing at column 8: a line is minute, hour"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("minute missing at column 1"));
  EXPECT_THAT(ErrorOf("0 0 * * * root"), HasSubstr("root at column 11 is one field too many"));
  EXPECT_THAT(ErrorOf(std::string(1025, ' ')), HasSubstr("at most 1024 characters"));
}

TEST(CronLineTest, ADateThatNeverComesIsRefused) {
  EXPECT_EQ(ErrorOf("0 0 30 FEB *"), "day of month 30 at column 5 never comes in month FEB: 1 to 29");
  EXPECT_EQ(ErrorOf("0 0 31 4,6,9,11 *"), "day of month 31 at column 5 never comes in month 4,6,9,11: 1 to 30");
  EXPECT_EQ(ErrorOf("0 0 30-31 2 */2"), "day of month 30-31 at column 5 never comes in month 2: 1 to 29");
  EXPECT_THAT(FirstOf("0 0 31 4-5 *", 1), ElementsAre("2027-05-31T00:00"));
  EXPECT_THAT(FirstOf("0 0 30 2 MON", 1), ElementsAre("2027-02-01T00:00")) << "Mondays come";
}

TEST(CronLineTest, WhatIsShownOfALineIsOneLine) {
  const std::string error = ErrorOf("\x01\n\xff\x1b[31m * * * *");
  for (const char c : error) EXPECT_GE(static_cast<unsigned char>(c), ' ');
}

// Day by day over 40 years, and minute by minute over a day.
TEST(CronLineTest, EveryRandomLineNamesWhatItsSetsName) {
  Random random(5);
  int refused = 0;
  for (int round = 0; round < 300; ++round) {
    ModelLine model = RandomLine(&random);
    if (round % 3 == 0) {  // days that a month may not have
      model.fields[2] = RandomField(&random, 29, 31, 0);
      model.fields[3] = RandomField(&random, 1, 3, 0);
    }
    SCOPED_TRACE(model.text());
    const absl::StatusOr<CronLine> line = CronLine::Parse(model.text());
    const absl::CivilDay begin(1990 + RandomIn(&random, 0, 100), RandomIn(&random, 1, 12), RandomIn(&random, 1, 28));
    absl::CivilDay day = begin;
    while (day - begin < 41 * 366 && !model.MatchesDay(day)) ++day;
    ASSERT_EQ(line.ok(), model.MatchesDay(day)) << line.status();
    if (!line.ok()) {
      ++refused;
      continue;
    }
    EXPECT_EQ(line->IsPeriodic(), model.IsPeriodic());
    for (absl::CivilMinute minute(day), from(begin); minute < absl::CivilMinute(day + 1); ++minute) {
      ASSERT_EQ(line->Matches(minute), model.Matches(minute)) << absl::FormatCivilTime(minute);
      if (!model.Matches(minute)) continue;
      ASSERT_EQ(line->NextFrom(from), minute) << absl::FormatCivilTime(from);
      ASSERT_EQ(line->NextFrom(minute), minute);
      from = minute + 1;
    }
  }
  EXPECT_GT(refused, 0) << "no line was without a day";
}

}  // namespace
}  // namespace muster::schedules
