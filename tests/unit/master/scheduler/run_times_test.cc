#include "master/scheduler/run_times.h"

#include "gtest/gtest.h"

namespace muster::scheduler {
namespace {

TEST(RunTimesTest, SaysNothingOfTooFew) {
  RunTimes times;
  times.Note(1, absl::Milliseconds(5));
  times.Note(1, absl::Milliseconds(5));
  EXPECT_FALSE(times.Median(1).has_value());
  times.Note(1, absl::Milliseconds(5));
  EXPECT_EQ(times.Median(1), absl::Milliseconds(5));
  EXPECT_FALSE(times.Median(2).has_value());
}

TEST(RunTimesTest, OneSlowRunDoesNotMoveTheMedian) {
  RunTimes times;
  for (int ms : {1, 2, 3, 4, 60'000}) times.Note(1, absl::Milliseconds(ms));
  EXPECT_EQ(times.Median(1), absl::Milliseconds(3));
  EXPECT_EQ(times.Quantile(1, 1.0), absl::Seconds(60));
  EXPECT_EQ(times.Quantile(1, 0.0), absl::Milliseconds(1));
}

TEST(RunTimesTest, FollowsACommandThatBecameSlow) {
  RunTimes times;
  for (int i = 0; i < 100; ++i) times.Note(1, absl::Milliseconds(1));
  for (size_t i = 0; i < RunTimes::kRecent / 2; ++i) times.Note(1, absl::Seconds(1));
  EXPECT_EQ(times.Median(1), absl::Milliseconds(1));
  times.Note(1, absl::Seconds(1));
  EXPECT_EQ(times.Median(1), absl::Seconds(1));
}

TEST(RunTimesTest, ForgetsTheKindThatWasNotSeenForLongest) {
  RunTimes times;
  auto note = [&times](uint64_t kind) {
    for (size_t i = 0; i < RunTimes::kMinSamples; ++i) times.Note(kind, absl::Milliseconds(1));
  };
  for (uint64_t kind = 1; kind <= RunTimes::kMaxFingerprints; ++kind) note(kind);
  note(1);
  note(1'000'000);
  EXPECT_EQ(times.size(), RunTimes::kMaxFingerprints);
  EXPECT_TRUE(times.Median(1).has_value());
  EXPECT_FALSE(times.Median(2).has_value());
  EXPECT_TRUE(times.Median(1'000'000).has_value());
}

TEST(PrefetchAllowanceTest, IsWhatRunsWithinTheHorizon) {
  EXPECT_EQ(PrefetchAllowance(absl::Milliseconds(5), 2, absl::Milliseconds(20), 256), 8u);
  EXPECT_EQ(PrefetchAllowance(absl::Milliseconds(49), 1, absl::Milliseconds(20), 256), 0u);
  EXPECT_EQ(PrefetchAllowance(absl::Milliseconds(1), 64, absl::Milliseconds(20), 256), 256u);
  EXPECT_EQ(PrefetchAllowance(absl::ZeroDuration(), 1, absl::Milliseconds(20), 256), 256u);
  EXPECT_EQ(PrefetchAllowance(absl::Milliseconds(1), 0, absl::Milliseconds(20), 256), 0u);
  EXPECT_EQ(PrefetchAllowance(absl::InfiniteDuration(), 4, absl::Milliseconds(20), 256), 0u);
}

}  // namespace
}  // namespace muster::scheduler
