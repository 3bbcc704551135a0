// The executor `command` behind the host: what users see of one attempt.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/digest.h"
#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

namespace fs = std::filesystem;

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

int OpenDescriptors() {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

int ThreadCount() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, "Threads:")) return std::stoi(line.substr(8));
  }
  return 0;
}

TEST(CommandAttempt, KeepsStreamsApartAndTheExitCode) {
  HostFixture host;
  const AttemptReportPtr report = host.RunCommand({"sh", "-c", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(report->end.reason, EndReason::kExited);
  EXPECT_EQ(report->end.exit_code, 7);
  EXPECT_EQ(report->stdout_output.head, "out\n");
  EXPECT_EQ(report->stderr_output.head, "err\n");
  EXPECT_TRUE(report->started);
  EXPECT_FALSE(report->stopped);
}

TEST(CommandAttempt, AMissingProgramIsNotFound) {
  HostFixture host;
  const AttemptReportPtr report = host.RunCommand({"no-such-program-anywhere"});
  EXPECT_EQ(report->end.reason, EndReason::kStartFailed);
  EXPECT_EQ(report->end.start_errno, ENOENT);
  EXPECT_EQ(ExitCodeFor(report->end), 127);
  EXPECT_EQ(Describe(report->end), "could not start: program not found: no-such-program-anywhere");
  EXPECT_FALSE(report->started);
}

TEST(CommandAttempt, AFileThatMayNotBeRunIsNotExecutable) {
  HostFixture host;
  TemporaryDirectory directory;
  std::ofstream(directory.path() + "/plain") << "echo no\n";
  EXPECT_EQ(ExitCodeFor(host.RunCommand({directory.path() + "/plain"})->end), 126);
  EXPECT_EQ(ExitCodeFor(host.RunCommand({"/etc"})->end), 126);
  EXPECT_EQ(ExitCodeFor(host.RunCommand({""})->end), 127);
  EXPECT_EQ(ExitCodeFor(host.RunCommand({})->end), 127);
}

TEST(CommandAttempt, ASignalIsToldApartFromAnExitCode) {
  HostFixture host;
  const AttemptReportPtr report = host.RunCommand({"sh", "-c", "kill -USR1 $$"});
  EXPECT_EQ(report->end.reason, EndReason::kSignaled);
  EXPECT_EQ(report->end.signal, SIGUSR1);
}

TEST(CommandAttempt, ArgumentsAreNeverLookedAtByAShell) {
  HostFixture host;
  EXPECT_EQ(host.RunCommand({"echo", "$HOME", "`id`", "; rm", "*", ""})->stdout_output.head, "$HOME `id` ; rm * \n");
}

TEST(CommandAttempt, AShellLineIsTheArgumentsJoined) {
  HostFixture host;
  AttemptRequest request = host.Command({"echo one;", "echo two | tr t T"});
  request.request.command.shell = true;
  EXPECT_EQ(host.Run(std::move(request))->stdout_output.head, "one\nTwo\n");
}

TEST(CommandAttempt, TheEnvironmentStartsEmpty) {
  setenv("MUSTER_LEAK", "seen", 1);
  HostFixture host;
  AttemptRequest request = host.Command({"env"});
  request.request.command.environment = {{"A", "1"}, {"LANG", "C"}, {"A", "2"}, {"MUSTER_TASK_ID", "7"}};
  const AttemptReportPtr report = host.Run(std::move(request));
  std::vector<std::string> lines = absl::StrSplit(report->stdout_output.head, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 6u) << report->stdout_output.head;
  EXPECT_TRUE(absl::StartsWith(lines[0], "PATH=/usr/local/sbin:"));
  EXPECT_TRUE(absl::StartsWith(lines[1], "HOME=/"));
  EXPECT_EQ(lines[2], "LANG=C");
  EXPECT_EQ(lines[3], "A=2");
  EXPECT_EQ(lines[4], "MUSTER_TASK_ID=7");
  EXPECT_TRUE(absl::StartsWith(lines[5], "MUSTER_TASK_DIR=" + host.config().work_dir));
}

TEST(CommandAttempt, TheTasksOwnPathIsSearched) {
  HostFixture host;
  TemporaryDirectory directory;
  const std::string program = directory.path() + "/my-own-program";
  std::ofstream(program) << "#!/bin/sh\necho mine\n";
  chmod(program.c_str(), 0755);
  AttemptRequest request = host.Command({"my-own-program"});
  request.request.command.environment = {{"PATH", "/nowhere:/etc/passwd:" + directory.path()}};
  EXPECT_EQ(host.Run(std::move(request))->stdout_output.head, "mine\n");
}

TEST(CommandAttempt, RunsInAFreshPrivateDirectoryThatIsGoneAfterwards) {
  HostFixture host;
  const AttemptReportPtr report = host.RunCommand({"sh", "-c", "pwd; echo $MUSTER_TASK_DIR; stat -c %a .; ls -A; touch a b"});
  const std::vector<std::string> lines = absl::StrSplit(report->stdout_output.head, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], lines[1]);
  EXPECT_EQ(lines[2], "700");
  EXPECT_TRUE(Eventually([&] { return !fs::exists(lines[0]); }));
}

TEST(CommandAttempt, AnotherWorkingDirectoryIsUsedAndNamedWhenItIsMissing) {
  HostFixture host;
  AttemptRequest request = host.Command({"pwd"});
  request.request.command.working_directory = "/usr";
  EXPECT_EQ(host.Run(std::move(request))->stdout_output.head, "/usr\n");
  request = host.Command({"pwd"});
  request.request.command.working_directory = "/not/there";
  const AttemptReportPtr report = host.Run(std::move(request));
  EXPECT_EQ(report->end.reason, EndReason::kStartFailed);
  EXPECT_EQ(report->end.message, "working directory /not/there: No such file or directory");
}

TEST(CommandAttempt, StandardInputIsEmptyUnlessGiven) {
  HostFixture host;
  EXPECT_EQ(host.RunCommand({"cat"})->stdout_output.total_bytes, 0);
  AttemptRequest request = host.Command({"sha256sum"});
  request.request.command.stdin_bytes = std::string(1 << 20, '\x01');
  const std::string digest = DigestToHex(Sha256::Of(std::string(1 << 20, '\x01')));
  EXPECT_EQ(host.Run(std::move(request))->stdout_output.head, digest + "  -\n");
}

TEST(CommandAttempt, AScriptRunsByItsShebangFromTheTasksDirectory) {
  HostFixture host;
  AttemptRequest request = host.Command({"one", "two words"});
  request.request.command.script_name = "../../evil/job.sh";
  request.request.command.script_content = "#!/bin/bash\necho \"$0|$1|$2|$BASH_VERSION\"; pwd\n";
  const AttemptReportPtr report = host.Run(std::move(request));
  const std::vector<std::string> lines = absl::StrSplit(report->stdout_output.head, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 2u) << Describe(report->end);
  EXPECT_TRUE(absl::StartsWith(lines[0], lines[1] + "/job.sh|one|two words|5"));
}

TEST(CommandAttempt, AScriptWithoutAShebangGoesToTheShell) {
  HostFixture host;
  AttemptRequest request = host.Command({"there"});
  request.request.command.script_content = "echo hello $1\n";
  EXPECT_EQ(host.Run(std::move(request))->stdout_output.head, "hello there\n");
}

// The descriptor that writes a script must not leak into another child that is just being started.
TEST(CommandAttempt, ManyScriptsAtOnceAreNeverBusy) {
  HostFixture host;
  std::vector<AttemptKey> keys;
  for (int i = 0; i < 100; ++i) {
    AttemptRequest request = host.Command({});
    request.request.command.script_content = "#!/bin/sh\nexit 3\n";
    keys.push_back(host.Start(std::move(request)));
  }
  for (const AttemptKey key : keys) {
    const AttemptReportPtr report = host.WaitFor(key);
    EXPECT_EQ(report->end.exit_code, 3) << Describe(report->end);
  }
}

TEST(CommandAttempt, InheritsNoSignalsNoDescriptorsNoPrivilegesNoCore) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR2, SIG_IGN);
  HostFixture host;
  const AttemptReportPtr report = host.RunCommand(
      {"sh", "-c", "grep -E 'SigBlk|SigIgn|NoNewPrivs' /proc/self/status; ls /proc/self/fd | wc -l; ulimit -c"});
  signal(SIGUSR2, SIG_DFL);
  const std::vector<std::string> lines = absl::StrSplit(report->stdout_output.head, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 5u) << report->stdout_output.head;
  EXPECT_EQ(lines[0], "SigBlk:\t0000000000000000");
  EXPECT_EQ(lines[1], "SigIgn:\t0000000000000000");
  EXPECT_EQ(lines[2], "NoNewPrivs:\t1");
  EXPECT_EQ(lines[3], "4");  // 0, 1, 2 and the one that ls reads with
  EXPECT_EQ(lines[4], "0");
}

