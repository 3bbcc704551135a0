#include "master/request_handler/schedule_request.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/config/time_zone.h"
#include "common/convert/schedule.h"
#include "common/domain/scheduled_work.h"
#include "master/request_handler/names.h"
#include "master/request_handler/pattern_check.h"
#include "master/request_handler/validate.h"
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

// The one place where a schedule says no to workflows.
absl::Status CheckWork(const v1::ScheduleSpec& spec, const TaskLimits& limits) {
  switch (spec.work_case()) {
    case v1::ScheduleSpec::kTask: return CheckTask(spec.task(), limits);
    case v1::ScheduleSpec::kWorkflow:
      return Refuse(absl::StatusCode::kUnimplemented, "WORKFLOW_SCHEDULES",
                    "this master starts no workflows by the clock yet; schedule a task");
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
  MUSTER_RETURN_IF_ERROR(CheckWork(spec, limits));
  v1::TaskSpec task = spec.task();
  const TaskSpecPtr accepted = AcceptSpec(&task);
  core::AddSchedule add{.zone = *zone, .owner = accepted->owner};
  add.spec.name = request.name();
  add.spec.times = *std::move(times);
  add.spec.missed = convert::FromProto(spec.missed_runs());
  if (spec.missed_limit() > 0) add.spec.missed_limit = spec.missed_limit();
  add.spec.overlap = convert::FromProto(spec.overlap());
  add.spec.work = std::make_shared<const ScheduledWork>(ScheduledWork{accepted});
  return add;
}

}  // namespace muster::handler
