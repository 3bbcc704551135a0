// A whole master with TLS: who gets in, and what it then may do.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/refusal.h"
#include "common/rpc/credentials.h"
#include "common/rpc/status.h"
#include "common/security/access_table.h"
#include "muster/v1/queue_service.grpc.pb.h"
#include "muster/v1/schedule_service.grpc.pb.h"
#include "muster/v1/workflow_service.grpc.pb.h"
#include "tests/integration/master_fixture.h"
#include "tests/support/raw_call.h"
#include "tests/support/test_authority.h"

namespace muster::test {
namespace {

using security::Role;

class SecurityTest : public MasterFixture {
 protected:
  SecurityTest() { config_.tls = authority_.Issue(Role::kMaster, "m"); }

  std::shared_ptr<grpc::Channel> Dial(const rpc::TlsFiles& files) {
    const auto tls = rpc::TlsSource::OpenForClient(files);
    EXPECT_TRUE(tls.ok()) << tls.status();
    return rpc::MakeChannel(master_->grpc_address(), rpc::ChannelCredentials(*tls, {}));
  }
  std::shared_ptr<grpc::Channel> DialAs(Role role, const std::string& name = "someone") { return Dial(authority_.Issue(role, name)); }

  std::shared_ptr<grpc::ServerCredentials> WorkerCredentials(const std::string& name) {
    const auto tls = rpc::TlsSource::Open(authority_.Issue(Role::kWorker, name), Role::kWorker);
    EXPECT_TRUE(tls.ok()) << tls.status();
    return rpc::ServerCredentials(*tls, rpc::ClientCertificate::kRequired,
                                  rpc::MakeGate("test", nullptr, &absl::Now));
  }
  void Watch(const std::shared_ptr<grpc::Channel>& channel) {
    cluster_ = v1::ClusterService::NewStub(channel);
    tasks_ = v1::TaskService::NewStub(channel);
  }
  void JoinAs(const std::shared_ptr<grpc::Channel>& channel) { registry_ = v1::RegistryService::NewStub(channel); }

