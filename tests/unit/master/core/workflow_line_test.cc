#include "master/core/workflow_line.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

constexpr uint64_t kLeast = 4, kMost = 64;

TEST(WorkflowLineTest, ThoseWhoShareTheSlotsHaveAsManyInLineAndTwoEachAtLeast) {
  EXPECT_EQ(WorkflowLine::LeastOf(16, 0), 16u);
  EXPECT_EQ(WorkflowLine::LeastOf(16, 1), 16u);
  EXPECT_EQ(WorkflowLine::LeastOf(16, 3), 6u);
  EXPECT_EQ(WorkflowLine::LeastOf(16, 1000), 2u);
  EXPECT_EQ(WorkflowLine::LeastOf(0, 0), 2u);
  EXPECT_EQ(WorkflowLine::MostOf(16), 256u);
  EXPECT_EQ(WorkflowLine::MostOf(10'000), 20'000u);
}

TEST(WorkflowLineTest, OneThatRunsDryAtOnceGrowsAndOneThatLastsShrinks) {
  WorkflowLine line;
  absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_TRUE(line.IsLow(0));
  EXPECT_EQ(line.Refill(0, kLeast, kMost, now), 4u);
  EXPECT_TRUE(line.IsLow(2));
  EXPECT_FALSE(line.IsLow(3));
  EXPECT_EQ(line.Refill(2, kLeast, kMost, now), 4u) << "half of it is left: it was long enough";
  for (const uint64_t length : {8u, 16u, 32u, 64u, 64u}) EXPECT_EQ(line.Refill(0, kLeast, kMost, now), length);
  now += 2 * WorkflowLine::kQuick;
  EXPECT_EQ(line.Refill(0, kLeast, kMost, now), 4u);
}

TEST(WorkflowLineTest, ItFollowsTheLeastWhenOthersComeAndGo) {
  WorkflowLine line;
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(line.Refill(0, 2, kMost, now), 2u);
  EXPECT_EQ(line.Refill(1, 32, kMost, now), 32u);
  EXPECT_EQ(line.Refill(16, 2, kMost, now + 2 * WorkflowLine::kQuick), 2u);
}

}  // namespace
}  // namespace muster::core
