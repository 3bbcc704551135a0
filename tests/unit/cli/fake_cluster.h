// A master that a test writes itself: each call is a function, each request is kept. On a free port of loopback.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "muster/v1/task_service.grpc.pb.h"

namespace muster::cli {

class FakeCluster final : public v1::TaskService::Service {
 public:
  using AttachStream = grpc::ServerReaderWriter<v1::AttachResponse, v1::AttachRequest>;

  FakeCluster() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeCluster() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // The n-th call, from 0.
  std::function<grpc::Status(int call, const v1::SubmitRequest&, v1::SubmitResponse*)> on_submit;
  std::function<grpc::Status(int call, const v1::SubmitBatchRequest&, v1::SubmitBatchResponse*)> on_submit_batch;
  std::function<grpc::Status(int call, AttachStream*)> on_attach;
  std::function<grpc::Status(int call, const v1::WatchRequest&, grpc::ServerWriter<v1::WatchResponse>*)> on_watch;

  std::vector<v1::SubmitRequest> submits() { return Copy(submits_); }
  std::vector<v1::SubmitBatchRequest> batches() { return Copy(batches_); }
  std::vector<v1::CancelRequest> cancels() { return Copy(cancels_); }

  // --- Events to send.
  static v1::AttachResponse State(const std::string& id, v1::TaskState state, int exit_code = 0, const std::string& batch = "", int64_t index = 0) {
    v1::AttachResponse response;
    v1::Task* task = response.add_events()->mutable_task();
    task->set_id(id);
    task->set_state(state);
    task->set_exit_code(exit_code);
    task->set_batch_id(batch);
    task->set_batch_index(index);
    return response;
  }
  static v1::AttachResponse Output(const std::string& id, int64_t offset, const std::string& data, v1::OutputStream stream = v1::OUTPUT_STREAM_STDOUT,
                                   uint32_t attempt = 1) {
    v1::AttachResponse response;
    v1::OutputChunk* chunk = response.add_events()->mutable_output();
    chunk->set_task_id(id);
    chunk->set_attempt(attempt);
    chunk->set_stream(stream);
    chunk->set_offset(offset);
    chunk->set_data(data);
    return response;
  }
  static v1::AttachResponse Attached(int64_t count) {
    v1::AttachResponse response;
    response.add_events()->set_attached_count(count);
    return response;
  }
  // Until the client leaves.
  static void ReadAll(AttachStream* stream, std::vector<v1::AttachRequest>* requests = nullptr) {
    v1::AttachRequest request;
    while (stream->Read(&request)) {
      if (requests != nullptr) requests->push_back(request);
    }
  }

 private:
  grpc::Status Submit(grpc::ServerContext*, const v1::SubmitRequest* request, v1::SubmitResponse* response) override {
    return on_submit(Keep(&submits_, *request), *request, response);
  }
  grpc::Status SubmitBatch(grpc::ServerContext*, const v1::SubmitBatchRequest* request, v1::SubmitBatchResponse* response) override {
    return on_submit_batch(Keep(&batches_, *request), *request, response);
  }
  grpc::Status Attach(grpc::ServerContext*, AttachStream* stream) override {
    return on_attach(Keep(&attaches_, 0), stream);
  }
  grpc::Status Watch(grpc::ServerContext*, const v1::WatchRequest* request, grpc::ServerWriter<v1::WatchResponse>* writer) override {
    return on_watch(Keep(&watches_, *request), *request, writer);
  }
  grpc::Status Cancel(grpc::ServerContext*, const v1::CancelRequest* request, v1::CancelResponse* response) override {
    Keep(&cancels_, *request);
    response->set_requested_count(1);
    return grpc::Status::OK;
  }

  template <typename T>
  int Keep(std::vector<T>* kept, T value) {
    std::lock_guard<std::mutex> lock(mutex_);
    kept->push_back(std::move(value));
    return static_cast<int>(kept->size()) - 1;
  }
  template <typename T>
  std::vector<T> Copy(const std::vector<T>& kept) {
    std::lock_guard<std::mutex> lock(mutex_);
    return kept;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::vector<v1::SubmitRequest> submits_;
  std::vector<v1::SubmitBatchRequest> batches_;
  std::vector<v1::CancelRequest> cancels_;
  std::vector<v1::WatchRequest> watches_;
  std::vector<int> attaches_;
};

}  // namespace muster::cli
