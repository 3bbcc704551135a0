#include "master/request_handler/attached_task.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::handler {
namespace {

using core::OutputStreamKind;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kOut = OutputStreamKind::kStdout;
constexpr auto kErr = OutputStreamKind::kStderr;
constexpr TaskId kTask(7);

// Writes what it is told as a story: "RUNNING", "out@0:hello", "out@70000:x (skipped 5)".
class Story final : public AttachedEvents {
 public:
  void State(const TaskNote& note) override { lines.push_back(std::string(TaskStateName(note.state))); }
  void Output(AttemptKey key, OutputStreamKind stream, int64_t offset, std::string_view bytes,
              int64_t skipped) override {
    std::string line = stream == kOut ? "out" : "err";
    if (key.number != AttemptNumber(1)) line += "#" + std::to_string(key.number.value());
    line += "@" + std::to_string(offset) + ":" + std::string(bytes.substr(0, 20));
    if (skipped > 0) line += " (skipped " + std::to_string(skipped) + ")";
    lines.push_back(line);
    (stream == kOut ? out : err) += bytes;
  }
  std::vector<std::string> lines;
  std::string out;
  std::string err;
};

TaskNote Note(TaskState state, uint32_t attempt = 0) {
  auto spec = std::make_shared<TaskSpec>();
  spec->lossless_output = true;
  TaskNote note;
  note.id = kTask;
  note.state = state;
  note.attempt = AttemptNumber(attempt);
  note.worker_id = WorkerId(3);
  note.spec = spec;
  return note;
}

AttemptReportPtr Report(uint32_t attempt, const std::string& out, const std::string& err = "") {
  auto report = std::make_shared<AttemptReport>();
  report->key = {kTask, AttemptNumber(attempt)};
  report->stdout_output.head = out;
  report->stdout_output.total_bytes = static_cast<int64_t>(out.size());
  report->stderr_output.head = err;
  report->stderr_output.total_bytes = static_cast<int64_t>(err.size());
  return report;
}

class AttachedTaskTest : public testing::Test {
 protected:
  std::vector<std::string> Send(int64_t most = 1 << 20) {
    Story story;
    task.Send(most, &story);
    out += story.out;
    err += story.err;
    return story.lines;
  }
  void Run() {
    task.Snapshot(Note(TaskState::kQueued), 1);
    task.Change(Note(TaskState::kRunning, 1), nullptr, 2);
    Send();
    ASSERT_TRUE(task.WantsLive());
    task.Subscribed();
  }

