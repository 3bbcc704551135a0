#include "master/schedules/timetable.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "master/schedules/cron_times.h"

namespace muster::schedules {
namespace {

// Of what LastIn looks at: no time of a schedule is later.
const absl::Time kEndOfTime = absl::FromUnixSeconds(253402300800);  // the year 10000

bool IsWhole(absl::Duration duration) { return duration % absl::Seconds(1) == absl::ZeroDuration(); }

bool IsWhole(absl::Time time) { return IsWhole(time - absl::UnixEpoch()); }

absl::Time NextOfInterval(const IntervalTimes& interval, absl::Time after) {
  if (after < interval.since) return interval.since + interval.period;
  if (after == absl::InfiniteFuture()) return after;
  const int64_t periods = (after - interval.since) / interval.period;
  return interval.since + interval.period * (periods + 1);
}

}  // namespace

absl::StatusOr<Timetable> Timetable::Make(const ScheduleTimes& times, absl::TimeZone zone) {
  if (const auto* cron = std::get_if<CronTimes>(&times)) {
    MUSTER_ASSIGN_OR_RETURN(const CronLine line, CronLine::Parse(cron->line));
    return Timetable(Cron{line, zone});
  }
  if (const auto* interval = std::get_if<IntervalTimes>(&times)) {
    if (interval->period < IntervalTimes::kLeastPeriod || interval->period > IntervalTimes::kMostPeriod ||
        !IsWhole(interval->period) || !IsWhole(interval->since)) {
      return absl::InvalidArgumentError(absl::StrCat("interval ", absl::FormatDuration(interval->period),
                                                     ": whole seconds, from 1s to 366d"));
    }
    return Timetable(*interval);
  }
  if (const auto* on = std::get_if<EventTimes>(&times)) return Timetable(*on);
  const auto& once = std::get<OneTime>(times);
  if (!IsWhole(once.at)) return absl::InvalidArgumentError("a single time is of whole seconds");
  return Timetable(once);
}

absl::Time Timetable::NextAfter(absl::Time after) const {
  if (const auto* cron = std::get_if<Cron>(&kind_)) return NextDue(cron->line, cron->zone, after);
  if (const auto* interval = std::get_if<IntervalTimes>(&kind_)) return NextOfInterval(*interval, after);
  if (waits_for_event()) return absl::InfiniteFuture();
  const absl::Time at = std::get<OneTime>(kind_).at;
  return at > after ? at : absl::InfiniteFuture();
}

// Goes back from `until` in steps that double until something was still due, then halves what is open.
absl::Time Timetable::LastIn(absl::Time after, absl::Time until) const {
  until = std::min(until, kEndOfTime);
  absl::Time last = NextAfter(after);
  if (last > until) return absl::InfinitePast();
  if (NextAfter(last) > until) return last;
  for (absl::Duration back = absl::Minutes(1); until - back > last; back *= 2) {
    const absl::Time due = NextAfter(until - back);
    if (due > until) continue;
    last = due;
    break;
  }
  absl::Time none_after = until;
  while (none_after > last) {
    const absl::Time middle = last + absl::Seconds(absl::ToInt64Seconds((none_after - last) / 2));
    const absl::Time due = NextAfter(middle);
    if (due <= until) {
      last = due;
    } else {
      none_after = middle;
    }
  }
  return last;
}

std::vector<absl::Time> Timetable::NewestIn(absl::Time after, absl::Time until, size_t most) const {
  std::vector<absl::Time> newest;
  while (newest.size() < most) {
    const absl::Time last = LastIn(after, until);
    if (last == absl::InfinitePast()) break;
    newest.push_back(last);
    until = last - absl::Seconds(1);
  }
  std::reverse(newest.begin(), newest.end());
  return newest;
}

std::string DueText(absl::Time due) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", due, absl::UTCTimeZone()); }

}  // namespace muster::schedules
