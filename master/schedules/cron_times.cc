#include "master/schedules/cron_times.h"

#include <algorithm>
#include <optional>

#include "absl/time/civil_time.h"

namespace muster::schedules {
namespace {

using LocalTime = absl::TimeZone::TimeInfo;

// The first minute that begins at or after this second.
absl::CivilMinute MinuteFrom(absl::CivilSecond second) {
  const absl::CivilMinute minute(second);
  return absl::CivilSecond(minute) < second ? minute + 1 : minute;
}

// The first minute after a repeated hour.
absl::CivilMinute EndOfRepeat(absl::TimeZone zone, const LocalTime& repeated) {
  return MinuteFrom(zone.At(repeated.trans - absl::Seconds(1)).cs + 1);
}

// Each time of the calendar has one instant, and a later time never an earlier one.
absl::Time NextOfFixed(const CronLine& line, absl::TimeZone zone, absl::Time after) {
  auto minute = line.NextFrom(absl::CivilMinute(zone.At(after).cs) + 1);
  while (minute) {
    const absl::CivilSecond second(*minute);
    const absl::Time due = absl::FromCivil(second, zone);  // the change that skips it, or the first of two
    if (due > after) return due;
    // `after` lies in the second pass of a repeated hour, all of which was due in the first.
    minute = line.NextFrom(std::max(EndOfRepeat(zone, zone.At(second)), *minute + 1));
  }
  return absl::InfiniteFuture();
}

// The first minute of the line at or after `from` that the wall clock shows later than `after`; between the two it is
// not set back.
absl::Time NextShown(const CronLine& line, absl::TimeZone zone, absl::CivilMinute from, absl::Time after) {
  auto minute = line.NextFrom(from);
  while (minute) {
    const LocalTime at = zone.At(absl::CivilSecond(*minute));
    if (at.kind != LocalTime::SKIPPED) return at.pre > after ? at.pre : at.post;
    minute = line.NextFrom(std::max(MinuteFrom(zone.At(at.trans).cs), *minute + 1));
  }
  return absl::InfiniteFuture();
}

absl::Time NextOfPeriodic(const CronLine& line, absl::TimeZone zone, absl::Time after) {
  const absl::CivilSecond now = zone.At(after).cs;
  const absl::CivilMinute from = absl::CivilMinute(now) + 1;
  const LocalTime here = zone.At(now);
  if (here.kind != LocalTime::REPEATED || after >= here.trans) return NextShown(line, zone, from, after);
  // The first pass: what is left of it, then the second.
  const auto minute = line.NextFrom(from);
  if (minute && *minute < EndOfRepeat(zone, here)) return zone.At(absl::CivilSecond(*minute)).pre;
  return NextShown(line, zone, MinuteFrom(zone.At(here.trans).cs), here.trans - absl::Seconds(1));
}

}  // namespace

absl::Time NextDue(const CronLine& line, absl::TimeZone zone, absl::Time after) {
  const absl::Time first = absl::FromCivil(absl::CivilSecond(1, 1, 1), absl::UTCTimeZone());
  const absl::Time last = absl::FromCivil(absl::CivilSecond(CronLine::kLastYear + 1, 1, 1), absl::UTCTimeZone());
  if (after >= last) return absl::InfiniteFuture();
  after = std::max(after, first);
  return line.IsPeriodic() ? NextOfPeriodic(line, zone, after) : NextOfFixed(line, zone, after);
}

}  // namespace muster::schedules
