// What a command writes to MUSTER_OUTPUTS, with real processes: told with a success alone, and a file that is none fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OutputsTest : public ::testing::Test {
 protected:
  AttemptRequest Shell(const std::string& line, const std::function<void(AttemptRequest*)>& change = nullptr) {
    AttemptRequest request = host.Command({line});
    request.request.command.shell = true;
    request.outputs = {"version", "digest"};
    if (change != nullptr) change(&request);
    return request;
  }
  AttemptReportPtr Run(const std::string& line, const std::function<void(AttemptRequest*)>& change = nullptr) {
    return host.Run(Shell(line, change));
  }
  // As a worker does: with its validation.
  AttemptReportPtr RunValidated(const std::string& line, const std::string& command) {
    const AttemptKey key = host.Start(Shell(line, [&](AttemptRequest* request) { request->validation.command = command; }));
    Eventually([&] { return host.listener().WorkEnded(key) || host.listener().Report(key) != nullptr; });
    host.host().Validate(key);
    return host.WaitFor(key);
  }
  void ExpectFailed(const std::string& line, const std::string& why) {
    const AttemptReportPtr report = Run(line);
    ASSERT_NE(report, nullptr);
    EXPECT_EQ(report->end.reason, EndReason::kValidationFailed) << line;
    EXPECT_EQ(report->end.message, absl::StrCat("its outputs: ", why)) << line;
    EXPECT_THAT(report->outputs, IsEmpty());
  }

  HostFixture host;
};

TEST_F(OutputsTest, WhatASuccessWroteIsInItsReport) {
  const AttemptReportPtr report = Run("echo digest=abc > $MUSTER_OUTPUTS; echo version=1.4 >> $MUSTER_OUTPUTS; echo other=1 >> $MUSTER_OUTPUTS");
  EXPECT_EQ(report->end.reason, EndReason::kExited) << Describe(report->end);
  EXPECT_THAT(report->outputs, ElementsAre(NamedValue{"version", "1.4"}, NamedValue{"digest", "abc"}));
}

TEST_F(OutputsTest, TheFileIsNotThereBeforeAndIsNotSeenAmongTheTasksOwn) {
  const AttemptReportPtr report = Run("test ! -e $MUSTER_OUTPUTS && test -z \"$(ls -A)\" && echo version=1 > $MUSTER_OUTPUTS && ls");
  EXPECT_EQ(report->end.exit_code, 0);
  EXPECT_EQ(report->stdout_output.head, "");
  EXPECT_THAT(report->outputs, ElementsAre(NamedValue{"version", "1"}));
}

TEST_F(OutputsTest, WithoutAFileThereAreNoneAndWithoutADeclarationThereIsNoVariable) {
  const AttemptReportPtr none = Run("true");
  EXPECT_EQ(none->end.exit_code, 0);
  EXPECT_THAT(none->outputs, IsEmpty());
  const AttemptReportPtr undeclared = Run("echo ${MUSTER_OUTPUTS-unset}; echo version=1 > .muster-outputs",
                                          [](AttemptRequest* request) { request->outputs.clear(); });
  EXPECT_EQ(undeclared->stdout_output.head, "unset\n");
  EXPECT_THAT(undeclared->outputs, IsEmpty());
}

TEST_F(OutputsTest, ItIsTheTasksOwnDirectoryWhereverTheCommandRuns) {
  const AttemptReportPtr report = Run("echo version=$PWD > $MUSTER_OUTPUTS",
                                      [](AttemptRequest* request) { request->request.command.working_directory = "/"; });
  EXPECT_THAT(report->outputs, ElementsAre(NamedValue{"version", "/"}));
}

