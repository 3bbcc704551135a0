// A workflow as it comes from a client: its messages put together, checked, and made into what the core takes.
//
// Parameters are filled in, names and needs are checked as a graph, each task as a task is, and the nodes are put in the
// order in which they will be numbered: each after those that it needs, and of those with equally many before them the one
// with the longest way to the end first (BottomLevels), for at equal age the lower number starts first.
//
// Thread rule: one thread at a time. Bounds: kMostWorkflowTasks, kMostBytes. Errors: INVALID_ARGUMENT with field
// violations, as convert/workflow_graph.h, convert/workflow_parameters.h, workflow_values.h and validate.h have them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/workflow_graph.h"
#include "master/core/events.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/queue_board.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::handler {

// One call's workflow, whole.
class WorkflowIntake {
 public:
  static constexpr size_t kMostBytes = size_t{64} << 20;

  // The first message, and those that only add nodes. `selector`: of a call that adds to a workflow, which.
  absl::Status Add(v1::RunWorkflowRequest part, std::string selector = "");

  v1::RunWorkflowRequest& whole() { return whole_; }
  const std::string& selector() const { return selector_; }

 private:
  std::string selector_;
  v1::RunWorkflowRequest whole_;
  bool started_ = false;
  size_t bytes_ = 0;
};

struct CheckedWorkflow {
  v1::WorkflowSpec spec;  // parameters filled in, names and labels put into its tasks
  WorkflowGraph graph;
  int first_new = 0;      // the nodes before are there, and have no tasks here
};
absl::StatusOr<CheckedWorkflow> CheckWorkflow(v1::RunWorkflowRequest* request, const TaskLimits& limits);
// New nodes for a workflow that is there, behind those that it has.
absl::StatusOr<CheckedWorkflow> CheckAddition(const v1::WorkflowSpec& there, v1::RunWorkflowRequest* request, const TaskLimits& limits);

// How long each usually runs; nothing when it is not known.
using KnownTimes = std::vector<std::optional<absl::Duration>>;

// The domain's specification of each new node's task.
std::vector<TaskSpecPtr> AcceptNodes(const QueueBoard* queues, CheckedWorkflow* workflow);
// All but the call: the whole specification, and the new nodes. `specs` are theirs, and so are `times`, which may be empty:
// nothing is known. What `workflow` holds is used up.
core::SubmitWorkflow MakeSubmitWorkflow(CheckedWorkflow workflow, const std::vector<TaskSpecPtr>& specs, const KnownTimes& times);

}  // namespace muster::handler
