#include "master/request_handler/workflow_service.h"

#include <memory>
#include <utility>

#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "master/request_handler/context.h"

namespace muster::handler {
namespace {

constexpr int64_t kMostHeldBytes = int64_t{256} << 20;  // of calls whose messages are still coming, or being checked

v1::RunWorkflowRequest AsRun(v1::RunWorkflowRequest request) { return request; }
v1::RunWorkflowRequest AsRun(v1::PlanWorkflowRequest request) {
  v1::RunWorkflowRequest run;
  run.mutable_workflow()->Swap(request.mutable_workflow());
  run.mutable_parameters()->Swap(request.mutable_parameters());
  return run;
}

v1::RunWorkflowRequest AsRun(v1::AddToWorkflowRequest request) {
  v1::RunWorkflowRequest run;
  run.mutable_workflow()->Swap(request.mutable_workflow());
  run.mutable_parameters()->Swap(request.mutable_parameters());
  run.set_request_id(request.request_id());
  run.set_node_count(request.node_count());
  return run;
}

template <typename Request>
std::string SelectorOf(const Request&) { return ""; }
std::string SelectorOf(const v1::AddToWorkflowRequest& request) { return request.selector(); }

// Whose its tasks are, whatever they say; empty: as they say.
void SetOwner(const std::string& owner, WorkflowIntake* intake) {
  if (owner.empty()) return;
  for (v1::WorkflowNode& node : *intake->whole().mutable_workflow()->mutable_nodes()) node.mutable_task()->set_owner(owner);
}

}  // namespace

// Collects the messages of a call; then `whole` is told, on the thread that read the last one.
template <typename Request>
class WorkflowService::PartsReactor final : public grpc::ServerReadReactor<Request> {
 public:
  using Whole = std::function<void(std::shared_ptr<WorkflowIntake>, Done)>;

  PartsReactor(WorkflowService* service, Context* context, Whole whole)
      : service_(service), context_(context), whole_(std::move(whole)) {
    this->StartRead(&part_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok && context_->IsCancelled()) return End(absl::CancelledError("the call broke off"));
    if (!ok) return whole_(intake_, [this](const absl::Status& status) { End(status); });
    held_ += static_cast<int64_t>(part_.ByteSizeLong());
    if (service_->held_bytes_.fetch_add(static_cast<int64_t>(part_.ByteSizeLong())) > kMostHeldBytes) {
      return End(RefuseForNow("MASTER_BUSY", "too many large workflows are on their way", absl::Seconds(1)));
    }
    std::string selector = SelectorOf(part_);
    const absl::Status added = intake_->Add(AsRun(std::move(part_)), std::move(selector));
    if (!added.ok()) return End(added);
    part_.Clear();
    this->StartRead(&part_);
  }
  void OnDone() override {
    service_->held_bytes_.fetch_sub(held_);
    delete this;
  }
  void End(const absl::Status& status) {
    service_->Count(context_, status);
    this->Finish(rpc::ToGrpc(status));
  }

  WorkflowService* const service_;
  Context* const context_;
  const Whole whole_;
  const std::shared_ptr<WorkflowIntake> intake_ = std::make_shared<WorkflowIntake>();
  Request part_;
  int64_t held_ = 0;  // counted of service_->held_bytes_
};

grpc::ServerReadReactor<v1::RunWorkflowRequest>* WorkflowService::Run(Context* context, v1::RunWorkflowResponse* response) {
  return new PartsReactor<v1::RunWorkflowRequest>(this, context, [this, response, owner = OwnerBy(*context)](auto intake, const Done& done) {
    SetOwner(owner, intake.get());
    if (!context_.pool.Post([this, intake, response, done] { runs_.Run(intake, response, done); })) done(PoolIsFull());
  });
}

grpc::ServerReadReactor<v1::AddToWorkflowRequest>* WorkflowService::Add(Context* context, v1::AddToWorkflowResponse* response) {
  return new PartsReactor<v1::AddToWorkflowRequest>(this, context, [this, response, right = RightOf(*context)](auto intake, const Done& done) {
    if (!context_.pool.Post([this, intake, right, response, done] { adds_.Add(intake, right, response, done); })) done(PoolIsFull());
  });
}

grpc::ServerReadReactor<v1::PlanWorkflowRequest>* WorkflowService::Plan(Context* context, v1::PlanWorkflowResponse* response) {
  return new PartsReactor<v1::PlanWorkflowRequest>(this, context, [this, response, owner = OwnerBy(*context)](auto intake, const Done& done) {
    SetOwner(owner, intake.get());
    if (!context_.pool.Post([this, intake, response, done] { done(runs_.Plan(intake.get(), response)); })) done(PoolIsFull());
  });
}

grpc::ServerUnaryReactor* WorkflowService::Get(Context* context, const v1::GetWorkflowRequest* request, v1::GetWorkflowResponse* response) {
  return OnPool(context, [this, request, response](const Done& done) { done(reader_.Get(*request, response)); });
}

grpc::ServerUnaryReactor* WorkflowService::List(Context* context, const v1::ListWorkflowsRequest* request,
                                                v1::ListWorkflowsResponse* response) {
  return OnPool(context, [this, request, response](const Done& done) { done(reader_.List(*request, response)); });
}

grpc::ServerUnaryReactor* WorkflowService::Cancel(Context* context, const v1::CancelWorkflowRequest* request,
                                                  v1::CancelWorkflowResponse* response) {
  return OnPool(context, [this, request, response, right = RightOf(*context), by = CallerName(*context)](const Done& done) {
    changes_.Cancel(*request, right, by, response, done);
  });
}

grpc::ServerUnaryReactor* WorkflowService::Retry(Context* context, const v1::RetryWorkflowRequest* request,
                                                 v1::RetryWorkflowResponse* response) {
  return OnPool(context, [this, request, response, right = RightOf(*context)](const Done& done) {
    changes_.Retry(*request, right, response, done);
  });
}

grpc::ServerUnaryReactor* WorkflowService::OnPool(Context* context, std::function<void(const Done&)> work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const Done done = [this, context, reactor](const absl::Status& status) {
    Count(context, status);
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (!context_.pool.Post([work = std::move(work), done] { work(done); })) done(PoolIsFull());
  return reactor;
}

void WorkflowService::Count(Context* context, const absl::Status& status) {
  RefusalLog* const refusals = context_.deps.refusals;
  if (refusals != nullptr && !muster::ReasonOf(status).empty()) refusals->Count(status, CallerName(*context));
}

}  // namespace muster::handler
