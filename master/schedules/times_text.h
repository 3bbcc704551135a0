// The times of a schedule as people write them:
//
//   30 2 * * MON-FRI     a cron line, read in the zone; also @daily and its kin (cron_line.h)
//   every 1h30m          an interval; units w, d (of 24 hours), h, m, s
//   on push              whenever the event is sent
//   at 2026-12-24 18:00  once; read in the zone unless it says another (2026-12-24T18:00:00+01:00, ...Z)
//
// Thread rule: pure; the caller brings the zone and the time. Errors: INVALID_ARGUMENT, one line with column, what is
// wrong, and what would be right; a time that has passed is refused.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/schedule.h"

namespace muster::schedules {

// An interval counts from `now`. `zone_name` is kept beside a cron line.
absl::StatusOr<ScheduleTimes> ReadTimes(const std::string& text, const std::string& zone_name, absl::TimeZone zone,
                                        absl::Time now);

// What ReadTimes reads as the same. UTC for a single time.
std::string TimesText(const ScheduleTimes& times);

}  // namespace muster::schedules
