// Schedules for tests of the core: what is asked for in one line, and runs that can be told by their due time.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/domain/scheduled_work.h"
#include "master/core/cluster_core.h"
#include "master/schedules/timetable.h"
#include "tests/support/test_cluster.h"

namespace muster::testing {

inline std::string RunName(const std::string& schedule, absl::Time due) {
  return schedule + "@" + absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", due, absl::UTCTimeZone());
}

// A run's task is named by its schedule and its due time.
inline core::CoreConfig ScheduleConfig() {
  core::CoreConfig config;
  config.make_run = [](const TaskSpecPtr& scheduled, const core::RunOrigin& origin) {
    auto spec = std::make_shared<TaskSpec>(*scheduled);
    spec->name = RunName(origin.schedule, origin.due);
    return spec;
  };
  return config;
}

inline core::ChangeSchedule AddScheduleEvent(const std::string& name, ScheduleTimes times, absl::Time now,
                                             const std::function<void(ScheduleSpec&)>& change = nullptr) {
  core::AddSchedule add{.zone = absl::UTCTimeZone(), .owner = "ann@host"};
  if (auto* interval = std::get_if<IntervalTimes>(&times)) interval->since = absl::FromUnixSeconds(absl::ToUnixSeconds(now));
  add.spec.name = name;
  add.spec.times = std::move(times);
  add.spec.work = std::make_shared<const ScheduledWork>(ScheduledWork{Spec()});
  if (change) change(add.spec);
  return {.call = CallId(1), .name = name, .by = "ann", .what = std::move(add)};
}

}  // namespace muster::testing
