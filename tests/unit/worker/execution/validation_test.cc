// What an attempt has to stand before it is a success, with real processes: its exit code, its output, a command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/time/clock.h"
#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

using ::testing::HasSubstr;

class ValidationTest : public ::testing::Test {
 protected:
  AttemptRequest Shell(const std::string& line, const std::function<void(Validation*)>& change) {
    AttemptRequest request = host.Command({line});
    request.request.command.shell = true;
    change(&request.validation);
    return request;
  }
  // Run to its end, as a worker does.
  AttemptEnd Validated(AttemptRequest request) {
    const AttemptKey key = host.Start(std::move(request));
    Eventually([&] { return host.listener().WorkEnded(key) || host.listener().Report(key) != nullptr; });
    host.host().Validate(key);
    const AttemptReportPtr report = host.WaitFor(key);
    return report == nullptr ? AttemptEnd() : report->end;
  }
  AttemptEnd Validated(const std::string& line, const std::string& command) {
    return Validated(Shell(line, [&](Validation* validation) { validation->command = command; }));
  }

  HostFixture host;
};

TEST_F(ValidationTest, AnExitCodeThatIsAcceptedIsNoFailureAndZeroIsOneWhenItIsNot) {
  const auto ends = [this](const std::string& line) {
    return host.Run(Shell(line, [](Validation* validation) { validation->accepted_exit_codes = {3, 4}; }))->end;
  };
  const AttemptEnd four = ends("exit 4");
  EXPECT_EQ(four.reason, EndReason::kExited);
  EXPECT_TRUE(Succeeded(four, {3, 4}));
  const AttemptEnd zero = ends("exit 0");
  EXPECT_EQ(zero.reason, EndReason::kValidationFailed);
  EXPECT_EQ(ExitCodeFor(zero), 1);
  EXPECT_EQ(Describe(zero), "failed its validation: exited with 0, which is not accepted");
  const AttemptEnd seven = ends("exit 7");
  EXPECT_EQ(seven.reason, EndReason::kExited);
  EXPECT_EQ(seven.exit_code, 7);
}

TEST_F(ValidationTest, ThePatternIsLookedForInAllOfTheOutputAndNotOnlyInWhatIsKept) {
  const auto ends = [this](const std::string& line) {
    return host.Run(Shell(line, [](Validation* validation) { validation->output_pattern = "^result: [0-9]+$"; }))->end;
  };
  // Three megabytes before and after it: neither in the head nor in the tail.
  const std::string filler = "head -c 3000000 /dev/zero | tr '\\0' 'x'; echo";
  EXPECT_EQ(ends(filler + "; echo result: 42; " + filler).reason, EndReason::kExited);
  EXPECT_EQ(ends("echo result: 42 >&2").reason, EndReason::kExited) << "on stderr, too";
  const AttemptEnd missing = ends(filler + "; echo result: none; " + filler);
  EXPECT_EQ(missing.reason, EndReason::kValidationFailed);
  EXPECT_EQ(missing.message, "no line of its output matches ^result: [0-9]+$");
  EXPECT_EQ(ends("echo result: 42; exit 5").exit_code, 5) << "a failure stays what it is";
}

TEST_F(ValidationTest, TheCommandSeesTheDirectoryTheEnvironmentTheCodeAndTheOutput) {
  AttemptRequest request = Shell("echo one two > made; echo out; echo err >&2; exit 3", [](Validation* validation) {
    validation->accepted_exit_codes = {3};
    validation->command =
        "test \"$(cat made)\" = 'one two' && test $COLOUR = red && test $MUSTER_EXIT_CODE = 3 && test \"$(cat)\" = out && "
        "test \"$PWD\" = \"$MUSTER_TASK_DIR\"";
  });
  request.request.command.environment.emplace_back("COLOUR", "red");
  const AttemptEnd end = Validated(std::move(request));
  EXPECT_EQ(end.reason, EndReason::kExited) << Describe(end);
  EXPECT_EQ(end.exit_code, 3);
}

