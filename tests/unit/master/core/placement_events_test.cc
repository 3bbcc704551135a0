// The balancer changed over through the real core: in force at once, kept over restarts; and the shadow compared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Spec;
using testing::TestCluster;
using ::testing::AllOf;
using ::testing::Field;
using ::testing::SizeIs;

constexpr std::optional<BalancerKind> kNoShadow;

TaskSpecPtr OfKind(uint64_t fingerprint) {
  return Spec([fingerprint](TaskSpec& spec) { spec.fingerprint = fingerprint; });
}

CoreConfig Configured(BalancerKind balancer, std::optional<BalancerKind> shadow) {
  CoreConfig config;
  config.placement = {balancer, shadow};
  return config;
}

class PlacementEventsTest : public ::testing::Test {
 protected:
  PlacementAnswer Update(PlacementChange change, bool reset = false) {
    cluster_.Apply(UpdatePlacement{CallId(1), reset, std::move(change), "ann@host"});
    return cluster_.Seen<PlacementAnswer>().front();
  }
  PlacementSettings Now() { return cluster_.core().Placement().settings; }
  void Join() {
    for (const char* worker : {"a", "b", "c"}) cluster_.Join(worker, 4);
  }
  std::string Run(uint64_t fingerprint) {
    const TaskId task = cluster_.Submit(OfKind(fingerprint));
    std::string worker = cluster_.WorkerOf(task);
    cluster_.Exit(task, 0);
    return worker;
  }
  size_t Logged() {
    size_t count = 0;
    for (const activity::Record& record : cluster_.store().activity()) {
      count += std::holds_alternative<activity::PlacementChanged>(record.event) ? 1 : 0;
    }
    return count;
  }

  TestCluster cluster_;
};

TEST_F(PlacementEventsTest, AChangeoverIsInForceWithTheNextPlacement) {
  Join();
  cluster_.Submit(OfKind(1));  // a
  EXPECT_EQ(Run(2), "b");
  cluster_.Submit(OfKind(3));  // b
  EXPECT_EQ(Run(2), "c");
  EXPECT_TRUE(Update({.balancer = BalancerKind::kLocality}).status.ok());
  EXPECT_EQ(Run(1), "c");
  cluster_.Submit(OfKind(4));  // c
  EXPECT_EQ(Run(1), "c");
}

TEST_F(PlacementEventsTest, WhatIsSetByHandOutlivesTheMasterAndWinsOverTheConfigurationUntilItIsReset) {
  EXPECT_TRUE(Update({BalancerKind::kWeighted, BalancerKind::kLocality}).status.ok());
  cluster_.Restart(Configured(BalancerKind::kRoundRobin, kNoShadow));
  EXPECT_EQ(Now(), (PlacementSettings{BalancerKind::kWeighted, BalancerKind::kLocality}));
  EXPECT_TRUE(cluster_.core().Placement().balancer_by_hand);
  EXPECT_TRUE(Update({}, true).status.ok());
  EXPECT_EQ(Now(), (PlacementSettings{BalancerKind::kRoundRobin, kNoShadow}));
  cluster_.Restart(Configured(BalancerKind::kRoundRobin, kNoShadow));
  EXPECT_EQ(Now(), (PlacementSettings{BalancerKind::kRoundRobin, kNoShadow}));
  EXPECT_FALSE(cluster_.core().Placement().balancer_by_hand);
}

TEST_F(PlacementEventsTest, NoShadowByHandHoldsAgainstAConfiguredOne) {
  cluster_.Restart(Configured(BalancerKind::kLeastLoaded, BalancerKind::kLocality));
  EXPECT_EQ(Now().shadow, BalancerKind::kLocality);
  EXPECT_TRUE(Update({.shadow = kNoShadow}).status.ok());
  cluster_.Restart(Configured(BalancerKind::kLeastLoaded, BalancerKind::kLocality));
  EXPECT_EQ(Now().shadow, kNoShadow);
  EXPECT_TRUE(cluster_.core().Placement().shadow_by_hand);
  EXPECT_FALSE(cluster_.core().Placement().balancer_by_hand);
}

TEST_F(PlacementEventsTest, TheSameChangeTwiceIsOneChange) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Update({.balancer = BalancerKind::kWeighted}).status.ok());
  EXPECT_FALSE(cluster_.transaction().placement.has_value());
  EXPECT_EQ(Logged(), 1u);
}

TEST_F(PlacementEventsTest, ABalancerBesideItselfIsRefusedAndOneThatTakesOverIsNoShadowAnyMore) {
  const PlacementAnswer refused = Update({BalancerKind::kWeighted, BalancerKind::kWeighted});
  EXPECT_EQ(ReasonOf(refused.status), "BAD_PLACEMENT");
  EXPECT_EQ(ReasonOf(Update({.shadow = BalancerKind::kLeastLoaded}).status), "BAD_PLACEMENT") << "it decides already";
  EXPECT_EQ(Now(), PlacementSettings());
  EXPECT_TRUE(Update({.shadow = BalancerKind::kLocality}).status.ok());
  EXPECT_TRUE(Update({.balancer = BalancerKind::kLocality}).status.ok());
  EXPECT_EQ(Now().RunningShadow(), kNoShadow);
}

