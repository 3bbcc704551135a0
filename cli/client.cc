#include "cli/client.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "absl/time/clock.h"
#include "cli/backoff.h"
#include "cli/errors.h"
#include "cli/interrupts.h"
#include "cli/parts_writer.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/rpc/tls_source.h"
#include "common/rpc/server.h"
#include "common/rpc/status.h"
#include "common/runtime/fresh_id.h"
#include "muster/v1/cluster_service.grpc.pb.h"
#include "muster/v1/queue_service.grpc.pb.h"
#include "muster/v1/schedule_service.grpc.pb.h"
#include "muster/v1/task_service.grpc.pb.h"
#include "muster/v1/workflow_service.grpc.pb.h"

namespace muster::cli {
namespace {

constexpr size_t kMessagesAhead = 4;
constexpr absl::Duration kSilentFor = absl::Seconds(1);
constexpr absl::Duration kImpatientTimeout = absl::Seconds(5);
constexpr absl::Duration kTellAgain = absl::Seconds(10);
// The server holds its answers to `message.max`; a page of tasks with long specifications may pass it.
constexpr int kMaxMessageBytes = 64 << 20;

// Reads on a thread of its own and hands over, never more than kMessagesAhead: then the thread waits, and with it,
// through gRPC's flow control, the server.
template <typename Message, typename Base>
class ThreadedStream : public Base {
 public:
  explicit ThreadedStream(Wakeup* wakeup, Interrupts* interrupts) : wakeup_(wakeup), interrupts_(interrupts) {}
  ~ThreadedStream() override { Stop(); }

  StreamNews Next(Message* message, absl::Time deadline) override {
    while (true) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!messages_.empty()) {
          message->Swap(&messages_.front());
          messages_.pop_front();
          changed_.notify_all();
          return StreamNews::kMessage;
        }
        if (ended_) return StreamNews::kEnd;
      }
      if (woken_) {
        woken_ = false;
        return StreamNews::kNothing;
      }
      switch (wakeup_->Wait(deadline, interrupts_)) {
        case Wakeup::Cause::kInterrupt:
          return StreamNews::kInterrupt;
        case Wakeup::Cause::kDeadline:
          return StreamNews::kNothing;
        case Wakeup::Cause::kRung:
          woken_ = true;  // by this stream, or by someone else: the caller looks once more
          break;
      }
    }
  }

  absl::Status status() const override {
    std::lock_guard<std::mutex> lock(mutex_);
    return status_;
  }

 protected:
  grpc::ClientContext context_;

  template <typename Stream>
  void Start(Stream* stream) {
    thread_ = std::thread([this, stream] {
      Message message;
      while (stream->Read(&message)) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return messages_.size() < kMessagesAhead || stopping_; });
        if (stopping_) break;
        messages_.emplace_back().Swap(&message);
        lock.unlock();
        wakeup_->Ring();
      }
      const absl::Status status = rpc::FromGrpc(stream->Finish());
      std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
      status_ = status;
      wakeup_->Ring();
    });
  }

  void Stop() {
    if (!thread_.joinable()) return;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    context_.TryCancel();
    thread_.join();
  }

 private:
  Wakeup* const wakeup_;
  Interrupts* const interrupts_;
  bool woken_ = false;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> messages_;  // guarded by mutex_, with the rest
  bool ended_ = false;
  bool stopping_ = false;
  absl::Status status_;
  std::thread thread_;
};

template <typename Message>
class ReaderStream final : public ThreadedStream<Message, IncomingStream<Message>> {
 public:
  using Base = ThreadedStream<Message, IncomingStream<Message>>;
  template <typename Open>
  ReaderStream(Wakeup* wakeup, Interrupts* interrupts, Open open) : Base(wakeup, interrupts) {
    reader_ = open(&this->context_);
    this->Start(reader_.get());
  }
  ~ReaderStream() override { this->Stop(); }

 private:
  std::unique_ptr<grpc::ClientReader<Message>> reader_;
};

class AttachStreamImpl final : public ThreadedStream<v1::AttachResponse, AttachStream> {
 public:
  AttachStreamImpl(Wakeup* wakeup, Interrupts* interrupts, v1::TaskService::Stub* stub)
      : ThreadedStream(wakeup, interrupts), stream_(stub->Attach(&context_)) {
    Start(stream_.get());
  }
  ~AttachStreamImpl() override { Stop(); }
  bool Send(const v1::AttachRequest& request) override { return stream_->Write(request); }

