// When a schedule is due: instants in order, of whichever kind its times are.
//
// A due time is an instant, in whole seconds. It is its own name: no two due times of a schedule are the same instant,
// and which they are does not depend on when somebody asks, so it survives restarts and tells a due time that was
// decided from one that was not, whatever the clocks on the wall showed.
//
// Thread rule: pure, a value. Cost: cron_times.h for NextAfter; the logarithm of the time between (in seconds) more for
// each of the newest ones, never a walk over it.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/schedule.h"
#include "master/schedules/cron_line.h"

namespace muster::schedules {

class Timetable {
 public:
  // `zone`: the one that a cron line names. Errors: INVALID_ARGUMENT, as when the times are read (times_text.h).
  static absl::StatusOr<Timetable> Make(const ScheduleTimes& times, absl::TimeZone zone);

  // No clock says when; nothing below is ever due.
  bool waits_for_event() const { return std::holds_alternative<EventTimes>(kind_); }
  // InfiniteFuture: never again.
  absl::Time NextAfter(absl::Time after) const;
  // The last up to `until`; InfinitePast: none is later than `after`.
  absl::Time LastIn(absl::Time after, absl::Time until) const;
  // The last ones, at most so many, in order.
  std::vector<absl::Time> NewestIn(absl::Time after, absl::Time until, size_t most) const;

 private:
  struct Cron {
    CronLine line;
    absl::TimeZone zone;
  };
  using Kind = std::variant<Cron, IntervalTimes, OneTime, EventTimes>;

  explicit Timetable(Kind kind) : kind_(std::move(kind)) {}

  Kind kind_;
};

// The due time as a word, for names and request ids: "2026-03-29T01:00:00Z".
std::string DueText(absl::Time due);

}  // namespace muster::schedules
