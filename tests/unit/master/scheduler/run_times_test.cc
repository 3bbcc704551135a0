#include "master/scheduler/run_times.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace muster::scheduler {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'800'000'000);

bool Note(RunTimes* times, uint64_t kind, absl::Duration time, std::string_view worker = "w1", bool failed = false) {
  return times->Note({kind, time, worker, failed, kNoon});
}

TEST(RunTimesTest, SaysNothingOfTooFew) {
  RunTimes times;
  Note(&times, 1, absl::Milliseconds(5));
  Note(&times, 1, absl::Milliseconds(5));
  EXPECT_FALSE(times.Median(1).has_value());
  Note(&times, 1, absl::Milliseconds(5));
  EXPECT_EQ(times.Median(1), absl::Milliseconds(5));
  EXPECT_FALSE(times.Median(2).has_value());
}

TEST(RunTimesTest, OneSlowRunDoesNotMoveTheMedian) {
  RunTimes times;
  for (int ms : {1, 2, 3, 4, 60'000}) Note(&times, 1, absl::Milliseconds(ms));
  EXPECT_EQ(times.Median(1), absl::Milliseconds(3));
  EXPECT_EQ(times.Quantile(1, 1.0), absl::Seconds(60));
  EXPECT_EQ(times.Quantile(1, 0.0), absl::Milliseconds(1));
}

TEST(RunTimesTest, FollowsACommandThatBecameSlow) {
  RunTimes times;
  for (int i = 0; i < 100; ++i) Note(&times, 1, absl::Milliseconds(1));
  for (size_t i = 0; i < RunTimes::kRecent / 2; ++i) Note(&times, 1, absl::Seconds(1));
  EXPECT_EQ(times.Median(1), absl::Milliseconds(1));
  Note(&times, 1, absl::Seconds(1));
  EXPECT_EQ(times.Median(1), absl::Seconds(1));
}

TEST(RunTimesTest, ForgetsTheKindThatWasNotSeenForLongest) {
  RunTimes times;
  auto note = [&times](uint64_t kind) {
    for (size_t i = 0; i < RunTimes::kMinSamples; ++i) Note(&times, kind, absl::Milliseconds(1));
  };
  for (uint64_t kind = 1; kind <= RunTimes::kMaxFingerprints; ++kind) note(kind);
  note(1);
  note(1'000'000);
  EXPECT_EQ(times.size(), RunTimes::kMaxFingerprints);
  EXPECT_TRUE(times.Median(1).has_value());
  EXPECT_FALSE(times.Median(2).has_value());
  EXPECT_TRUE(times.Median(1'000'000).has_value());
}

TEST(RunTimesTest, TheUsualIsNineInTenOfEnoughRuns) {
  RunTimes times;
  for (int i = 1; i <= 9; ++i) Note(&times, 1, absl::Seconds(i));
  EXPECT_FALSE(times.Usual(1).has_value());
  Note(&times, 1, absl::Seconds(100));
  EXPECT_EQ(times.Usual(1), (UsualRunTime{absl::Seconds(9), 10}));
  for (int i = 0; i < 200; ++i) Note(&times, 1, absl::Seconds(2));
  EXPECT_EQ(times.Usual(1), (UsualRunTime{absl::Seconds(2), RunTimes::kWindow})) << "what was learned long ago is forgotten";
}

TEST(RunTimesTest, AskForADescriptionOnceAndOnlyOfWhatCameOften) {
  RunTimes times;
  EXPECT_FALSE(Note(&times, 1, absl::Seconds(1)));
  EXPECT_FALSE(Note(&times, 1, absl::Seconds(1)));
  EXPECT_TRUE(Note(&times, 1, absl::Seconds(1)));
  times.Describe(1, "");
  EXPECT_FALSE(Note(&times, 1, absl::Seconds(1))) << "nothing to say of it is a description, too";
  times.Describe(1, std::string(RunTimes::kMaxCommand - 1, 'x') + "ä");
  EXPECT_EQ(times.Newest(1)[0].command, std::string(RunTimes::kMaxCommand - 1, 'x')) << "no half of a character";
}

TEST(RunTimesTest, ShowsTheMostRecentFirstWithCountsAndPlaces) {
  RunTimes times;
  for (int i = 0; i < 5; ++i) Note(&times, 1, absl::Seconds(i), i < 3 ? "w1" : "w2", i == 4);
  for (int i = 0; i < 3; ++i) Note(&times, 2, absl::Seconds(1));
  Note(&times, 3, absl::Seconds(1));
  const auto newest = times.Newest(10);
  ASSERT_EQ(newest.size(), 2u) << "what ran once is not shown";
  EXPECT_EQ(newest[0].fingerprint, 2u);
  EXPECT_EQ(newest[1].runs, 5u);
  EXPECT_EQ(newest[1].failures, 1u);
  EXPECT_EQ(newest[1].newest.front(), absl::ZeroDuration());
  EXPECT_EQ(newest[1].newest.back(), absl::Seconds(4));
  EXPECT_EQ(newest[1].places, (std::vector<LearnedRunTimes::Place>{{"w1", 3}, {"w2", 2}}));
  EXPECT_EQ(times.Newest(1).size(), 1u);
}

TEST(RunTimesTest, OfManyWorkersTheFrequentOnesAreKept) {
  RunTimes times;
  for (int i = 0; i < 100; ++i) {
    Note(&times, 1, absl::Seconds(1), "often");
    Note(&times, 1, absl::Seconds(1), "rare" + std::to_string(i));
  }
  const auto places = times.Newest(1)[0].places;
  EXPECT_EQ(places.size(), RunTimes::kMaxPlaces);
  EXPECT_EQ(places[0].worker, "often");
}

TEST(RunTimesTest, WhatWasTakenAndRestoredIsTheSame) {
  RunTimes times;
  for (uint64_t kind = 1; kind <= 5; ++kind) {
    for (int i = 0; i < 70; ++i) Note(&times, kind, absl::Milliseconds(i * static_cast<int>(kind)), "w" + std::to_string(i % 3), i % 7 == 0);
    times.Describe(kind, "sleep " + std::to_string(kind));
  }
  Note(&times, 6, absl::Seconds(1));
  std::vector<LearnedRunTimes> stored = times.TakeChanged(2);
  EXPECT_EQ(stored.size(), 2u);
  for (LearnedRunTimes& rest : times.TakeChanged(100)) stored.push_back(std::move(rest));
  EXPECT_EQ(stored.size(), 5u) << "each once, and not what ran once";
  EXPECT_FALSE(times.HasChanged());
  RunTimes restored;
  for (const LearnedRunTimes& kind : stored) restored.Restore(kind);
  EXPECT_EQ(restored.Newest(100), times.Newest(100));
  EXPECT_EQ(restored.Usual(3), times.Usual(3));
  EXPECT_EQ(restored.Median(3), times.Median(3));
  EXPECT_FALSE(restored.HasChanged());
  Note(&times, 2, absl::Seconds(1));
  EXPECT_EQ(times.TakeChanged(100).size(), 1u);
}

TEST(RunTimesTest, WhatIsDroppedIsToldToTheStoreThatHasIt) {
  RunTimes times;
  const auto note = [&times](uint64_t kind) {
    for (size_t i = 0; i < RunTimes::kMinSamples; ++i) Note(&times, kind, absl::Seconds(1));
  };
  note(1);
  times.TakeChanged(10);
  note(2);
  for (uint64_t kind = 10; kind < 10 + RunTimes::kMaxFingerprints; ++kind) note(kind);
  EXPECT_TRUE(times.HasChanged());
  EXPECT_EQ(times.TakeDropped(), std::vector<uint64_t>{1}) << "2 never was in the store";
  EXPECT_EQ(times.TakeChanged(1'000'000).size(), RunTimes::kMaxFingerprints);
  EXPECT_FALSE(times.HasChanged());
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
