// A whole master in this process, its clients and its workers, for integration tests.
//
//   MasterFixture: StartMaster(), StopMaster(), tasks(), cluster(), JoinWorker("w", &worker)
//
// Thread rule: the test's thread.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "master/app/master.h"
#include "muster/v1/cluster_service.grpc.pb.h"
#include "muster/v1/registry_service.grpc.pb.h"
#include "muster/v1/task_service.grpc.pb.h"
#include "tests/support/fake_worker.h"

namespace muster::test {

inline constexpr absl::Duration kPatience = absl::Seconds(20);

// Polls; whether `done` became true before patience ends.
inline bool Eventually(const std::function<bool()>& done) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!done()) {
    if (absl::Now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// A call that cannot hang the test.
inline std::unique_ptr<grpc::ClientContext> Call() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
  return context;
}

class MasterFixture : public ::testing::Test {
 protected:
  MasterFixture() {
    char pattern[] = "/tmp/muster_integration_XXXXXX";
    directory_ = mkdtemp(pattern);
    config_.grpc_listen = "127.0.0.1:0";
    config_.http_listen = "127.0.0.1:0";
    config_.store_path = absl::StrCat(directory_, "/store");
    config_.message_bytes = 4 << 20;
    // Nobody heartbeats here: leases outlast every test.
    config_.core.heartbeat = absl::Minutes(5);
    config_.core.lost_after = absl::Minutes(60);
    config_.core.self_fence = absl::Minutes(40);
  }
  ~MasterFixture() override {
    master_.reset();
    std::filesystem::remove_all(directory_);
  }

  absl::Status StartMaster() {
    auto master = master::Master::Start(config_, "test", {.on_stop_request = [this] { ++stop_requests_; }});
    if (!master.ok()) return master.status();
    master_ = *std::move(master);
    channel_ = rpc::MakeChannel(master_->grpc_address(), grpc::InsecureChannelCredentials());
    tasks_ = v1::TaskService::NewStub(channel_);
    cluster_ = v1::ClusterService::NewStub(channel_);
    registry_ = v1::RegistryService::NewStub(channel_);
    return absl::OkStatus();
  }
  absl::Status StopMaster() {
    const absl::Status status = master_->Stop("test");
    master_.reset();
    return status;
  }

  v1::JoinRequest JoinOf(const std::string& name, const FakeWorker& worker, uint64_t incarnation = 7) {
    v1::JoinRequest join;
    join.set_name(name);
    join.set_incarnation(incarnation);
    join.set_address(worker.address());
    join.mutable_offer()->set_slots(4);
    v1::ExecutorOffer* executor = join.mutable_offer()->add_executors();
    executor->set_name("noop");
    executor->set_healthy(true);
    return join;
  }
  grpc::Status Join(const v1::JoinRequest& join) {
    v1::JoinResponse response;
    return registry_->Join(Call().get(), join, &response);
  }
  // Joined, and its session is open.
  bool JoinWorker(const std::string& name, FakeWorker* worker) {
    worker->AnswerHello(Incarnation(7));
    if (!Join(JoinOf(name, *worker)).ok()) return false;
    return Eventually([&] { return StateOf(name) == v1::WORKER_STATE_ACTIVE; });
  }
  v1::WorkerState StateOf(const std::string& name) {
    v1::GetWorkerRequest request;
    request.set_name(name);
    v1::GetWorkerResponse response;
    const grpc::Status status = cluster_->GetWorker(Call().get(), request, &response);
    return status.ok() ? response.worker().state() : v1::WORKER_STATE_UNSPECIFIED;
  }

  // The new task's id; empty when it was refused.
  std::string Submit(const std::string& name = "") {
    v1::SubmitRequest request;
    request.mutable_task()->set_name(name);
    request.mutable_task()->set_executor("noop");
    v1::SubmitResponse response;
    const grpc::Status status = tasks_->Submit(Call().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.task().id();
  }
  v1::TaskState TaskStateOf(const std::string& selector) {
    v1::GetRequest request;
    request.set_selector(selector);
    v1::GetResponse response;
    const grpc::Status status = tasks_->Get(Call().get(), request, &response);
    return status.ok() ? response.task().state() : v1::TASK_STATE_UNSPECIFIED;
  }
  v1::ClusterSummary Summary() {
    v1::GetSummaryResponse response;
    EXPECT_TRUE(cluster_->GetSummary(Call().get(), {}, &response).ok());
    return response.summary();
  }

  std::string directory_;
  master::MasterConfig config_;
  std::atomic<int> stop_requests_{0};
  std::unique_ptr<master::Master> master_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
  std::unique_ptr<v1::ClusterService::Stub> cluster_;
  std::unique_ptr<v1::RegistryService::Stub> registry_;
};

}  // namespace muster::test
