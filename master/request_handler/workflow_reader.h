// Workflows as they are: what the store has, completed with what only the core knows of the open ones.
//
// Get and List answer the calls of that name. A page of nodes, or of workflows, is as of several turns: what each shows is
// true of it alone.
//
// Thread rule: threads that may block (the pool's). Errors: NOT_FOUND NO_SUCH_WORKFLOW; INVALID_ARGUMENT BAD_CALL for a page
// token that is none; UNAVAILABLE when the loop does not answer; DATA_LOSS for a specification that cannot be read.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/request_handler/workflow_context.h"
#include "master/request_handler/workflow_view.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::handler {

class WorkflowReader {
 public:
  explicit WorkflowReader(WorkflowContext* context) : context_(context) {}

  absl::Status Get(const v1::GetWorkflowRequest& request, v1::GetWorkflowResponse* response);
  absl::Status List(const v1::ListWorkflowsRequest& request, v1::ListWorkflowsResponse* response);

  // By "id:ID", ID, or the name: of those of one name, the newest.
  absl::StatusOr<store::StoredWorkflow> Find(const std::string& selector);
  // As it is now: by the core, or as it ended.
  absl::Status Show(const store::StoredWorkflow& stored, v1::Workflow* to);
  absl::Status ShowById(TaskId id, v1::Workflow* to);

 private:
  absl::Status ReadNodes(const v1::GetWorkflowRequest& request, const store::StoredWorkflow& stored, v1::GetWorkflowResponse* response);
  // How the tasks of each of these nodes stand.
  absl::StatusOr<std::vector<NodeStanding>> StandingsOf(const std::vector<std::vector<TaskRange>>& nodes);

  WorkflowContext* const context_;
};

}  // namespace muster::handler
