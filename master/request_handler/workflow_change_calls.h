// Cancel and Retry of a workflow: found, then one event to the core, answered when it is durable.
//
// Retry reads which of its tasks are to be tried again (workflow_retry.h) and makes each anew, with the same content; a row
// becomes a task of its own, its place in the batch put into its texts. Retries of one workflow go one after the other, so
// that what one decides on is still so when the core takes it.
//
// Thread rule: both functions block (store, loop): on the pool. `done` runs once, on any thread. Ownership: request and
// response are gRPC's and live until `done` has run.
// Errors: NO_SUCH_WORKFLOW; FAILED_PRECONDITION WORKFLOW_HAS_ENDED, WORKFLOW_IS_OPEN, NOTHING_FAILED, WORKFLOW_PURGED.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "master/request_handler/change_right.h"
#include "master/request_handler/request_gate.h"
#include "master/request_handler/workflow_context.h"
#include "master/request_handler/workflow_reader.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::handler {

class WorkflowChangeCalls {
 public:
  WorkflowChangeCalls(WorkflowContext* context, WorkflowReader* reader) : context_(context), reader_(reader) {}

  // `right`: whose workflow it may be.
  void Cancel(const v1::CancelWorkflowRequest& request, const ChangeRight& right, const std::string& by,
              v1::CancelWorkflowResponse* response, const Done& done);
  void Retry(const v1::RetryWorkflowRequest& request, const ChangeRight& right, v1::RetryWorkflowResponse* response,
             const Done& done);

 private:
  void RetryInTurn(TaskId id, const v1::RetryWorkflowRequest& request, v1::RetryWorkflowResponse* response, const Done& done);
  absl::StatusOr<core::RetryWorkflow> PrepareRetry(const store::StoredWorkflow& stored, int64_t* task_count);
  absl::StatusOr<core::NewNode> MakeAgain(uint32_t node, TaskId id);

  WorkflowContext* const context_;
  WorkflowReader* const reader_;
  RequestGate gate_;  // one at a time of a workflow
};

}  // namespace muster::handler
