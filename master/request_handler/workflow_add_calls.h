// Add: new tasks for a workflow that is open, checked with what it has, then one event to the core, answered when it is
// durable.
//
// Additions to one workflow go one after the other: each is checked with the nodes of those before. Each costs as much as
// the workflow is long, so many tasks belong into one call.
//
// Thread rule: blocks (store, loop): on the pool. `done` runs once, on any thread. Ownership: `response` is gRPC's and lives
// until `done` has run. Errors: NO_SUCH_WORKFLOW; what workflow_intake.h refuses; FAILED_PRECONDITION WORKFLOW_HAS_ENDED,
// WORKFLOW_STOPS; the core's admission; UNAVAILABLE when the loop does not answer.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/request_handler/change_right.h"
#include "master/request_handler/request_gate.h"
#include "master/request_handler/workflow_context.h"
#include "master/request_handler/workflow_intake.h"
#include "master/request_handler/workflow_reader.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::handler {

class WorkflowAddCalls {
 public:
  WorkflowAddCalls(WorkflowContext* context, WorkflowReader* reader) : context_(context), reader_(reader) {}

  // `right`: whose workflow it may be.
  void Add(std::shared_ptr<WorkflowIntake> intake, const ChangeRight& right, v1::AddToWorkflowResponse* response,
           const Done& done);

 private:
  void WaitForTurn(TaskId id, std::shared_ptr<WorkflowIntake> intake, v1::AddToWorkflowResponse* response, const Done& done);
  void AddInTurn(TaskId id, WorkflowIntake* intake, v1::AddToWorkflowResponse* response, const Done& done);
  absl::Status AnswerRepeated(TaskId id, const KnownRequest& known, v1::AddToWorkflowResponse* response);
  absl::StatusOr<core::AddToWorkflow> Prepare(TaskId id, WorkflowIntake* intake);

  WorkflowContext* const context_;
  WorkflowReader* const reader_;
  RequestGate gate_;  // one at a time of a workflow
};

}  // namespace muster::handler