  AttachedTask task{kTask, {true, true}};
  std::string out;
  std::string err;
};

TEST_F(AttachedTaskTest, AShortTaskIsToldFromItsReportAlone) {
  task.Snapshot(Note(TaskState::kQueued), 1);
  task.Change(Note(TaskState::kSucceeded, 1), Report(1, "hello", "oops"), 2);
  EXPECT_THAT(Send(), ElementsAre("out@0:hello", "err@0:oops", "SUCCEEDED"));
  EXPECT_TRUE(task.done());
  EXPECT_EQ(task.held_bytes(), 0);
}

TEST_F(AttachedTaskTest, TheEndComesAfterTheLastByteThatTheReportBrings) {
  Run();
  EXPECT_TRUE(task.Chunk(AttemptNumber(1), kOut, 0, "hel", 0));
  EXPECT_THAT(Send(), ElementsAre("out@0:hel"));
  task.Change(Note(TaskState::kFailed, 1), Report(1, "hello"), 3);
  EXPECT_THAT(Send(), ElementsAre("out@3:lo", "FAILED"));
}

TEST_F(AttachedTaskTest, BytesThatComeTwiceAreSentOnce) {
  Run();
  EXPECT_TRUE(task.Chunk(AttemptNumber(1), kOut, 0, "hello", 0));
  EXPECT_FALSE(task.Chunk(AttemptNumber(1), kOut, 0, "hello", 0));
  EXPECT_TRUE(task.Chunk(AttemptNumber(1), kOut, 3, "lo world", 0));
  Send();
  EXPECT_EQ(out, "hello world");
}

TEST_F(AttachedTaskTest, AHoleIsNotTakenForItWillBeFilled) {
  Run();
  EXPECT_FALSE(task.Chunk(AttemptNumber(1), kOut, 100, "later", 0));
  EXPECT_EQ(task.taken(kOut), 0);
}

TEST_F(AttachedTaskTest, AHoleThatTheWorkerCannotFillIsTold) {
  Run();
  EXPECT_TRUE(task.Chunk(AttemptNumber(1), kOut, 0, "ab", 0));
  EXPECT_TRUE(task.Chunk(AttemptNumber(1), kOut, 100, "later", 98));
  EXPECT_THAT(Send(), ElementsAre("out@0:ab", "out@100:later (skipped 98)"));
}

TEST_F(AttachedTaskTest, WhatWasNotRetainedIsToldAsSkipped) {
  task.Snapshot(Note(TaskState::kQueued), 1);
  auto report = std::make_shared<AttemptReport>(*Report(1, "head"));
  report->stdout_output.tail = "tail";
  report->stdout_output.tail_offset = 1000;
  report->stdout_output.total_bytes = 1004;
  task.Change(Note(TaskState::kSucceeded, 1), report, 2);
  EXPECT_THAT(Send(), ElementsAre("out@0:head", "out@1000:tail (skipped 996)", "SUCCEEDED"));
}

TEST_F(AttachedTaskTest, AReaderInsideTheTailLosesNothing) {
  Run();
  task.SkipTo(kOut, 1002);
  auto report = std::make_shared<AttemptReport>(*Report(1, "head"));
  report->stdout_output.tail = "tail";
  report->stdout_output.tail_offset = 1000;
  report->stdout_output.total_bytes = 1004;
  task.Change(Note(TaskState::kSucceeded, 1), report, 3);
  EXPECT_THAT(Send(), ElementsAre("out@1002:il", "SUCCEEDED"));
}

TEST_F(AttachedTaskTest, OutputWhoseRetentionIsDamagedStillEnds) {
  task.Snapshot(Note(TaskState::kQueued), 1);
  auto report = std::make_shared<AttemptReport>(*Report(1, "head"));
  report->stdout_output.total_bytes = 50;
  task.Change(Note(TaskState::kSucceeded, 1), report, 2);
  EXPECT_THAT(Send(), ElementsAre("out@0:head", "out@50: (skipped 46)", "SUCCEEDED"));
}

TEST_F(AttachedTaskTest, ARetryIsToldAfterTheOutputOfTheAttemptBefore) {
  Run();
  task.Chunk(AttemptNumber(1), kOut, 0, "first", 0);
  task.Change(Note(TaskState::kPending, 1), Report(1, "first try"), 3);
  task.Change(Note(TaskState::kDispatched, 2), nullptr, 4);
  task.Change(Note(TaskState::kRunning, 2), nullptr, 5);
  EXPECT_THAT(Send(), ElementsAre("out@0:first", "out@5: try", "RUNNING"));
  ASSERT_TRUE(task.WantsLive());
  EXPECT_EQ(task.WantsLive()->key.number, AttemptNumber(2));
  EXPECT_EQ(task.taken(kOut), 0) << "a new attempt begins at its first byte";
  task.Subscribed();
  EXPECT_FALSE(task.Chunk(AttemptNumber(1), kOut, 9, "stale", 0));
  task.Change(Note(TaskState::kSucceeded, 2), Report(2, "second"), 6);
  EXPECT_THAT(Send(), ElementsAre("out#2@0:second", "SUCCEEDED"));
}

TEST_F(AttachedTaskTest, EarlierAttemptsAreFetchedForAReaderWhoCameLate) {
  task.Snapshot(Note(TaskState::kRunning, 3), 9);
  EXPECT_FALSE(task.WantsLive()) << "not its turn";
  ASSERT_EQ(task.WantsReport(), AttemptNumber(1));
  task.Fetched(AttemptNumber(1), Report(1, "one"));
  Send();
  ASSERT_EQ(task.WantsReport(), AttemptNumber(2));
  task.Fetched(AttemptNumber(2), nullptr);  // its worker was lost, with the output
  EXPECT_TRUE(task.HasEvents());
  EXPECT_THAT(Send(), ElementsAre("RUNNING"));
  EXPECT_EQ(out, "one");
  ASSERT_TRUE(task.WantsLive());
  EXPECT_EQ(task.WantsLive()->key.number, AttemptNumber(3));
}

TEST_F(AttachedTaskTest, ATaskThatHasEndedIsFetchedWhole) {
  task.NotOpen();
  EXPECT_TRUE(task.WantsEnd());
  task.Ended(Note(TaskState::kFailed, 1), AttemptNumber(1));
  EXPECT_FALSE(task.WantsEnd());
  EXPECT_FALSE(task.HasEvents()) << "its output is still to come";
  ASSERT_EQ(task.WantsReport(), AttemptNumber(1));
  task.Fetched(AttemptNumber(1), Report(1, "x"));
  EXPECT_THAT(Send(), ElementsAre("out@0:x", "FAILED"));
}

TEST_F(AttachedTaskTest, ATaskCancelledInItsQueueHasNoOutputToFetch) {
  task.Snapshot(Note(TaskState::kQueued), 1);
  task.Change(Note(TaskState::kCancelled), nullptr, 2);
  EXPECT_FALSE(task.WantsReport());
  EXPECT_THAT(Send(), ElementsAre("CANCELLED"));
}

TEST_F(AttachedTaskTest, CancelledWhileItWaitsForARetryShowsWhatTheFirstTryPrinted) {
  task.Snapshot(Note(TaskState::kPending), 5);  // the snapshot does not say that there was an attempt
  task.Change(Note(TaskState::kCancelled, 1), nullptr, 6);
  ASSERT_EQ(task.WantsReport(), AttemptNumber(1));
  task.Fetched(AttemptNumber(1), Report(1, "tried"));
  Send();
  EXPECT_EQ(out, "tried");
  EXPECT_TRUE(task.done());
}

TEST_F(AttachedTaskTest, ALostWorkerTakesTheOutputWithItAndTheTaskStillEnds) {
  Run();
  task.Chunk(AttemptNumber(1), kOut, 0, "some", 0);
  task.Change(Note(TaskState::kLost, 1), nullptr, 3);
  EXPECT_FALSE(task.WantsReport());
  EXPECT_THAT(Send(), ElementsAre("out@0:some", "LOST"));
}

TEST_F(AttachedTaskTest, NewsOlderThanTheSnapshotIsDropped) {
  task.Snapshot(Note(TaskState::kRunning, 1), 10);
  task.Change(Note(TaskState::kDispatched, 1), nullptr, 9);
  EXPECT_THAT(Send(), ElementsAre("RUNNING"));
}

TEST_F(AttachedTaskTest, ASnapshotOlderThanTheNewsIsDropped) {
  task.Change(Note(TaskState::kRunning, 1), nullptr, 11);
  task.Snapshot(Note(TaskState::kQueued), 10);
  EXPECT_THAT(Send(), ElementsAre("RUNNING"));
}

TEST_F(AttachedTaskTest, AnEndThatOvertookTheSnapshotIsNotFetched) {
  task.Change(Note(TaskState::kSucceeded, 1), Report(1, "x"), 11);
  task.NotOpen();
  EXPECT_FALSE(task.WantsEnd());
  EXPECT_THAT(Send(), ElementsAre("out@0:x", "SUCCEEDED"));
}

TEST_F(AttachedTaskTest, AReportThatWasDroppedForRoomIsFetchedAgain) {
  Run();
  task.Chunk(AttemptNumber(1), kOut, 0, "he", 0);
  task.Change(Note(TaskState::kSucceeded, 1), Report(1, "hello"), 3);
  task.DropReport();
  EXPECT_EQ(task.held_bytes(), 2);
  ASSERT_EQ(task.WantsReport(), AttemptNumber(1));
  EXPECT_THAT(Send(), ElementsAre("out@0:he"));
  EXPECT_FALSE(task.done());
  task.Fetched(AttemptNumber(1), Report(1, "hello"));
  EXPECT_THAT(Send(), ElementsAre("out@2:llo", "SUCCEEDED"));
}

TEST_F(AttachedTaskTest, AResumedReaderGetsOnlyWhatItLacks) {
  task.Resume(AttemptNumber(2), kOut, 3);
  task.Resume(AttemptNumber(2), kErr, 1);
  task.NotOpen();
  task.Ended(Note(TaskState::kSucceeded, 2), AttemptNumber(2));
  ASSERT_EQ(task.WantsReport(), AttemptNumber(2)) << "attempt 1 was read before";
  task.Fetched(AttemptNumber(2), Report(2, "hello", "oops"));
  EXPECT_THAT(Send(), ElementsAre("out#2@3:lo", "err#2@1:ops", "SUCCEEDED"));
}

TEST_F(AttachedTaskTest, AReaderOfStatesIsNotHeldUpByOutput) {
  AttachedTask states(kTask, {false, false});
  states.Snapshot(Note(TaskState::kRunning, 2), 1);
  EXPECT_FALSE(states.WantsLive());
  EXPECT_FALSE(states.WantsReport());
  states.Change(Note(TaskState::kSucceeded, 2), Report(2, "not wanted"), 2);
  Story story;
  states.Send(100, &story);
  EXPECT_THAT(story.lines, ElementsAre("SUCCEEDED"));
}

TEST_F(AttachedTaskTest, OneMessageIsNotFilledBeyondItsBound) {
  task.Snapshot(Note(TaskState::kQueued), 1);
  task.Change(Note(TaskState::kSucceeded, 1), Report(1, std::string(1000, 'x')), 2);
  int rounds = 0;
  while (!task.done()) {
    const size_t before = out.size();
    Send(300);
    EXPECT_LE(out.size() - before, 300u);
    ASSERT_LT(++rounds, 10);
  }
  EXPECT_EQ(out.size(), 1000u);
}

TEST_F(AttachedTaskTest, ASubscriptionIsGivenUpOnceWhenItsAttemptIsOver) {
  Run();
  EXPECT_FALSE(task.TakeFinished());
  task.Change(Note(TaskState::kSucceeded, 1), Report(1, ""), 3);
  ASSERT_TRUE(task.TakeFinished());
  EXPECT_FALSE(task.TakeFinished());
  EXPECT_FALSE(task.WantsLive());
}

TEST_F(AttachedTaskTest, NothingNewMeansNothingToSend) {
  Run();
  EXPECT_FALSE(task.HasEvents());
  EXPECT_THAT(Send(), IsEmpty());
}

}  // namespace
}  // namespace muster::handler
