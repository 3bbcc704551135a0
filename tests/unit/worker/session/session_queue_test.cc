#include "worker/session/session_queue.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/utf8.h"
#include "muster/v1/worker_service.pb.h"

namespace muster::worker {
namespace {

AttemptKey Key(uint64_t task) { return {TaskId(task), AttemptNumber(1)}; }

AttemptReportPtr Report(uint64_t task, size_t output_bytes = 0) {
  auto report = std::make_shared<AttemptReport>();
  report->key = Key(task);
  report->end.reason = EndReason::kExited;
  report->started = true;
  report->start_time = report->end_time = absl::UnixEpoch();
  report->stdout_output.tail.assign(output_bytes, 'x');
  report->stdout_output.total_bytes = static_cast<int64_t>(output_bytes);
  return report;
}

OutputPiece Piece(uint64_t task, size_t bytes) { return {.key = Key(task), .bytes = std::string(bytes, 'o')}; }

class SessionQueueTest : public ::testing::Test {
 protected:
  SessionQueueTest() {
    v1::SessionResponse hello;
    EXPECT_FALSE(queue_.Fill(&hello, now_));  // nothing before Hello
    queue_.SetHello(Incarnation(7), {});
    EXPECT_TRUE(queue_.Fill(&hello, now_));
    EXPECT_EQ(hello.hello().incarnation(), 7u);
  }
  v1::SessionResponse Next() {
    v1::SessionResponse message;
    filled_ = queue_.Fill(&message, now_);
    return message;
  }

  const absl::Time now_ = absl::UnixEpoch();
  SessionQueue queue_{{.output_limit_bytes = 1000}};
  bool filled_ = false;
};

TEST_F(SessionQueueTest, WhatLingersLeavesWithTheFirstThatIsDue) {
  queue_.AddResult(Report(1), now_ + absl::Milliseconds(5));
  Next();
  EXPECT_FALSE(filled_);
  EXPECT_EQ(queue_.DueAt(), now_ + absl::Milliseconds(5));
  queue_.AddGivenBack(Key(2));
  const auto message = Next();
  EXPECT_EQ(message.results_size(), 1);
  EXPECT_EQ(message.given_back_size(), 1);
  EXPECT_EQ(queue_.DueAt(), absl::InfiniteFuture());
}

TEST_F(SessionQueueTest, ManyResultsDoNotLinger) {
  for (uint64_t i = 1; i <= 256; ++i) queue_.AddResult(Report(i), now_ + absl::Seconds(1));
  EXPECT_EQ(Next().results_size(), 256);
}

TEST_F(SessionQueueTest, AStartedReportIsDroppedWhenItsResultIsThere) {
  queue_.AddStarted(Key(1), now_, now_);
  queue_.AddStarted(Key(2), now_, now_);
  queue_.AddResult(Report(1), now_);
  const auto message = Next();
  ASSERT_EQ(message.started_size(), 1);
  EXPECT_EQ(message.started(0).key().task(), 2u);
}

TEST_F(SessionQueueTest, LargeResultsTravelInSeveralMessages) {
  for (uint64_t i = 1; i <= 5; ++i) queue_.AddResult(Report(i, size_t{2} << 20), now_);
  int results = 0;
  for (auto message = Next(); filled_; message = Next()) {
    EXPECT_LT(message.ByteSizeLong(), size_t{4} << 20);
    results += message.results_size();
  }
  EXPECT_EQ(results, 5);
}

TEST_F(SessionQueueTest, OutputBeyondTheLimitIsNotTaken) {
  EXPECT_TRUE(queue_.AddOutput(Piece(1, 600), now_));
  EXPECT_FALSE(queue_.AddOutput(Piece(1, 600), now_));
  EXPECT_FALSE(queue_.HasOutputRoom());
  EXPECT_EQ(Next().output_size(), 1);
  EXPECT_TRUE(queue_.HasOutputRoom());
  EXPECT_TRUE(queue_.AddOutput(Piece(1, 600), now_));
}

TEST_F(SessionQueueTest, AValidationLeavesAtOnceAndBeforeItsResult) {
  queue_.AddValidating({TaskId(1), AttemptNumber(1)}, now_);
  EXPECT_EQ(queue_.DueAt(), absl::InfinitePast());
  queue_.AddResult(Report(1), now_);
  const v1::SessionResponse message = Next();
  ASSERT_EQ(message.validating_size(), 1);
  EXPECT_EQ(message.validating(0).key().task(), 1u);
  EXPECT_EQ(message.results_size(), 1);
}

TEST_F(SessionQueueTest, ABadByteInAMessageDoesNotSpoilTheSession) {
  auto report = std::make_shared<AttemptReport>(*Report(1));
  report->end.message = "program not found: \xff\xc3\xa9";
  queue_.AddResult(report, now_);
  v1::SessionResponse read;
  ASSERT_TRUE(read.ParseFromString(Next().SerializeAsString()));
  EXPECT_EQ(read.results(0).end().message(), "program not found: ?\xc3\xa9");
}

TEST(Utf8, KeepsCharactersAndReplacesWhatIsNone) {
  EXPECT_EQ(ToUtf8("plain \xe2\x82\xac \xf0\x9f\x98\x80"), "plain \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(ToUtf8("\xc0\xaf"), "??");              // overlong
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), "???");         // a surrogate
  EXPECT_EQ(ToUtf8("cut \xe2\x82"), "cut ??");
}

}  // namespace
}  // namespace muster::worker
