// A cron line: which minutes of a calendar it names. The line knows no time zone; cron_times.h reads it on a wall clock.
//
//   MUSTER_ASSIGN_OR_RETURN(const CronLine line, CronLine::Parse("30 2 * * MON-FRI"));
//   line.NextFrom(absl::CivilMinute(2026, 11, 28, 12, 0));    // Monday the 30th, 02:30
//
// Source: cron as P. Vixie wrote it (1993), with its rule for days: when neither the day of month nor the day of week
// begins with "*", a day is named that fits either; else one that fits both.
//
// Thread rule: a value. Errors: INVALID_ARGUMENT, one line with column, what is wrong, and what would be right; a line
// that names no day of any year is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "master/schedules/cron_field.h"

namespace muster::schedules {

class CronLine {
 public:
  static constexpr size_t kLongest = 1024;
  static constexpr int64_t kLastYear = 9999;

  static absl::StatusOr<CronLine> Parse(const std::string& text);

  bool Matches(absl::CivilMinute minute) const;
  // The first minute at or after this one that it names; empty: none up to the end of kLastYear.
  // Cost: O(1) for each month up to there: at most 40 years lie between two of its days.
  std::optional<absl::CivilMinute> NextFrom(absl::CivilMinute from) const;

  // Its minute or hour begins with "*": it names a rhythm, not times of the day.
  bool IsPeriodic() const { return minutes_.from_star || hours_.from_star; }

 private:
  CronLine() = default;
  uint32_t DaysOf(absl::CivilMonth month) const;  // bit n: the n-th is named
  std::optional<absl::CivilDay> NextDayFrom(absl::CivilDay from) const;
  std::optional<absl::CivilMinute> NextOnDay(absl::CivilMinute from) const;
  bool EitherDayFits() const { return !days_.from_star && !weekdays_.from_star; }

  CronValues minutes_, hours_, days_, months_, weekdays_;
};

}  // namespace muster::schedules