TEST_F(OutputsTest, AFailureHasNone) {
  const AttemptReportPtr report = Run("echo garbage > $MUSTER_OUTPUTS; exit 7");
  EXPECT_EQ(report->end.reason, EndReason::kExited) << "a failure stays what it is";
  EXPECT_EQ(report->end.exit_code, 7);
  EXPECT_THAT(Run("echo version=1 > $MUSTER_OUTPUTS; exit 7")->outputs, IsEmpty());
  EXPECT_THAT(Run("echo version=1 > $MUSTER_OUTPUTS; kill -9 $$")->outputs, IsEmpty());
}

TEST_F(OutputsTest, AnAcceptedCodeIsASuccess) {
  const AttemptReportPtr report = Run("echo version=1 > $MUSTER_OUTPUTS; exit 3", [](AttemptRequest* request) {
    request->validation.accepted_exit_codes = {3};
  });
  EXPECT_THAT(report->outputs, ElementsAre(NamedValue{"version", "1"}));
}

TEST_F(OutputsTest, AFileThatIsNoneFailsTheAttemptWithOneLine) {
  ExpectFailed("echo version=1 > $MUSTER_OUTPUTS; echo >> $MUSTER_OUTPUTS; echo nonsense >> $MUSTER_OUTPUTS", "line 3 is no NAME=VALUE");
  ExpectFailed("mkfifo $MUSTER_OUTPUTS", "what MUSTER_OUTPUTS names is no regular file");
  ExpectFailed("mkdir $MUSTER_OUTPUTS", "what MUSTER_OUTPUTS names is no regular file");
  ExpectFailed("ln -s /etc/passwd $MUSTER_OUTPUTS", "what MUSTER_OUTPUTS names is no regular file");
  ExpectFailed("truncate -s 1G $MUSTER_OUTPUTS", "the file has more than 64 KiB");
}

TEST_F(OutputsTest, ThePatternIsLookedForFirst) {
  const AttemptReportPtr report = Run("echo garbage > $MUSTER_OUTPUTS", [](AttemptRequest* request) {
    request->validation.output_pattern = "^done$";
  });
  EXPECT_THAT(report->end.message, HasSubstr("no line of its output"));
}

TEST_F(OutputsTest, AValidationSeesTheFileAndDecides) {
  const std::string write = "echo version=1 > $MUSTER_OUTPUTS";
  EXPECT_THAT(RunValidated(write, "grep -q version=1 $MUSTER_OUTPUTS")->outputs, ElementsAre(NamedValue{"version", "1"}));
  EXPECT_THAT(RunValidated(write, "echo version=2 > $MUSTER_OUTPUTS")->outputs, ElementsAre(NamedValue{"version", "1"}))
      << "as the command left it";
  const AttemptReportPtr failed = RunValidated(write, "false");
  EXPECT_EQ(failed->end.reason, EndReason::kValidationFailed);
  EXPECT_THAT(failed->outputs, IsEmpty());
  EXPECT_EQ(RunValidated("echo garbage > $MUSTER_OUTPUTS", "true")->end.message, "its outputs: line 1 is no NAME=VALUE");
}

TEST_F(OutputsTest, OneThatIsStoppedBeforeItsValidationHasNone) {
  const AttemptKey key = host.Start(Shell("echo version=1 > $MUSTER_OUTPUTS", [](AttemptRequest* request) {
    request->validation.command = "true";
  }));
  ASSERT_TRUE(host.AwaitWorkEnded(key));
  host.host().Stop(key, EndReason::kCancelled, absl::InfiniteDuration());
  const AttemptReportPtr report = host.WaitFor(key);
  ASSERT_NE(report, nullptr);
  EXPECT_EQ(report->end.reason, EndReason::kCancelled);
  EXPECT_THAT(report->outputs, IsEmpty());
}

TEST_F(OutputsTest, TheNextTaskInTheSameDirectoryFindsNothingOfIt) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Run("test ! -e $MUSTER_OUTPUTS && echo version=1 > $MUSTER_OUTPUTS")->outputs.size(), 1u);
}

}  // namespace
}  // namespace muster::execution
