#include "master/scheduler/start_estimate.h"

#include "gtest/gtest.h"

namespace muster::scheduler {
namespace {

std::vector<absl::Duration> Always(absl::Duration time) { return std::vector<absl::Duration>(10, time); }

StartModel OneSlotBusy(std::vector<absl::Duration> times, absl::Duration age) {
  StartModel model;
  model.kinds = {std::move(times)};
  model.free_slots = {0};
  model.running = {{.kind = 0, .worker = 0, .slots = 1, .age = age}};
  return model;
}

TEST(StartEstimateTest, TheRestOfWhatRuns) {
  const auto estimate = EstimateStart(OneSlotBusy(Always(absl::Seconds(10)), absl::Seconds(4)), 1);
  ASSERT_TRUE(estimate.has_value());
  EXPECT_EQ(estimate->p50, absl::Seconds(6));
  EXPECT_EQ(estimate->p90, absl::Seconds(6));
}

TEST(StartEstimateTest, WhatHasOutlivedTheShortOnesIsALongOne) {
  std::vector<absl::Duration> times(9, absl::Seconds(1));
  times.push_back(absl::Seconds(100));
  EXPECT_LT(EstimateStart(OneSlotBusy(times, absl::ZeroDuration()), 1)->p50, absl::Seconds(2));
  EXPECT_EQ(EstimateStart(OneSlotBusy(times, absl::Seconds(2)), 1)->p50, absl::Seconds(98));
}

TEST(StartEstimateTest, WhatRunsLongerThanEverMayRunAsLongAgain) {
  const auto estimate = EstimateStart(OneSlotBusy(Always(absl::Seconds(1)), absl::Seconds(60)), 1);
  EXPECT_GT(estimate->p50, absl::Seconds(10));
  EXPECT_LE(estimate->p90, absl::Seconds(60));
}

TEST(StartEstimateTest, WhatIsAheadTakesTheSlotsFirst) {
  StartModel model = OneSlotBusy(Always(absl::Seconds(10)), absl::ZeroDuration());
  model.ahead.assign(5, StartModel::Waiting{});
  EXPECT_EQ(EstimateStart(model, 1)->p50, absl::Seconds(60));
  model.free_slots = {1};
  EXPECT_EQ(EstimateStart(model, 1)->p50, absl::Seconds(30)) << "six before it on two slots, one of them running";
  model.ahead_factor = 2;
  EXPECT_EQ(EstimateStart(model, 1)->p50, absl::Seconds(50));
}

TEST(StartEstimateTest, AWideTaskNeedsItsSlotsOnOneWorker) {
  StartModel model;
  model.kinds = {Always(absl::Seconds(10)), Always(absl::Seconds(30))};
  model.free_slots = {1, 1};
  model.running = {{.kind = 0, .worker = 0, .slots = 2, .age = absl::ZeroDuration()},
                   {.kind = 1, .worker = 1, .slots = 1, .age = absl::ZeroDuration()}};
  model.slots = 2;
  EXPECT_EQ(EstimateStart(model, 1)->p50, absl::Seconds(10));
  model.slots = 3;
  EXPECT_EQ(EstimateStart(model, 1)->p50, absl::Seconds(10));
  model.slots = 4;
  EXPECT_FALSE(EstimateStart(model, 1).has_value());
}

TEST(StartEstimateTest, SaysNothingWhereMostIsUnknown) {
  StartModel model = OneSlotBusy(Always(absl::Seconds(10)), absl::ZeroDuration());
  model.kinds.emplace_back();
  model.ahead = {{.kind = 1, .slots = 1}};
  EXPECT_TRUE(EstimateStart(model, 1).has_value()) << "half is known";
  model.ahead.push_back({.kind = 1, .slots = 1});
  EXPECT_FALSE(EstimateStart(model, 1).has_value());
  EXPECT_FALSE(EstimateStart(OneSlotBusy({}, absl::Seconds(1)), 1).has_value());
  EXPECT_FALSE(EstimateStart(StartModel{}, 1).has_value());
}

TEST(StartEstimateTest, TheSameQuestionHasTheSameAnswer) {
  StartModel model = OneSlotBusy({absl::Seconds(1), absl::Seconds(5), absl::Seconds(9)}, absl::ZeroDuration());
  model.ahead.assign(20, StartModel::Waiting{});
  EXPECT_EQ(EstimateStart(model, 7)->p90, EstimateStart(model, 7)->p90);
  EXPECT_GT(EstimateStart(model, 7)->p90, EstimateStart(model, 7)->p50);
}

}  // namespace
}  // namespace muster::scheduler
