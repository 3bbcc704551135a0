// The host with plugins that fall ill, forget their duties, or do nothing very quickly.
#include "worker/execution/plugin_host.h"

#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

AttemptRequest For(HostFixture* host, const std::string& executor, std::vector<std::string> arguments) {
  AttemptRequest request = host->Noop("");
  request.request.executor = executor;
  request.request.arguments = std::move(arguments);
  return request;
}

class SickPluginTest : public ::testing::Test {
 protected:
  SickPluginTest()
      : host_([this](HostConfig* config) {
          config->executors = {{"moody",
                                TestPlugin("unhealthy"),
                                {{"sick_file", directory_.path() + "/sick"}, {"throw_file", directory_.path() + "/throw"}}}};
        }) {}
  ExecutorOffer Offer() { return host_.host().Executors()[0]; }
  void Touch(const std::string& name) { std::ofstream(directory_.path() + "/" + name) << "x"; }
  void Remove(const std::string& name) { remove((directory_.path() + "/" + name).c_str()); }

  TemporaryDirectory directory_;
  HostFixture host_;
};

TEST_F(SickPluginTest, LeavesTheOfferWithItsReasonAndComesBack) {
  EXPECT_TRUE(Offer().healthy);
  Touch("sick");
  ASSERT_TRUE(Eventually([&] { return !Offer().healthy; }));
  EXPECT_EQ(Offer().reason, "it is sick");
  ASSERT_TRUE(Eventually([&] { return host_.listener().offer_changes() == 1; }));
  Remove("sick");
  ASSERT_TRUE(Eventually([&] { return Offer().healthy; }));
  EXPECT_EQ(Offer().reason, "");
  ASSERT_TRUE(Eventually([&] { return host_.listener().offer_changes() == 2; }));
}

TEST_F(SickPluginTest, AHealthCheckThatThrowsIsUnhealthyAndNoMore) {
  Touch("throw");
  ASSERT_TRUE(Eventually([&] { return !Offer().healthy; }));
  EXPECT_EQ(Offer().reason, "its health check threw: no pulse");
  EXPECT_EQ(host_.Run(host_.Noop("{}"))->end.reason, EndReason::kExited);
}

class ForgetfulPluginTest : public ::testing::Test {
 protected:
  ForgetfulPluginTest()
      : host_([this](HostConfig* config) {
          config->executors = {{"forgetful", TestPlugin("forgetful"), {}}};
          config->kill_grace = absl::Milliseconds(50);
          config->metrics = &metrics_;
        }) {}

  telemetry::Metrics metrics_;
  HostFixture host_;
};

TEST_F(ForgetfulPluginTest, ThrowingFromExecuteIsAReport) {
  const AttemptReportPtr report = host_.Run(For(&host_, "forgetful", {"throw"}));
  EXPECT_EQ(report->end.reason, EndReason::kStartFailed);
  EXPECT_EQ(report->end.message, "the executor threw: out of ideas");
}

TEST_F(ForgetfulPluginTest, AnExecutionThatIsNotThereIsAReport) {
  EXPECT_EQ(host_.Run(For(&host_, "forgetful", {"null"}))->end.reason, EndReason::kStartFailed);
}

TEST_F(ForgetfulPluginTest, FinishingTwiceIsReportedOnce) {
  EXPECT_EQ(host_.Run(For(&host_, "forgetful", {"twice"}))->end.reason, EndReason::kExited);
}

TEST_F(ForgetfulPluginTest, OneThatIgnoresStopIsKilledByTheHost) {
  const AttemptKey key = host_.Start(For(&host_, "forgetful", {"stubborn"}));
  host_.host().Stop(key, EndReason::kCancelled, absl::Milliseconds(10));
  const AttemptReportPtr report = host_.WaitFor(key);
  EXPECT_EQ(report->end.reason, EndReason::kCancelled);
  EXPECT_TRUE(report->stopped);
}

TEST_F(ForgetfulPluginTest, OneThatIgnoresItsTimeoutIsKilledByTheHost) {
  AttemptRequest request = For(&host_, "forgetful", {"stubborn"});
  request.run_timeout = absl::Milliseconds(20);
  const AttemptReportPtr report = host_.Run(std::move(request));
  EXPECT_EQ(report->end.reason, EndReason::kTimeout);
  EXPECT_FALSE(report->stopped);
}

TEST_F(ForgetfulPluginTest, MetricNamesAreBounded) {
  host_.Run(For(&host_, "forgetful", {"names"}));
  const std::string text = metrics_.Text();
  EXPECT_NE(text.find("muster_executor_name_31_total"), std::string::npos);
  EXPECT_EQ(text.find("muster_executor_name_32_total"), std::string::npos);
  EXPECT_NE(text.find("muster_executor_metrics_dropped_total{executor=\"forgetful\"} 9"), std::string::npos) << text;
}

