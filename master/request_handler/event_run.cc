#include "master/request_handler/event_run.h"

#include <map>
#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "common/convert/workflow_parameters.h"
#include "master/request_handler/names.h"
#include "master/request_handler/schedule_request.h"
#include "master/request_handler/scheduled_run.h"
#include "master/request_handler/workflow_intake.h"
#include "muster/v1/schedule.pb.h"

namespace muster::handler {
namespace {

// In one order, so that messages do not depend on the map's.
std::map<std::string, std::string> InOrder(const v1::SendEventRequest& event) {
  return {event.parameters().begin(), event.parameters().end()};
}

void AddValue(const std::string& name, const std::string& value, google::protobuf::RepeatedPtrField<v1::ParameterValue>* to) {
  v1::ParameterValue* const added = to->Add();
  added->set_name(name);
  added->set_value(value);
}

// As a workflow of one node, which declares what the event says.
absl::StatusOr<v1::TaskSpec> FillTask(const std::string& payload, const v1::SendEventRequest& event) {
  v1::WorkflowSpec alone;
  v1::WorkflowNode* const node = alone.add_nodes();
  node->set_name("task");
  if (!node->mutable_task()->ParseFromString(payload)) return absl::DataLossError("the schedule's task cannot be read");
  google::protobuf::RepeatedPtrField<v1::ParameterValue> values;
  for (const auto& [name, value] : InOrder(event)) {
    if (!convert::IsParameterName(name)) continue;  // no reference is written so
    alone.add_parameters()->set_name(name);
    AddValue(name, value, &values);
  }
  MUSTER_RETURN_IF_ERROR(convert::FillParameters(values, &alone));
  return std::move(*node->mutable_task());
}

absl::StatusOr<CheckedWorkflow> FillWorkflow(const std::string& payload, const TaskLimits& limits, const v1::SendEventRequest& event) {
  v1::ScheduledWorkflow scheduled;
  if (!scheduled.ParseFromString(payload)) return absl::DataLossError("the schedule's workflow cannot be read");
  v1::RunWorkflowRequest request;
  for (const v1::ParameterValue& value : scheduled.parameters()) {
    if (!event.parameters().contains(value.name())) *request.add_parameters() = value;
  }
  for (const v1::WorkflowParameter& declared : scheduled.spec().parameters()) {
    const auto said = event.parameters().find(declared.name());
    if (said != event.parameters().end()) AddValue(declared.name(), said->second, request.mutable_parameters());
  }
  request.mutable_workflow()->Swap(scheduled.mutable_spec());
  return CheckWorkflow(&request, limits);
}

}  // namespace

absl::StatusOr<EventWork> MakeEventRun(const QueueBoard* queues, const TaskLimits& limits, const ScheduledWork& work,
                                       const v1::SendEventRequest& event, const core::RunOrigin& origin) {
  if (work.is_workflow()) {
    MUSTER_ASSIGN_OR_RETURN(CheckedWorkflow workflow, FillWorkflow(work.workflow, limits, event));
    return EventWork(FinishRun(queues, std::move(workflow), origin));
  }
  MUSTER_ASSIGN_OR_RETURN(v1::TaskSpec task, FillTask(work.task->payload, event));
  MUSTER_RETURN_IF_ERROR(CheckScheduledTask(task, limits));
  return EventWork(FinishRun(queues, std::move(task), origin));
}

}  // namespace muster::handler
