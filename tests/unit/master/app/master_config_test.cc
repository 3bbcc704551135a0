#include "master/app/master_config.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "master/app/queue_config.h"

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
  EXPECT_EQ(config.core.placement.balancer, BalancerKind::kLeastLoaded);
  EXPECT_EQ(config.message_bytes, 4 << 20);
}

config::Entry Nightly(const std::string& field, const std::string& text) { return {{"name", "nightly"}, {field, text}}; }

TEST(MasterConfigTest, QueuesAreReadByName) {
  const auto queues = ReadQueues({{{"name", "nightly"}, {"weight", "3"}, {"max_running", "8"}, {"max_queued", "100"},
                                   {"start_rate", "0.5"}, {"burst", "4"}, {"defaults.priority", "-7"},
                                   {"defaults.retries", "2"}, {"defaults.retry_delay", "2s,90s"},
                                   {"defaults.retry_on", "75"}, {"defaults.never_retry", "2,64"},
                                   {"defaults.on_worker_loss", "hold"}, {"defaults.timeout", "1h"}},
                                  {{"name", "daily"}}});
  ASSERT_TRUE(queues.ok()) << queues.status();
  QueueSettings nightly{.weight = 3, .max_running = 8, .max_queued = 100, .start_rate = 0.5, .burst = 4};
  nightly.priority = -7;
  nightly.retry = RetryPolicy{3, absl::Seconds(2), absl::Seconds(90), {75}, {2, 64}};
  nightly.on_worker_loss = OnWorkerLoss::kHold;
  nightly.run_timeout = absl::Hours(1);
  EXPECT_EQ(queues->at("nightly"), nightly);
  EXPECT_EQ(queues->at("daily"), QueueSettings());
}

TEST(MasterConfigTest, AQueueThatMakesNoSenseIsNamedWithWhatIsWrong) {
  const auto message = [](const std::vector<config::Entry>& entries) {
    return std::string(ReadQueues(entries).status().message());
  };
  EXPECT_EQ(message({Nightly("weight", "0")}), "queues: nightly: weight is 0; 1 to 1000");
  EXPECT_EQ(message({Nightly("weight", "many")}), "queues: nightly: weight: \"many\" is no whole number");
  EXPECT_EQ(message({Nightly("defaults.never_retry", "300")}),
            "queues: nightly: defaults.never_retry: '300' is no exit code; give codes of 0 to 255 such as 1,75,100-110");
  EXPECT_EQ(message({{{"name", "nightly"}, {"defaults.retry_on", "3"}, {"defaults.never_retry", "2-4"}}}),
            "queues: nightly: exit code 3 is both to be retried and never to be");
  EXPECT_EQ(message({Nightly("max_running", "-1")}), "queues: nightly: max_running: \"-1\" is no whole number");
  EXPECT_EQ(message({Nightly("start_rate", "nan")}), "queues: nightly: start_rate is nan; 0 for none, or 0.000001 to 1000000 a second");
  EXPECT_EQ(message({Nightly("defaults.retry_delay", "9s,2s")}), "queues: nightly: defaults.retry_delay: \"9s,2s\": the cap is below the base");
  EXPECT_EQ(message({{{"name", "a"}}, {{"name", "a"}}}), "queues: a: is there twice");
  EXPECT_EQ(message({{{"weight", "2"}}}), "queues: \"\": is no name for a queue; at most 128 of [A-Za-z0-9._-]");
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
  EXPECT_FALSE(Load({"--http.listen=127.0.0.1:7080,0.0.0.0:7090"}, &config).ok());
  EXPECT_FALSE(Load({"--health.listen=127.0.0.1:7082,0.0.0.0:7083"}, &config).ok());
}

TEST(MasterConfigTest, ABalancerThatIsNoneIsRefused) {
  MasterConfig config;
  EXPECT_FALSE(Load({"--scheduler.balancer=random"}, &config).ok());
  ASSERT_TRUE(Load({"--scheduler.balancer=weighted"}, &config).ok());
  EXPECT_EQ(config.core.placement.balancer, BalancerKind::kWeighted);
  EXPECT_FALSE(config.core.placement.shadow.has_value());
}

TEST(MasterConfigTest, AShadowIsAnotherBalancerThanTheOneThatDecides) {
  MasterConfig config;
  ASSERT_TRUE(Load({"--scheduler.shadow_balancer=locality"}, &config).ok());
  EXPECT_EQ(config.core.placement.shadow, BalancerKind::kLocality);
  EXPECT_FALSE(Load({"--scheduler.shadow_balancer=least_loaded"}, &config).ok());
  EXPECT_FALSE(Load({"--scheduler.shadow_balancer=random"}, &config).ok());
}

TEST(MasterConfigTest, KnownExecutorsAddToTheShippedOnes) {
  MasterConfig config;
  ASSERT_TRUE(Load({"--executors.known=http,sql"}, &config).ok());
  EXPECT_EQ(config.core.known_executors, (std::vector<std::string>{"command", "noop", "http", "sql"}));
}

TEST(ResourcesOfTheCluster, AreNamesWithWholeNumbers) {
  const auto resources = ReadResources({{"license.matlab", "2"}, {"api", "50"}, {"none", "0"}});
  ASSERT_TRUE(resources.ok()) << resources.status();
  EXPECT_EQ(*resources, (std::map<std::string, int64_t>{{"api", 50}, {"license.matlab", 2}, {"none", 0}}));
  const auto message = [](const std::map<std::string, std::string>& read) { return std::string(ReadResources(read).status().message()); };
  EXPECT_EQ(message({{"api", "-1"}}), "resources: api: \"-1\" is no whole number from 0 to 1000000000000");
  EXPECT_EQ(message({{"api", "1.5"}}), "resources: api: \"1.5\" is no whole number from 0 to 1000000000000");
  EXPECT_EQ(message({{"a b", "1"}}), "resources: \"a b\" is no name; at most 128 of [A-Za-z0-9._-]");
  std::map<std::string, std::string> many;
  for (int i = 0; i <= 100; ++i) many[std::to_string(i)] = "1";
  EXPECT_EQ(message(many), "resources: more than 100");
}

}  // namespace
}  // namespace muster::master
