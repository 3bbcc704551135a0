#include "master/request_handler/schedule_request.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/config/time_zone.h"
#include "common/convert/convert.h"
#include "common/convert/schedule.h"
#include "common/convert/workflow_graph.h"
#include "common/convert/workflow_parameters.h"
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

// No clock says when: nothing is missed. What would wait for an earlier run would have to keep what its event said.
absl::Status CheckEventRules(const v1::ScheduleSpec& spec) {
  if (!spec.time_zone().empty()) return RefuseField("BAD_TIME_ZONE", "spec.time_zone", "must be unset: an event comes when it is sent");
  if (spec.missed_runs() != v1::MISSED_RUNS_UNSPECIFIED) {
    return RefuseField("BAD_MISSED_RUNS", "spec.missed_runs", "must be unset: an event is sent again until it is taken, and none is missed");
  }
  if (spec.overlap() == v1::RUN_OVERLAP_REPLACE) {
    return RefuseField("BAD_OVERLAP", "spec.overlap", "of an event is allow or forbid");
  }
  return absl::OkStatus();
}

absl::Status CheckEventTasks(uint64_t tasks) {
  if (tasks <= kMostEventTasks) return absl::OkStatus();
  return RefuseField("BAD_WORKFLOW", "spec.workflow.spec.nodes",
                     absl::StrCat("are ", tasks, " tasks, rows included, of at most ", kMostEventTasks,
                                  " that an event starts; let its first task add the others with muster flow add"));
}

// An outage is made up for in one turn: all that was missed, and the run that is due.
absl::Status CheckMissedTasks(const v1::ScheduleSpec& spec, uint64_t tasks) {
  if (spec.missed_runs() != v1::MISSED_RUNS_RUN_ALL) return absl::OkStatus();
  const uint64_t limit = spec.missed_limit() > 0 ? spec.missed_limit() : ScheduleSpec().missed_limit;
  if (tasks * (limit + 1) <= kMostMissedTasks) return absl::OkStatus();
  return RefuseField("BAD_MISSED_RUNS", "spec.missed_limit",
                     absl::StrCat("of ", limit, " is too much for a workflow of ", tasks, " tasks: with the run that is due they would be ",
                                  tasks * (limit + 1), " at once, of at most ", kMostMissedTasks, "; choose a lower limit, or run only the newest"));
}

absl::StatusOr<ScheduledWork> KeepWorkflow(const v1::ScheduledWorkflow& scheduled) {
  ScheduledWork work{.workflow = convert::Deterministic(scheduled)};
  if (work.workflow.size() <= kMostScheduledBytes) return work;
  return RefuseField("BAD_WORKFLOW", "spec.workflow",
                     absl::StrCat("is larger than ", kMostScheduledBytes >> 20, " MiB with its parameters and labels in each task; "
                                  "pass large data in files, or let a task of the schedule run it with muster flow run"));
}

absl::Status CheckWhatEventsFillIn(const v1::ScheduledWorkflow& scheduled) {
  v1::WorkflowSpec trial = scheduled.spec();
  google::protobuf::RepeatedPtrField<v1::ParameterValue> values = scheduled.parameters();
  for (const v1::WorkflowParameter& parameter : trial.parameters()) {
    const bool given = std::any_of(values.begin(), values.end(), [&](const auto& value) { return value.name() == parameter.name(); });
    if (given || parameter.has_default_value()) continue;
    v1::ParameterValue* const value = values.Add();
    value->set_name(parameter.name());
    value->set_value("x");
  }
  MUSTER_ASSIGN_OR_RETURN(const WorkflowGraph graph, convert::MakeWorkflowGraph(trial));
  MUSTER_RETURN_IF_ERROR(CheckEventTasks(graph.task_count()));
  return convert::FillParameters(values, &trial);
}

}  // namespace

