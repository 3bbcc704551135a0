// Floods of output, slow readers, readers that leave: with real commands.
#include <gtest/gtest.h>

#include <fstream>

#include "absl/time/clock.h"
#include "common/base/digest.h"
#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

constexpr auto kOut = plugin::Stream::kStdout;

int64_t ResidentBytes() {
  long size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return int64_t{resident} * 4096;
}

// Counts and digests what it is sent, and keeps none of it.
class DigestingListener final : public Listener {
 public:
  void OnStarted(AttemptKey, absl::Time) override {}
  void OnOutput(AttemptKey, plugin::Stream, int64_t offset, std::string bytes, int64_t skipped) override {
    absl::MutexLock lock(&mutex_);
    contiguous_ &= offset == next_ && skipped == 0 && bytes.size() <= 65536;
    digest_.Update(bytes);
    next_ = offset + static_cast<int64_t>(bytes.size());
  }
  void OnWorkEnded(AttemptKey, absl::Time) override {}
  void OnEnded(AttemptReportPtr report) override {
    absl::MutexLock lock(&mutex_);
    report_ = std::move(report);
  }
  void OnLog(AttemptKey, absl::Time, plugin::Severity, std::string,
             std::vector<std::pair<std::string, std::string>>) override {}
  void OnOfferChanged() override {}

  int64_t next() {
    absl::MutexLock lock(&mutex_);
    return next_;
  }
  bool contiguous() {
    absl::MutexLock lock(&mutex_);
    return contiguous_;
  }
  AttemptReportPtr report() {
    absl::MutexLock lock(&mutex_);
    return report_;
  }
  // What was sent, with the rest from the report: a reader sees exactly this.
  Digest WholeDigest() {
    absl::MutexLock lock(&mutex_);
    const RetainedOutput& kept = report_->stdout_output;
    const auto head = static_cast<int64_t>(kept.head.size());
    if (next_ < head) {
      digest_.Update(std::string_view(kept.head).substr(static_cast<size_t>(next_)));
      next_ = head;
    }
    digest_.Update(std::string_view(kept.tail).substr(static_cast<size_t>(next_ - kept.tail_offset)));
    return digest_.Finish();
  }

 private:
  absl::Mutex mutex_;
  Sha256 digest_;
  int64_t next_ = 0;
  bool contiguous_ = true;
  AttemptReportPtr report_;
};

TEST(OutputFlow, AGigabyteIsLosslessAndCostsNoMemory) {
  constexpr int64_t kBytes = 256 << 20;
  TemporaryDirectory directory;
  DigestingListener listener;
  HostConfig config;
  config.work_dir = directory.path() + "/work";
  auto host = ExecutionHost::Create(config, &listener);
  ASSERT_TRUE(host.ok()) << host.status();
  const int64_t before = ResidentBytes();
  AttemptRequest request;
  request.key = {TaskId(1), AttemptNumber(1)};
  request.request.executor = "command";
  // Not the same twice in a megabyte, so that a lost or doubled piece shows.
  request.request.command.argv = {"sh", "-c", "seq 1 100000000 | head -c " + std::to_string(kBytes)};
  request.lossless = true;
  (*host)->Subscribe(request.key, kOut, 0, true);  // too early: not known yet, and ignored
  const AttemptKey key = request.key;
  (*host)->Start(std::move(request));
  (*host)->Subscribe(key, kOut, 0, true);
  int64_t most = 0;
  ASSERT_TRUE(Eventually(
      [&] {
        (*host)->Acknowledge(key, kOut, listener.next());
        most = std::max(most, ResidentBytes());
        return listener.report() != nullptr;
      },
      absl::Seconds(60)));
  EXPECT_TRUE(listener.contiguous());
  EXPECT_EQ(listener.report()->stdout_output.total_bytes, kBytes);
  const Digest whole = listener.WholeDigest();
  EXPECT_EQ(listener.report()->stdout_output.sha256,
            std::string(reinterpret_cast<const char*>(whole.data()), whole.size()));
  EXPECT_LT(most - before, 32 << 20);
}

