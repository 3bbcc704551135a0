// Commands in the tiers of isolation: a tier changes what a command can reach, and nothing of how it starts, ends and
// speaks. A tier that this machine does not let us have is skipped, and says why.
#include <errno.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/execution/recording_listener.h"
#include "worker/plugins/isolate/isolate_plan.h"

namespace muster::execution {
namespace {

using plugin::Isolation;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string NameOf(Isolation tier) {
  return tier == Isolation::kPlain ? "plain" : tier == Isolation::kLimited ? "limited" : "strict";
}

class IsolationTest : public ::testing::TestWithParam<Isolation> {
 protected:
  void SetUp() override {
    host_ = std::make_unique<HostFixture>();
    const std::string offered = host_->host().Isolation();
    const std::string tiers = offered.substr(0, offered.find(';'));
    if (tiers.find(NameOf(GetParam())) == std::string::npos) GTEST_SKIP() << "this machine has " << offered;
  }
  AttemptRequest Command(std::vector<std::string> argv) {
    AttemptRequest request = host_->Command(std::move(argv));
    request.request.isolation = GetParam();
    return request;
  }
  AttemptRequest Shell(const std::string& line) { return Command({"sh", "-c", line}); }
  std::string OutputOf(AttemptRequest request, plugin::Stream stream = plugin::Stream::kStdout) {
    const AttemptReportPtr report = host_->Run(std::move(request));
    EXPECT_EQ(report->end.reason, EndReason::kExited) << report->end.message;
    const auto& kept = stream == plugin::Stream::kStdout ? report->stdout_output : report->stderr_output;
    return kept.head + kept.tail;
  }
  bool IsStrict() const { return GetParam() == Isolation::kStrict; }

