#include "master/registry/failure_evidence.h"

#include "gtest/gtest.h"

namespace muster::registry {
namespace {

constexpr uint64_t kCommandLine = 42;
const WorkerId kHere(1);
const WorkerId kThere(2);
const WorkerId kFar(3);

class FailureEvidenceTest : public ::testing::Test {
 protected:
  Blame OfFailure() { return evidence_.Whose(kCommandLine, kHere, AttemptResult::kFailed, now_); }
  Blame OfNoStart() { return evidence_.Whose(kCommandLine, kHere, AttemptResult::kCouldNotStart, now_); }

  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  FailureEvidence evidence_{absl::Seconds(1)};
};

TEST_F(FailureEvidenceTest, WhatNobodyElseTriedIsTheCommandsFault) {
  evidence_.NoteEnded(kCommandLine, kHere, AttemptResult::kFailed);
  EXPECT_EQ(OfFailure(), Blame::kCommand);
  EXPECT_EQ(OfNoStart(), Blame::kCommand);
}

TEST_F(FailureEvidenceTest, WhatSucceedsElsewhereIsTheWorkersFault) {
  evidence_.NoteEnded(kCommandLine, kThere, AttemptResult::kSucceeded);
  EXPECT_EQ(OfFailure(), Blame::kWorker);
  EXPECT_EQ(OfNoStart(), Blame::kWorker);
}

TEST_F(FailureEvidenceTest, AnotherCommandsSuccessSaysNothing) {
  evidence_.NoteEnded(kCommandLine + 1, kThere, AttemptResult::kSucceeded);
  EXPECT_EQ(OfFailure(), Blame::kCommand);
}

TEST_F(FailureEvidenceTest, AProgramThatIsMissingEverywhereIsTheCommandsFault) {
  evidence_.NoteEnded(kCommandLine, kThere, AttemptResult::kCouldNotStart);
  EXPECT_EQ(OfNoStart(), Blame::kCommand);
}

TEST_F(FailureEvidenceTest, AProgramThatIsMissingHereAloneIsTheWorkersFaultThoughItFailsElsewhere) {
  evidence_.NoteEnded(kCommandLine, kThere, AttemptResult::kFailed);
  EXPECT_EQ(OfNoStart(), Blame::kWorker);
  EXPECT_EQ(OfFailure(), Blame::kCommand);
}

TEST_F(FailureEvidenceTest, MostOfTheOthersDecideAndTheLatestEndOfEachCounts) {
  evidence_.NoteEnded(kCommandLine, kThere, AttemptResult::kSucceeded);
  evidence_.NoteEnded(kCommandLine, kFar, AttemptResult::kFailed);
  EXPECT_EQ(OfFailure(), Blame::kWorker);
  evidence_.NoteEnded(kCommandLine, kThere, AttemptResult::kFailed);  // what it depends on broke down
  EXPECT_EQ(OfFailure(), Blame::kCommand);
}

TEST_F(FailureEvidenceTest, WhatJustBeganElsewhereDecidesNothingAndWhatRunsOnDoes) {
  evidence_.NoteStarted(kCommandLine, kThere, now_);
  EXPECT_EQ(OfFailure(), Blame::kUndecided);
  EXPECT_EQ(OfNoStart(), Blame::kWorker);  // it has started there
  now_ += absl::Seconds(1);
  EXPECT_EQ(OfFailure(), Blame::kWorker);
}

TEST_F(FailureEvidenceTest, WhatWasStoppedOrLostRunsNoLonger) {
  evidence_.NoteStarted(kCommandLine, kThere, now_);
  evidence_.NoteStarted(kCommandLine, kFar, now_);
  now_ += absl::Hours(1);
  evidence_.NoteStopped(kCommandLine, kThere);
  EXPECT_EQ(OfFailure(), Blame::kWorker);
  evidence_.NoteGone(kFar);
  EXPECT_EQ(OfFailure(), Blame::kCommand);
}

TEST_F(FailureEvidenceTest, TheLastEightWorkersAreRemembered) {
  evidence_.NoteEnded(kCommandLine, kThere, AttemptResult::kSucceeded);
  for (uint32_t i = 0; i < FailureEvidence::kMaxWorkers; ++i) {
    evidence_.NoteEnded(kCommandLine, WorkerId(100 + i), AttemptResult::kFailed);
  }
  evidence_.NoteEnded(kCommandLine, kFar, AttemptResult::kSucceeded);
  EXPECT_EQ(OfFailure(), Blame::kCommand);
}

TEST_F(FailureEvidenceTest, TheFingerprintNotedLongestAgoIsForgotten) {
  evidence_.NoteEnded(kCommandLine, kThere, AttemptResult::kSucceeded);
  for (uint64_t other = 1000; evidence_.size() < FailureEvidence::kMaxFingerprints; ++other) {
    evidence_.NoteEnded(other, kThere, AttemptResult::kSucceeded);
  }
  EXPECT_EQ(OfFailure(), Blame::kWorker);
  evidence_.NoteEnded(999, kThere, AttemptResult::kSucceeded);
  EXPECT_EQ(evidence_.size(), FailureEvidence::kMaxFingerprints);
  EXPECT_EQ(OfFailure(), Blame::kCommand);
}

}  // namespace
}  // namespace muster::registry