TEST(OutputFlow, AReaderThatStopsReadingHoldsTheCommandAndLosesNothing) {
  HostFixture host;
  AttemptRequest request = host.Command({"sh", "-c", "seq 1 1000000"});
  request.lossless = true;
  const AttemptKey key = host.Start(std::move(request));
  host.host().Subscribe(key, kOut, 0, true);
  // Nothing is acknowledged: it comes to a halt at the window.
  ASSERT_TRUE(Eventually([&] { return host.listener().OutputOf(key, kOut).next == 1024 * 1024 - 64 * 1024; }));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(host.listener().OutputOf(key, kOut).next, 1024 * 1024 - 64 * 1024);
  EXPECT_EQ(host.listener().Report(key), nullptr);
  ASSERT_TRUE(Eventually([&] {
    host.host().Acknowledge(key, kOut, host.listener().OutputOf(key, kOut).next);
    return host.listener().Report(key) != nullptr;
  }));
  const AttemptReportPtr report = host.WaitFor(key);
  EXPECT_EQ(report->stdout_output.total_bytes, 6'888'896);
  EXPECT_EQ(host.listener().OutputOf(key, kOut).skipped, 0);
}

TEST(OutputFlow, ACommandThatHasEndedWaitsForNoReaderAndLosesNothing) {
  HostFixture host([](HostConfig* config) { config->executors = {{"command", "", {{"drain_ms", "50"}}}}; });
  constexpr int64_t kWindow = 1024 * 1024 - 64 * 1024;
  // It fills the window and the pipe exactly, and is gone: the report holds all that was never acknowledged.
  AttemptRequest request = host.Command({"sh", "-c", "seq 1 1000000 | head -c " + std::to_string(kWindow + 65536)});
  request.lossless = true;
  const AttemptKey key = host.Start(std::move(request));
  host.host().Subscribe(key, kOut, 0, true);
  const AttemptReportPtr report = host.WaitFor(key);
  EXPECT_EQ(report->stdout_output.total_bytes, kWindow + 65536);
  EXPECT_EQ(report->stdout_output.omitted_bytes(), 0);
}

// A pipe can be made bigger than what the report has to spare: then its reader is waited for.
TEST(OutputFlow, ABiggerPipeStillLosesNothing) {
  HostFixture host([](HostConfig* config) { config->executors = {{"command", "", {{"drain_ms", "50"}}}}; });
  constexpr int64_t kWindow = 1024 * 1024 - 64 * 1024;
  constexpr int64_t kBytes = kWindow + 500'000;
  const std::string script =
      "import fcntl, sys\nfcntl.fcntl(1, 1031, 1048576)\nsys.stdout.write('x' * " + std::to_string(kBytes) + ")\n";
  AttemptRequest request = host.Command({"python3", "-c", script});
  request.lossless = true;
  const AttemptKey key = host.Start(std::move(request));
  host.host().Subscribe(key, kOut, 0, true);
  ASSERT_TRUE(Eventually([&] {
    return host.listener().Report(key) != nullptr || host.listener().OutputOf(key, kOut).next >= kWindow;
  }));
  if (const AttemptReportPtr early = host.listener().Report(key)) {
    if (early->end.reason == EndReason::kStartFailed) GTEST_SKIP() << "no python3";
  }
  ASSERT_TRUE(Eventually([&] {
    host.host().Acknowledge(key, kOut, host.listener().OutputOf(key, kOut).next);
    return host.listener().Report(key) != nullptr;
  }));
  EXPECT_EQ(host.WaitFor(key)->stdout_output.total_bytes, kBytes);
}

