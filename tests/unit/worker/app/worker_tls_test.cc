// A whole worker with TLS: whom it believes, and from whom it takes work.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "common/rpc/credentials.h"
#include "common/rpc/gate.h"
#include "common/rpc/server.h"
#include "common/security/access_table.h"
#include "tests/support/raw_call.h"
#include "tests/support/test_authority.h"
#include "tests/unit/worker/app/fake_execution_host.h"
#include "tests/unit/worker/app/fake_master.h"
#include "worker/app/worker_app.h"

namespace muster::worker {
namespace {

using security::Role;
using test::CallMethod;
using test::TestAuthority;

class WorkerTlsTest : public ::testing::Test {
 protected:
  void Start(const std::string& master) {
    WorkerApp::Options options;
    options.config.name = "w1";
    options.config.tls = authority_.Issue(Role::kWorker, "w1");
    options.config.master = master;
    options.config.grpc_listen = "127.0.0.1:0";
    options.config.slots = 2;
    options.config.max_held = 64;
    options.config.work_dir = "/nonexistent";
    options.config.disk_low_water_bytes = 1000;
    options.version = "test";
    options.fence = &fence_;
    options.make_host = [](execution::HostConfig, execution::Listener* listener)
        -> absl::StatusOr<std::unique_ptr<execution::ExecutionHost>> { return std::make_unique<FakeExecutionHost>(listener); };
    auto app = WorkerApp::Start(std::move(options));
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }
  std::shared_ptr<grpc::Channel> Dial(const rpc::TlsFiles& files) {
    const auto tls = rpc::TlsSource::OpenForClient(files);
    EXPECT_TRUE(tls.ok()) << tls.status();
    return rpc::MakeChannel(app_->grpc_address(), rpc::ChannelCredentials(*tls, {.role = Role::kWorker, .name = "w1"}));
  }
  // What a master serves with; its gate lets workers in.
  std::shared_ptr<grpc::ServerCredentials> MasterCredentials(TestAuthority* authority, Role role) {
    const auto tls = rpc::TlsSource::Open(authority->Issue(role, "m"), role);
    EXPECT_TRUE(tls.ok()) << tls.status();
    return rpc::ServerCredentials(*tls, rpc::ClientCertificate::kAsked, rpc::MakeGate("test", nullptr, &absl::Now));
  }

  TestAuthority authority_;
  FencePage fence_;
  std::unique_ptr<WorkerApp> app_;
};

TEST_F(WorkerTlsTest, ItTakesWorkFromItsMasterAlone) {
  Start("127.0.0.1:1");
  const std::string session = "/muster.v1.WorkerService/Session", execute = "/muster.v1.WorkerService/Execute";
  for (const Role role : security::kRoles) {
    const auto channel = Dial(authority_.Issue(role, "someone"));
    const grpc::StatusCode of_session = CallMethod(channel, session, absl::Seconds(1)).error_code();
    const grpc::StatusCode of_execute = CallMethod(channel, execute).error_code();
    EXPECT_EQ(of_session == grpc::StatusCode::PERMISSION_DENIED, role != Role::kMaster) << security::RoleName(role);
    EXPECT_EQ(of_execute == grpc::StatusCode::PERMISSION_DENIED, role != Role::kAdmin) << security::RoleName(role);
    EXPECT_NE(of_session, grpc::StatusCode::UNAVAILABLE);
  }
  TestAuthority other;
  rpc::TlsFiles stranger = other.Issue(Role::kMaster, "m");
  stranger.ca = authority_.ca();
  EXPECT_EQ(CallMethod(Dial(stranger), session).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(CallMethod(Dial({.ca = authority_.ca()}), session).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(WorkerTlsTest, ItJoinsAMasterOfItsCluster) {
  FakeMaster master(MasterCredentials(&authority_, Role::kMaster));
  Start(master.address());
  EXPECT_TRUE(master.WaitForJoin([](const auto& join) { return join.name() == "w1"; }));
}

// Another worker's certificate is good for serving, but not for being the master.
TEST_F(WorkerTlsTest, ItDoesNotJoinAWorkerThatPosesAsTheMaster) {
  FakeMaster impostor(MasterCredentials(&authority_, Role::kWorker));
  Start(impostor.address());
  EXPECT_FALSE(impostor.WaitForJoins(1, absl::Seconds(1)));
}

}  // namespace
}  // namespace muster::worker