TEST_F(ForgetfulPluginTest, LogLinesAreBounded) {
  host_.Run(For(&host_, "forgetful", {"chatty"}));
  const std::vector<std::string> logs = host_.listener().logs();
  ASSERT_EQ(logs.size(), 1001u);
  EXPECT_EQ(logs.back(), "the attempt has logged too much; the rest is dropped");
}

TEST_F(ForgetfulPluginTest, TheEndOfTheHostEndsWhatRuns) {
  const AttemptKey key = host_.Start(For(&host_, "forgetful", {"stubborn"}));
  host_.Stop();
  EXPECT_EQ(host_.WaitFor(key)->end.reason, EndReason::kLost);
}

TEST(PluginHost, AnUnknownExecutorIsAReport) {
  HostFixture host;
  const AttemptReportPtr report = host.Run(For(&host, "nothere", {}));
  EXPECT_EQ(report->end.reason, EndReason::kStartFailed);
  EXPECT_NE(report->end.message.find("nothere"), std::string::npos);
  EXPECT_FALSE(report->started);
}

TEST(PluginHost, UnknownKeysAreIgnored) {
  HostFixture host;
  const AttemptKey key{TaskId(999), AttemptNumber(1)};
  host.host().Stop(key, EndReason::kCancelled, absl::Seconds(1));
  host.host().Kill(key, EndReason::kLost);
  host.host().Subscribe(key, plugin::Stream::kStdout, 0, true);
  host.host().Acknowledge(key, plugin::Stream::kStdout, 5);
  host.host().Pause(key, plugin::Stream::kStdout);
  host.host().Detach(key, plugin::Stream::kStdout);
  EXPECT_EQ(host.RunCommand({"true"})->end.exit_code, 0);
}

TEST(PluginHost, KnowsWhatIsFree) {
  HostFixture host;
  EXPECT_GT(host.host().FreeDiskBytes(), 0);
  EXPECT_GT(host.host().FreeMemoryBytes(), 0);
}

TEST(Noop, EndsAsItsParametersSay) {
  HostFixture host;
  EXPECT_EQ(host.Run(host.Noop(""))->end.exit_code, 0);
  EXPECT_EQ(host.Run(host.Noop(R"({"exit_code": 7})"))->end.exit_code, 7);
  const AttemptReportPtr report = host.Run(host.Noop(R"({"output_bytes": 3000000, "sleep_ms": 5})"));
  EXPECT_EQ(report->stdout_output.total_bytes, 3'000'000);
  EXPECT_GE(report->end.usage.wall_time, absl::Milliseconds(5));
}

TEST(Noop, WritesNoFasterThanALosslessReaderReads) {
  HostFixture host;
  AttemptRequest request = host.Noop(R"({"output_bytes": 3000000})");
  request.lossless = true;
  const AttemptKey key = host.Start(std::move(request));
  host.host().Subscribe(key, plugin::Stream::kStdout, 0, true);
  ASSERT_TRUE(Eventually([&] {
    host.host().Acknowledge(key, plugin::Stream::kStdout,
                            host.listener().OutputOf(key, plugin::Stream::kStdout).next);
    return host.listener().Report(key) != nullptr;
  }));
  EXPECT_EQ(host.WaitFor(key)->stdout_output.total_bytes, 3'000'000);
}

TEST(Noop, ASleepIsStoppedAtOnce) {
  HostFixture host;
  const AttemptKey key = host.Start(host.Noop(R"({"sleep_ms": 3600000})"));
  host.host().Stop(key, EndReason::kPreempted, absl::InfiniteDuration());
  EXPECT_EQ(host.WaitFor(key)->end.reason, EndReason::kPreempted);
}

TEST(Noop, BadParametersAreNamed) {
  HostFixture host;
  const AttemptReportPtr report = host.Run(host.Noop(R"({"exit": 1})"));
  EXPECT_EQ(report->end.reason, EndReason::kStartFailed);
  EXPECT_NE(report->end.message.find("\"exit\""), std::string::npos);
}

TEST(Noop, HundredThousandEnd) {
  HostFixture host;
  constexpr size_t kCount = 100'000;
  const absl::Time start = absl::Now();
  for (size_t i = 0; i < kCount; ++i) host.Start(host.Noop(""));
  ASSERT_TRUE(Eventually([&] { return host.listener().ended() == kCount; }));
  RecordProperty("per_second", static_cast<int>(kCount / absl::ToDoubleSeconds(absl::Now() - start)));
}

}  // namespace
}  // namespace muster::execution
