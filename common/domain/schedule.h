// What a person asked for with a schedule: when something starts, what becomes of starts that were missed, and what
// when an earlier one still runs. docs/schedules.md says what each means.
//
// master/schedules reads the times and decides; what a run is, is its owner's.
// Thread rule: values. Units: absl; due times are whole seconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "absl/time/time.h"

namespace muster {

// A cron line, read on the wall clock of a time zone ("Europe/Berlin").
struct CronTimes {
  std::string line;
  std::string zone;

  friend bool operator==(const CronTimes&, const CronTimes&) = default;
};

// Every `period`, counted from `since`, which is not due itself.
struct IntervalTimes {
  static constexpr absl::Duration kLeastPeriod = absl::Seconds(1);
  static constexpr absl::Duration kMostPeriod = absl::Hours(366 * 24);

  absl::Duration period;
  absl::Time since;

  friend bool operator==(const IntervalTimes&, const IntervalTimes&) = default;
};

struct OneTime {
  absl::Time at;

  friend bool operator==(const OneTime&, const OneTime&) = default;
};

// Whenever such an event is sent: no clock says when.
struct EventTimes {
  std::string event;  // [A-Za-z0-9._-]

  friend bool operator==(const EventTimes&, const EventTimes&) = default;
};

using ScheduleTimes = std::variant<CronTimes, IntervalTimes, OneTime, EventTimes>;

// What becomes of due times that nobody was there for.
enum class MissedRuns : uint8_t { kSkip, kRunOnce, kRunAll };

// What becomes of one that comes while an earlier run of its schedule still goes on.
enum class Overlap : uint8_t { kAllow, kForbid, kReplace };

// What each run starts: known to whoever makes the schedule and starts its runs.
struct ScheduledWork;
using ScheduledWorkPtr = std::shared_ptr<const ScheduledWork>;

struct ScheduleSpec {
  static constexpr uint32_t kMostMissedRuns = 1000;

  std::string name;
  ScheduleTimes times;
  MissedRuns missed = MissedRuns::kRunOnce;
  uint32_t missed_limit = 10;  // of kRunAll: the newest so many; 1 to kMostMissedRuns
  Overlap overlap = Overlap::kAllow;
  bool paused = false;
  ScheduledWorkPtr work;

  // The event that it waits for; null: the clock starts it.
  const std::string* event() const {
    const auto* const on = std::get_if<EventTimes>(&times);
    return on == nullptr ? nullptr : &on->event;
  }
};

}  // namespace muster
