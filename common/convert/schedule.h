// Schedules, as readers see them, to the API's messages. Thread rule: pure functions.
#pragma once

#include "common/domain/schedule_view.h"
#include "muster/v1/schedule.pb.h"

namespace muster::convert {

void ToProto(const ScheduleView& from, v1::Schedule* to);
// `schedule`: whose run it is.
void ToProto(const ScheduledRun& from, const ScheduleSpec& schedule, v1::ScheduledRun* to);

// Unset: the default.
MissedRuns FromProto(v1::MissedRuns missed);
Overlap FromProto(v1::RunOverlap overlap);

}  // namespace muster::convert
