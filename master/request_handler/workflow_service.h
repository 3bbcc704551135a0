// The gRPC face of workflows: muster.v1.WorkflowService. Takes a workflow's messages together, hands the work of each call to
// a small pool of its own, and answers when it is done.
//
// Thread rule: any thread. Ownership: everything in `deps` must outlive it; it must outlive the server that serves it.
// Errors: refusals (common/base/refusal.h): those of workflow_{run,add,change}_calls.h and workflow_reader.h;
// MASTER_BUSY and TOO_MANY_READS when more is on its way than it holds.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "master/request_handler/workflow_add_calls.h"
#include "master/request_handler/workflow_change_calls.h"
#include "master/request_handler/workflow_context.h"
#include "master/request_handler/workflow_reader.h"
#include "master/request_handler/workflow_run_calls.h"
#include "muster/v1/workflow_service.grpc.pb.h"

namespace muster::handler {

class WorkflowService final : public v1::WorkflowService::CallbackService {
 public:
  explicit WorkflowService(const WorkflowDeps& deps)
      : context_(deps), reader_(&context_), runs_(&context_, &reader_), adds_(&context_, &reader_), changes_(&context_, &reader_) {}
  ~WorkflowService() override { context_.pool.Stop(); }  // its jobs use all the others

  using Context = grpc::CallbackServerContext;
  grpc::ServerReadReactor<v1::RunWorkflowRequest>* Run(Context* context, v1::RunWorkflowResponse* response) override;
  grpc::ServerReadReactor<v1::AddToWorkflowRequest>* Add(Context* context, v1::AddToWorkflowResponse* response) override;
  grpc::ServerReadReactor<v1::PlanWorkflowRequest>* Plan(Context* context, v1::PlanWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* Get(Context* context, const v1::GetWorkflowRequest* request, v1::GetWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* List(Context* context, const v1::ListWorkflowsRequest* request, v1::ListWorkflowsResponse* response) override;
  grpc::ServerUnaryReactor* Cancel(Context* context, const v1::CancelWorkflowRequest* request, v1::CancelWorkflowResponse* response) override;
  grpc::ServerUnaryReactor* Retry(Context* context, const v1::RetryWorkflowRequest* request, v1::RetryWorkflowResponse* response) override;

 private:
  template <typename Request>
  class PartsReactor;

  grpc::ServerUnaryReactor* OnPool(Context* context, std::function<void(const Done&)> work);
  void Count(Context* context, const absl::Status& status);

  WorkflowContext context_;
  WorkflowReader reader_;
  WorkflowRunCalls runs_;
  WorkflowAddCalls adds_;
  WorkflowChangeCalls changes_;
  std::atomic<int64_t> held_bytes_{0};
};

}  // namespace muster::handler