  TestAuthority authority_;
};

std::vector<const google::protobuf::MethodDescriptor*> MethodsOfTheMaster() {
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  for (const char* service : {v1::TaskService::service_full_name(), v1::WorkflowService::service_full_name(),
                              v1::QueueService::service_full_name(), v1::ScheduleService::service_full_name(),
                              v1::ClusterService::service_full_name(), v1::RegistryService::service_full_name()}) {
    const auto* const found = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(service);
    for (int i = 0; i < found->method_count(); ++i) methods.push_back(found->method(i));
  }
  return methods;
}

std::string PathOf(const google::protobuf::MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

bool IsNo(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::PERMISSION_DENIED || status.error_code() == grpc::StatusCode::UNAUTHENTICATED;
}

TEST_F(SecurityTest, EveryMethodIsClosedToEveryWrongRoleAndToThoseWithoutAny) {
  ASSERT_TRUE(StartMaster().ok());
  const auto nobody = Dial({.ca = authority_.ca()});
  for (const auto* method : MethodsOfTheMaster()) {
    EXPECT_EQ(CallMethod(nobody, PathOf(*method)).error_code(), grpc::StatusCode::UNAVAILABLE) << PathOf(*method);  // no handshake
  }
  for (const Role role : security::kRoles) {
    const auto channel = DialAs(role);
    for (const auto* method : MethodsOfTheMaster()) {
      const std::string path = PathOf(*method);
      if (!security::Meets(role, *security::NeedOfMethod(path))) {
        EXPECT_EQ(CallMethod(channel, path).error_code(), grpc::StatusCode::PERMISSION_DENIED) << path << " by " << security::RoleName(role);
      } else if (!method->server_streaming() && !method->client_streaming()) {
        EXPECT_FALSE(IsNo(CallMethod(channel, path))) << path << " by " << security::RoleName(role);
      }
    }
  }
}

TEST_F(SecurityTest, ATaskIsItsCallersWhateverTheCallSays) {
  ASSERT_TRUE(StartMaster().ok());
  const auto tasks = v1::TaskService::NewStub(DialAs(Role::kSubmitter, "anna"));
  v1::SubmitRequest request;
  request.mutable_task()->set_executor("noop");
  request.mutable_task()->set_owner("berta@home");
  v1::SubmitResponse response;
  ASSERT_TRUE(tasks->Submit(Call().get(), request, &response).ok());
  v1::GetRequest get;
  get.set_selector(response.task().id());
  v1::GetResponse got;
  ASSERT_TRUE(tasks->Get(Call().get(), get, &got).ok());
  EXPECT_EQ(got.task().owner(), "submitter/anna");
  v1::SubmitBatchRequest batch;
  *batch.mutable_template_() = request.task();
  batch.add_rows();
  v1::SubmitBatchResponse batch_response;
  ASSERT_TRUE(tasks->SubmitBatch(Call().get(), batch, &batch_response).ok());
  EXPECT_EQ(batch_response.batch().owner(), "submitter/anna");
}

TEST_F(SecurityTest, ASubmitterChangesWhatIsItsOwnAndAnOperatorEveryones) {
  ASSERT_TRUE(StartMaster().ok());
  const auto anna = v1::TaskService::NewStub(DialAs(Role::kSubmitter, "anna"));
  const auto berta = v1::TaskService::NewStub(DialAs(Role::kSubmitter, "berta"));
  const auto operator_ = v1::TaskService::NewStub(DialAs(Role::kOperator, "otto"));
  v1::SubmitBatchRequest batch;
  batch.mutable_template_()->set_executor("noop");
  for (int i = 0; i < 3; ++i) batch.add_rows();
  v1::SubmitBatchResponse of_anna, of_berta, extended;
  ASSERT_TRUE(anna->SubmitBatch(Call().get(), batch, &of_anna).ok());
  ASSERT_TRUE(berta->SubmitBatch(Call().get(), batch, &of_berta).ok());

  v1::CancelRequest cancel;
  v1::CancelResponse cancelled;
  cancel.add_selectors(of_berta.batch().id());
  const absl::Status theirs = rpc::FromGrpc(anna->Cancel(Call().get(), cancel, &cancelled));
  EXPECT_EQ(theirs.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(theirs), "NOT_YOURS");
  EXPECT_THAT(std::string(theirs.message()), ::testing::HasSubstr("is submitter/berta's"));
  // Her own and another's in one call: nothing of it.
  cancel.add_selectors(of_anna.batch().id());
  EXPECT_EQ(anna->Cancel(Call().get(), cancel, &cancelled).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  v1::SubmitBatchRequest more;
  more.set_batch_id(of_berta.batch().id());
  more.add_rows();
  EXPECT_EQ(anna->SubmitBatch(Call().get(), more, &extended).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(berta->SubmitBatch(Call().get(), more, &extended).ok());

  cancel.clear_selectors();
  cancel.add_selectors(of_anna.batch().id());
  EXPECT_TRUE(anna->Cancel(Call().get(), cancel, &cancelled).ok());
  EXPECT_EQ(cancelled.requested_count() + cancelled.already_ended_count(), 3);
  v1::RetryRequest retry;
  v1::RetryResponse retried;
  retry.add_selectors(of_anna.batch().id());
  EXPECT_EQ(berta->Retry(Call().get(), retry, &retried).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(anna->Retry(Call().get(), retry, &retried).ok());
  EXPECT_EQ(retried.count(), 3);
  cancel.clear_selectors();
  cancel.add_selectors(of_berta.batch().id());
  EXPECT_TRUE(operator_->Cancel(Call().get(), cancel, &cancelled).ok());
}

TEST_F(SecurityTest, AWorkflowIsItsOwnersToChange) {
  ASSERT_TRUE(StartMaster().ok());
  const auto anna = v1::WorkflowService::NewStub(DialAs(Role::kSubmitter, "anna"));
  const auto berta = v1::WorkflowService::NewStub(DialAs(Role::kSubmitter, "berta"));
  v1::RunWorkflowRequest run;
  v1::WorkflowNode* const node = run.mutable_workflow()->add_nodes();
  node->set_name("first");
  node->mutable_task()->set_executor("noop");
  node->mutable_task()->set_owner("berta@home");
  v1::RunWorkflowResponse response;
  auto call = Call();
  auto writer = anna->Run(call.get(), &response);
  writer->Write(run);
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(response.workflow().owner(), "submitter/anna");
  v1::CancelWorkflowRequest cancel;
  cancel.set_selector(response.workflow().id());
  v1::CancelWorkflowResponse cancelled;
  EXPECT_EQ(berta->Cancel(Call().get(), cancel, &cancelled).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(anna->Cancel(Call().get(), cancel, &cancelled).ok());
  v1::RetryWorkflowRequest retry;
  retry.set_selector(response.workflow().id());
  v1::RetryWorkflowResponse retried;
  EXPECT_EQ(berta->Retry(Call().get(), retry, &retried).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(SecurityTest, RefusalsStandInTheActivityLogUnderWhoeverCalled) {
  ASSERT_TRUE(StartMaster().ok());
  const auto viewer = DialAs(Role::kViewer, "anna");
  EXPECT_TRUE(IsNo(CallMethod(viewer, "/muster.v1.ClusterService/Shutdown")));
  EXPECT_TRUE(IsNo(CallMethod(viewer, "/muster.v1.ClusterService/Shutdown")));
  const auto cluster = v1::ClusterService::NewStub(viewer);
  int64_t counted = 0;
  EXPECT_TRUE(Eventually([&] {
    auto context = Call();
    auto reader = cluster->ReadActivity(context.get(), {});
    v1::ReadActivityResponse response;
    counted = 0;
    while (reader->Read(&response)) {
      for (const v1::ActivityRecord& record : response.records()) {
        const v1::RequestsRefused& refused = record.requests_refused();
        if (refused.cause() == "PERMISSION_DENIED" && refused.by() == "viewer/anna") counted += refused.count();
      }
    }
    return reader->Finish().ok() && counted == 2;
  })) << counted;
}

TEST_F(SecurityTest, AWorkerJoinsUnderTheNameOfItsCertificateAlone) {
  ASSERT_TRUE(StartMaster().ok());
  FakeWorker worker(4 << 20, WorkerCredentials("w1"));
  JoinAs(DialAs(Role::kWorker, "w1"));
  const absl::Status taken = rpc::FromGrpc(Join(JoinOf("w2", worker)));
  EXPECT_EQ(taken.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(taken), "NOT_ITS_NAME");
  v1::HeartbeatRequest heartbeat;
  heartbeat.set_name("w2");
  heartbeat.set_incarnation(7);
  v1::HeartbeatResponse answer;
  EXPECT_EQ(registry_->Heartbeat(Call().get(), heartbeat, &answer).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  Watch(DialAs(Role::kAdmin));
  EXPECT_TRUE(JoinWorker("w1", &worker));
  EXPECT_EQ(StateOf("w2"), v1::WORKER_STATE_UNSPECIFIED);
}

// Whoever has taken the worker's address over gets no work.
TEST_F(SecurityTest, TheMasterDialsOnlyTheWorkerThatItsCertificateNames) {
  ASSERT_TRUE(StartMaster().ok());
  Watch(DialAs(Role::kAdmin));
  FakeWorker impostor(4 << 20, WorkerCredentials("w2")), worker(4 << 20, WorkerCredentials("w1")), next(4 << 20, WorkerCredentials("w2"));
  impostor.AnswerHello(Incarnation(7));
  JoinAs(DialAs(Role::kWorker, "w1"));
  ASSERT_TRUE(Join(JoinOf("w1", impostor)).ok());
  JoinAs(DialAs(Role::kWorker, "w2"));
  ASSERT_TRUE(JoinWorker("w2", &next));  // dialled after the other
  EXPECT_NE(StateOf("w1"), v1::WORKER_STATE_ACTIVE);
  EXPECT_EQ(impostor.opened(), 0);
}

TEST_F(SecurityTest, AMasterDoesNotStartWithAnothersCertificate) {
  config_.tls = authority_.Issue(Role::kWorker, "w1");
  EXPECT_THAT(std::string(StartMaster().message()), ::testing::HasSubstr("it is for the role worker, and this is a master"));
}

}  // namespace
}  // namespace muster::test
