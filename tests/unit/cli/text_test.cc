#include "cli/text.h"
#include "common/base/utf8.h"

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

TEST(Text, DurationsReadAsAPersonSaysThem) {
  EXPECT_EQ(DurationText(absl::ZeroDuration()), "0s");
  EXPECT_EQ(DurationText(absl::Microseconds(1500)), "1.5ms");
  EXPECT_EQ(DurationText(absl::Milliseconds(340)), "340ms");
  EXPECT_EQ(DurationText(absl::Milliseconds(3200)), "3.2s");
  EXPECT_EQ(DurationText(absl::Seconds(5)), "5s");
  EXPECT_EQ(DurationText(absl::Seconds(252)), "4m12s");
  EXPECT_EQ(DurationText(absl::Minutes(125)), "2h05m");
  EXPECT_EQ(DurationText(absl::Hours(76)), "3d04h");
  EXPECT_EQ(DurationText(-absl::Seconds(5)), "-5s");
}

TEST(Text, NoDurationRoundsIntoSixtySeconds) {
  EXPECT_EQ(DurationText(absl::Milliseconds(59960)), "1m00s");
  EXPECT_EQ(DurationText(absl::Milliseconds(999)), "999ms");
}

TEST(Text, AgesHaveOneUnit) {
  EXPECT_EQ(AgeText(absl::Seconds(119)), "119s");
  EXPECT_EQ(AgeText(absl::Minutes(5)), "5m");
  EXPECT_EQ(AgeText(absl::Hours(5)), "5h");
  EXPECT_EQ(AgeText(absl::Hours(72)), "3d");
  EXPECT_EQ(AgeText(-absl::Seconds(2)), "0s") << "clocks of two machines differ a little";
}

TEST(Text, SizesUseBinaryUnits) {
  EXPECT_EQ(SizeText(512), "512 B");
  EXPECT_EQ(SizeText(1536), "1.5 KiB");
  EXPECT_EQ(SizeText(int64_t{200} << 20), "200 MiB");
}

TEST(Text, StatesAreReadInAnyCase) {
  EXPECT_EQ(ParseState("running"), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(ParseState("timed-out"), v1::TASK_STATE_TIMED_OUT);
  EXPECT_EQ(ParseState("TIMED_OUT"), v1::TASK_STATE_TIMED_OUT);
  EXPECT_FALSE(ParseState("done"));
  EXPECT_FALSE(ParseState("unspecified"));
  EXPECT_EQ(StateName(v1::TASK_STATE_TIMED_OUT), "TIMED_OUT");
}

TEST(Text, CountsComeInTheOrderOfTheStates) {
  v1::StateCount failed, succeeded, none;
  failed.set_state(v1::TASK_STATE_TIMED_OUT);
  failed.set_count(1);
  succeeded.set_state(v1::TASK_STATE_SUCCEEDED);
  succeeded.set_count(3);
  none.set_state(v1::TASK_STATE_LOST);
  EXPECT_EQ(CountsText({failed, succeeded, none}), "3 succeeded, 1 timed out");
  EXPECT_EQ(CountsText({}), "no tasks");
}

TEST(Text, WordsAreQuotedOnlyWhenTheShellNeedsIt) {
  EXPECT_EQ(CommandText({"echo", "a b", "it's", "", "x=1", "*.log"}), "echo 'a b' 'it'\\''s' '' x=1 '*.log'");
}

TEST(Text, RowsAreFilledInAsTheWorkerDoes) {
  v1::TaskSpec spec;
  spec.mutable_command()->add_argv("convert");
  spec.mutable_command()->add_argv("{}");
  spec.mutable_command()->add_argv("{.}.png");
  EXPECT_EQ(RowCommandText(spec, {"a/b.jpg"}, 4), "convert a/b.jpg a/b.png");
}

TEST(Text, TimesAreReadInTheirUsualForms) {
  const absl::Time now = absl::FromCivil(absl::CivilSecond(2026, 1, 31, 12, 0, 0), absl::LocalTimeZone());
  EXPECT_EQ(*ParseTime("2026-01-31T14:30:00Z", now), absl::FromCivil(absl::CivilSecond(2026, 1, 31, 14, 30, 0), absl::UTCTimeZone()));
  EXPECT_EQ(*ParseTime("+90s", now), now + absl::Seconds(90));
  EXPECT_EQ(*ParseTime("14:30", now), now + absl::Minutes(150));
  EXPECT_EQ(*ParseTime("11:00", now), now + absl::Hours(23)) << "what has passed today means tomorrow";
  EXPECT_FALSE(ParseTime("soon", now).ok());
  EXPECT_EQ(*ParseSince("10m", now), now - absl::Minutes(10));
}

TEST(Text, OneLineCutsCharactersNotBytesAndShowsNoControls) {
  EXPECT_EQ(OneLine("äöü", 3), "äöü");
  EXPECT_EQ(OneLine("äöüx", 3), "äö…");
  EXPECT_EQ(OneLine("a\nb\x1b[31m", 20), "a b?[31m");
}

}  // namespace
}  // namespace muster::cli
