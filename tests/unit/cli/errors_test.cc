#include "cli/errors.h"

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"

namespace muster::cli {
namespace {

using ::testing::HasSubstr;

TEST(Errors, ExitCodesAreThoseOfTheContract) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(UsageError("x")), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), 125);
  EXPECT_EQ(ExitCodeOf(Refuse(absl::StatusCode::kInvalidArgument, "BAD_ARGV", "x")), 125);
  EXPECT_EQ(ExitCodeOf(Interrupted(SIGINT)), 130);
  EXPECT_EQ(ExitCodeOf(Interrupted(SIGTERM)), 143);
}

TEST(Errors, UnreachableSaysWhereWhyAndWhatNext) {
  const std::string line = ErrorLine(
      absl::UnavailableError("failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:7070: Failed to connect to remote host: "
                             "Connection refused"),
      "127.0.0.1:7070");
  EXPECT_THAT(line, HasSubstr("cannot reach 127.0.0.1:7070: connection refused"));
  EXPECT_THAT(line, HasSubstr("`muster dev`"));
}

TEST(Errors, ARefusalShowsItsStableReasonAndItsDelay) {
  EXPECT_EQ(ErrorLine(Refuse(absl::StatusCode::kInvalidArgument, "ARGUMENT_HAS_NUL", "argv[1] has a NUL byte"), "m"),
            "refused: argv[1] has a NUL byte [ARGUMENT_HAS_NUL]");
  EXPECT_EQ(ErrorLine(absl::ResourceExhaustedError("Received message larger than max (5242880 vs. 4194304)"), "m"),
            "refused: a part of the call is larger than the master takes in one message (message.max); pass large data in files, or raise it there");
  EXPECT_EQ(ErrorLine(RefuseForNow("QUEUE_FULL", "the queue is full", absl::Seconds(3)), "m"),
            "refused: the queue is full [QUEUE_FULL]; try again in 3s");
}

TEST(Errors, WhyACallIsRepeatedIsOneLineWithTheTime) {
  EXPECT_EQ(RetryLine(RefuseForNow("QUEUE_FULL", "1000000 tasks wait already, 1000000 may", absl::Seconds(1)), "m", absl::Seconds(1.93)),
            "the master is busy (queue full); trying again in 2s");
  EXPECT_EQ(RetryLine(RefuseForNow("NEW_ONE", "more than\nit can take", absl::Seconds(1)), "m", absl::Seconds(1)),
            "the master is busy (more than it can take); trying again in 1s");
  EXPECT_EQ(RetryLine(absl::UnavailableError("x: Connection refused"), "127.0.0.1:7070", absl::Milliseconds(420)),
            "cannot reach 127.0.0.1:7070 (connection refused); trying again in 500ms");
  EXPECT_EQ(RetryLine(Refuse(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "no new tasks: upgrade"), "m", absl::Seconds(5)),
            "no new tasks: upgrade; trying again in 5s");
}

TEST(Errors, WhatAServerSaysCannotWriteOnTheTerminal) {
  EXPECT_EQ(ErrorLine(Refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "no task \x1b[2J\nhere"), "m"), "no task ?[2J here [NO_SUCH_TASK]");
}

TEST(Errors, WhoLeftNeedsNoLine) {
  EXPECT_EQ(ErrorLine(Interrupted(), "m"), "");
  EXPECT_TRUE(IsInterrupted(Interrupted(SIGTERM)));
  EXPECT_FALSE(IsInterrupted(absl::CancelledError("by the server")));
}

TEST(Errors, OnlyWhatPassesIsTriedAgain) {
  EXPECT_TRUE(IsPassing(absl::UnavailableError("x")));
  EXPECT_TRUE(IsPassing(RefuseForNow("QUEUE_FULL", "x", absl::Seconds(1))));
  EXPECT_FALSE(IsPassing(absl::ResourceExhaustedError("message larger than max"))) << "it would be as large again";
  EXPECT_FALSE(IsPassing(absl::InvalidArgumentError("x")));
}

}  // namespace
}  // namespace muster::cli
