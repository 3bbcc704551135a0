// Run and Plan of a workflow that has come whole: checked, with the times that are known of its kinds of task, then posted
// to the core and answered when all of it is durable, or laid out and left at that.
//
// Thread rule: both block (store, loop): on the pool. `done` runs once, on any thread. Ownership: `response` is gRPC's and
// lives until `done` has run. Errors: what workflow_intake.h refuses; the core's admission; UNAVAILABLE when the loop does
// not answer.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "master/request_handler/workflow_context.h"
#include "master/request_handler/workflow_intake.h"
#include "master/request_handler/workflow_reader.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::handler {

class WorkflowRunCalls {
 public:
  WorkflowRunCalls(WorkflowContext* context, WorkflowReader* reader) : context_(context), reader_(reader) {}

  void Run(std::shared_ptr<WorkflowIntake> intake, v1::RunWorkflowResponse* response, Done done);
  absl::Status Plan(WorkflowIntake* intake, v1::PlanWorkflowResponse* response);

 private:
  WorkflowContext* const context_;
  WorkflowReader* const reader_;
};

}  // namespace muster::handler
