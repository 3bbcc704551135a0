#include "worker/app/worker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_authority.h"

namespace muster::worker {
namespace {

using ::testing::HasSubstr;

class WorkerConfigTest : public ::testing::Test {
 protected:
  absl::Status Load(std::vector<const char*> flags) {
    flags.insert(flags.begin(), "muster-worker");
    config::Schema schema("muster-worker", "test", "MUSTER_TEST_WORKER");
    Declare(&config_, &schema);
    const auto outcome = schema.Load(static_cast<int>(flags.size()), flags.data(), "v");
    if (!outcome.ok()) return outcome.status();
    return Complete(&config_, "/plugins");
  }
  WorkerConfig config_;
};

TEST_F(WorkerConfigTest, DefaultsFitThisMachine) {
  ASSERT_TRUE(Load({}).ok());
  EXPECT_FALSE(config_.name.empty());
  EXPECT_GE(config_.slots, 1);
  EXPECT_GT(config_.memory_bytes, 0);
  EXPECT_EQ(config_.drain_timeout, absl::Seconds(25));
  const execution::HostConfig host = MakeHostConfig(config_);
  ASSERT_EQ(host.executors.size(), 2u);
  EXPECT_EQ(host.executors[0].path, "/plugins/command.so");
}

TEST_F(WorkerConfigTest, WhatItOffersIsWhatWasConfigured) {
  ASSERT_TRUE(Load({"--slots=3", "--labels=zone=a", "--capabilities=gpu", "--resources=gpu=2", "--cpu=1.5"}).ok());
  const WorkerOffer offer = FixedOffer(config_);
  EXPECT_EQ(offer.capacity.slots, 3u);
  EXPECT_EQ(offer.capacity.cpu_millis, 1500);
  ASSERT_EQ(offer.capacity.named.size(), 1u);
  EXPECT_EQ(offer.capacity.named[0].second, 2);
  EXPECT_EQ(offer.labels[0].first, "zone");
  EXPECT_EQ(offer.capabilities[0], "gpu");
}

TEST_F(WorkerConfigTest, EachFigureSaysWhereItComesFrom) {
  ASSERT_TRUE(Load({"--memory=1G"}).ok());
  const CapacityOrigins origins = FixedOffer(config_).origins;
  EXPECT_EQ(origins.memory, CapacityOrigin::kConfigured);
  EXPECT_EQ(origins.disk, CapacityOrigin::kMachine);
  EXPECT_NE(origins.slots, CapacityOrigin::kConfigured);
  EXPECT_EQ(origins.slots, origins.cpu);
  ASSERT_TRUE(Load({"--slots=3", "--cpu=0.5", "--disk=1G"}).ok());
  EXPECT_EQ(config_.origins.slots, CapacityOrigin::kConfigured);
  EXPECT_EQ(config_.origins.cpu, CapacityOrigin::kConfigured);
  EXPECT_EQ(config_.origins.disk, CapacityOrigin::kConfigured);
}

TEST_F(WorkerConfigTest, TheDiskIsWhatIsFreeLessTheLowWaterMark) {
  // Where the directory will be made: the root's file system is asked.
  ASSERT_TRUE(Load({"--work_dir=/no-such-directory/worker", "--disk.low_water=0"}).ok());
  const int64_t free = config_.disk_bytes;
  EXPECT_GT(free, 0);
  ASSERT_TRUE(Load({"--work_dir=/no-such-directory/worker", "--disk.low_water=1000000T"}).ok());
  EXPECT_EQ(config_.disk_bytes, 0) << "less than the mark is free: nothing to ask for";
  ASSERT_TRUE(Load({"--disk=10G"}).ok());
  EXPECT_EQ(FixedOffer(config_).capacity.disk_bytes, int64_t{10} << 30);
}

TEST_F(WorkerConfigTest, BadValuesNameTheirKey) {
  EXPECT_THAT(std::string(Load({"--name=a b"}).message()), HasSubstr("name"));
  EXPECT_THAT(std::string(Load({"--work_dir=here"}).message()), HasSubstr("work_dir"));
  EXPECT_THAT(std::string(Load({"--resources=gpu=many"}).message()), HasSubstr("resources"));
  EXPECT_THAT(std::string(Load({"--http.listen=0.0.0.0:80"}).message()), HasSubstr("health.listen"));
  EXPECT_THAT(std::string(Load({"--http.listen=127.0.0.1:80,0.0.0.0:81"}).message()), HasSubstr("http.listen"));
  EXPECT_THAT(std::string(Load({"--health.listen=127.0.0.1:80,0.0.0.0:81"}).message()), HasSubstr("not one address"));
  EXPECT_FALSE(Load({"--slots=-1"}).ok());
}

TEST_F(WorkerConfigTest, AnExecutorWithoutAPathMustBeAShippedOne) {
  ASSERT_TRUE(Load({}).ok());
  config_.executors.push_back({{"name", "http"}});
  EXPECT_THAT(std::string(Complete(&config_, "/plugins").message()), HasSubstr("http has no path"));
}

TEST_F(WorkerConfigTest, SettingsReachTheirExecutor) {
  ASSERT_TRUE(Load({}).ok());
  config_.executors = {{{"name", "command"}, {"settings.path", "/bin"}}};
  ASSERT_TRUE(Complete(&config_, "/plugins").ok());
  const execution::HostConfig host = MakeHostConfig(config_);
  using ::testing::Contains;
  using ::testing::Pair;
  EXPECT_THAT(host.executors[0].settings, Contains(Pair("path", "/bin")));
  EXPECT_THAT(host.executors[0].settings, Contains(Pair("max_processes", "4096")));
  EXPECT_TRUE(host.executors[1].settings.empty());
}

TEST_F(WorkerConfigTest, IsolationReachesTheCommandsExecutor) {
  ASSERT_TRUE(Load({"--isolation.minimum=limited", "--isolation.users=70000-70999", "--isolation.hide=/srv/a,/srv/b",
                    "--isolation.tmp_size=1M", "--grpc.tls.key=/etc/k"}).ok());
  const execution::HostConfig host = MakeHostConfig(config_);
  EXPECT_TRUE(host.commands_have_users);
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"isolation_minimum", "limited"}, {"users", "70000-70999"}, {"hidden", "/srv/a:/srv/b:/etc/k"}, {"tmp_bytes", "1048576"}}) {
    EXPECT_THAT(host.executors[0].settings, ::testing::Contains(::testing::Pair(key, value)));
  }
}

