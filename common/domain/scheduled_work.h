// What each run of a schedule starts. (A workflow will be another kind of it.)
//
// Thread rule: immutable once shared.
#pragma once

#include "common/domain/schedule.h"
#include "common/domain/task_spec.h"

namespace muster {

struct ScheduledWork {
  // As it was accepted with the schedule; what a run adds to it is its owner's (core::CoreConfig::make_run).
  TaskSpecPtr task;
};

}  // namespace muster
