#include "master/request_handler/schedule_request.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/config/time_zone.h"
#include "common/convert/convert.h"
#include "common/convert/schedule.h"
#include "common/domain/scheduled_work.h"
#include "master/request_handler/names.h"
#include "master/request_handler/pattern_check.h"
#include "master/request_handler/scheduled_run.h"
#include "master/request_handler/validate.h"
#include "master/request_handler/workflow_intake.h"
#include "master/schedules/times_text.h"

namespace muster::handler {
namespace {

absl::Status CheckRules(const v1::ScheduleSpec& spec) {
  if (!v1::MissedRuns_IsValid(spec.missed_runs())) {
    return RefuseField("BAD_MISSED_RUNS", "spec.missed_runs", "is a rule that this master does not know");
  }
  if (spec.missed_limit() > ScheduleSpec::kMostMissedRuns) {
    return RefuseField("BAD_MISSED_RUNS", "spec.missed_limit",
                       absl::StrCat("is ", spec.missed_limit(), "; 1 to ", ScheduleSpec::kMostMissedRuns));
  }
  if (spec.missed_limit() > 0 && spec.missed_runs() != v1::MISSED_RUNS_RUN_ALL) {
    return RefuseField("BAD_MISSED_RUNS", "spec.missed_limit", "is for MISSED_RUNS_RUN_ALL alone");
  }
  if (!v1::RunOverlap_IsValid(spec.overlap())) {
    return RefuseField("BAD_OVERLAP", "spec.overlap", "is a rule that this master does not know");
  }
  return absl::OkStatus();
}

// What says when or how a single task starts says nothing to one that the clock starts again and again.
absl::Status CheckTask(const v1::TaskSpec& task, const TaskLimits& limits) {
  Violations violations;
  PatternCheck patterns;
  CheckSpec(task, "spec.task", limits, &patterns, &violations);
  if (task.has_start_time()) violations.Add("BAD_WORK", "spec.task.start_time", "must be unset: the schedule's times say when it starts");
  if (task.dependencies_size() > 0) violations.Add("BAD_WORK", "spec.task.dependencies", "must be empty: each run starts when it is due");
  if (task.lossless_output()) violations.Add("BAD_WORK", "spec.task.lossless_output", "must be unset: nobody is attached to a run");
  return violations.ToStatus();
}

absl::StatusOr<ScheduledWork> ReadTask(v1::TaskSpec task, const TaskLimits& limits, std::string* owner) {
  MUSTER_RETURN_IF_ERROR(CheckTask(task, limits));
  ScheduledWork work{.task = AcceptSpec(&task)};
  *owner = work.task->owner;
  return work;
}

// All that can be wrong with it is told now: its runs start when nobody is there.
absl::StatusOr<ScheduledWork> ReadWorkflow(const v1::ScheduledWorkflow& scheduled, const TaskLimits& limits, std::string* owner) {
  if (scheduled.spec().nodes_size() > kMostScheduledNodes) {
    return RefuseField("BAD_WORKFLOW", "spec.workflow.spec.nodes",
                       absl::StrCat("are ", scheduled.spec().nodes_size(), ", of at most ", kMostScheduledNodes,
                                    " in a schedule; give nodes rows, or let a task of the schedule run it with muster flow run"));
  }
  v1::RunWorkflowRequest request;
  *request.mutable_workflow() = scheduled.spec();
  *request.mutable_parameters() = scheduled.parameters();
  MUSTER_ASSIGN_OR_RETURN(CheckedWorkflow checked, CheckWorkflow(&request, limits));
  v1::TaskSpec first = checked.spec.nodes(0).task();
  *owner = AcceptSpec(&first)->owner;
  v1::ScheduledWorkflow kept;
  kept.mutable_spec()->Swap(&checked.spec);
  return ScheduledWork{.workflow = convert::Deterministic(kept)};
}

absl::StatusOr<ScheduledWork> ReadWork(const v1::ScheduleSpec& spec, const TaskLimits& limits, std::string* owner) {
  switch (spec.work_case()) {
    case v1::ScheduleSpec::kTask: return ReadTask(spec.task(), limits, owner);
    case v1::ScheduleSpec::kWorkflow: return ReadWorkflow(spec.workflow(), limits, owner);
    case v1::ScheduleSpec::WORK_NOT_SET: break;
  }
  return RefuseField("NO_WORK", "spec.task", "is missing: what is each run to start?");
}

}  // namespace

absl::Status CheckScheduleName(const std::string& name) {
  if (IsName(name, kLongestName)) return absl::OkStatus();
  return RefuseField("BAD_NAME", "name", absl::StrCat("must be 1 to ", kLongestName, " characters of [A-Za-z0-9._-]"));
}

absl::StatusOr<core::AddSchedule> ReadAddSchedule(const v1::AddScheduleRequest& request, const TaskLimits& limits,
                                                  absl::Time calendar) {
  MUSTER_RETURN_IF_ERROR(CheckScheduleName(request.name()));
  const v1::ScheduleSpec& spec = request.spec();
  const std::string zone_name = spec.time_zone().empty() ? "UTC" : spec.time_zone();
  const absl::StatusOr<absl::TimeZone> zone = config::LoadZone(zone_name);
  if (!zone.ok()) return RefuseField("BAD_TIME_ZONE", "spec.time_zone", std::string(zone.status().message()));
  absl::StatusOr<ScheduleTimes> times = schedules::ReadTimes(spec.times(), zone_name, *zone, calendar);
  if (!times.ok()) return RefuseField("BAD_TIMES", "spec.times", std::string(times.status().message()));
  MUSTER_RETURN_IF_ERROR(CheckRules(spec));
  core::AddSchedule add{.zone = *zone, .owner = ""};
  MUSTER_ASSIGN_OR_RETURN(ScheduledWork work, ReadWork(spec, limits, &add.owner));
  add.spec.name = request.name();
  add.spec.times = *std::move(times);
  add.spec.missed = convert::FromProto(spec.missed_runs());
  if (spec.missed_limit() > 0) add.spec.missed_limit = spec.missed_limit();
  add.spec.overlap = convert::FromProto(spec.overlap());
  add.spec.work = std::make_shared<const ScheduledWork>(std::move(work));
  return add;
}

}  // namespace muster::handler