TEST_F(WorkerConfigTest, IsolationThatCannotBeIsRefused) {
  const std::pair<std::vector<const char*>, const char*> wrong[] = {
      {{"--capabilities=isolation.strict"}, "capabilities: isolation.strict is found out by the worker"},
      {{"--labels=isolation.strict=yes"}, "labels: isolation.strict is found out by the worker"},
      {{"--isolation.hide=key"}, "isolation.hide: key must be an absolute path"},
      {{"--isolation.user=a", "--isolation.users=1-2"}, "isolation.users: isolation.user is there, too"},
      {{"--isolation.minimum=tight"}, "plain"}};
  for (const auto& [flags, words] : wrong) {
    config_ = WorkerConfig();
    EXPECT_THAT(std::string(Load(flags).message()), HasSubstr(words));
  }
}

TEST_F(WorkerConfigTest, ItsNameIsWhatItsCertificateSays) {
  test::TestAuthority authority;
  const rpc::TlsFiles files = authority.Issue(security::Role::kWorker, "node-7");
  const std::string certificate = "--grpc.tls.certificate=" + files.certificate;
  ASSERT_TRUE(Load({certificate.c_str()}).ok());
  EXPECT_EQ(config_.name, "node-7");
  EXPECT_THAT(config_.work_dir, ::testing::EndsWith("/node-7"));
  EXPECT_TRUE(Load({certificate.c_str(), "--name=node-7"}).ok());
  EXPECT_THAT(std::string(Load({certificate.c_str(), "--name=node-8"}).message()), HasSubstr("says: node-7; leave the key out"));
  EXPECT_THAT(std::string(Load({"--grpc.tls.certificate=/nonexistent.pem"}).message()), HasSubstr("cannot read the TLS certificate"));
}

TEST_F(WorkerConfigTest, AnyAddressButLoopbackNeedsTls) {
  for (const char* listen : {"--grpc.listen=0.0.0.0:7071", "--grpc.listen=[::]:7071", "--grpc.listen=10.0.0.7:7071"}) {
    EXPECT_THAT(std::string(Load({listen}).message()), HasSubstr("is not loopback: that needs TLS")) << listen;
  }
  EXPECT_TRUE(Load({"--grpc.listen=unix:/run/muster/worker.sock"}).ok());
}

TEST_F(WorkerConfigTest, AnAddressForEveryoneIsAdvertisedByName) {
  ASSERT_TRUE(Load({}).ok());
  EXPECT_EQ(AdvertisedAddress(config_, "127.0.0.1:7"), "127.0.0.1:7");
  EXPECT_THAT(AdvertisedAddress(config_, "0.0.0.0:7"), testing::EndsWith(":7"));
  EXPECT_NE(AdvertisedAddress(config_, "0.0.0.0:7"), "0.0.0.0:7");
  config_.grpc_advertise = "w1.example:9";
  EXPECT_EQ(AdvertisedAddress(config_, "0.0.0.0:7"), "w1.example:9");
}

}  // namespace
}  // namespace muster::worker
