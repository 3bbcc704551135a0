// When a cron line is due on the wall clock of a time zone, which is set forward and back twice a year.
//
// A periodic line (CronLine::IsPeriodic) follows the wall clock: it is due whenever that shows one of its minutes, so
// never in an hour that is skipped, and in both passes of one that is repeated. The times of any other line come once for
// each time of the calendar: those of a skipped hour right after the change, those of a repeated hour in its first pass.
// What cron has done since Vixie's; docs/schedules.md has the whole rule with examples.
//
// Thread rule: pure. Cost: a search in the line and the zone for each change of the clock up to the due time that hides
// a match, so mostly one.
#pragma once

#include "absl/time/time.h"
#include "master/schedules/cron_line.h"

namespace muster::schedules {

// The first due time later than this; InfiniteFuture: none up to the end of CronLine::kLastYear. Increasing in `after`.
absl::Time NextDue(const CronLine& line, absl::TimeZone zone, absl::Time after);

}  // namespace muster::schedules