TEST(OutputFlow, DetachingLetsItRunOn) {
  HostFixture host;
  AttemptRequest request = host.Command({"sh", "-c", "seq 1 1000000"});
  request.lossless = true;
  const AttemptKey key = host.Start(std::move(request));
  host.host().Subscribe(key, kOut, 0, true);
  ASSERT_TRUE(Eventually([&] { return host.listener().OutputOf(key, kOut).next > 900'000; }));
  host.host().Detach(key, kOut);
  EXPECT_EQ(host.WaitFor(key)->stdout_output.total_bytes, 6'888'896);
}

TEST(OutputFlow, NobodyThereForTheGraceLetsItRunOnWithAWarning) {
  HostFixture host([](HostConfig* config) { config->attach_grace = absl::Milliseconds(100); });
  AttemptRequest request = host.Command({"sh", "-c", "seq 1 1000000"});
  request.lossless = true;
  const AttemptKey key = host.Start(std::move(request));
  const AttemptReportPtr report = host.WaitFor(key);
  EXPECT_EQ(report->stdout_output.total_bytes, 6'888'896);
  EXPECT_GT(report->stdout_output.omitted_bytes(), 0);
  ASSERT_EQ(host.listener().logs().size(), 1u);
}

TEST(OutputFlow, AReaderThatPausesAndComesBackInTimeLosesNothing) {
  HostFixture host([](HostConfig* config) { config->attach_grace = absl::Seconds(30); });
  AttemptRequest request = host.Command({"sh", "-c", "seq 1 1000000"});
  request.lossless = true;
  const AttemptKey key = host.Start(std::move(request));
  host.host().Subscribe(key, kOut, 0, true);
  ASSERT_TRUE(Eventually([&] { return host.listener().OutputOf(key, kOut).next > 900'000; }));
  host.host().Pause(key, kOut);
  const auto before = static_cast<int64_t>(host.listener().OutputOf(key, kOut).bytes.size());
  // It had kept half a megabyte of what it was sent, and acknowledges what came since; a chunk may be under way.
  host.host().Subscribe(key, kOut, 500'000, true);
  ASSERT_TRUE(Eventually([&] {
    const auto came = static_cast<int64_t>(host.listener().OutputOf(key, kOut).bytes.size()) - before - 64 * 1024;
    if (came > 0) host.host().Acknowledge(key, kOut, 500'000 + came);
    return host.listener().Report(key) != nullptr;
  }));
  EXPECT_EQ(host.listener().OutputOf(key, kOut).skipped, 0);
  EXPECT_EQ(host.WaitFor(key)->stdout_output.total_bytes, 6'888'896);
}

TEST(OutputFlow, AFollowerThatIsTooSlowIsToldWhatItMissed) {
  HostFixture host;
  const AttemptKey key = host.Start(host.Command({"sh", "-c", "head -c 300000000 /dev/zero; echo end; sleep 0.5"}));
  host.host().Subscribe(key, kOut, 0, false);
  const AttemptReportPtr report = host.WaitFor(key);
  EXPECT_EQ(report->stdout_output.total_bytes, 300'000'004);
  const RecordingListener::Output output = host.listener().OutputOf(key, kOut);
  EXPECT_GT(output.skipped, 0);
  EXPECT_EQ(output.skipped + static_cast<int64_t>(output.bytes.size()), output.next);
  EXPECT_EQ(output.next, 300'000'004);
}

TEST(OutputFlow, AShortCommandSendsNothingBeforeItsResult) {
  HostFixture host;
  int chunks = 0;
  for (int i = 0; i < 20; ++i) {
    const AttemptKey key = host.Start(host.Command({"echo", "hi"}));
    host.host().Subscribe(key, kOut, 0, false);
    EXPECT_EQ(host.WaitFor(key)->stdout_output.head, "hi\n");
    chunks += host.listener().OutputOf(key, kOut).chunks;
  }
  EXPECT_LE(chunks, 10);  // a busy machine may be slower than the linger
}

TEST(OutputFlow, OutputComesWhileTheCommandRuns) {
  HostFixture host;
  const AttemptKey key = host.Start(host.Command({"sh", "-c", "echo one; echo two >&2; sleep 99"}));
  host.host().Subscribe(key, kOut, 0, false);
  host.host().Subscribe(key, plugin::Stream::kStderr, 0, false);
  EXPECT_TRUE(Eventually([&] { return host.listener().OutputOf(key, kOut).bytes == "one\n"; }));
  EXPECT_TRUE(Eventually([&] { return host.listener().OutputOf(key, plugin::Stream::kStderr).bytes == "two\n"; }));
  host.host().Kill(key, EndReason::kCancelled);
  EXPECT_EQ(host.WaitFor(key)->end.reason, EndReason::kCancelled);
}

TEST(OutputFlow, AKillDoesNotWaitForAReader) {
  HostFixture host;
  AttemptRequest request = host.Command({"sh", "-c", "seq 1 1000000"});
  request.lossless = true;
  const AttemptKey key = host.Start(std::move(request));
  host.host().Subscribe(key, kOut, 0, true);
  ASSERT_TRUE(Eventually([&] { return host.listener().OutputOf(key, kOut).next > 900'000; }));
  host.host().Kill(key, EndReason::kLost);
  EXPECT_EQ(host.WaitFor(key)->end.reason, EndReason::kLost);
}

}  // namespace
}  // namespace muster::execution
