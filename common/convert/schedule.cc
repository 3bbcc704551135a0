#include "common/convert/schedule.h"

#include <variant>

#include "common/base/id_text.h"
#include "common/convert/convert.h"
#include "common/domain/scheduled_work.h"

namespace muster::convert {
namespace {

v1::MissedRuns MissedToProto(MissedRuns missed) {
  switch (missed) {
    case MissedRuns::kSkip: return v1::MISSED_RUNS_SKIP;
    case MissedRuns::kRunOnce: return v1::MISSED_RUNS_RUN_ONCE;
    case MissedRuns::kRunAll: return v1::MISSED_RUNS_RUN_ALL;
  }
  return v1::MISSED_RUNS_UNSPECIFIED;
}

v1::RunOverlap OverlapToProto(Overlap overlap) {
  switch (overlap) {
    case Overlap::kAllow: return v1::RUN_OVERLAP_ALLOW;
    case Overlap::kForbid: return v1::RUN_OVERLAP_FORBID;
    case Overlap::kReplace: return v1::RUN_OVERLAP_REPLACE;
  }
  return v1::RUN_OVERLAP_UNSPECIFIED;
}

void SpecToProto(const ScheduleView& from, v1::ScheduleSpec* to) {
  to->set_times(from.times);
  if (const auto* cron = std::get_if<CronTimes>(&from.spec.times)) to->set_time_zone(cron->zone);
  if (from.spec.event() == nullptr) to->set_missed_runs(MissedToProto(from.spec.missed));
  if (from.spec.missed == MissedRuns::kRunAll) to->set_missed_limit(from.spec.missed_limit);
  to->set_overlap(OverlapToProto(from.spec.overlap));
  if (from.spec.work == nullptr) return;
  if (from.spec.work->is_workflow()) {
    to->mutable_workflow()->ParseFromString(from.spec.work->workflow);
  } else {
    to->mutable_task()->ParseFromString(from.spec.work->task->payload);
  }
}

// The states that a workflow's end is kept as.
v1::WorkflowState WorkflowStateOf(TaskState ended_as) {
  switch (ended_as) {
    case TaskState::kNone: return v1::WORKFLOW_STATE_UNSPECIFIED;
    case TaskState::kSucceeded: return v1::WORKFLOW_STATE_SUCCEEDED;
    case TaskState::kCancelled: return v1::WORKFLOW_STATE_CANCELLED;
    default: return v1::WORKFLOW_STATE_FAILED;
  }
}

}  // namespace

MissedRuns FromProto(v1::MissedRuns missed) {
  if (missed == v1::MISSED_RUNS_SKIP) return MissedRuns::kSkip;
  return missed == v1::MISSED_RUNS_RUN_ALL ? MissedRuns::kRunAll : MissedRuns::kRunOnce;
}

Overlap FromProto(v1::RunOverlap overlap) {
  if (overlap == v1::RUN_OVERLAP_FORBID) return Overlap::kForbid;
  return overlap == v1::RUN_OVERLAP_REPLACE ? Overlap::kReplace : Overlap::kAllow;
}

void ToProto(const ScheduledRun& from, const ScheduleSpec& schedule, v1::ScheduledRun* to) {
  ToProto(from.due, to->mutable_due_time());
  if (from.last_due > from.due) ToProto(from.last_due, to->mutable_last_due_time());
  if (schedule.event() == nullptr) {
    to->set_by_hand(IsByHand(from.due));
  } else {
    to->set_event_id(from.request_id);
  }
  to->set_result(static_cast<v1::ScheduledRunResult>(from.result));
  if (schedule.work != nullptr && schedule.work->is_workflow()) {
    if (from.task) to->set_workflow_id(IdToText(from.task.value()));
    to->set_workflow_state(WorkflowStateOf(from.ended_as));
  } else {
    if (from.task) to->set_task_id(IdToText(from.task.value()));
    to->set_task_state(ToProto(from.ended_as));
  }
  if (from.started != absl::InfinitePast()) ToProto(from.started, to->mutable_start_time());
  if (from.ended != absl::InfinitePast()) ToProto(from.ended, to->mutable_end_time());
  to->set_reason(from.reason);
}

void ToProto(const ScheduleView& from, v1::Schedule* to) {
  to->set_name(from.spec.name);
  SpecToProto(from, to->mutable_spec());
  to->set_state(static_cast<v1::ScheduleState>(from.standing));
  to->set_reason(from.reason);
  to->set_owner(from.owner);
  ToProto(from.created, to->mutable_create_time());
  for (const absl::Time next : from.next) ToProto(next, to->add_next_times());
  for (const ScheduledRun& run : from.running) ToProto(run, from.spec, to->add_running());
  for (const absl::Time due : from.waiting) ToProto(due, to->add_waiting_times());
  for (const ScheduledRun& run : from.recent) ToProto(run, from.spec, to->add_recent_runs());
}

}  // namespace muster::convert
