// The gRPC face of workflows: muster.v1.WorkflowService. Takes a workflow's messages together, checks it as a whole on a
// small pool of its own, and answers when all of it is durable.
//
// Thread rule: any thread. Ownership: everything in `deps` must outlive it; it must outlive the server that serves it.
// Errors: refusals (common/base/refusal.h): what workflow_intake.h refuses, the core's admission, NO_SUCH_WORKFLOW,
// WORKFLOW_IS_OPEN, NOTHING_FAILED, WORKFLOW_PURGED.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/queue_board.h"
#include "master/request_handler/read_pool.h"
#include "master/request_handler/refusal_log.h"
#include "master/request_handler/request_gate.h"
#include "master/request_handler/workflow_intake.h"
#include "master/request_handler/workflow_retry.h"
#include "master/request_handler/workflow_view.h"
#include "master/store/store.h"
#include "muster/v1/workflow_service.grpc.pb.h"

namespace muster::handler {

struct WorkflowDeps {
  core::EventSink* events = nullptr;
  core::Inspector* inspector = nullptr;
  store::Store* store = nullptr;
  PendingCalls* calls = nullptr;
  const QueueBoard* queues = nullptr;  // may be null: queues have no defaults
  RefusalLog* refusals = nullptr;      // may be null
  TaskLimits limits = {};
  size_t read_threads = 2;
  size_t read_queue = 256;
};

class WorkflowService final : public v1::WorkflowService::CallbackService {
 public:
  explicit WorkflowService(const WorkflowDeps& deps) : deps_(deps), pool_(deps.read_threads, deps.read_queue) {}

  using Context = grpc::CallbackServerContext;
  grpc::ServerReadReactor<v1::RunWorkflowRequest>* Run(Context* context, v1::RunWorkflowResponse* response) override;
  grpc::ServerReadReactor<v1::PlanWorkflowRequest>* Plan(Context* context, v1::PlanWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* Get(Context* context, const v1::GetWorkflowRequest* request, v1::GetWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* List(Context* context, const v1::ListWorkflowsRequest* request, v1::ListWorkflowsResponse* response) override;
  grpc::ServerUnaryReactor* Cancel(Context* context, const v1::CancelWorkflowRequest* request, v1::CancelWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* Retry(Context* context, const v1::RetryWorkflowRequest* request, v1::RetryWorkflowResponse* response) override;

 private:
  using Done = std::function<void(const absl::Status&)>;

  // On the pool.
  void Accept(std::shared_ptr<WorkflowIntake> intake, v1::RunWorkflowResponse* response, Done done);
  absl::Status MakePlan(WorkflowIntake* intake, v1::PlanWorkflowResponse* response);
  absl::Status ReadOne(const v1::GetWorkflowRequest& request, v1::GetWorkflowResponse* response);
  absl::Status ReadNodes(const v1::GetWorkflowRequest& request, const store::StoredWorkflow& stored, v1::GetWorkflowResponse* response);
  absl::Status ReadMany(const v1::ListWorkflowsRequest& request, v1::ListWorkflowsResponse* response);
  void CancelOne(const v1::CancelWorkflowRequest& request, const std::string& by, v1::CancelWorkflowResponse* response, const Done& done);
  void RetryOne(const v1::RetryWorkflowRequest& request, v1::RetryWorkflowResponse* response, const Done& done);
  absl::StatusOr<core::RetryWorkflow> PrepareRetry(const store::StoredWorkflow& stored, int64_t* task_count);

  absl::StatusOr<store::StoredWorkflow> Find(const std::string& selector);
  absl::Status ShowById(TaskId id, v1::Workflow* to);
  // How the tasks of each of these nodes stand.
  absl::StatusOr<std::vector<NodeStanding>> StandingsOf(const std::vector<std::vector<TaskRange>>& nodes);
  absl::StatusOr<core::NewNode> MakeAgain(uint32_t node, TaskId id);
  void RetryInTurn(TaskId id, const v1::RetryWorkflowRequest& request, v1::RetryWorkflowResponse* response, const Done& done);
  // As it is now: by the core, or as it ended.
  absl::Status Show(const store::StoredWorkflow& stored, v1::Workflow* to);
  absl::StatusOr<std::vector<std::optional<absl::Duration>>> MedianTimes(const std::vector<TaskSpecPtr>& specs);
  // What the store says of a call with this id.
  absl::Status LookUp(const core::RequestKey& request, TaskId* known, bool* id_is_taken);

  template <typename Event>
  void Post(Event event, std::function<void(const absl::StatusOr<core::WorkflowAnswer>&)> done);
  void OnPool(Context* context, grpc::ServerUnaryReactor* reactor, std::function<void(Done)> work);
  void Count(Context* context, const absl::Status& status);

  template <typename Request>
  class PartsReactor;

  const WorkflowDeps deps_;
  std::atomic<int64_t> held_bytes_{0};
  RequestGate retries_;  // one at a time of a workflow
  ReadPool pool_;
};

}  // namespace muster::handler
