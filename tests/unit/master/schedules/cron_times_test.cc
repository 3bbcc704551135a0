// When cron lines are due where clocks are changed: as docs/schedules.md says, and against a walk that looks at every
// minute as cron does. MUSTER_CRON_WALKS: as many walks (4,000).
#include "master/schedules/cron_times.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/unit/master/schedules/cron_model.h"
#include "tests/unit/master/schedules/zones.h"

namespace muster::schedules {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// All that is due later than `after`, up to `until`.
std::vector<absl::Time> DueIn(const CronLine& line, absl::TimeZone zone, absl::Time after, absl::Time until) {
  std::vector<absl::Time> due;
  for (absl::Time next = NextDue(line, zone, after); next <= until; next = NextDue(line, zone, next)) {
    EXPECT_TRUE(due.empty() || next > due.back()) << "it does not move on";
    if (testing::Test::HasFailure()) break;
    due.push_back(next);
  }
  return due;
}

std::vector<std::string> TextsOf(const std::vector<absl::Time>& times, absl::TimeZone zone) {
  std::vector<std::string> texts;
  for (const absl::Time time : times) texts.push_back(InstantText(time, zone));
  return texts;
}

std::vector<std::string> Due(const std::string& line, const std::string& zone, const std::string& from, const std::string& to) {
  return TextsOf(DueIn(*CronLine::Parse(line), Zone(zone), Instant(from) - absl::Seconds(1), Instant(to)), Zone(zone));
}

// "### Europe/Berlin, 2026-03-29: ..." and below it rows "| `30 2 * * *` | 03:00+02:00, ... |": all that is due on that day
// before 05:00.
TEST(CronTimesTest, AroundEveryChangeOfTheClockLinesAreDueAsThePageSays) {
  std::ifstream page(std::string(MUSTER_SOURCE_DIR) + "/docs/schedules.md");
  std::string zone, day, text;
  std::smatch found;
  int rows = 0, changes = 0;
  while (std::getline(page, text)) {
    if (std::regex_search(text, found, std::regex("^### (\\w+/\\w+), (\\d{4}-\\d\\d-\\d\\d): "))) {
      zone = found[1], day = found[2];
      ++changes;
    } else if (!zone.empty() && std::regex_search(text, found, std::regex("^\\| `([^`]+)` \\| ([^|]+) \\|"))) {
      SCOPED_TRACE(zone + " " + text);
      const absl::StatusOr<CronLine> line = CronLine::Parse(found[1]);
      ASSERT_TRUE(line.ok()) << line.status();
      absl::CivilDay civil;
      ASSERT_TRUE(absl::ParseCivilTime(day, &civil));
      const absl::Time midnight = absl::FromCivil(civil, Zone(zone));
      const absl::Time until = absl::FromCivil(absl::CivilHour(civil) + 5, Zone(zone)) - absl::Seconds(1);
      std::vector<std::string> due;
      for (const absl::Time time : DueIn(*line, Zone(zone), midnight - absl::Seconds(1), until)) {
        due.push_back(absl::FormatTime("%H:%M%Ez", time, Zone(zone)));
      }
      EXPECT_EQ(absl::StrJoin(due, ", "), found[2].str());
      ++rows;
    } else if (text.rfind("## ", 0) == 0) {
      zone.clear();
    }
  }
  EXPECT_EQ(changes, 6) << "three zones, both ways";
  EXPECT_GE(rows, 35);
}

TEST(CronTimesTest, ATimeInASkippedMidnightIsDueOnItsDayRightAfterTheChange) {
  // Beirut goes from Saturday 24:00 to Sunday 01:00.
  EXPECT_THAT(Due("0 0 * * *", "Asia/Beirut", "2026-03-28 12:00+02:00", "2026-03-30 12:00+03:00"),
              ElementsAre("2026-03-29 01:00+03:00", "2026-03-30 00:00+03:00"));
  EXPECT_THAT(Due("30 0 * * SAT", "Asia/Beirut", "2026-03-28 12:00+02:00", "2026-03-30 12:00+03:00"), IsEmpty());
}

TEST(CronTimesTest, ADayThatAZoneLeftOutIsMadeUpForOnceAtItsEnd) {
  // Samoa went from the 29th to the 31st of December 2011.
  EXPECT_THAT(Due("0 9,17 * * *", "Pacific/Apia", "2011-12-29 00:00-10:00", "2011-12-31 23:00+14:00"),
              ElementsAre("2011-12-29 09:00-10:00", "2011-12-29 17:00-10:00", "2011-12-31 00:00+14:00",
                          "2011-12-31 09:00+14:00", "2011-12-31 17:00+14:00"));
}

TEST(CronTimesTest, AnInstantBetweenMinutesIsFollowedByTheNextOne) {
  const CronLine line = *CronLine::Parse("* * * * *");
  const absl::Time noon = Instant("2026-06-01 12:00+02:00");
  EXPECT_EQ(NextDue(line, Zone("Europe/Berlin"), noon), noon + absl::Minutes(1));
  EXPECT_EQ(NextDue(line, Zone("Europe/Berlin"), noon - absl::Nanoseconds(1)), noon);
  EXPECT_EQ(NextDue(line, Zone("Europe/Berlin"), noon + absl::Seconds(59)), noon + absl::Minutes(1));
}

TEST(CronTimesTest, BeforeAndAfterAllTimeThereIsAnAnswer) {
  const CronLine line = *CronLine::Parse("0 12 1 1 *");
  EXPECT_GT(NextDue(line, Zone("Europe/Berlin"), absl::InfinitePast()), absl::InfinitePast());
  EXPECT_EQ(NextDue(line, Zone("Europe/Berlin"), absl::InfiniteFuture()), absl::InfiniteFuture());
  EXPECT_EQ(NextDue(line, Zone("Europe/Berlin"), Instant("9999-06-01 00:00+02:00")), absl::InfiniteFuture());
}

// What cron does: it looks at the wall clock each minute. Periodic lines start when it shows one of their minutes; others
// when it reaches or passes one that it has not shown before.
class Walk {
 public:
  Walk(const ModelLine& line, absl::TimeZone zone, absl::Time begin)
      : line_(line), zone_(zone), now_(begin), furthest_(absl::ToCivilMinute(begin, zone)) {}

