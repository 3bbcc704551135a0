// What an AddSchedule asks for, read and checked.
//
// Thread rule: any; a zone that is new to the process is read from its file. Errors: INVALID_ARGUMENT with the reasons BAD_NAME,
// BAD_TIMES, BAD_TIME_ZONE, BAD_MISSED_RUNS, BAD_OVERLAP, NO_WORK, BAD_WORK, those of a task (validate.h), and those of a
// workflow (workflow_intake.h). What only the cluster knows is the core's to refuse.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "master/core/events.h"
#include "master/request_handler/limits.h"
#include "muster/v1/schedule_service.pb.h"

namespace muster::handler {

absl::Status CheckScheduleName(const std::string& name);

// Of a run of it, once parameters are filled in, too.
absl::Status CheckScheduledTask(const v1::TaskSpec& task, const TaskLimits& limits);

// `calendar`: what the wall says. Intervals count from it.
absl::StatusOr<core::AddSchedule> ReadAddSchedule(const v1::AddScheduleRequest& request, const TaskLimits& limits,
                                                  absl::Time calendar);

}  // namespace muster::handler
