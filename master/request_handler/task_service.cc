#include "master/request_handler/task_service.h"

#include <utility>

#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "master/request_handler/admission.h"
#include "master/request_handler/attach_session.h"
#include "master/request_handler/change_calls.h"
#include "master/request_handler/context.h"
#include "master/request_handler/end_finder.h"
#include "master/request_handler/explain_call.h"
#include "master/request_handler/logs_session.h"
#include "master/request_handler/stream_calls.h"
#include "master/request_handler/submit.h"
#include "master/request_handler/task_reader.h"
#include "master/request_handler/watch_session.h"
#include "muster/v1/task_service.grpc.pb.h"

namespace muster::handler {
namespace {

using grpc::CallbackServerContext;

using WatchStream = ServerStream<WatchSession, v1::WatchRequest, v1::WatchResponse>;
using LogsStream = ServerStream<LogsSession, v1::LogsRequest, v1::LogsResponse>;
using AttachStream = BidiStream<AttachSession, v1::AttachRequest, v1::AttachResponse>;

}  // namespace

class TaskService::Impl final : public v1::TaskService::CallbackService {
 public:
  explicit Impl(TaskServiceDeps deps)
      : context_(deps), admission_(&context_), reader_(&context_), submits_(&context_, &admission_, &reader_),
        changes_(&context_, &admission_), explains_(&context_, &reader_), ends_(&context_) {
    if (deps.metrics == nullptr) return;
    deps.metrics->AddGaugeCallback("muster_task_streams", "Open Watch, Attach and Logs streams.", {},
                                   [this] { return static_cast<double>(context_.stream_count()); });
  }

  Context& context() { return context_; }
  EndFinder& ends() { return ends_; }

