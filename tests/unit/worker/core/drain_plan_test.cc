#include "worker/core/drain_plan.h"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

using Step = DrainPlan::Step;

class DrainPlanTest : public ::testing::Test {
 protected:
  static absl::Time DrainTime(double seconds) { return absl::UnixEpoch() + absl::Seconds(seconds); }
  DrainPlan Plan(bool leaving) const {
    return {DrainTime(10), leaving,
            {.drain_force_after = absl::Seconds(3), .drain_give_up_after = absl::Seconds(5)}};
  }
};

TEST_F(DrainPlanTest, WhatRunsIsStoppedOnceAndLaterByForceOnce) {
  DrainPlan plan = Plan(true);
  EXPECT_EQ(plan.NextDue(), DrainTime(10));
  EXPECT_EQ(plan.TakeStep(DrainTime(9.9)), Step::kNone);
  EXPECT_EQ(plan.TakeStep(DrainTime(10)), Step::kStop);
  EXPECT_EQ(plan.TakeStep(DrainTime(10)), Step::kNone);
  EXPECT_EQ(plan.NextDue(), DrainTime(13));
  EXPECT_EQ(plan.TakeStep(DrainTime(13)), Step::kForce);
  EXPECT_EQ(plan.TakeStep(DrainTime(99)), Step::kNone);
  EXPECT_EQ(plan.NextDue(), DrainTime(15));
}

TEST_F(DrainPlanTest, AWorkerThatSleptThroughBothIsToldBothInOrder) {
  DrainPlan plan = Plan(true);
  EXPECT_EQ(plan.TakeStep(DrainTime(60)), Step::kStop);
  EXPECT_EQ(plan.TakeStep(DrainTime(60)), Step::kForce);
}

TEST_F(DrainPlanTest, OnlyAWorkerThatLeavesIsEverOver) {
  const DrainPlan leaves = Plan(true);
  EXPECT_TRUE(leaves.IsOver(DrainTime(1), false));
  EXPECT_FALSE(leaves.IsOver(DrainTime(14.9), true));
  EXPECT_TRUE(leaves.IsOver(DrainTime(15), true)) << "there is no more time";
  DrainPlan stays = Plan(false);
  EXPECT_FALSE(stays.IsOver(DrainTime(99), false));
  stays.TakeStep(DrainTime(99));
  stays.TakeStep(DrainTime(99));
  EXPECT_EQ(stays.NextDue(), absl::InfiniteFuture());
}

TEST_F(DrainPlanTest, ASecondWishOnlyHastens) {
  DrainPlan plan = Plan(true);
  plan.Hasten(DrainTime(20));
  EXPECT_EQ(plan.View({}).deadline, DrainTime(10));
  plan.Hasten(DrainTime(2));
  EXPECT_EQ(plan.View({}).deadline, DrainTime(2));
  EXPECT_EQ(plan.View({}).give_up, DrainTime(7));
  EXPECT_EQ(plan.TakeStep(DrainTime(2)), Step::kStop);
}

}  // namespace
}  // namespace muster::worker
