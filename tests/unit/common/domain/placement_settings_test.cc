#include "common/domain/placement_settings.h"

#include "gtest/gtest.h"

namespace muster {
namespace {

PlacementChange Change(std::optional<BalancerKind> balancer, std::optional<std::optional<BalancerKind>> shadow) {
  return {balancer, shadow};
}
constexpr std::optional<BalancerKind> kNoShadow;

TEST(PlacementSettingsTest, EveryChangeIsReadBackAsItWasWritten) {
  std::vector<std::optional<BalancerKind>> kinds = {std::nullopt};
  kinds.insert(kinds.end(), std::begin(kBalancers), std::end(kBalancers));
  for (const auto& balancer : kinds) {
    for (const auto& shadow : kinds) EXPECT_EQ(PlacementChangeFrom(ToText(Change(balancer, shadow))), Change(balancer, shadow));
    EXPECT_EQ(PlacementChangeFrom(ToText(Change(balancer, std::nullopt))), Change(balancer, std::nullopt));
  }
  EXPECT_EQ(ToText(Change(BalancerKind::kLocality, kNoShadow)), "balancer=locality shadow=none");
}

TEST(PlacementSettingsTest, WhatNoMasterWroteIsNoChange) {
  for (const char* text : {"balancer", "balancer=", "balancer=none", "balancer=best", "shadow=", "locality", "pace=slow"}) {
    EXPECT_FALSE(PlacementChangeFrom(text).has_value()) << text;
  }
}

TEST(PlacementSettingsTest, ALaterChangeLeavesWhatItDoesNotName) {
  PlacementChange change = Change(BalancerKind::kWeighted, BalancerKind::kLocality);
  change.Add(Change(std::nullopt, kNoShadow));
  EXPECT_EQ(change, Change(BalancerKind::kWeighted, kNoShadow));
  change.Add(Change(BalancerKind::kRoundRobin, std::nullopt));
  EXPECT_EQ(change, Change(BalancerKind::kRoundRobin, kNoShadow));
  EXPECT_EQ(change.AppliedTo({BalancerKind::kLocality, BalancerKind::kWeighted}),
            (PlacementSettings{BalancerKind::kRoundRobin, std::nullopt}));
}

TEST(PlacementSettingsTest, NothingRunsBesideItself) {
  EXPECT_FALSE((PlacementSettings{BalancerKind::kWeighted, BalancerKind::kWeighted}.RunningShadow().has_value()));
  EXPECT_EQ(PlacementText({BalancerKind::kWeighted, BalancerKind::kWeighted}), "weighted, with no shadow");
  EXPECT_EQ(PlacementText({BalancerKind::kWeighted, BalancerKind::kLocality}), "weighted, with locality beside it");
}

}  // namespace
}  // namespace muster