  grpc::ServerUnaryReactor* Submit(CallbackServerContext* call, const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override {
    auto* reactor = call->DefaultReactor();
    submits_.Submit(*request, OwnerBy(*call), response, Finisher(call, reactor, request->task().owner()));
    return reactor;
  }

  grpc::ServerUnaryReactor* SubmitBatch(CallbackServerContext* call, const v1::SubmitBatchRequest* request,
                                        v1::SubmitBatchResponse* response) override {
    auto* reactor = call->DefaultReactor();
    submits_.SubmitBatch(*request, OwnerBy(*call), RightOf(*call), response,
                         Finisher(call, reactor, request->template_().owner()));
    return reactor;
  }

  grpc::ServerUnaryReactor* Get(CallbackServerContext* call, const v1::GetRequest* request,
                                v1::GetResponse* response) override {
    return OnPool(call, [this, request, response](const Done& done) { done(GetNow(*request, response)); });
  }

  grpc::ServerUnaryReactor* List(CallbackServerContext* call, const v1::ListRequest* request,
                                 v1::ListResponse* response) override {
    return OnPool(call, [this, request, response](const Done& done) {
      absl::StatusOr<v1::ListResponse> page = reader_.List(*request);
      if (page.ok()) *response = *std::move(page);
      done(page.status());
    });
  }

  grpc::ServerUnaryReactor* Cancel(CallbackServerContext* call, const v1::CancelRequest* request,
                                   v1::CancelResponse* response) override {
    return OnPool(call, [this, request, response, right = RightOf(*call), by = CallerName(*call)](const Done& done) {
      changes_.Cancel(*request, right, by, response, done);
    });
  }

  grpc::ServerUnaryReactor* Retry(CallbackServerContext* call, const v1::RetryRequest* request,
                                  v1::RetryResponse* response) override {
    return OnPool(call, [this, request, response, right = RightOf(*call), by = CallerName(*call)](const Done& done) {
      changes_.Retry(*request, right, by, response, done);
    });
  }

  grpc::ServerUnaryReactor* Explain(CallbackServerContext* call, const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override {
    return OnPool(call, [this, request, response, owner = OwnerBy(*call)](const Done& done) {
      absl::StatusOr<v1::ExplainResponse> answer = explains_.Explain(*request, owner);
      if (answer.ok()) *response = *std::move(answer);
      done(answer.status());
    });
  }

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(CallbackServerContext* call,
                                                     const v1::WatchRequest* request) override {
    const auto stream = std::make_shared<WatchStream>(&context_, CallerName(*call));
    stream->Begin(*request);
    return stream.get();
  }

  grpc::ServerWriteReactor<v1::LogsResponse>* Logs(CallbackServerContext* call,
                                                   const v1::LogsRequest* request) override {
    const auto stream = std::make_shared<LogsStream>(&context_, CallerName(*call));
    stream->Begin(*request);
    return stream.get();
  }

  grpc::ServerBidiReactor<v1::AttachRequest, v1::AttachResponse>* Attach(CallbackServerContext* call) override {
    const auto stream = std::make_shared<AttachStream>(&context_, CallerName(*call));
    stream->Begin();
    return stream.get();
  }

 private:
  // Answers the call once; refusals are counted under the caller's identity, or the owner that is told, or the peer's host.
  Done Finisher(CallbackServerContext* call, grpc::ServerUnaryReactor* reactor, const std::string& owner) {
    std::string by = OwnerBy(*call);
    if (by.empty()) by = owner.empty() ? CallerName(*call) : owner.substr(0, kLongestIdentity);
    return [this, reactor, by = std::move(by)](const absl::Status& status) {
      if (!ReasonOf(status).empty()) context_.refusals.Count(status, by);
      reactor->Finish(rpc::ToGrpc(status));
    };
  }

  grpc::ServerUnaryReactor* OnPool(CallbackServerContext* call, std::function<void(const Done&)> work) {
    auto* reactor = call->DefaultReactor();
    const Done done = Finisher(call, reactor, "");
    if (!context_.pool.Post([work = std::move(work), done] { work(done); })) done(PoolIsFull());
    return reactor;
  }

  absl::Status GetNow(const v1::GetRequest& request, v1::GetResponse* response) {
    const absl::StatusOr<Selection> selection = context_.selectors.Resolve(request.selector(), Purpose::kRead);
    if (!selection.ok()) return selection.status();
    if (selection->batch) {
      absl::StatusOr<v1::Batch> batch = reader_.ReadBatch(selection->batch);
      if (batch.ok()) *response->mutable_batch() = *std::move(batch);
      return batch.status();
    }
    absl::StatusOr<v1::Task> task = reader_.ReadTask(selection->ranges.front().first);
    if (task.ok()) *response->mutable_task() = *std::move(task);
    return task.status();
  }

  static constexpr size_t kLongestIdentity = 256;

  Context context_;
  Admission admission_;
  TaskReader reader_;
  SubmitCalls submits_;
  ChangeCalls changes_;
  ExplainCall explains_;
  EndFinder ends_;
};

TaskService::TaskService(TaskServiceDeps deps) : impl_(std::make_unique<Impl>(deps)) {}
TaskService::~TaskService() = default;

void TaskService::SetOutputSource(core::OutputSource* source) { impl_->context().relay.SetSource(source); }
grpc::Service* TaskService::service() { return impl_.get(); }
RefusalLog* TaskService::refusals() { return &impl_->context().refusals; }

void TaskService::Stop(const absl::Status& status) {
  impl_->context().StopStreams(status);
  impl_->context().refusals.Flush();
}

void TaskService::OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) {
  impl_->context().feed.Publish(effects, commit);
  impl_->ends().OnEffects(effects);
}

void TaskService::OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, std::string bytes,
                           int64_t skipped) {
  impl_->context().relay.OnOutput(key, stream, offset, bytes, skipped);
}

void TaskService::OnWorkerReachable(WorkerId worker) { impl_->context().relay.OnWorkerReachable(worker); }

}  // namespace muster::handler
