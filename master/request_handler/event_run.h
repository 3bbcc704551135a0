// What an event starts of a schedule: the schedule's task or workflow with the event's parameters put in, and with which event it
// is (scheduled_run.h).
//
// A workflow takes the parameters that it declares and passes over the others; what the event does not say keeps the schedule's
// value. A task takes those that its texts name. Values are put in as FillParameters does: in a line for a shell each is one
// quoted word.
// Thread rule: any thread. Cost: as checking and accepting it anew. Errors: INVALID_ARGUMENT, as a submit's.
#pragma once

#include <variant>

#include "absl/status/statusor.h"
#include "common/domain/scheduled_work.h"
#include "master/core/cluster_core.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/queue_board.h"
#include "muster/v1/schedule_service.pb.h"

namespace muster::handler {

using EventWork = std::variant<TaskSpecPtr, core::SubmitWorkflow>;

absl::StatusOr<EventWork> MakeEventRun(const QueueBoard* queues, const TaskLimits& limits, const ScheduledWork& work,
                                       const v1::SendEventRequest& event, const core::RunOrigin& origin);

}  // namespace muster::handler