// What says when or how a single task starts says nothing to one that the clock starts again and again.
absl::Status CheckScheduledTask(const v1::TaskSpec& task, const TaskLimits& limits) {
  Violations violations;
  PatternCheck patterns;
  CheckSpec(task, "spec.task", limits, &patterns, &violations);
  if (task.has_start_time()) violations.Add("BAD_WORK", "spec.task.start_time", "must be unset: the schedule's times say when it starts");
  if (task.dependencies_size() > 0) violations.Add("BAD_WORK", "spec.task.dependencies", "must be empty: each run starts when it is due");
  if (task.lossless_output()) violations.Add("BAD_WORK", "spec.task.lossless_output", "must be unset: nobody is attached to a run");
  return violations.ToStatus();
}

namespace {

absl::StatusOr<ScheduledWork> ReadTask(v1::TaskSpec task, const TaskLimits& limits, bool by_event, std::string* owner) {
  if (by_event) {
    v1::TaskSpec trial = task;
    MUSTER_RETURN_IF_ERROR(convert::FillForTrial(&trial));
  }
  MUSTER_RETURN_IF_ERROR(CheckScheduledTask(task, limits));
  ScheduledWork work{.task = AcceptSpec(&task)};
  *owner = work.task->owner;
  return work;
}

// It has nodes.
std::string OwnerOf(const v1::WorkflowSpec& spec) {
  v1::TaskSpec first = spec.nodes(0).task();
  return AcceptSpec(&first)->owner;
}

// All that can be wrong with it is told now: its runs start when nobody is there.
absl::StatusOr<ScheduledWork> ReadWorkflow(const v1::ScheduleSpec& spec, const TaskLimits& limits, bool by_event, std::string* owner) {
  const v1::ScheduledWorkflow& scheduled = spec.workflow();
  if (scheduled.spec().nodes_size() > kMostScheduledNodes) {
    return RefuseField("BAD_WORKFLOW", "spec.workflow.spec.nodes",
                       absl::StrCat("are ", scheduled.spec().nodes_size(), ", of at most ", kMostScheduledNodes,
                                    " in a schedule; give nodes rows, or let a task of the schedule run it with muster flow run"));
  }
  if (by_event) {
    MUSTER_RETURN_IF_ERROR(CheckWhatEventsFillIn(scheduled));
    *owner = OwnerOf(scheduled.spec());
    if (!IsOwner(*owner)) return RefuseField("BAD_OWNER", "spec.workflow.spec.nodes[0].task.owner", "must be printable, without spaces");
    return KeepWorkflow(scheduled);
  }
  v1::RunWorkflowRequest request;
  *request.mutable_workflow() = scheduled.spec();
  *request.mutable_parameters() = scheduled.parameters();
  MUSTER_ASSIGN_OR_RETURN(CheckedWorkflow checked, CheckWorkflow(&request, limits));
  MUSTER_RETURN_IF_ERROR(CheckMissedTasks(spec, checked.graph.task_count()));
  *owner = OwnerOf(checked.spec);
  v1::ScheduledWorkflow kept;
  kept.mutable_spec()->Swap(&checked.spec);
  return KeepWorkflow(kept);
}

absl::StatusOr<ScheduledWork> ReadWork(const v1::ScheduleSpec& spec, const TaskLimits& limits, bool by_event, std::string* owner) {
  switch (spec.work_case()) {
    case v1::ScheduleSpec::kTask: return ReadTask(spec.task(), limits, by_event, owner);
    case v1::ScheduleSpec::kWorkflow: return ReadWorkflow(spec, limits, by_event, owner);
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
  const bool by_event = std::holds_alternative<EventTimes>(*times);
  MUSTER_RETURN_IF_ERROR(CheckRules(spec));
  if (by_event) MUSTER_RETURN_IF_ERROR(CheckEventRules(spec));
  core::AddSchedule add{.zone = *zone, .owner = ""};
  MUSTER_ASSIGN_OR_RETURN(ScheduledWork work, ReadWork(spec, limits, by_event, &add.owner));
  add.spec.name = request.name();
  add.spec.times = *std::move(times);
  add.spec.missed = convert::FromProto(spec.missed_runs());
  if (spec.missed_limit() > 0) add.spec.missed_limit = spec.missed_limit();
  add.spec.overlap = convert::FromProto(spec.overlap());
  add.spec.work = std::make_shared<const ScheduledWork>(std::move(work));
  return add;
}

}  // namespace muster::handler
