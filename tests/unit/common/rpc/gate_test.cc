#include "common/rpc/gate.h"

#include <gmock/gmock.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/synchronization/mutex.h"
#include "common/base/refusal.h"
#include "common/rpc/server.h"
#include "common/security/access_table.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/raw_call.h"
#include "tests/support/test_authority.h"

namespace muster::rpc {
namespace {

using security::Need;
using security::Role;
using test::TestAuthority;

using test::CallMethod;

class GateTest : public ::testing::Test {
 protected:
  // A server without services: what the gate lets through is UNIMPLEMENTED.
  void Serve(ClientCertificate certificate = ClientCertificate::kAsked, absl::Duration look_every = absl::Seconds(10)) {
    files_ = authority_.Issue(Role::kMaster, "m");
    auto tls = TlsSource::Open(files_, Role::kMaster, look_every);
    ASSERT_TRUE(tls.ok()) << tls.status();
    auto server = Server::Start({.listen = "127.0.0.1:0",
                                 .tls = *tls,
                                 .client_certificate = certificate,
                                 .refused_call =
                                     [this](const absl::Status& status, const std::string& by) {
                                       absl::MutexLock lock(&mutex_);
                                       ++refused_[ReasonOf(status) + " " + by];
                                     },
                                 .look_at_streams = absl::Milliseconds(100)},
                                {});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::shared_ptr<grpc::Channel> Dial(const TlsFiles& files, PeerRule rule = {}) {
    const auto tls = TlsSource::OpenForClient(files);
    EXPECT_TRUE(tls.ok()) << tls.status();
    return MakeChannel(server_->address(), ChannelCredentials(*tls, rule));
  }
  // A client that does not care who answers.
  std::shared_ptr<grpc::Channel> DialBelievingAnyone(const TlsFiles& files) {
    const auto tls = TlsSource::OpenForClient(files);
    EXPECT_TRUE(tls.ok()) << tls.status();
    grpc::experimental::TlsChannelCredentialsOptions options;
    options.set_certificate_provider((*tls)->provider());
    options.watch_root_certs();
    options.watch_identity_key_cert_pairs();
    options.set_check_call_host(false);
    options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
    return MakeChannel(server_->address(), grpc::experimental::TlsCredentials(options));
  }
  grpc::StatusCode Try(const TlsFiles& files, PeerRule rule = {}, const std::string& method = "/grpc.health.v1.Health/List") {
    return CallMethod(Dial(files, rule), method).error_code();
  }

  TestAuthority authority_;
  TlsFiles files_;
  std::unique_ptr<Server> server_;
  absl::Mutex mutex_;
  std::map<std::string, int> refused_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(GateTest, EveryMethodIsRefusedToEveryRoleThatItIsNotFor) {
  Serve();
  for (const Role role : security::kRoles) {
    const auto channel = Dial(authority_.Issue(role, "someone"));
    for (const security::AccessRow& row : security::MethodRows()) {
      if (row.need == Need::kIdentity) continue;  // health and reflection are really there
      const grpc::Status status = CallMethod(channel, std::string(row.what));
      EXPECT_EQ(status.error_code(), security::Meets(role, row.need) ? grpc::StatusCode::UNIMPLEMENTED
                                                                     : grpc::StatusCode::PERMISSION_DENIED)
          << row.what << " by " << security::RoleName(role) << ": " << status.error_message();
    }
    EXPECT_EQ(CallMethod(channel, "/muster.v1.TaskService/Nonesuch").error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  absl::MutexLock lock(&mutex_);
  EXPECT_GT(refused_["PERMISSION_DENIED viewer/someone"], 10);
  EXPECT_GT(refused_["PERMISSION_DENIED worker/someone"], 10);
}

TEST_F(GateTest, WithoutACertificateEveryMethodIsRefused) {
  Serve();
  const auto channel = Dial({.ca = authority_.ca()});
  for (const security::AccessRow& row : security::MethodRows()) {
    const grpc::Status status = CallMethod(channel, std::string(row.what));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << row.what << ": " << status.error_message();
  }
  absl::MutexLock lock(&mutex_);
  EXPECT_EQ(refused_["UNAUTHENTICATED nobody"], static_cast<int>(security::MethodRows().size()));
}

TEST_F(GateTest, ARefusalSaysWhatWasMissingAndNoMore) {
  Serve();
  EXPECT_EQ(CallMethod(Dial(authority_.Issue(Role::kViewer, "anna")), "/muster.v1.ClusterService/Shutdown").error_message(),
            "viewer/anna may not do that; it takes the role admin");
}

TEST_F(GateTest, CertificatesThatProveNothingGetNowhere) {
  Serve();
  TestAuthority other;
  const std::string method = "/muster.v1.TaskService/List";
  EXPECT_EQ(Try(authority_.Issue(Role::kViewer, "anna"), {}, method), grpc::StatusCode::UNIMPLEMENTED);
  TlsFiles of_another_authority = other.Issue(Role::kAdmin, "eve");
  of_another_authority.ca = authority_.ca();
  EXPECT_EQ(Try(of_another_authority, {}, method), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Try(authority_.Issue(Role::kAdmin, "old", absl::Now() - absl::Hours(2), absl::Hours(1)), {}, method),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Try(authority_.Issue(Role::kAdmin, "early", absl::Now() + absl::Hours(2), absl::Hours(1)), {}, method),
            grpc::StatusCode::UNAVAILABLE);
  // Of the same authority, but of another cluster: nobody here. It does not believe this master either.
  const TlsFiles of_another_cluster = authority_.Issue(Role::kAdmin, "anna", absl::Now(), absl::Hours(1), "else");
  EXPECT_EQ(Try(of_another_cluster, {}, method), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(CallMethod(DialBelievingAnyone(of_another_cluster), method).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(CallMethod(DialBelievingAnyone(authority_.Issue(Role::kViewer, "anna")), method).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(GateTest, ACertificateThatEndsWhileItsConnectionLastsIsRefused) {
  Serve();
  const auto channel = Dial(authority_.Issue(Role::kViewer, "anna", absl::Now(), absl::Seconds(2)));
  ASSERT_EQ(CallMethod(channel, "/muster.v1.TaskService/List").error_code(), grpc::StatusCode::UNIMPLEMENTED);
  grpc::Status status;
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (absl::Now() < deadline && status.error_code() != grpc::StatusCode::UNAUTHENTICATED) {
    status = CallMethod(channel, "/muster.v1.TaskService/List");
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << status.error_message();
}

TEST_F(GateTest, AStreamEndsWithTheRightToIt) {
  Serve();
  const auto health = grpc::health::v1::Health::NewStub(Dial(authority_.Issue(Role::kViewer, "anna", absl::Now(), absl::Seconds(3))));
  const auto lasting = grpc::health::v1::Health::NewStub(Dial(authority_.Issue(Role::kViewer, "berta")));
  grpc::ClientContext context, lasting_context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  lasting_context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  auto stream = health->Watch(&context, {});
  auto lasting_stream = lasting->Watch(&lasting_context, {});
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(lasting_stream->Read(&response));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  server_->SetServing("", true);
  EXPECT_TRUE(lasting_stream->Read(&response));
  lasting_context.TryCancel();
  EXPECT_EQ(lasting_stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(GateTest, WhereACertificateIsRequiredNobodyConnectsWithoutOne) {
  Serve(ClientCertificate::kRequired);
  EXPECT_EQ(Try({.ca = authority_.ca()}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(Try(authority_.Issue(Role::kViewer, "anna")), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GateTest, TheOtherEndMustBeWhomWeMean) {
  Serve();
  const TlsFiles worker = authority_.Issue(Role::kWorker, "w");
  EXPECT_NE(Try(worker, {.role = Role::kMaster}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(Try(worker, {.role = Role::kMaster, .name = "m"}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Try(worker, {.role = Role::kMaster, .name = "n"}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Try(worker, {.role = Role::kWorker, .name = "m"}), grpc::StatusCode::UNAVAILABLE);
  TestAuthority other;
  EXPECT_EQ(Try({.certificate = worker.certificate, .key = worker.key, .ca = other.ca()}), grpc::StatusCode::UNAVAILABLE);
}

// The certificate of the server is renewed under another authority: old clients' connections last, new ones believe it.
TEST_F(GateTest, NewFilesServeNewConnectionsAndOldOnesLast) {
  Serve(ClientCertificate::kAsked, absl::Seconds(1));
  const auto old_connection = Dial(authority_.Issue(Role::kViewer, "anna"));
  ASSERT_EQ(CallMethod(old_connection, "/muster.v1.TaskService/List").error_code(), grpc::StatusCode::UNIMPLEMENTED);
  TestAuthority renewed;
  const TlsFiles next = renewed.Issue(Role::kMaster, "m");
  for (const auto& [from, to] : {std::pair(next.key, files_.key), {next.certificate, files_.certificate}, {next.ca, files_.ca}}) {
    std::filesystem::copy_file(from, to + ".new");
    std::filesystem::rename(to + ".new", to);
  }
  const TlsFiles client = renewed.Issue(Role::kViewer, "berta");
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  while (absl::Now() < deadline && (code = Try(client, {}, "/muster.v1.TaskService/List")) != grpc::StatusCode::UNIMPLEMENTED) {
  }
  EXPECT_EQ(code, grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(CallMethod(old_connection, "/muster.v1.TaskService/List").error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

// Nonsense in the files' places, or nothing, must not end the server.
TEST_F(GateTest, ItOutlivesFilesThatAreBrokenForAWhile) {
  Serve(ClientCertificate::kAsked, absl::Seconds(1));
  const TlsFiles client = authority_.Issue(Role::kViewer, "anna");
  const auto old_connection = Dial(client);
  ASSERT_EQ(CallMethod(old_connection, "/muster.v1.TaskService/List").error_code(), grpc::StatusCode::UNIMPLEMENTED);
  const TlsFiles other = authority_.Issue(Role::kMaster, "m");
  const std::string key = files_.key, aside = files_.key + ".aside";
  std::filesystem::rename(key, aside);
  std::filesystem::copy_file(other.key, key);  // not that of the certificate
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (absl::Now() < deadline && Try(client) != grpc::StatusCode::UNAVAILABLE) {
  }
  EXPECT_EQ(CallMethod(old_connection, "/muster.v1.TaskService/List").error_code(), grpc::StatusCode::UNIMPLEMENTED);
  std::filesystem::remove(key);
  std::filesystem::rename(aside, key);
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  while (absl::Now() < deadline && (code = Try(client, {}, "/muster.v1.TaskService/List")) != grpc::StatusCode::UNIMPLEMENTED) {
  }
  EXPECT_EQ(code, grpc::StatusCode::UNIMPLEMENTED);
}

TEST(TlsSource, WhatIsWrongWithTheFilesIsToldAtStart) {
  TestAuthority authority;
  const TlsFiles master = authority.Issue(Role::kMaster, "m"), worker = authority.Issue(Role::kWorker, "w");
  auto problem = [](const TlsFiles& files, Role role) {
    return std::string(TlsSource::Open(files, role).status().message());
  };
  EXPECT_THAT(problem({.certificate = master.certificate, .ca = master.ca}, Role::kMaster), ::testing::HasSubstr("belong together"));
  EXPECT_THAT(problem({.ca = master.ca}, Role::kMaster), ::testing::HasSubstr("needs a certificate and a key"));
  EXPECT_THAT(problem({.certificate = master.certificate, .key = master.key}, Role::kMaster), ::testing::HasSubstr("needs the CA"));
  EXPECT_THAT(problem({.certificate = master.certificate, .key = worker.key, .ca = master.ca}, Role::kMaster),
              ::testing::HasSubstr("not that of the certificate"));
  EXPECT_THAT(problem(worker, Role::kMaster), ::testing::HasSubstr("it is for the role worker, and this is a master"));
  EXPECT_THAT(problem({.certificate = master.ca, .key = master.key, .ca = master.ca}, Role::kMaster), ::testing::HasSubstr(master.ca));
  EXPECT_THAT(problem({.certificate = master.certificate, .key = master.key, .ca = "/nonexistent.pem"}, Role::kMaster),
              ::testing::HasSubstr("cannot read the TLS CA /nonexistent.pem"));
  EXPECT_THAT(problem(authority.Issue(Role::kMaster, "old", absl::Now() - absl::Hours(2), absl::Hours(1)), Role::kMaster),
              ::testing::HasSubstr("it has expired on"));
  EXPECT_TRUE(TlsSource::Open(master, Role::kMaster).ok());
  EXPECT_EQ(*TlsSource::Open({}, Role::kMaster), nullptr);
}

}  // namespace
}  // namespace muster::rpc
