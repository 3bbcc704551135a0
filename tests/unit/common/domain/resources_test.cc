#include "common/domain/resources.h"

#include "gtest/gtest.h"

namespace muster {
namespace {

ResourceAmounts Amounts(uint32_t slots, int64_t cpu, int64_t memory,
                        std::vector<std::pair<std::string, int64_t>> named = {}) {
  return ResourceAmounts{.slots = slots, .cpu_millis = cpu, .memory_bytes = memory, .named = std::move(named)};
}

TEST(ResourcesTest, FitsOnlyWhenEveryResourceHasRoom) {
  ResourceAmounts capacity = Amounts(4, 4000, 1000, {{"gpu", 2}});
  ResourceAmounts used = Amounts(1, 3000, 500, {{"gpu", 1}});
  EXPECT_TRUE(Fits(capacity, used, Amounts(3, 1000, 500, {{"gpu", 1}})));
  EXPECT_FALSE(Fits(capacity, used, Amounts(4, 0, 0)));
  EXPECT_FALSE(Fits(capacity, used, Amounts(1, 1001, 0)));
  EXPECT_FALSE(Fits(capacity, used, Amounts(1, 0, 501)));
  EXPECT_FALSE(Fits(capacity, used, Amounts(1, 0, 0, {{"gpu", 2}})));
  EXPECT_FALSE(Fits(capacity, used, Amounts(1, 0, 0, {{"fpga", 1}})));
}

TEST(ResourcesTest, DiskIsCountedAsMemoryIs) {
  const ResourceAmounts capacity{.slots = 4, .disk_bytes = 100};
  ResourceAmounts used{.slots = 1, .disk_bytes = 60};
  const ResourceAmounts want{.slots = 1, .disk_bytes = 40};
  EXPECT_TRUE(Fits(capacity, used, want));
  AddTo(&used, want);
  EXPECT_FALSE(Fits(capacity, used, {.slots = 1, .disk_bytes = 1}));
  EXPECT_TRUE(Fits(capacity, used, {.slots = 1}));
  EXPECT_EQ(Subtract(capacity, used).disk_bytes, 0);
  TakeFrom(&used, want);
  EXPECT_EQ(used, (ResourceAmounts{.slots = 1, .disk_bytes = 60}));
  EXPECT_NE(want, (ResourceAmounts{.slots = 1}));
}

TEST(ResourcesTest, WhatIsNotAskedForIsNotMissed) {
  // More taken than there is, after a smaller offer: it only keeps out who asks for it.
  EXPECT_TRUE(Fits(Amounts(2, 0, 100), Amounts(1, 500, 200), Amounts(1, 0, 0)));
  EXPECT_FALSE(Fits(Amounts(2, 0, 100), Amounts(3, 0, 0), Amounts(1, 0, 0)));
}

TEST(ResourcesTest, WhatLacksMostIsWhatCounts) {
  const ResourceAmounts capacity = Amounts(4, 4000, 1000, {{"gpu", 2}});
  const ResourceAmounts used = Amounts(2, 1000, 500, {{"gpu", 1}});
  EXPECT_EQ(LackOf(capacity, used, Amounts(2, 3000, 500, {{"gpu", 1}})), 0u);
  EXPECT_EQ(LackOf(capacity, used, Amounts(4, 3000, 500)), 500u);
  EXPECT_EQ(LackOf(capacity, used, Amounts(4, 0, 2000)), 750u);
  EXPECT_EQ(LackOf(capacity, used, Amounts(1, 0, 0, {{"fpga", 1}})), 1000u);
  EXPECT_GE(LackOf(capacity, used, Amounts(1, 0, 501)), 1u);  // however little it is
  EXPECT_EQ(LackOf(capacity, Amounts(9, 0, 0), Amounts(1, 0, 0)), 1000u);
}

TEST(ResourcesTest, AddingAndTakingBackLeavesNothing) {
  ResourceAmounts used;
  ResourceAmounts want = Amounts(2, 100, 50, {{"gpu", 1}, {"licence", 3}});
  AddTo(&used, want);
  AddTo(&used, Amounts(1, 0, 0, {{"gpu", 1}, {"disk", 2}}));
  EXPECT_EQ(used, Amounts(3, 100, 50, {{"disk", 2}, {"gpu", 2}, {"licence", 3}}));
  TakeFrom(&used, want);
  TakeFrom(&used, Amounts(1, 0, 0, {{"disk", 2}, {"gpu", 1}}));
  EXPECT_EQ(used, ResourceAmounts{});
}

TEST(ResourcesTest, SubtractNeverGoesBelowZero) {
  EXPECT_EQ(Subtract(Amounts(2, 100, 100, {{"gpu", 1}}), Amounts(3, 40, 200, {{"gpu", 2}})),
            Amounts(0, 60, 0, {{"gpu", 0}}));
}

TEST(ResourcesDeathTest, TakingBackMoreThanWasTakenIsABrokenInvariant) {
  ResourceAmounts disk{.disk_bytes = 1};
  EXPECT_DEATH(TakeFrom(&disk, {.disk_bytes = 2}), "broken invariant");
  ResourceAmounts used = Amounts(1, 0, 0);
  EXPECT_DEATH(TakeFrom(&used, Amounts(2, 0, 0)), "broken invariant");
}

}  // namespace
}  // namespace muster
