#include "common/domain/attempt.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <limits>

#include "common/domain/task_state.h"

namespace muster {
namespace {

TEST(ExitCode, IsTheCommandsOwnWhereItEndedByItself) {
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kExited, .exit_code = 7}), 7);
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kSignaled, .signal = 15}), 143);
}

// exit(256) is exit(0).
TEST(ExitCode, NoNumberThatAWorkerReportsTurnsAFailureIntoSuccess) {
  constexpr int kMost = std::numeric_limits<int>::max();
  for (const int code : {256, -1, -256, kMost}) {
    EXPECT_EQ(ExitCodeFor({.reason = EndReason::kExited, .exit_code = code}), 255) << code;
  }
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kSignaled, .signal = kMost}), 255);
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kSignaled, .signal = -1}), 128);
}

TEST(ExitCode, TellsAMissingProgramFromOneThatMayNotRun) {
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kStartFailed, .start_errno = ENOENT}), 127);
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kStartFailed, .start_errno = EACCES}), 126);
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kStartFailed}), 125);
}

TEST(ExitCode, SaysWhatMusterDid) {
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kTimeout}), 124);
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kCancelled}), 125);
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kLost}), 125);
  EXPECT_EQ(ExitCodeFor({.reason = EndReason::kOutOfMemory}), 137);
}

TEST(EndInWords, NamesTheSignal) {
  EXPECT_EQ(Describe({.reason = EndReason::kSignaled, .signal = 9}), "killed by signal 9 (SIGKILL)");
}

TEST(TaskStates, NothingLeavesATerminalState) {
  for (int from = static_cast<int>(TaskState::kSucceeded); from <= static_cast<int>(TaskState::kPoisoned); ++from) {
    EXPECT_TRUE(IsTerminal(static_cast<TaskState>(from)));
    for (int to = 0; to <= static_cast<int>(TaskState::kPoisoned); ++to) {
      EXPECT_FALSE(CanMove(static_cast<TaskState>(from), static_cast<TaskState>(to)));
    }
  }
}

TEST(TaskStates, EveryOpenStateCanReachAnEnd) {
  EXPECT_TRUE(CanMove(TaskState::kQueued, TaskState::kCancelled));
  EXPECT_TRUE(CanMove(TaskState::kRunning, TaskState::kSucceeded));
  EXPECT_TRUE(CanMove(TaskState::kUnknown, TaskState::kLost));
  EXPECT_FALSE(CanMove(TaskState::kQueued, TaskState::kSucceeded));
  EXPECT_FALSE(CanMove(TaskState::kPending, TaskState::kRunning));
}

}  // namespace
}  // namespace muster
