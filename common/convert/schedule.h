// Schedules, as readers see them, to the API's messages. Thread rule: pure functions.
#pragma once

#include <cstdint>

#include "common/domain/schedule_view.h"
#include "muster/v1/schedule.pb.h"

namespace muster::convert {

void ToProto(const ScheduleView& from, v1::Schedule* to);
// `kind`: of the schedule whose run it is.
enum class RunKind : uint8_t { kTask, kWorkflow };
RunKind KindOfRuns(const ScheduleView& schedule);
void ToProto(const ScheduledRun& from, RunKind kind, v1::ScheduledRun* to);

// Unset: the default.
MissedRuns FromProto(v1::MissedRuns missed);
Overlap FromProto(v1::RunOverlap overlap);

}  // namespace muster::convert