TEST_F(PlacementEventsTest, WhatTheShadowWouldHaveDoneOtherwiseIsCountedAndToldNowAndThen) {
  Join();
  EXPECT_TRUE(Update({.shadow = BalancerKind::kLocality}).status.ok());
  cluster_.Submit(OfKind(1));
  EXPECT_EQ(cluster_.core().Placement().same, 1u);
  const TaskId differs = cluster_.Submit(OfKind(1));  // to b; locality says a
  const auto told = cluster_.Seen<PlacementDiffered>();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].difference.task, differs);
  EXPECT_EQ(told[0].difference.worker, "b");
  EXPECT_EQ(told[0].difference.why, "has 0 of 4 slots taken");
  EXPECT_EQ(told[0].difference.shadow_worker, "a");
  EXPECT_EQ(told[0].difference.shadow_why, "had this kind of command last");
  cluster_.Submit(OfKind(1));  // to c; locality says b
  EXPECT_THAT(cluster_.Seen<PlacementDiffered>(), SizeIs(0)) << "not within ten seconds";
  cluster_.AdvanceBeating(absl::Seconds(11), {"a", "b", "c"});
  cluster_.Submit(OfKind(1));  // to a; locality says c
  ASSERT_THAT(cluster_.Seen<PlacementDiffered>(), SizeIs(1));
  EXPECT_EQ(cluster_.Seen<PlacementDiffered>()[0].count, 2u);
  const PlacementView view = cluster_.core().Placement();
  EXPECT_EQ(view.different, 3u);
  EXPECT_THAT(view.newest, SizeIs(3));
  EXPECT_EQ(cluster_.core().counters().shadow_different, 3u);
  EXPECT_EQ(cluster_.core().counters().shadow_same, 1u);
}

TEST_F(PlacementEventsTest, WhatAllPlaceAlikeOrNobodyPlacesIsNotCompared) {
  Join();
  EXPECT_TRUE(Update({.shadow = BalancerKind::kLocality}).status.ok());
  for (const Arrangement arrangement : {Arrangement::kSpread, Arrangement::kPack}) {
    cluster_.Submit(Spec([=](TaskSpec& spec) { spec.requirements.arrangement = arrangement; }));
  }
  EXPECT_EQ(cluster_.core().Placement().same, 0u);
}

TEST_F(PlacementEventsTest, OfManyDifferencesTheFirstAreKeptAndThenOneInASecond) {
  Join();
  EXPECT_TRUE(Update({.shadow = BalancerKind::kLocality}).status.ok());
  for (int i = 0; i < 9; ++i) cluster_.Submit(OfKind(1));
  const auto kept = cluster_.core().Placement().newest;
  ASSERT_THAT(kept, SizeIs(5));
  cluster_.AdvanceBeating(absl::Seconds(2), {"a", "b", "c"});
  for (int i = 0; i < 2; ++i) cluster_.Submit(OfKind(1));
  const auto later = cluster_.core().Placement().newest;
  ASSERT_THAT(later, SizeIs(5));
  EXPECT_GT(later[0].task, kept[0].task);
  EXPECT_EQ(later[1].task, kept[0].task) << "one of the two";
}

TEST_F(PlacementEventsTest, TheFirstDifferenceOfANewPairIsToldAtOnceWithNoneOfTheOldPairs) {
  Join();
  EXPECT_TRUE(Update({.shadow = BalancerKind::kLocality}).status.ok());
  for (int i = 0; i < 4; ++i) cluster_.Submit(OfKind(1));
  EXPECT_TRUE(Update({BalancerKind::kLocality, BalancerKind::kLeastLoaded}).status.ok());
  cluster_.Submit(OfKind(1));
  ASSERT_THAT(cluster_.Seen<PlacementDiffered>(), SizeIs(1));
  EXPECT_EQ(cluster_.Seen<PlacementDiffered>()[0].count, 1u);
}

TEST_F(PlacementEventsTest, ANewPairIsComparedAnewAndTheMetricsGoOn) {
  Join();
  EXPECT_TRUE(Update({.shadow = BalancerKind::kLocality}).status.ok());
  for (int i = 0; i < 4; ++i) cluster_.Submit(OfKind(1));
  EXPECT_GT(cluster_.core().Placement().different, 0u);
  const uint64_t counted = cluster_.core().counters().shadow_different;
  EXPECT_TRUE(Update({.shadow = BalancerKind::kLocality}).status.ok());
  EXPECT_GT(cluster_.core().Placement().different, 0u) << "it was no other";
  EXPECT_TRUE(Update({.shadow = BalancerKind::kWeighted}).status.ok());
  EXPECT_EQ(cluster_.core().Placement().different, 0u);
  EXPECT_EQ(cluster_.core().counters().shadow_different, counted);
}

TEST_F(PlacementEventsTest, WhatIsSentAheadIsComparedToo) {
  cluster_.Join("a", 1);
  cluster_.Join("b", 1);
  for (int i = 0; i < 8; ++i) Run(7);  // it is short
  EXPECT_TRUE(Update({.shadow = BalancerKind::kRoundRobin}).status.ok());
  for (int i = 0; i < 2; ++i) cluster_.Submit(OfKind(7));
  const PlacementView before = cluster_.core().Placement();
  cluster_.Submit(OfKind(7));
  EXPECT_EQ(cluster_.core().counters().prefetched, 1u);
  const PlacementView after = cluster_.core().Placement();
  EXPECT_EQ(after.same + after.different, before.same + before.different + 1);
}

}  // namespace
}  // namespace muster::core