 private:
  std::unique_ptr<grpc::ClientReaderWriter<v1::AttachRequest, v1::AttachResponse>> stream_;
};

class ClientImpl final : public Client {
 public:
  ClientImpl(ClientOptions options, std::shared_ptr<grpc::Channel> channel, Interrupts* interrupts)
      : options_(std::move(options)),
        channel_(std::move(channel)),
        interrupts_(interrupts),
        tasks_(v1::TaskService::NewStub(channel_)),
        cluster_(v1::ClusterService::NewStub(channel_)),
        queues_(v1::QueueService::NewStub(channel_)),
        schedules_(v1::ScheduleService::NewStub(channel_)),
        workflows_(v1::WorkflowService::NewStub(channel_)) {}

  std::unique_ptr<Client> Background() override {
    auto other = std::make_unique<ClientImpl>(options_, channel_, nullptr);
    other->answered_ = answered_;
    return other;
  }

  std::unique_ptr<Client> Impatient() override {
    ClientOptions options = options_;
    options.first_patience = options.patience = absl::ZeroDuration();
    options.call_timeout = kImpatientTimeout;
    options.narrate = nullptr;
    return std::make_unique<ClientImpl>(std::move(options), channel_, nullptr);
  }
  void Abandon() override {
    abandoned_ = true;
    wakeup_.Ring();
  }

  absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request) override {
    return Call<v1::SubmitResponse>(request, tasks_->async(), &v1::TaskService::Stub::async::Submit);
  }
  absl::StatusOr<v1::SubmitBatchResponse> SubmitBatch(const v1::SubmitBatchRequest& request) override {
    return Call<v1::SubmitBatchResponse>(request, tasks_->async(), &v1::TaskService::Stub::async::SubmitBatch);
  }
  absl::StatusOr<v1::GetResponse> Get(const v1::GetRequest& request) override {
    return Call<v1::GetResponse>(request, tasks_->async(), &v1::TaskService::Stub::async::Get);
  }
  absl::StatusOr<v1::ListResponse> List(const v1::ListRequest& request) override {
    return Call<v1::ListResponse>(request, tasks_->async(), &v1::TaskService::Stub::async::List);
  }
  absl::StatusOr<v1::CancelResponse> Cancel(const v1::CancelRequest& request) override {
    return Call<v1::CancelResponse>(request, tasks_->async(), &v1::TaskService::Stub::async::Cancel);
  }
  absl::StatusOr<v1::ExplainResponse> Explain(const v1::ExplainRequest& request) override {
    return Call<v1::ExplainResponse>(request, tasks_->async(), &v1::TaskService::Stub::async::Explain);
  }
  absl::StatusOr<v1::RetryResponse> Retry(const v1::RetryRequest& request) override {
    return Call<v1::RetryResponse>(request, tasks_->async(), &v1::TaskService::Stub::async::Retry);
  }
  std::unique_ptr<IncomingStream<v1::WatchResponse>> Watch(const v1::WatchRequest& request) override {
    return Open<v1::WatchResponse>([&](grpc::ClientContext* context) { return tasks_->Watch(context, request); });
  }
  std::unique_ptr<IncomingStream<v1::LogsResponse>> Logs(const v1::LogsRequest& request) override {
    return Open<v1::LogsResponse>([&](grpc::ClientContext* context) { return tasks_->Logs(context, request); });
  }
  std::unique_ptr<AttachStream> Attach() override {
    return std::make_unique<AttachStreamImpl>(&wakeup_, interrupts_, tasks_.get());
  }

  absl::StatusOr<v1::GetSummaryResponse> GetSummary(const v1::GetSummaryRequest& request) override {
    return Call<v1::GetSummaryResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::GetSummary);
  }
  absl::StatusOr<v1::ListWorkersResponse> ListWorkers(const v1::ListWorkersRequest& request) override {
    return Call<v1::ListWorkersResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::ListWorkers);
  }
  absl::StatusOr<v1::GetWorkerResponse> GetWorker(const v1::GetWorkerRequest& request) override {
    return Call<v1::GetWorkerResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::GetWorker);
  }
  absl::StatusOr<v1::UpdateWorkerResponse> UpdateWorker(const v1::UpdateWorkerRequest& request) override {
    return Call<v1::UpdateWorkerResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::UpdateWorker);
  }
  absl::StatusOr<v1::ListFailuresResponse> ListFailures(const v1::ListFailuresRequest& request) override {
    return Call<v1::ListFailuresResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::ListFailures);
  }
  absl::StatusOr<v1::QuarantineWorkerResponse> QuarantineWorker(const v1::QuarantineWorkerRequest& request) override {
    return Call<v1::QuarantineWorkerResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::QuarantineWorker);
  }
  absl::StatusOr<v1::ResumeWorkerResponse> ResumeWorker(const v1::ResumeWorkerRequest& request) override {
    return Call<v1::ResumeWorkerResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::ResumeWorker);
  }
  std::unique_ptr<IncomingStream<v1::DrainWorkerResponse>> DrainWorker(const v1::DrainWorkerRequest& request) override {
    return Open<v1::DrainWorkerResponse>(
        [&](grpc::ClientContext* context) { return cluster_->DrainWorker(context, request); });
  }
  std::unique_ptr<IncomingStream<v1::ReadActivityResponse>> ReadActivity(
      const v1::ReadActivityRequest& request) override {
    return Open<v1::ReadActivityResponse>(
        [&](grpc::ClientContext* context) { return cluster_->ReadActivity(context, request); });
  }
  absl::StatusOr<v1::GetPlacementResponse> GetPlacement(const v1::GetPlacementRequest& request) override {
    return Call<v1::GetPlacementResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::GetPlacement);
  }
  absl::StatusOr<v1::UpdatePlacementResponse> UpdatePlacement(const v1::UpdatePlacementRequest& request) override {
    return Call<v1::UpdatePlacementResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::UpdatePlacement);
  }
  absl::StatusOr<v1::ListRunTimesResponse> ListRunTimes(const v1::ListRunTimesRequest& request) override {
    return Call<v1::ListRunTimesResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::ListRunTimes);
  }
  absl::StatusOr<v1::PurgeTasksResponse> PurgeTasks(const v1::PurgeTasksRequest& request) override {
    return Call<v1::PurgeTasksResponse>(request, cluster_->async(), &v1::ClusterService::Stub::async::PurgeTasks);
  }
  std::unique_ptr<IncomingStream<v1::ShutdownResponse>> Shutdown(const v1::ShutdownRequest& request) override {
    return Open<v1::ShutdownResponse>([&](grpc::ClientContext* context) { return cluster_->Shutdown(context, request); });
  }
  absl::StatusOr<v1::ListQueuesResponse> ListQueues(const v1::ListQueuesRequest& request) override {
    return Call<v1::ListQueuesResponse>(request, queues_->async(), &v1::QueueService::Stub::async::ListQueues);
  }
  absl::StatusOr<v1::GetQueueResponse> GetQueue(const v1::GetQueueRequest& request) override {
    return Call<v1::GetQueueResponse>(request, queues_->async(), &v1::QueueService::Stub::async::GetQueue);
  }
  absl::StatusOr<v1::UpdateQueueResponse> UpdateQueue(const v1::UpdateQueueRequest& request) override {
    return Call<v1::UpdateQueueResponse>(request, queues_->async(), &v1::QueueService::Stub::async::UpdateQueue);
  }
  absl::StatusOr<v1::PauseQueueResponse> PauseQueue(const v1::PauseQueueRequest& request) override {
    return Call<v1::PauseQueueResponse>(request, queues_->async(), &v1::QueueService::Stub::async::PauseQueue);
  }
  absl::StatusOr<v1::ResumeQueueResponse> ResumeQueue(const v1::ResumeQueueRequest& request) override {
    return Call<v1::ResumeQueueResponse>(request, queues_->async(), &v1::QueueService::Stub::async::ResumeQueue);
  }

  absl::StatusOr<v1::AddScheduleResponse> AddSchedule(const v1::AddScheduleRequest& request) override {
    return Call<v1::AddScheduleResponse>(request, schedules_->async(), &v1::ScheduleService::Stub::async::AddSchedule);
  }
  absl::StatusOr<v1::GetScheduleResponse> GetSchedule(const v1::GetScheduleRequest& request) override {
    return Call<v1::GetScheduleResponse>(request, schedules_->async(), &v1::ScheduleService::Stub::async::GetSchedule);
  }
  absl::StatusOr<v1::ListSchedulesResponse> ListSchedules(const v1::ListSchedulesRequest& request) override {
    return Call<v1::ListSchedulesResponse>(request, schedules_->async(), &v1::ScheduleService::Stub::async::ListSchedules);
  }
  absl::StatusOr<v1::RemoveScheduleResponse> RemoveSchedule(const v1::RemoveScheduleRequest& request) override {
    return Call<v1::RemoveScheduleResponse>(request, schedules_->async(), &v1::ScheduleService::Stub::async::RemoveSchedule);
  }
  absl::StatusOr<v1::PauseScheduleResponse> PauseSchedule(const v1::PauseScheduleRequest& request) override {
    return Call<v1::PauseScheduleResponse>(request, schedules_->async(), &v1::ScheduleService::Stub::async::PauseSchedule);
  }
  absl::StatusOr<v1::ResumeScheduleResponse> ResumeSchedule(const v1::ResumeScheduleRequest& request) override {
    return Call<v1::ResumeScheduleResponse>(request, schedules_->async(), &v1::ScheduleService::Stub::async::ResumeSchedule);
  }
  absl::StatusOr<v1::SendEventResponse> SendEvent(const v1::SendEventRequest& request) override {
    return Call<v1::SendEventResponse>(request, schedules_->async(), &v1::ScheduleService::Stub::async::SendEvent);
  }
  absl::StatusOr<v1::RunScheduleResponse> RunSchedule(const v1::RunScheduleRequest& request) override {
    return Call<v1::RunScheduleResponse>(request, schedules_->async(), &v1::ScheduleService::Stub::async::RunSchedule);
  }
  absl::StatusOr<v1::RunWorkflowResponse> RunWorkflow(const std::vector<v1::RunWorkflowRequest>& parts) override {
    return CallInParts<v1::RunWorkflowResponse>(parts, &v1::WorkflowService::Stub::async::Run);
  }
  absl::StatusOr<v1::AddToWorkflowResponse> AddToWorkflow(const std::vector<v1::AddToWorkflowRequest>& parts) override {
    return CallInParts<v1::AddToWorkflowResponse>(parts, &v1::WorkflowService::Stub::async::Add);
  }
  absl::StatusOr<v1::PlanWorkflowResponse> PlanWorkflow(const std::vector<v1::PlanWorkflowRequest>& parts) override {
    return CallInParts<v1::PlanWorkflowResponse>(parts, &v1::WorkflowService::Stub::async::Plan);
  }
  absl::StatusOr<v1::GetWorkflowResponse> GetWorkflow(const v1::GetWorkflowRequest& request) override {
    return Call<v1::GetWorkflowResponse>(request, workflows_->async(), &v1::WorkflowService::Stub::async::Get);
  }
  absl::StatusOr<v1::ListWorkflowsResponse> ListWorkflows(const v1::ListWorkflowsRequest& request) override {
    return Call<v1::ListWorkflowsResponse>(request, workflows_->async(), &v1::WorkflowService::Stub::async::List);
  }
  absl::StatusOr<v1::CancelWorkflowResponse> CancelWorkflow(const v1::CancelWorkflowRequest& request) override {
    return Call<v1::CancelWorkflowResponse>(request, workflows_->async(), &v1::WorkflowService::Stub::async::Cancel);
  }
  absl::StatusOr<v1::RetryWorkflowResponse> RetryWorkflow(const v1::RetryWorkflowRequest& request) override {
    return Call<v1::RetryWorkflowResponse>(request, workflows_->async(), &v1::WorkflowService::Stub::async::Retry);
  }

  absl::Status Pause(absl::Duration duration) override {
    const absl::Time until = absl::Now() + duration;
    while (true) {
      switch (wakeup_.Wait(until, interrupts_)) {
        case Wakeup::Cause::kInterrupt:
          return Interrupted(interrupts_->Take());
        case Wakeup::Cause::kDeadline:
          return absl::OkStatus();
        case Wakeup::Cause::kRung:
          if (abandoned_) return Interrupted();
          break;
      }
    }
  }
  Wakeup& wakeup() override { return wakeup_; }
  Interrupts* interrupts() override { return interrupts_; }
  const std::string& master() const override { return options_.master; }

 private:
  template <typename Message, typename OpenFn>
  std::unique_ptr<IncomingStream<Message>> Open(OpenFn open) {
    return std::make_unique<ReaderStream<Message>>(&wakeup_, interrupts_, open);
  }

  using Told = std::function<void(grpc::Status)>;

  template <typename Response, typename Request, typename Async>
  absl::StatusOr<Response> Call(const Request& request, Async* stub,
                                void (Async::*method)(grpc::ClientContext*, const Request*, Response*, Told)) {
    return Repeat<Response>([&](grpc::ClientContext* context, Response* response, Told told) {
      (stub->*method)(context, &request, response, std::move(told));
    });
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> CallInParts(const std::vector<Request>& parts,
                                       void (v1::WorkflowService::Stub::async::*method)(grpc::ClientContext*, Response*,
                                                                                        grpc::ClientWriteReactor<Request>*)) {
    std::optional<PartsWriter<Request>> writer;
    return Repeat<Response>([&](grpc::ClientContext* context, Response* response, Told told) {
      writer.emplace(parts, std::move(told));
      (workflows_->async()->*method)(context, response, &*writer);
      writer->Start();
    });
  }

  template <typename Response>
  absl::StatusOr<Response> Repeat(const std::function<void(grpc::ClientContext*, Response*, Told)>& begin_call) {
    const absl::Time begin = absl::Now();
    Backoff backoff(absl::Milliseconds(50), absl::Seconds(1));
    absl::Time told = absl::InfinitePast();
    while (true) {
      Response response;
      absl::Status status = Once(begin_call, &response);
      if (status.ok()) {
        answered_ = true;
        return response;
      }
      if (IsInterrupted(status) || !IsPassing(status)) return status;
      const bool refused = status.code() == absl::StatusCode::kResourceExhausted;
      const absl::Duration patience = answered_ || refused ? options_.patience : options_.first_patience;
      const absl::Duration delay = backoff.Next(status);
      const absl::Duration spent = absl::Now() - begin;
      if (spent + delay > patience) return status;
      const bool worth_a_word = spent + delay >= kSilentFor && (refused || patience > absl::Seconds(3));
      if (worth_a_word && absl::Now() >= told + kTellAgain && options_.narrate) {
        options_.narrate(RetryLine(status, options_.master, delay));
        told = absl::Now();
      }
      MUSTER_RETURN_IF_ERROR(Pause(delay));
    }
  }

  template <typename Response>
  absl::Status Once(const std::function<void(grpc::ClientContext*, Response*, Told)>& begin_call, Response* response) {
    if (abandoned_) return Interrupted();
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + options_.call_timeout));
    std::mutex mutex;
    std::condition_variable done;
    std::optional<grpc::Status> result;
    begin_call(&context, response, [&](grpc::Status status) {
      std::lock_guard<std::mutex> lock(mutex);
      result = std::move(status);
      wakeup_.Ring();
      done.notify_all();
    });
    absl::Status interrupted;
    while (interrupted.ok()) {
      const bool signalled = wakeup_.Wait(absl::InfiniteFuture(), interrupts_) == Wakeup::Cause::kInterrupt;
      if (signalled || abandoned_) {
        interrupted = Interrupted(signalled ? interrupts_->Take() : 0);
        context.TryCancel();
      }
      std::lock_guard<std::mutex> lock(mutex);
      if (result) break;
    }
    std::unique_lock<std::mutex> lock(mutex);
    done.wait(lock, [&] { return result.has_value(); });
    return interrupted.ok() ? rpc::FromGrpc(*result) : interrupted;
  }

  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  Interrupts* const interrupts_;
  const std::unique_ptr<v1::TaskService::Stub> tasks_;
  const std::unique_ptr<v1::ClusterService::Stub> cluster_;
  const std::unique_ptr<v1::QueueService::Stub> queues_;
  const std::unique_ptr<v1::ScheduleService::Stub> schedules_;
  const std::unique_ptr<v1::WorkflowService::Stub> workflows_;
  Wakeup wakeup_;
  std::atomic<bool> abandoned_{false};
  bool answered_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Make(const ClientOptions& options, Interrupts* interrupts) {
  // A master would only close the connection.
  if (!options.tls_ca.empty() && options.tls_certificate.empty()) {
    return absl::InvalidArgumentError("a master with TLS asks who calls: name your certificate and its key (MUSTER_TLS_CERTIFICATE, "
                                      "MUSTER_TLS_KEY; `muster pki issue ROLE NAME` makes them)");
  }
  MUSTER_ASSIGN_OR_RETURN(
      const auto tls,
      rpc::TlsSource::OpenForClient({.certificate = options.tls_certificate, .key = options.tls_key, .ca = options.tls_ca}));
  if (!options.tls_certificate.empty()) MUSTER_RETURN_IF_ERROR(rpc::CheckNotExpired(options.tls_certificate));
  const auto credentials = rpc::ChannelCredentials(tls, {.role = security::Role::kMaster});
  return std::make_unique<ClientImpl>(options, rpc::MakeChannel(options.master, credentials, kMaxMessageBytes),
                                      interrupts);
}

std::string MakeRequestId() { return runtime::FreshId(); }

}  // namespace muster::cli