TEST_F(ValidationTest, WhatTheCommandSaysLastIsTheReasonAndNoOutputOfTheTask) {
  const AttemptKey key = host.Start(Shell("echo data", [](Validation* validation) {
    validation->command = "echo looking; echo 'expected 3 rows, found 2' >&2; exit 9";
  }));
  ASSERT_TRUE(host.AwaitWorkEnded(key));
  EXPECT_EQ(host.listener().Report(key), nullptr) << "it waits to be told";
  host.host().Validate(key);
  const AttemptReportPtr report = host.WaitFor(key);
  ASSERT_NE(report, nullptr);
  EXPECT_EQ(report->end.reason, EndReason::kValidationFailed);
  EXPECT_EQ(report->end.message, "exited with 9: expected 3 rows, found 2");
  EXPECT_EQ(report->stdout_output.head, "data\n");
  EXPECT_EQ(report->stderr_output.total_bytes, 0);
}

TEST_F(ValidationTest, TheCommandsOwnTimeIsWithoutItTheTimeOfTheSlotWithIt) {
  const AttemptKey key = host.Start(Shell("true", [](Validation* validation) { validation->command = "sleep 0.3"; }));
  ASSERT_TRUE(host.AwaitWorkEnded(key));
  const absl::Time began = absl::Now();
  host.host().Validate(key);
  const AttemptReportPtr report = host.WaitFor(key);
  ASSERT_NE(report, nullptr);
  EXPECT_GE(SlotTime(*report) - report->end.usage.wall_time, absl::Milliseconds(300));
  EXPECT_LE(report->end.usage.wall_time, began - report->start_time) << "as it was when the command had ended";
}

TEST_F(ValidationTest, AFailedCommandIsNotValidated) {
  const AttemptEnd end = Validated("exit 6", "touch /nowhere/at/all");
  EXPECT_EQ(end.reason, EndReason::kExited);
  EXPECT_EQ(end.exit_code, 6);
}

TEST_F(ValidationTest, OneThatTakesTooLongIsStoppedWithAllThatItStarted) {
  AttemptRequest request = Shell("true", [](Validation* validation) {
    validation->command = "sleep 1000 & sleep 1000";
    validation->timeout = absl::Milliseconds(200);
  });
  const AttemptEnd end = Validated(std::move(request));
  EXPECT_EQ(end.reason, EndReason::kValidationFailed);
  EXPECT_EQ(end.message, "it took longer than 200ms");
}

TEST_F(ValidationTest, TheTimeoutOfTheAttemptHoldsForItsValidation) {
  AttemptRequest request = Shell("true", [](Validation* validation) { validation->command = "sleep 1000"; });
  request.run_timeout = absl::Milliseconds(400);
  EXPECT_EQ(Validated(std::move(request)).reason, EndReason::kTimeout);
}

TEST_F(ValidationTest, ACancelStopsItBeforeItBeginsAndWhileItRuns) {
  const auto slow = [this] {
    return host.Start(Shell("true", [](Validation* validation) { validation->command = "sleep 1000"; }));
  };
  const AttemptKey before = slow();
  ASSERT_TRUE(host.AwaitWorkEnded(before));
  host.host().Stop(before, EndReason::kCancelled, absl::InfiniteDuration());
  EXPECT_EQ(host.WaitFor(before)->end.reason, EndReason::kCancelled);
  host.host().Validate(before);  // it is late, and means nothing

  const AttemptKey within = slow();
  ASSERT_TRUE(host.AwaitWorkEnded(within));
  host.host().Validate(within);
  host.host().Stop(within, EndReason::kCancelled, absl::InfiniteDuration());
  const AttemptReportPtr report = host.WaitFor(within);
  ASSERT_NE(report, nullptr);
  EXPECT_EQ(report->end.reason, EndReason::kCancelled);
  EXPECT_TRUE(report->stopped);
}

TEST_F(ValidationTest, AHostThatEndsTakesAValidationWithIt) {
  const AttemptKey key = host.Start(Shell("true", [](Validation* validation) { validation->command = "sleep 1000"; }));
  ASSERT_TRUE(host.AwaitWorkEnded(key));
  host.host().Validate(key);
  host.Stop();
  ASSERT_NE(host.listener().Report(key), nullptr);
  EXPECT_EQ(host.listener().Report(key)->end.reason, EndReason::kLost);
}

TEST_F(ValidationTest, AnExecutorWithoutProcessesIsValidatedByOne) {
  AttemptRequest request = host.Noop("{}");
  request.validation.command = "test -d \"$MUSTER_TASK_DIR\"";
  const AttemptEnd end = Validated(std::move(request));
  EXPECT_EQ(end.reason, EndReason::kExited) << Describe(end);
}

}  // namespace
}  // namespace muster::execution