TEST(CommandAttempt, HasASessionAndAGroupOfItsOwn) {
  HostFixture host;
  const AttemptReportPtr report = host.RunCommand({"sh", "-c", "echo $$; cut -d' ' -f5,6 /proc/$$/stat"});
  const std::vector<std::string> lines = absl::StrSplit(report->stdout_output.head, '\n', absl::SkipEmpty());
  EXPECT_EQ(lines[1], lines[0] + " " + lines[0]);
}

TEST(CommandAttempt, ATimeoutIsReportedAndLeavesNothing) {
  HostFixture host;
  TemporaryDirectory directory;
  AttemptRequest request =
      host.Command({"sh", "-c", "trap '' TERM; sleep 99 & echo $! > " + directory.path() + "/pid; wait; sleep 99"});
  request.run_timeout = absl::Milliseconds(300);
  request.kill_grace = absl::Milliseconds(100);
  const AttemptReportPtr report = host.Run(std::move(request));
  EXPECT_EQ(report->end.reason, EndReason::kTimeout);
  EXPECT_EQ(ExitCodeFor(report->end), 124);
  EXPECT_FALSE(report->stopped);
  EXPECT_FALSE(Alive(ReadPid(directory.path() + "/pid")));
}

TEST(CommandAttempt, StopIsPoliteFirst) {
  HostFixture host;
  AttemptRequest request = host.Command({"sh", "-c", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done"});
  request.kill_grace = absl::Seconds(20);
  const AttemptKey key = host.Start(std::move(request));
  host.host().Subscribe(key, plugin::Stream::kStdout, 0, false);
  ASSERT_TRUE(Eventually([&] { return host.listener().OutputOf(key, plugin::Stream::kStdout).bytes == "up\n"; }));
  host.host().Stop(key, EndReason::kCancelled, absl::InfiniteDuration());
  const AttemptReportPtr report = host.WaitFor(key);
  EXPECT_EQ(report->end.reason, EndReason::kCancelled);
  EXPECT_TRUE(report->stopped);
  EXPECT_EQ(report->stdout_output.head, "up\nbye\n");
}

TEST(CommandAttempt, OneThatIsOverAtOnceIsToldByItsReportAlone) {
  HostFixture host;
  const AttemptReportPtr report = host.Run(host.Noop("{}"));
  EXPECT_TRUE(report->started);
  EXPECT_NE(report->start_time, absl::InfinitePast());
  EXPECT_FALSE(host.listener().Started(report->key));
}

TEST(CommandAttempt, AStoppedProcessIsReachedToo) {
  HostFixture host;
  const AttemptKey key = host.Start(host.Command({"sh", "-c", "kill -STOP $$"}));
  ASSERT_TRUE(Eventually([&] { return host.listener().Started(key); }));
  host.host().Stop(key, EndReason::kCancelled, absl::InfiniteDuration());
  EXPECT_EQ(host.WaitFor(key)->end.reason, EndReason::kCancelled);
}

TEST(CommandAttempt, KillIsAtOnce) {
  HostFixture host([](HostConfig* config) { config->kill_grace = absl::Hours(1); });
  const AttemptKey key = host.Start(host.Command({"sh", "-c", "trap '' TERM; sleep 99"}));
  ASSERT_TRUE(Eventually([&] { return host.listener().Started(key); }));
  host.host().Kill(key, EndReason::kLost);
  EXPECT_EQ(host.WaitFor(key)->end.reason, EndReason::kLost);
}

TEST(CommandAttempt, AStopBeforeTheStartStartsNothing) {
  HostFixture host([](HostConfig* config) {
    config->executors = {{"command", "", {{"spawners", "1"}}}};
  });
  std::vector<AttemptKey> keys;
  for (int i = 0; i < 50; ++i) keys.push_back(host.Start(host.Command({"sh", "-c", "sleep 0.01"})));
  host.host().Stop(keys.back(), EndReason::kCancelled, absl::InfiniteDuration());
  EXPECT_EQ(host.WaitFor(keys.back())->end.reason, EndReason::kCancelled);
  for (const AttemptKey key : keys) host.WaitFor(key);
}

// Its own end came first, so it counts.
TEST(CommandAttempt, AStopDuringTheDrainDoesNotChangeTheEnd) {
  HostFixture host;
  TemporaryDirectory directory;
  const AttemptKey key =
      host.Start(host.Command({"sh", "-c", "sleep 99 & echo $! > " + directory.path() + "/pid; exit 3"}));
  const int pid = ReadPid(directory.path() + "/pid");
  // The main process is gone once its child has another parent.
  ASSERT_TRUE(Eventually([&] {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(stat, line);
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    return words.size() > 5 && words[3] != words[5];
  }));
  host.host().Stop(key, EndReason::kCancelled, absl::InfiniteDuration());
  const AttemptReportPtr report = host.WaitFor(key);
  EXPECT_EQ(report->end.reason, EndReason::kExited);
  EXPECT_EQ(report->end.exit_code, 3);
  EXPECT_FALSE(report->stopped);
  EXPECT_FALSE(Alive(pid));
}

TEST(CommandAttempt, ABackgroundChildDelaysTheEndByNoMoreThanTheDrain) {
  HostFixture host([](HostConfig* config) { config->executors = {{"command", "", {{"drain_ms", "300"}}}}; });
  TemporaryDirectory directory;
  const absl::Time start = absl::Now();
  const AttemptReportPtr report =
      host.RunCommand({"sh", "-c", "(sleep 0.05; echo late; sleep 99) & echo $! > " + directory.path() + "/pid; echo first"});
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(300));
  EXPECT_EQ(report->end.reason, EndReason::kExited);
  EXPECT_EQ(report->stdout_output.head, "first\nlate\n");
  EXPECT_FALSE(Alive(ReadPid(directory.path() + "/pid")));
}

TEST(CommandAttempt, AChildThatHoldsNoPipeIsGoneAtOnce) {
  HostFixture host;
  TemporaryDirectory directory;
  const absl::Time start = absl::Now();
  host.RunCommand({"sh", "-c", "setsid sleep 99 </dev/null >/dev/null 2>&1 & echo $! > " + directory.path() + "/pid"});
  EXPECT_LT(absl::Now() - start, absl::Seconds(2));
  EXPECT_FALSE(Alive(ReadPid(directory.path() + "/pid")));
}

TEST(CommandAttempt, UsageIsMeasured) {
  HostFixture host;
  const AttemptReportPtr report = host.RunCommand({"sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"});
  EXPECT_GT(report->end.usage.user_cpu_time, absl::Milliseconds(5));
  EXPECT_GE(report->end.usage.wall_time, report->end.usage.user_cpu_time);
  EXPECT_GT(report->end.usage.peak_memory_bytes, 100'000);
  EXPECT_LT(report->end.usage.peak_memory_bytes, 64 << 20);
}

TEST(CommandAttempt, PastItsMemoryLimitItIsOutOfMemoryAndNotASignal) {
  HostFixture host;
  AttemptRequest request = host.Command({"sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo never $x | wc -c"});
  request.request.memory_limit_bytes = 32 << 20;
  const AttemptReportPtr report = host.Run(std::move(request));
  EXPECT_EQ(report->end.reason, EndReason::kOutOfMemory) << Describe(report->end);
  // The next one in that place has no limit any more.
  EXPECT_EQ(host.RunCommand({"sh", "-c", "head -c 100000000 /dev/zero | tail -c 90000000 | wc -c"})->end.exit_code, 0);
}

TEST(CommandAttempt, UnderItsMemoryLimitItJustRuns) {
  HostFixture host;
  AttemptRequest request = host.Command({"sh", "-c", "exit 4"});
  request.request.memory_limit_bytes = 64 << 20;
  EXPECT_EQ(host.Run(std::move(request))->end.exit_code, 4);
}

TEST(CommandAttempt, TwoHundredAtOnceNeedNoThreadEach) {
  HostFixture host;
  host.RunCommand({"true"});
  // Each takes a line of it: so none ends before all have started, however long that takes.
  const std::string gate = absl::StrCat(host.config().work_dir, "/gate");
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  const int opener = open(gate.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(opener, 0);
  const int threads = ThreadCount();
  const int descriptors = OpenDescriptors();
  std::vector<AttemptKey> keys;
  for (int i = 0; i < 200; ++i) keys.push_back(host.Start(host.Command({"sh", "-c", absl::StrCat("read x < ", gate, "; echo done")})));
  ASSERT_TRUE(Eventually([&] {
    for (const AttemptKey key : keys) {
      if (!host.listener().Started(key)) return false;
    }
    return true;
  }));
  EXPECT_EQ(ThreadCount(), threads);
  ASSERT_EQ(write(opener, std::string(keys.size(), '\n').data(), keys.size()), static_cast<ssize_t>(keys.size()));
  for (const AttemptKey key : keys) EXPECT_EQ(host.WaitFor(key)->stdout_output.head, "done\n");
  // What stays open is bounded: the reused cgroups and directories.
  const int after_first = OpenDescriptors();
  keys.clear();
  for (int i = 0; i < 200; ++i) keys.push_back(host.Start(host.Command({"sh", "-c", "sleep 0.2"})));
  for (const AttemptKey key : keys) host.WaitFor(key);
  EXPECT_LE(OpenDescriptors(), after_first);
  EXPECT_LE(after_first, descriptors + 200 * 4 + 10);
  const int before = OpenDescriptors();
  for (int i = 0; i < 50; ++i) host.RunCommand({i % 2 == 0 ? "true" : "no-such-program"});
  EXPECT_EQ(OpenDescriptors(), before);
  close(opener);
}

}  // namespace
}  // namespace muster::execution