  std::unique_ptr<HostFixture> host_;
};

TEST_P(IsolationTest, EndsComeThroughAsTheyAre) {
  EXPECT_EQ(host_->Run(Shell("exit 7"))->end.exit_code, 7);
  const AttemptReportPtr killed = host_->Run(Shell("kill -SEGV $$"));
  EXPECT_EQ(killed->end.reason, EndReason::kSignaled);
  EXPECT_EQ(killed->end.signal, SIGSEGV);
  const AttemptReportPtr missing = host_->Run(Command({"no-such-program"}));
  EXPECT_EQ(missing->end.reason, EndReason::kStartFailed);
  EXPECT_EQ(missing->end.start_errno, ENOENT);
  EXPECT_EQ(missing->end.message, "program not found: no-such-program");
  AttemptRequest elsewhere = Shell("true");
  elsewhere.request.command.working_directory = "/no/such/place";
  EXPECT_THAT(host_->Run(std::move(elsewhere))->end.message, HasSubstr("working directory /no/such/place"));
}

TEST_P(IsolationTest, ItHasItsDirectoryItsInputAndItsScript) {
  AttemptRequest request = Command({"one", "two"});
  request.request.command.script_name = "job";
  request.request.command.script_content = "pwd; echo $1-$2; cat; echo kept > file; cat file; echo again > /dev/stderr\n";
  request.request.command.stdin_bytes = "input\n";
  const std::string output = OutputOf(std::move(request));
  EXPECT_THAT(output, StartsWith(host_->config().work_dir + "/attempts/"));
  EXPECT_THAT(output, HasSubstr("\none-two\ninput\nkept\n"));
}

TEST_P(IsolationTest, SigtermReachesItAndItMayClearUp) {
  AttemptRequest request = Shell("trap 'echo cleared; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
  const AttemptKey key = host_->Start(std::move(request));
  ASSERT_TRUE(Eventually([&] { return host_->listener().Started(key); }));
  host_->host().Subscribe(key, plugin::Stream::kStdout, 0, false);
  ASSERT_TRUE(Eventually([&] { return !host_->listener().OutputOf(key, plugin::Stream::kStdout).bytes.empty(); }));
  host_->host().Stop(key, EndReason::kCancelled, absl::InfiniteDuration());
  const AttemptReportPtr report = host_->WaitFor(key);
  EXPECT_THAT(report->stdout_output.head + report->stdout_output.tail, HasSubstr("cleared"));
}

TEST_P(IsolationTest, OneThatListensToNobodyIsKilled) {
  AttemptRequest request = Shell("trap '' TERM HUP INT; while :; do sleep 0.05; done");
  request.kill_grace = absl::Milliseconds(100);
  const AttemptKey key = host_->Start(std::move(request));
  ASSERT_TRUE(Eventually([&] { return host_->listener().Started(key); }));
  host_->host().Stop(key, EndReason::kTimeout, absl::InfiniteDuration());
  EXPECT_EQ(host_->WaitFor(key)->end.reason, EndReason::kTimeout);
}

TEST_P(IsolationTest, TheLoadersVariablesAreTheCommandsAlone) {
  AttemptRequest request = Command({"true"});
  request.request.command.environment.emplace_back("LD_DEBUG", "files");
  EXPECT_THAT(OutputOf(std::move(request), plugin::Stream::kStderr), Not(HasSubstr("muster-isolate")));
}

TEST_P(IsolationTest, ItsUserIsNotRootWhereItIsStrict) {
  const std::string uid = OutputOf(Command({"id", "-u"}));
  const bool is_root = geteuid() == 0;
  EXPECT_EQ(uid, IsStrict() && is_root ? "65534\n" : std::to_string(geteuid()) + "\n");
  if (!IsStrict()) return;
  EXPECT_THAT(OutputOf(Shell("grep CapEff /proc/self/status")), HasSubstr("0000000000000000"));
}

TEST_P(IsolationTest, StrictlyNothingOfTheWorkersIsInSight) {
  if (!IsStrict()) GTEST_SKIP() << "it is, below strict";
  const std::string attempts = host_->config().work_dir + "/attempts";
  EXPECT_EQ(OutputOf(Shell("ls -A " + attempts + " | wc -l")), "1\n") << "its own";
  EXPECT_EQ(OutputOf(Shell("touch /usr/x 2>/dev/null || echo refused")), "refused\n");
  EXPECT_EQ(OutputOf(Shell("set -- /proc/[0-9]*; echo $#")), "2\n") << "pid 1 and the shell";
  EXPECT_EQ(OutputOf(Shell("touch /tmp/isolation-test && echo done")), "done\n");
  EXPECT_NE(access("/tmp/isolation-test", F_OK), 0) << "its /tmp is its own";
}

TEST_P(IsolationTest, WithoutANetworkItHasItselfAlone) {
  if (!IsStrict()) GTEST_SKIP() << "strict alone has it";
  AttemptRequest request = Shell("grep -c : /proc/net/dev");
  request.request.no_network = true;
  EXPECT_EQ(OutputOf(std::move(request)), "1\n");
}

TEST_P(IsolationTest, ItHasTheCpuThatItAskedForWhereThereAreCgroups) {
  if (GetParam() == Isolation::kPlain) GTEST_SKIP() << "nothing bounds it in the tier plain";
  AttemptRequest request = Command({"timeout", "1", "sh", "-c", "while :; do :; done"});
  request.request.cpu_limit_millis = 200;
  const ResourceUsage usage = host_->Run(std::move(request))->end.usage;
  EXPECT_LT(usage.user_cpu_time + usage.system_cpu_time, absl::Milliseconds(600)) << "of a second";
}

TEST_P(IsolationTest, AValidationRunsAsItsCommandDid) {
  AttemptRequest request = Shell("umask 077; id -u > who");
  request.validation.command = "test \"$(cat who)\" = \"$(id -u)\"";
  const AttemptKey key = host_->Start(std::move(request));
  ASSERT_TRUE(host_->AwaitWorkEnded(key));
  host_->host().Validate(key);
  EXPECT_EQ(host_->WaitFor(key)->end.reason, EndReason::kExited);
}

INSTANTIATE_TEST_SUITE_P(Tiers, IsolationTest, ::testing::Values(Isolation::kPlain, Isolation::kLimited, Isolation::kStrict),
                         [](const auto& info) { return NameOf(info.param); });

TEST(IsolationOfferTest, ATierThatIsNotHadIsRefusedInWords) {
  HostFixture host([](HostConfig* config) { config->executors = {{"command", "", {{"kill_tier", "walk"}}}}; });
  EXPECT_THAT(host.host().Isolation(), StartsWith("plain; not limited: no cgroup can be written that all is killed by"));
  AttemptRequest request = host.Command({"true"});
  request.request.isolation = Isolation::kLimited;
  const AttemptReportPtr report = host.Run(std::move(request));
  EXPECT_EQ(report->end.reason, EndReason::kStartFailed);
  EXPECT_EQ(report->end.message, "this worker does not offer isolation limited");
}

TEST(IsolationOfferTest, TheLeastTierIsEveryCommands) {
  HostFixture probe;
  if (probe.host().Isolation().find("plain, limited") != 0) GTEST_SKIP() << "this machine has " << probe.host().Isolation();
  HostFixture host([](HostConfig* config) {
    config->executors = {{"command", "", {{"isolation_minimum", "limited"}, {"max_processes", "16"}, {"drain_ms", "10"}}}};
  });
  // A shell that cannot fork says so; in the tier plain nobody counts.
  EXPECT_NE(host.RunCommand({"sh", "-c", "for i in $(seq 40); do sleep 9 & done; kill $(jobs -p)"})->end.exit_code, 0);
}

TEST(IsolationOfferTest, AnotherUserIsTheWholeCommands) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can run commands as others";
  TemporaryDirectory directory;
  ASSERT_EQ(chmod(directory.path().c_str(), 0711), 0);
  HostFixture host([&directory](HostConfig* config) {
    config->work_dir = directory.path() + "/work";
    config->executors = {{"command", "", {{"users", "70000-70001"}}}};
    config->commands_have_users = true;
  });
  const AttemptReportPtr first = host.RunCommand({"sh", "-c", "id -u; id -G; echo x > mine; echo out > /dev/stdout"});
  EXPECT_EQ(first->end.exit_code, 0) << first->stderr_output.head;
  EXPECT_EQ(first->stdout_output.head + first->stdout_output.tail, "70000\n70000\nout\n");
  EXPECT_EQ(host.RunCommand({"sh", "-c", "test $(id -u) = 70001"})->end.exit_code, 0) << "not the number that was used last";
  if (host.host().Isolation().find("strict;") == std::string::npos) return;
  AttemptRequest strict = host.Command({"sh", "-c", "test $(id -u) = 70000 && echo x > mine && echo y > /tmp/mine"});
  strict.request.isolation = Isolation::kStrict;
  EXPECT_EQ(host.Run(std::move(strict))->end.exit_code, 0);
}

TEST(IsolatePlanTest, WhatIsWrittenIsReadAgain) {
  isolate::Plan plan;
  plan.arguments = {"a", "", "c d\n"};
  plan.environment = {"A=", "B=\xff"};
  plan.candidates = {"/bin/a"};
  plan.hidden = {"/k"};
  plan.directory = "/d";
  plan.task_directory = "/t";
  plan.work_dir = "/w";
  plan.uid = 7;
  plan.gid = -1;
  plan.user_namespace = true;
  plan.tmp_bytes = int64_t{1} << 40;
  isolate::Plan read;
  ASSERT_TRUE(read.Read(plan.Write()));
  EXPECT_EQ(read.Write(), plan.Write());
  EXPECT_EQ(read.arguments, plan.arguments);
  EXPECT_EQ(read.tmp_bytes, plan.tmp_bytes);
  EXPECT_TRUE(read.user_namespace && !read.no_network);
  for (const std::string& bad : {std::string("argument"), std::string("what\0ever\0", 10), std::string("uid\0" "5\0", 6)}) {
    EXPECT_FALSE(read.Read(bad));
  }
}

}  // namespace
}  // namespace muster::execution
