// The specification of a schedule's run: the schedule's own, with the queue's defaults as of now, and with which run it is:
// MUSTER_SCHEDULE and MUSTER_DUE_TIME in its command's environment, labels to filter by, and the schedule's name where it has
// none.
//
// Thread rule: any thread; it is the core's CoreConfig::make_run. Cost: as accepting one task.
#pragma once

#include "common/domain/task_spec.h"
#include "master/core/cluster_core.h"
#include "master/request_handler/queue_board.h"

namespace muster::handler {

inline constexpr char kScheduleLabel[] = "muster/schedule";
inline constexpr char kDueLabel[] = "muster/due";

// `queues` may be null: no queue has defaults.
TaskSpecPtr MakeScheduledRun(const QueueBoard* queues, const TaskSpecPtr& scheduled, const core::RunOrigin& origin);

}  // namespace muster::handler
