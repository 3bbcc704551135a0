// A whole worker in this process, driven by a fake master over real gRPC on loopback.
#include "worker/app/worker_app.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "tests/unit/worker/app/attempt_key.h"
#include "tests/unit/worker/app/fake_execution_host.h"
#include "tests/unit/worker/app/fake_master.h"

namespace muster::worker {
namespace {

using ::testing::HasSubstr;

v1::TaskSpec True() {
  v1::TaskSpec spec;
  spec.mutable_command()->add_argv("true");
  return spec;
}

// The whole answer, as it was on the wire.
std::string PostDrain(const std::string& address) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  const std::string request = "POST /drain HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  ::close(fd);
  return answer;
}

class WorkerAppTest : public ::testing::Test {
 protected:
  WorkerApp::Options Options(int64_t slots = 2) {
    WorkerApp::Options options;
    options.config.name = "w1";
    options.config.master = master_.address();
    options.config.grpc_listen = "127.0.0.1:0";
    options.config.http_listen = "127.0.0.1:0";
    options.config.slots = slots;
    options.config.max_held = 64;
    options.config.work_dir = "/nonexistent";
    options.config.drain_timeout = absl::Seconds(25);
    options.config.disk_low_water_bytes = 1000;
    options.version = "test";
    options.fence = &fence_;
    options.make_host = [this](execution::HostConfig, execution::Listener* listener)
        -> absl::StatusOr<std::unique_ptr<execution::ExecutionHost>> {
      auto host = std::make_unique<FakeExecutionHost>(listener);
      host_ = host.get();
      return host;
    };
    options.name_patience = absl::Milliseconds(300);
    return options;
  }
  void Start(int64_t slots = 2) {
    auto app = WorkerApp::Start(Options(slots));
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }

  FakeMaster master_;
  FencePage fence_;
  FakeExecutionHost* host_ = nullptr;
  std::unique_ptr<WorkerApp> app_;
};

TEST_F(WorkerAppTest, JoinsRunsAndReportsUntilAcknowledged) {
  Start();
  ASSERT_TRUE(master_.WaitForJoin([this](const auto& join) {
    return join.name() == "w1" && join.address() == app_->grpc_address() && join.offer().slots() == 2;
  }));
  {
    FakeSession session(app_->grpc_address(), 1);
    EXPECT_NE(session.all().hello().incarnation(), 0u);
    session.Assign(True(), 7);
    ASSERT_TRUE(host_->WaitUntilRunning(Key(7)));
    host_->End(Key(7));
    ASSERT_TRUE(session.ReadUntil([](const auto& all) { return all.results_size() == 1; }));
    EXPECT_EQ(session.all().results(0).key().task(), 7u);
  }
  FakeSession again(app_->grpc_address(), 2);
  ASSERT_EQ(again.all().hello().held_size(), 1);
  EXPECT_EQ(again.all().hello().held(0).phase(), v1::HeldAttempt::PHASE_FINISHED);
  ASSERT_TRUE(again.ReadUntil([](const auto& all) { return all.results_size() == 1; }));
  again.Acknowledge(7);
  again.Assign(True(), 8);  // after the acknowledgement, in order
  ASSERT_TRUE(host_->WaitUntilRunning(Key(8)));
  FakeSession third(app_->grpc_address(), 3);
  ASSERT_EQ(third.all().hello().held_size(), 1);
  EXPECT_EQ(third.all().hello().held(0).key().task(), 8u);
}

TEST_F(WorkerAppTest, AValidationIsToldStartedAndHeldAtTheNextHello) {
  Start();
  {
    FakeSession session(app_->grpc_address(), 1);
    session.Assign(True(), 7);
    ASSERT_TRUE(host_->WaitUntilRunning(Key(7)));
    host_->EndWork(Key(7));
    ASSERT_TRUE(host_->WaitUntilValidated(Key(7)));
    ASSERT_TRUE(session.ReadUntil([](const auto& all) { return all.validating_size() == 1; }));
    EXPECT_EQ(session.all().validating(0).key().task(), 7u);
  }
  FakeSession again(app_->grpc_address(), 2);
  ASSERT_EQ(again.all().hello().held_size(), 1);
  EXPECT_EQ(again.all().hello().held(0).phase(), v1::HeldAttempt::PHASE_VALIDATING);
}

TEST_F(WorkerAppTest, AnOlderSessionIsToldWhyItIsNotObeyed) {
  Start();
  FakeSession newer(app_->grpc_address(), 5);
  FakeSession older(app_->grpc_address(), 4);
  EXPECT_THAT(older.all().hello().refused_because(), HasSubstr("session 5"));
  EXPECT_EQ(older.Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(WorkerAppTest, ANewerSessionEndsTheOneBefore) {
  Start();
  FakeSession first(app_->grpc_address(), 1);
  FakeSession second(app_->grpc_address(), 2);
  EXPECT_FALSE(first.ReadUntil([](const auto&) { return false; }));
}

TEST_F(WorkerAppTest, LiveOutputComesBeforeTheResultAndFromTheAskedOffset) {
  Start();
  FakeSession session(app_->grpc_address(), 1);
  session.Assign(True(), 7);
  v1::SessionRequest subscribe;
  v1::OutputControl* control = subscribe.add_output();
  control->mutable_key()->set_task(7);
  control->mutable_key()->set_attempt(1);
  control->set_stream(v1::OUTPUT_STREAM_STDOUT);
  control->set_action(v1::OutputControl::ACTION_SUBSCRIBE);
  control->set_offset(3);
  session.Send(subscribe);
  ASSERT_TRUE(host_->WaitUntilSubscribed(Key(7), 3));
  host_->Output(Key(7), 3, "hello");
  host_->Output(Key(7), 8, " world");
  host_->End(Key(7));
  ASSERT_TRUE(session.ReadUntil([](const auto& all) { return all.results_size() == 1; }));
  std::string text;
  for (const auto& piece : session.all().output()) text += piece.data();
  EXPECT_EQ(text, "hello world");
}

TEST_F(WorkerAppTest, ASubscriptionBeforeTheStartReachesTheHostAtTheStart) {
  Start(1);
  FakeSession session(app_->grpc_address(), 1);
  session.Assign(True(), 1);
  session.Assign(True(), 2);  // waits
  v1::SessionRequest subscribe;
  v1::OutputControl* control = subscribe.add_output();
  control->mutable_key()->set_task(2);
  control->mutable_key()->set_attempt(1);
  control->set_stream(v1::OUTPUT_STREAM_STDOUT);
  control->set_action(v1::OutputControl::ACTION_SUBSCRIBE);
  session.Send(subscribe);
  session.Assign(True(), 3);  // so that the order before it has been done when task 1 ends
  ASSERT_TRUE(host_->WaitUntilRunning(Key(1)));
  host_->End(Key(1));
  EXPECT_TRUE(host_->WaitUntilSubscribed(Key(2), 0));
}

TEST_F(WorkerAppTest, AnUnreadableSpecificationIsAResultAndNotASilence) {
  Start();
  FakeSession session(app_->grpc_address(), 1);
  v1::SessionRequest request;
  request.add_specs("\xff\xff");
  request.add_assignments()->mutable_key()->set_task(9);
  request.mutable_assignments(0)->mutable_key()->set_attempt(1);
  session.Send(request);
  ASSERT_TRUE(session.ReadUntil([](const auto& all) { return all.results_size() == 1; }));
  EXPECT_EQ(session.all().results(0).end().reason(), v1::END_REASON_START_FAILED);
}

TEST_F(WorkerAppTest, JoinsAgainWhenTheMasterForgotIt) {
  Start();
  ASSERT_TRUE(master_.WaitForHeartbeat([](const auto&) { return true; }));
  master_.ForgetWorkers();
  EXPECT_TRUE(master_.WaitForJoins(2));
}

TEST_F(WorkerAppTest, AMasterOfAnOlderEpochExtendsNoLeaseAndIsNotJoined) {
  master_.SetEpoch(5);
  Start();
  ASSERT_TRUE(master_.WaitForHeartbeats(2));
  master_.SetEpoch(4);
  ASSERT_TRUE(master_.WaitForHeartbeats(2));  // answers of before are through
  const int64_t lease = fence_.lease_until_ns.load();
  master_.ForgetWorkers();  // an older master does not know it, but that is nothing to obey
  ASSERT_TRUE(master_.WaitForHeartbeats(3));
  EXPECT_EQ(fence_.lease_until_ns.load(), lease);
  EXPECT_FALSE(master_.WaitForJoins(2, absl::ZeroDuration()));
  master_.SetEpoch(6);
  master_.ForgetWorkers();
  EXPECT_TRUE(master_.WaitForJoins(2));
  ASSERT_TRUE(master_.WaitForHeartbeats(2));
  EXPECT_GT(fence_.lease_until_ns.load(), lease);
}

TEST_F(WorkerAppTest, ANameThatALiveWorkerHasEndsItWithOneClearLine) {
  master_.RefuseJoins({grpc::StatusCode::ALREADY_EXISTS, "worker w1 at 127.0.0.1:9999 heartbeats"});
  Start();
  ASSERT_TRUE(app_->WaitUntilEnded(absl::Seconds(20)));
  EXPECT_EQ(app_->exit_code(), 125);
  EXPECT_THAT(app_->last_words(), HasSubstr("127.0.0.1:9999"));
}

TEST_F(WorkerAppTest, APredecessorsNameIsWaitedFor) {
  master_.RefuseJoins({grpc::StatusCode::ALREADY_EXISTS, "worker w1 at 127.0.0.1:9999 heartbeats"});
  WorkerApp::Options options = Options();
  options.name_patience = absl::Seconds(60);
  auto app = WorkerApp::Start(std::move(options));
  ASSERT_TRUE(app.ok()) << app.status();
  ASSERT_TRUE(master_.WaitForRefusedJoins(2));
  master_.RefuseJoins(grpc::Status::OK);
  EXPECT_TRUE(master_.WaitForJoins(1));
}

TEST_F(WorkerAppTest, AnUnhealthyExecutorIsToldToTheMasterWithItsReason) {
  Start();
  ASSERT_TRUE(master_.WaitForHeartbeat([](const auto&) { return true; }));
  host_->SetHealthy(false);
  EXPECT_TRUE(master_.WaitForHeartbeat([](const auto& heartbeat) {
    return heartbeat.has_offer() && !heartbeat.offer().executors(0).healthy() &&
           heartbeat.offer().executors(0).reason() == "no /proc";
  }));
}

TEST_F(WorkerAppTest, UnderTheLowWaterMarkItTakesNothingNewAndSaysWhy) {
  Start();
  FakeSession session(app_->grpc_address(), 1);
  host_->SetFreeDisk(10);
  ASSERT_TRUE(master_.WaitForHeartbeat([](const auto& heartbeat) {
    return heartbeat.load().refuses_because().find("free disk") != std::string::npos;
  }));
  // The next heartbeat has come after the loop was told.
  ASSERT_TRUE(session.ReadUntil([&session, task = uint64_t{100}](const auto& all) mutable {
    if (all.refused_size() > 0) return true;
    session.Assign(True(), ++task);
    return false;
  }) || session.all().refused_size() > 0);
  EXPECT_THAT(session.all().refused(0).reason(), HasSubstr("free disk"));
}

TEST_F(WorkerAppTest, ADrainLetsWhatRunsFinishAndEndsWhenAllIsAcknowledged) {
  Start();
  FakeSession session(app_->grpc_address(), 1);
  session.Assign(True(), 7);
  ASSERT_TRUE(host_->WaitUntilRunning(Key(7)));
  app_->Drain(absl::Seconds(25));
  ASSERT_TRUE(master_.WaitForHeartbeat([](const auto& heartbeat) { return heartbeat.draining(); }));
  EXPECT_TRUE(host_->IsRunning(Key(7)));
  host_->End(Key(7));
  ASSERT_TRUE(session.ReadUntil([](const auto& all) { return all.results_size() == 1; }));
  EXPECT_FALSE(app_->WaitUntilEnded(absl::ZeroDuration()));
  session.Acknowledge(7);
  ASSERT_TRUE(app_->WaitUntilEnded(absl::Seconds(20)));
  EXPECT_EQ(app_->exit_code(), 0);
}

TEST_F(WorkerAppTest, ADrainThatNobodyAcknowledgesEndsWithOneAndTheCount) {
  Start();
  FakeSession session(app_->grpc_address(), 1);
  session.Assign(True(), 7);
  ASSERT_TRUE(host_->WaitUntilRunning(Key(7)));
  app_->Drain(absl::ZeroDuration());
  ASSERT_TRUE(session.ReadUntil([](const auto& all) { return all.results_size() == 1; }));
  EXPECT_EQ(session.all().results(0).end().reason(), v1::END_REASON_PREEMPTED);
  ASSERT_TRUE(app_->WaitUntilEnded(absl::Seconds(20)));
  EXPECT_EQ(app_->exit_code(), 1);
  EXPECT_THAT(app_->last_words(), HasSubstr("1 results"));
}

TEST_F(WorkerAppTest, ADrainOverHttpIsTheSameDrainAndItsAnswerEndsWithIt) {
  Start();
  FakeSession session(app_->grpc_address(), 1);
  session.Assign(True(), 7);
  ASSERT_TRUE(host_->WaitUntilRunning(Key(7)));
  std::string answer;
  std::thread caller([&] { answer = PostDrain(app_->http_address()); });
  ASSERT_TRUE(master_.WaitForHeartbeat([](const auto& heartbeat) { return heartbeat.draining(); }));
  host_->End(Key(7));
  EXPECT_TRUE(session.ReadUntil([](const auto& all) { return all.results_size() == 1; }));
  session.Acknowledge(7);
  EXPECT_TRUE(app_->WaitUntilEnded(absl::Seconds(20)));
  caller.join();
  EXPECT_THAT(answer, HasSubstr("w1 takes nothing new"));
  EXPECT_THAT(answer, HasSubstr("\r\n8\r\ndrained\n\r\n0\r\n\r\n"));
  EXPECT_EQ(app_->exit_code(), 0);
}

TEST_F(WorkerAppTest, AStopDoesNotWaitForWhoListensToADrain) {
  Start();
  FakeSession session(app_->grpc_address(), 1);
  session.Assign(True(), 7);
  ASSERT_TRUE(host_->WaitUntilRunning(Key(7)));
  std::string answer;
  std::thread caller([&] { answer = PostDrain(app_->http_address()); });
  ASSERT_TRUE(master_.WaitForHeartbeat([](const auto& heartbeat) { return heartbeat.draining(); }));
  app_->Stop();
  caller.join();
  EXPECT_THAT(answer, HasSubstr("not drained: the worker stops"));
  EXPECT_THAT(answer, ::testing::Not(HasSubstr("\r\n0\r\n\r\n"))) << "cut short";
}

TEST_F(WorkerAppTest, ATaskThatMustNotOutliveTheLeaseIsShownToTheSupervisor) {
  Start();
  ASSERT_TRUE(master_.WaitForHeartbeat([](const auto&) { return true; }));
  FakeSession session(app_->grpc_address(), 1);
  v1::TaskSpec fenced = True();
  fenced.set_on_worker_loss(v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE);
  session.Assign(fenced, 7);
  ASSERT_TRUE(host_->WaitUntilRunning(Key(7)));
  EXPECT_EQ(fence_.fenced_running.load(), 1u);
  EXPECT_GT(fence_.lease_until_ns.load(), 0);
}

TEST_F(WorkerAppTest, APersonsExecuteRunsHereAndIsRefusedWithoutASlot) {
  Start(1);
  const auto stub = v1::WorkerService::NewStub(
      grpc::CreateChannel(app_->grpc_address(), grpc::InsecureChannelCredentials()));
  const auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(20);
  v1::ExecuteRequest request;
  *request.mutable_task() = True();
  grpc::ClientContext context;
  context.set_deadline(deadline);
  auto call = stub->Execute(&context, request);
  v1::ExecuteResponse response;
  ASSERT_TRUE(call->Read(&response));
  EXPECT_EQ(response.started(), "direct-1");

  grpc::ClientContext second_context;
  second_context.set_deadline(deadline);
  auto second = stub->Execute(&second_context, request);
  EXPECT_FALSE(second->Read(&response));
  EXPECT_EQ(second->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);

  const AttemptKey key{TaskId(uint64_t{1} << 63 | 1), AttemptNumber(1)};
  host_->Output(key, 0, "hi");
  ASSERT_TRUE(call->Read(&response));
  EXPECT_EQ(response.output().data(), "hi");
  host_->End(key);
  ASSERT_TRUE(call->Read(&response));
  EXPECT_EQ(response.end().reason(), v1::END_REASON_EXITED);
  EXPECT_FALSE(call->Read(&response));
  EXPECT_TRUE(call->Finish().ok());
}

TEST_F(WorkerAppTest, APortInUseIsOneClearLine) {
  Start();
  WorkerApp::Options options = Options();
  options.config.grpc_listen = app_->grpc_address();
  const auto second = WorkerApp::Start(std::move(options));
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(app_->grpc_address()));
}

}  // namespace
}  // namespace muster::worker
