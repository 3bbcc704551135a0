#include "master/request_handler/scheduled_run.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/base/status_macros.h"
#include "common/convert/workflow_graph.h"
#include "master/request_handler/workflow_intake.h"
#include "muster/v1/schedule.pb.h"

namespace muster::handler {
namespace {

// In UTC; of a run by hand to the millisecond, for it is no due time.
std::string DueWords(absl::Time due) {
  return absl::FormatTime(IsByHand(due) ? "%Y-%m-%dT%H:%M:%E3SZ" : "%Y-%m-%dT%H:%M:%SZ", due, absl::UTCTimeZone());
}

void AddLabel(const char* key, const std::string& value, v1::TaskSpec* spec) {
  v1::Label* const label = spec->add_labels();
  label->set_key(key);
  label->set_value(value);
}

void AddVariable(const char* name, const std::string& value, v1::Command* command) {
  v1::EnvironmentVariable* const variable = command->add_environment();
  variable->set_name(name);
  variable->set_value(value);
}

}  // namespace

void AddOrigin(const core::RunOrigin& origin, v1::TaskSpec* spec) {
  const std::string due = DueWords(origin.due);
  AddLabel(kScheduleLabel, origin.schedule, spec);
  AddLabel(kDueLabel, due, spec);
  if (!spec->has_command()) return;
  AddVariable("MUSTER_SCHEDULE", origin.schedule, spec->mutable_command());
  AddVariable("MUSTER_DUE_TIME", due, spec->mutable_command());
  if (origin.event.empty()) return;
  AddVariable("MUSTER_EVENT", origin.event, spec->mutable_command());
  AddVariable("MUSTER_EVENT_ID", origin.event_id, spec->mutable_command());
}

TaskSpecPtr FinishRun(const QueueBoard* queues, v1::TaskSpec spec, const core::RunOrigin& origin) {
  spec.clear_in_workflow();
  if (spec.name().empty()) spec.set_name(origin.schedule);
  AddOrigin(origin, &spec);
  return AcceptWhole(queues, &spec);
}

core::SubmitWorkflow FinishRun(const QueueBoard* queues, CheckedWorkflow workflow, const core::RunOrigin& origin) {
  if (workflow.spec.name().empty()) workflow.spec.set_name(origin.schedule);
  for (v1::WorkflowNode& node : *workflow.spec.mutable_nodes()) AddOrigin(origin, node.mutable_task());
  const std::vector<TaskSpecPtr> specs = AcceptNodes(queues, &workflow);
  return MakeSubmitWorkflow(std::move(workflow), specs, {});
}

TaskSpecPtr MakeScheduledRun(const QueueBoard* queues, const TaskSpecPtr& scheduled, const core::RunOrigin& origin) {
  v1::TaskSpec spec;
  spec.ParseFromString(scheduled->payload);
  return FinishRun(queues, std::move(spec), origin);
}

absl::StatusOr<core::SubmitWorkflow> MakeScheduledWorkflow(const QueueBoard* queues, const std::string& scheduled,
                                                           const core::RunOrigin& origin) {
  v1::ScheduledWorkflow read;
  if (!read.ParseFromString(scheduled)) return absl::DataLossError("the schedule's workflow cannot be read");
  CheckedWorkflow workflow;
  workflow.spec.Swap(read.mutable_spec());
  MUSTER_ASSIGN_OR_RETURN(workflow.graph, convert::MakeWorkflowGraph(workflow.spec));
  return FinishRun(queues, std::move(workflow), origin);
}

}  // namespace muster::handler
