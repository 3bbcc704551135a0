// The attempts that failed lately: which rows are one, in which order, and how far back it looks.
#include <gmock/gmock.h>

#include "store_fixture.h"

namespace muster::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

AttemptReportPtr FailedReport(uint64_t task, uint32_t number, const std::string& stderr_text, int32_t code) {
  auto report = std::make_shared<AttemptReport>(*Report(task, number, "", code));
  report->stderr_output.head = stderr_text;
  report->stderr_output.total_bytes = static_cast<int64_t>(stderr_text.size());
  return report;
}

core::AttemptEndRow EndOf(uint64_t task, uint32_t number, bool used, int64_t seconds, AttemptReportPtr report) {
  core::AttemptEndRow end;
  end.key = Key(task, number);
  end.report = std::move(report);
  end.reason = used ? EndReason::kExited : EndReason::kPreempted;
  end.used_attempt = used;
  end.ended = At(seconds);
  end.message = "exited";
  return end;
}

class FailureScanTest : public StoreTest {
 protected:
  FailureScanTest() { Reopen(); }

  FailureScan Scan(int64_t since = 0, size_t limit = 100) {
    auto scan = store_->RecentFailures(At(since), limit);
    EXPECT_TRUE(scan.ok()) << scan.status();
    return scan.ok() ? *std::move(scan) : FailureScan{};
  }
  std::vector<AttemptKey> Keys(const FailureScan& scan) {
    std::vector<AttemptKey> keys;
    for (const FailedAttempt& failure : scan.failures) keys.push_back(failure.key);
    return keys;
  }
  void Fail(uint64_t task, int64_t seconds, TaskState state = TaskState::kFailed) {
    core::OutcomeRow outcome = Outcome(task, state, 1, FailedReport(task, 1, "no\n", 2));
    outcome.ended = At(seconds);
    core::Transaction transaction;
    transaction.specifications = {SingleTask(task)};
    transaction.attempts = {Attempt(task, 1)};
    transaction.outcomes = {outcome};
    Commit(transaction);
  }
};

TEST_F(FailureScanTest, ARetriedAttemptAndALastOneAreBothThereWithWorkerAndStderr) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(5)};
  transaction.attempts = {Attempt(5, 1, "w7"), Attempt(5, 2, "w2")};
  transaction.attempt_ends = {EndOf(5, 1, true, 10, FailedReport(5, 1, std::string(9000, 'x') + "mount is gone\n", 3))};
  core::OutcomeRow last = Outcome(5, TaskState::kFailed, 2, FailedReport(5, 2, "no\n", 4));
  last.ended = At(20);
  transaction.outcomes = {last};
  Commit(transaction);
  const FailureScan scan = Scan();
  ASSERT_THAT(Keys(scan), ElementsAre(Key(5, 2), Key(5, 1)));
  EXPECT_TRUE(scan.complete);
  EXPECT_EQ(scan.failures[0].worker, "w2");
  EXPECT_EQ(scan.failures[0].code, 4);
  EXPECT_TRUE(scan.failures[0].last);
  EXPECT_EQ(scan.failures[0].stderr_tail, "no\n");
  EXPECT_EQ(scan.failures[1].worker, "w7");
  EXPECT_EQ(scan.failures[1].code, 3);
  EXPECT_FALSE(scan.failures[1].last);
  EXPECT_EQ(scan.failures[1].ended, At(10));
  EXPECT_THAT(scan.failures[1].stderr_tail, SizeIs(4096));
  EXPECT_TRUE(scan.failures[1].stderr_tail.ends_with("mount is gone\n"));
}

TEST_F(FailureScanTest, WhatSucceededWasPreemptedOrLostIsNone) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1), SingleTask(2), SingleTask(3)};
  transaction.attempts = {Attempt(1, 1), Attempt(2, 1), Attempt(3, 1), Attempt(3, 2)};
  transaction.outcomes = {Outcome(1, TaskState::kSucceeded, 1, FailedReport(1, 1, "warning\n", 0)),
                          Outcome(2, TaskState::kLost, 1)};
  transaction.attempt_ends = {EndOf(3, 1, false, 4, nullptr)};
  Commit(transaction);
  EXPECT_THAT(Scan().failures, IsEmpty());
}

TEST_F(FailureScanTest, OnlyWhatEndedSinceThenTheNewestFirstAndNoMoreThanAskedFor) {
  Fail(1, 50);  // the oldest task ran longest
  Fail(2, 10);
  Fail(3, 30, TaskState::kTimedOut);
  EXPECT_THAT(Keys(Scan()), ElementsAre(Key(1, 1), Key(3, 1), Key(2, 1)));
  EXPECT_THAT(Keys(Scan(30)), ElementsAre(Key(1, 1), Key(3, 1)));
  const FailureScan some = Scan(0, 2);
  EXPECT_THAT(Keys(some), ElementsAre(Key(1, 1), Key(3, 1)));
  EXPECT_FALSE(some.complete);
}

TEST_F(FailureScanTest, OutputThatWasDroppedLeavesTheEndAlone) {
  Fail(1, 10);
  Sql("DELETE FROM output");
  const FailureScan scan = Scan();
  ASSERT_THAT(scan.failures, SizeIs(1));
  EXPECT_EQ(scan.failures[0].stderr_tail, "");
  EXPECT_EQ(scan.failures[0].message, "why");
}

}  // namespace
}  // namespace muster::store
