// A master as a worker sees it: a registry that answers joins and heartbeats, and the client's end of a session.
// Thread rule: the registry runs on gRPC's threads; a FakeSession belongs to the test's thread.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "muster/v1/registry_service.grpc.pb.h"
#include "muster/v1/worker_service.grpc.pb.h"

namespace muster::worker {

class FakeMaster final : public v1::RegistryService::Service {
 public:
  explicit FakeMaster(const std::shared_ptr<grpc::ServerCredentials>& credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~FakeMaster() override { server_->Shutdown(std::chrono::system_clock::now()); }

  const std::string& address() const { return address_; }
  void RefuseJoins(grpc::Status status) {
    absl::MutexLock lock(&mutex_);
    refusal_ = std::move(status);
  }
  void ForgetWorkers() {
    absl::MutexLock lock(&mutex_);
    forget_ = true;
  }
  void SetEpoch(int64_t epoch) {
    absl::MutexLock lock(&mutex_);
    epoch_ = epoch;
  }
  // So many from now on.
  bool WaitForHeartbeats(int count) {
    absl::MutexLock lock(&mutex_);
    const auto are = [this, until = heartbeats_ + count] { return heartbeats_ >= until; };
    return mutex_.AwaitWithTimeout(absl::Condition(&are), absl::Seconds(20));
  }
  // Until a join (heartbeat) like this has come.
  bool WaitForJoin(std::function<bool(const v1::JoinRequest&)> like) { return Wait(joins_, join_, like); }
  bool WaitForHeartbeat(std::function<bool(const v1::HeartbeatRequest&)> like) {
    return Wait(heartbeats_, heartbeat_, like);
  }
  bool WaitForJoins(int count, absl::Duration wait = absl::Seconds(20)) {
    absl::MutexLock lock(&mutex_);
    const auto are = [this, count] { return joins_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&are), wait);
  }
  bool WaitForRefusedJoins(int count) {
    absl::MutexLock lock(&mutex_);
    const auto are = [this, count] { return refused_joins_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&are), absl::Seconds(20));
  }

 private:
  grpc::Status Join(grpc::ServerContext*, const v1::JoinRequest* request, v1::JoinResponse* response) override {
    absl::MutexLock lock(&mutex_);
    if (!refusal_.ok()) {
      ++refused_joins_;
      return refusal_;
    }
    join_ = *request;
    ++joins_;
    response->set_cluster_id("a");
    response->set_epoch(epoch_);
    response->mutable_heartbeat_interval()->set_nanos(30'000'000);
    response->mutable_self_fence()->set_seconds(20);
    response->mutable_kill_grace()->set_seconds(5);
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override {
    absl::MutexLock lock(&mutex_);
    heartbeat_ = *request;
    ++heartbeats_;
    response->set_epoch(epoch_);
    response->set_join_again(std::exchange(forget_, false));
    response->mutable_lease()->set_seconds(20);
    return grpc::Status::OK;
  }

  template <typename Message, typename Like>
  bool Wait(const int& count, const Message& last, const Like& like) {
    absl::MutexLock lock(&mutex_);
    const auto is = [&] { return count > 0 && like(last); };
    return mutex_.AwaitWithTimeout(absl::Condition(&is), absl::Seconds(20));
  }

  mutable absl::Mutex mutex_;
  grpc::Status refusal_;
  bool forget_ = false;
  int64_t epoch_ = 1;
  int joins_ = 0;
  int refused_joins_ = 0;
  int heartbeats_ = 0;
  v1::JoinRequest join_;
  v1::HeartbeatRequest heartbeat_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// Opens a session and keeps all that came.
class FakeSession {
 public:
  FakeSession(const std::string& address, uint64_t session, int64_t epoch = 1, const std::string& cluster = "a")
      : stub_(v1::WorkerService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    context_.set_wait_for_ready(true);
    stream_ = stub_->Session(&context_);
    v1::SessionRequest request;
    request.mutable_open()->set_cluster_id(cluster);
    request.mutable_open()->set_epoch(epoch);
    request.mutable_open()->set_session(session);
    stream_->Write(request);
    EXPECT_TRUE(stream_->Read(&all_)) << "no Hello";
  }
  ~FakeSession() {
    context_.TryCancel();
    if (!finished_) stream_->Finish();
  }

  const v1::SessionResponse& all() const { return all_; }  // merged, Hello included
  void Send(const v1::SessionRequest& request) { stream_->Write(request); }
  void Assign(const v1::TaskSpec& spec, uint64_t task) {
    v1::SessionRequest request;
    request.add_specs(spec.SerializeAsString());
    v1::Assignment* assignment = request.add_assignments();
    assignment->mutable_key()->set_task(task);
    assignment->mutable_key()->set_attempt(1);
    Send(request);
  }
  void Acknowledge(uint64_t task) {
    v1::SessionRequest request;
    v1::AttemptKey* key = request.add_acknowledge();
    key->set_task(task);
    key->set_attempt(1);
    Send(request);
  }
  // Reads until it is so. False: the stream ended first.
  bool ReadUntil(const std::function<bool(const v1::SessionResponse&)>& is) {
    while (!is(all_)) {
      v1::SessionResponse next;
      if (!stream_->Read(&next)) return false;
      all_.MergeFrom(next);
    }
    return true;
  }
  grpc::Status Finish() {
    finished_ = true;
    return stream_->Finish();
  }

 private:
  std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>> stream_;
  v1::SessionResponse all_;
  bool finished_ = false;
};

}  // namespace muster::worker
