#include "master/app/master_config.h"

#include <gtest/gtest.h>

#include <vector>

namespace muster::master {
namespace {

absl::Status Load(std::vector<const char*> flags, MasterConfig* config) {
  config::Schema schema("muster-master", "test", "MUSTER_TEST");
  Declare(config, &schema);
  flags.insert(flags.begin(), "muster-master");
  return schema.Load(static_cast<int>(flags.size()), flags.data(), "test").status();
}

TEST(MasterConfigTest, TheTimesThatAreNotSetFollowFromLostAfter) {
  MasterConfig config;
  ASSERT_TRUE(Load({"--workers.lost_after=60s"}, &config).ok());
  EXPECT_EQ(config.core.self_fence, absl::Seconds(40));
  EXPECT_EQ(config.core.kill_grace, absl::Seconds(10));
  EXPECT_EQ(config.core.fence_margin, absl::Seconds(6));
}

TEST(MasterConfigTest, AnEndInOrderPromisesNoShorterLeaseThanAnAnswer) {
  MasterConfig config;
  ASSERT_TRUE(Load({"--workers.shutdown_lease=5s", "--workers.lost_after=60s"}, &config).ok());
  EXPECT_EQ(config.core.shutdown_lease, absl::Seconds(40));
  ASSERT_TRUE(Load({"--workers.shutdown_lease=50s", "--workers.lost_after=60s"}, &config).ok());
  EXPECT_EQ(config.core.shutdown_lease, absl::Seconds(50));
}

TEST(MasterConfigTest, TheDefaultsArePromisedOnes) {
  MasterConfig config;
  ASSERT_TRUE(Load({}, &config).ok());
  EXPECT_EQ(config.grpc_listen, "127.0.0.1:7070");
  EXPECT_EQ(config.http_listen, "127.0.0.1:7080");
  EXPECT_EQ(config.core.heartbeat, absl::Seconds(2));
  EXPECT_EQ(config.core.lost_after, absl::Seconds(30));
  EXPECT_EQ(config.core.self_fence, absl::Seconds(20));
  EXPECT_EQ(config.core.shutdown_lease, absl::Seconds(120));
  EXPECT_EQ(config.core.max_queued, 1'000'000u);
  EXPECT_EQ(config.core.balancer, core::BalancerKind::kLeastLoaded);
  EXPECT_EQ(config.message_bytes, 4 << 20);
}

TEST(MasterConfigTest, TimesInWhichAFencedAttemptCouldRunTwiceAreRefused) {
  MasterConfig config;
  const absl::Status status = Load({"--workers.lost_after=30s", "--workers.self_fence=25s"}, &config);
  EXPECT_NE(status.message().find("workers.lost_after"), absl::string_view::npos) << status;
}

TEST(MasterConfigTest, APublicAddressNeedsTlsAndClientCertificates) {
  MasterConfig config;
  EXPECT_FALSE(Load({"--grpc.listen=0.0.0.0:7070"}, &config).ok());
  EXPECT_FALSE(Load({"--grpc.listen=0.0.0.0:7070", "--grpc.tls.certificate=c", "--grpc.tls.key=k"}, &config).ok());
  EXPECT_TRUE(Load({"--grpc.listen=0.0.0.0:7070", "--grpc.tls.certificate=c", "--grpc.tls.key=k", "--grpc.tls.ca=a"},
                   &config)
                  .ok());
  EXPECT_FALSE(Load({"--http.listen=0.0.0.0:7080"}, &config).ok());
  EXPECT_TRUE(Load({"--health.listen=0.0.0.0:7082"}, &config).ok());
}

TEST(MasterConfigTest, ABalancerThatIsNoneIsRefused) {
  MasterConfig config;
  EXPECT_FALSE(Load({"--scheduler.balancer=random"}, &config).ok());
  ASSERT_TRUE(Load({"--scheduler.balancer=weighted"}, &config).ok());
  EXPECT_EQ(config.core.balancer, core::BalancerKind::kWeighted);
}

TEST(MasterConfigTest, KnownExecutorsAddToTheShippedOnes) {
  MasterConfig config;
  ASSERT_TRUE(Load({"--executors.known=http,sql"}, &config).ok());
  EXPECT_EQ(config.core.known_executors, (std::vector<std::string>{"command", "noop", "http", "sql"}));
}

}  // namespace
}  // namespace muster::master
