// The specification of a schedule's run: the schedule's own, with the queue's defaults as of now, and with which run it is:
// MUSTER_SCHEDULE and MUSTER_DUE_TIME in its commands' environment, labels to filter by, and the schedule's name where it has
// none.
//
// Thread rule: any thread; they are the core's CoreConfig::make_run and make_workflow. Cost: as accepting each of its tasks.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/domain/task_spec.h"
#include "master/core/cluster_core.h"
#include "master/request_handler/queue_board.h"
#include "master/request_handler/workflow_intake.h"
#include "muster/v1/task.pb.h"

namespace muster::handler {

inline constexpr char kScheduleLabel[] = "muster/schedule";
inline constexpr char kDueLabel[] = "muster/due";
// Of a workflow. Its runs are made by the thread that everything waits for.
inline constexpr int kMostScheduledNodes = 10'000;
inline constexpr size_t kMostScheduledBytes = size_t{4} << 20;  // as it is kept
// Of all runs that one look at the clock may start of a workflow, rows included: they are accepted in one turn.
inline constexpr uint64_t kMostMissedTasks = 10'000;
// Of a workflow that an event starts, rows included: in one turn it may start one of each schedule that waits for it.
inline constexpr uint64_t kMostEventTasks = 1'000;

// What a task of the run is told: in its command's environment, and as labels. Of an event MUSTER_EVENT and MUSTER_EVENT_ID, too.
void AddOrigin(const core::RunOrigin& origin, v1::TaskSpec* spec);

// `queues` may be null: no queue has defaults.
TaskSpecPtr MakeScheduledRun(const QueueBoard* queues, const TaskSpecPtr& scheduled, const core::RunOrigin& origin);
// `scheduled`: the serialized ScheduledWorkflow, checked and with its parameters filled in. All but the call.
// Errors: DATA_LOSS, when it is none.
absl::StatusOr<core::SubmitWorkflow> MakeScheduledWorkflow(const QueueBoard* queues, const std::string& scheduled,
                                                           const core::RunOrigin& origin);
// The last steps of both, once parameters are filled in.
TaskSpecPtr FinishRun(const QueueBoard* queues, v1::TaskSpec spec, const core::RunOrigin& origin);
core::SubmitWorkflow FinishRun(const QueueBoard* queues, CheckedWorkflow workflow, const core::RunOrigin& origin);

}  // namespace muster::handler
