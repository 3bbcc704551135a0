// In every tier, a kill reaches the whole tree: also a grandchild that forked twice, made its own session and
// ignores SIGTERM. Tiers that this machine does not let us use are skipped, and say so.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/execution/recording_listener.h"
#include "worker/plugins/command/process_tree.h"

namespace muster::execution {
namespace {

// Forks away, leaves session, group, parent and pipes, ignores SIGTERM, and tells its pid.
std::string Daemon(const std::string& pid_file) {
  return "setsid sh -c \"trap '' TERM HUP; (trap '' TERM HUP; cd /; setsid sh -c 'trap \\\"\\\" TERM HUP; "
         "echo \\$\\$ > " + pid_file + ".new; mv " + pid_file + ".new " + pid_file +
         "; while :; do sleep 0.1; done' </dev/null >/dev/null 2>&1 &) \" </dev/null >/dev/null 2>&1 & ";
}

bool Alive(int pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(stat, line)) return false;
  return line.substr(line.rfind(')') + 2, 1) != "Z";
}

int ReadPid(const std::string& path) {
  int pid = 0;
  Eventually([&] { return static_cast<bool>(std::ifstream(path) >> pid) && pid > 0; });
  return pid;
}

std::string WaitForFile(const std::string& path) {
  return "while ! [ -e " + path + " ]; do sleep 0.01; done; ";
}

class KillTierTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string error;
    if (command::MakeProcessForest(GetParam(), &error) == nullptr) {
      GTEST_SKIP() << "tier " << GetParam() << " is not to be had here: " << error;
    }
    host_ = std::make_unique<HostFixture>([](HostConfig* config) {
      config->executors = {{"command", "", {{"kill_tier", GetParam()}}}};
    });
  }
  std::string pid_file() const { return directory_.path() + "/pid"; }

  TemporaryDirectory directory_;
  std::unique_ptr<HostFixture> host_;
};

TEST_P(KillTierTest, IsTold) { EXPECT_EQ(host_->host().KillTier(), GetParam()); }

TEST_P(KillTierTest, ADaemonDiesWithATimeout) {
  AttemptRequest request = host_->Command({"sh", "-c", Daemon(pid_file()) + "sleep 99"});
  request.kill_grace = absl::Milliseconds(200);
  const AttemptKey key = host_->Start(std::move(request));
  const int pid = ReadPid(pid_file());
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(Alive(pid));
  host_->host().Stop(key, EndReason::kTimeout, absl::InfiniteDuration());
  EXPECT_EQ(host_->WaitFor(key)->end.reason, EndReason::kTimeout);
  EXPECT_FALSE(Alive(pid));
}

TEST_P(KillTierTest, ADaemonDiesWithTheNormalEndOfItsCommand) {
  const AttemptReportPtr report =
      host_->RunCommand({"sh", "-c", Daemon(pid_file()) + WaitForFile(pid_file()) + "exit 3"});
  EXPECT_EQ(report->end.reason, EndReason::kExited);
  EXPECT_EQ(report->end.exit_code, 3);
  EXPECT_FALSE(Alive(ReadPid(pid_file())));
}

TEST_P(KillTierTest, ADaemonDiesWithAKill) {
  const AttemptKey key = host_->Start(host_->Command({"sh", "-c", Daemon(pid_file()) + "sleep 99"}));
  const int pid = ReadPid(pid_file());
  ASSERT_GT(pid, 0);
  host_->host().Kill(key, EndReason::kLost);
  EXPECT_EQ(host_->WaitFor(key)->end.reason, EndReason::kLost);
  EXPECT_FALSE(Alive(pid));
}

TEST_P(KillTierTest, AForkingStormIsOver) {
  const AttemptKey key = host_->Start(host_->Command(
      {"sh", "-c", "trap '' TERM; echo $$ > " + pid_file() + "; while :; do (sleep 0.02 &) ; sleep 0.005; done"}));
  const int pid = ReadPid(pid_file());
  ASSERT_GT(pid, 0);
  host_->host().Kill(key, EndReason::kLost);
  EXPECT_EQ(host_->WaitFor(key)->end.reason, EndReason::kLost);
  EXPECT_FALSE(Alive(pid));
}

TEST_P(KillTierTest, TheNeighbourLivesOn) {
  const AttemptKey other = host_->Start(host_->Command({"sh", "-c", "echo $$ > " + directory_.path() + "/other; sleep 99"}));
  const int other_pid = ReadPid(directory_.path() + "/other");
  const AttemptKey key = host_->Start(host_->Command({"sh", "-c", Daemon(pid_file()) + "sleep 99"}));
  const int pid = ReadPid(pid_file());
  host_->host().Kill(key, EndReason::kLost);
  host_->WaitFor(key);
  EXPECT_FALSE(Alive(pid));
  EXPECT_TRUE(Alive(other_pid));
  host_->host().Kill(other, EndReason::kLost);
  host_->WaitFor(other);
  EXPECT_FALSE(Alive(other_pid));
}

TEST_P(KillTierTest, ManyInARowReuseTheirPlaces) {
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(host_->RunCommand({"sh", "-c", "sleep 9 & exit 2"})->end.exit_code, 2);
    if (i == 0) host_->host();  // the first makes the place
    if (i == 2) break;          // each waits for the drain
  }
  for (int i = 0; i < 30; ++i) ASSERT_EQ(host_->RunCommand({"true"})->end.exit_code, 0);
}

TEST_P(KillTierTest, PastItsMemoryLimitItIsOutOfMemory) {
  AttemptRequest request =
      host_->Command({"sh", "-c", "x=$(head -c 300000000 /dev/zero | tr '\\0' x); echo never $x | wc -c"});
  request.request.memory_limit_bytes = 32 << 20;
  EXPECT_EQ(host_->Run(std::move(request))->end.reason, EndReason::kOutOfMemory);
}

INSTANTIATE_TEST_SUITE_P(Tiers, KillTierTest, ::testing::Values("cgroup2", "freezer", "walk"),
                         [](const auto& info) { return info.param; });

// The process that made them dies by SIGKILL: the parent-death signal takes its commands along, and the next start
// clears what they had forked.
TEST(Supervision, NothingOutlivesAKilledWorkerForLong) {
  TemporaryDirectory directory;
  const std::string pid_file = directory.path() + "/pid";
  const pid_t worker = fork();
  if (worker == 0) {
    HostFixture host;
    host.Start(host.Command({"sh", "-c", "echo $$ > " + pid_file + "; sleep 99"}));
    while (true) pause();
  }
  const int pid = ReadPid(pid_file);
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(Alive(pid));
  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);
  EXPECT_TRUE(Eventually([&] { return !Alive(pid); }));
}

TEST(Supervision, TheNextStartClearsWhatAKilledOneLeft) {
  std::string error;
  if (command::MakeProcessForest("cgroup2", &error) == nullptr) GTEST_SKIP() << error;
  TemporaryDirectory directory;
  const std::string pid_file = directory.path() + "/pid";
  const pid_t worker = fork();
  if (worker == 0) {
    HostFixture host;
    host.Start(host.Command({"sh", "-c", Daemon(pid_file) + "sleep 99"}));
    while (true) pause();
  }
  const int pid = ReadPid(pid_file);
  ASSERT_GT(pid, 0);
  kill(worker, SIGKILL);
  waitpid(worker, nullptr, 0);
  HostFixture next;
  EXPECT_TRUE(Eventually([&] { return !Alive(pid); }));
}

}  // namespace
}  // namespace muster::execution