  bool NextMinuteIsDue() {
    now_ += absl::Minutes(1);
    const absl::CivilMinute shown = absl::ToCivilMinute(now_, zone_);
    if (line_.IsPeriodic()) return line_.Matches(shown);
    bool due = false;
    for (; furthest_ < shown; ++furthest_) due = due || line_.Matches(furthest_ + 1);
    return due;
  }
  absl::Time now() const { return now_; }

 private:
  const ModelLine& line_;
  const absl::TimeZone zone_;
  absl::Time now_;
  absl::CivilMinute furthest_;
};

// Clocks that are changed by 30 minutes to 24 hours, at midnight, at a minute past it, at two, at noon, and never.
const char* const kZones[] = {
    "Europe/Berlin",     "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Beirut",
    "Africa/Cairo",      "Pacific/Apia",     "Pacific/Chatham",     "Asia/Kathmandu",    "America/Caracas",   "Asia/Pyongyang",
    "Antarctica/Troll",  "UTC",              "America/St_Johns",    "Asia/Gaza",         "Europe/Lisbon",     "Antarctica/Casey",
    "Pacific/Kwajalein", "Europe/Dublin",    "America/Havana",      "Asia/Tehran",       "America/Scoresbysund"};

// An instant of some minute since 1975, mostly within two days of a change of the clock.
absl::Time RandomInstant(Random* random, absl::TimeZone zone) {
  const auto minutes = [random](int most) { return absl::Minutes(RandomIn(random, 0, most)); };
  const absl::Time any = Instant("1975-01-01 00:00+00:00") + minutes(60 * 24 * 365 * 65);
  absl::TimeZone::CivilTransition change;
  if (RandomIn(random, 0, 9) == 0 || !zone.NextTransition(any, &change)) return any;
  const absl::Time around = zone.At(change.to).trans - absl::Hours(24) + minutes(26 * 60);
  return absl::FromUnixSeconds(absl::ToUnixSeconds(around) / 60 * 60);
}

TEST(CronTimesTest, NoRandomLineInAnyZoneIsDueOtherwiseThanAWalkMinuteByMinuteSays) {
  const char* const more = std::getenv("MUSTER_CRON_WALKS");
  const int walks = more == nullptr ? 4000 : std::atoi(more);
  Random random(7);
  int due_times = 0;
  for (int round = 0; round < walks; ++round) {
    const ModelLine model = RandomLine(&random);
    const absl::StatusOr<CronLine> line = CronLine::Parse(model.text());
    if (!line.ok()) continue;
    const std::string name = kZones[random() % std::size(kZones)];
    const absl::TimeZone zone = Zone(name);
    const absl::Time after = RandomInstant(&random, zone);
    const absl::Time until = after + absl::Hours(50);
    Walk walk(model, zone, after - absl::Hours(50));  // so far back that no change hides what the clock has shown
    std::vector<absl::Time> walked;
    while (walk.now() < until) {
      if (walk.NextMinuteIsDue() && walk.now() > after) walked.push_back(walk.now());
    }
    ASSERT_EQ(TextsOf(DueIn(*line, zone, after, until), zone), TextsOf(walked, zone))
        << model.text() << " in " << name << " after " << InstantText(after, zone);
    due_times += static_cast<int>(walked.size());
  }
  EXPECT_GT(due_times, walks) << "hardly anything was ever due";
}

// Also from an instant between two due times, in any pass of a repeated hour, the next is the same.
TEST(CronTimesTest, FromEveryMinuteBetweenTwoDueTimesTheNextIsTheSecond) {
  Random random(11);
  for (int round = 0; round < 150; ++round) {
    const ModelLine model = RandomLine(&random);
    const absl::StatusOr<CronLine> line = CronLine::Parse(model.text());
    if (!line.ok()) continue;
    const std::string name = kZones[random() % std::size(kZones)];
    const absl::TimeZone zone = Zone(name);
    absl::Time now = RandomInstant(&random, zone);
    absl::Time next = NextDue(*line, zone, now);
    for (int minute = 0; minute < 3000; ++minute, now += absl::Minutes(1)) {
      if (now == next) next = NextDue(*line, zone, now);
      ASSERT_GT(next, now);
      ASSERT_EQ(NextDue(*line, zone, now), next) << model.text() << " in " << name << " after " << InstantText(now, zone);
    }
  }
}

}  // namespace
}  // namespace muster::schedules
