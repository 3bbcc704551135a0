#include "master/request_handler/placement_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/refusal.h"

namespace muster::handler {
namespace {

using ::testing::HasSubstr;

v1::UpdatePlacementRequest Placed(const std::string& balancer, const std::string& shadow,
                                  std::optional<std::vector<std::string>> mask = std::nullopt) {
  v1::UpdatePlacementRequest request;
  request.mutable_placement()->set_balancer(balancer);
  request.mutable_placement()->set_shadow(shadow);
  if (!mask) return request;
  request.mutable_update_mask();
  for (const std::string& path : *mask) request.mutable_update_mask()->add_paths(path);
  return request;
}

TEST(PlacementChangeTest, TheMaskSaysWhatIsSetAndWithoutOneWhatThereIs) {
  const auto change = [](const v1::UpdatePlacementRequest& request) { return ReadPlacementUpdate(request)->change; };
  EXPECT_EQ(change(Placed("locality", "")), (PlacementChange{.balancer = BalancerKind::kLocality}));
  EXPECT_EQ(change(Placed("", "weighted")).shadow, std::optional(std::optional(BalancerKind::kWeighted)));
  EXPECT_EQ(change(Placed("locality", "weighted", {{"shadow"}})).balancer, std::nullopt);
  const PlacementChange none = change(Placed("", "", {{"shadow"}}));
  ASSERT_TRUE(none.shadow.has_value());
  EXPECT_FALSE(none.shadow->has_value());
}

TEST(PlacementChangeTest, WhatIsWrongIsSaidInOneLine) {
  const auto refusal = [](const v1::UpdatePlacementRequest& request) { return ReadPlacementUpdate(request).status(); };
  EXPECT_EQ(ReasonOf(refusal(Placed("", ""))), "BAD_PLACEMENT");
  EXPECT_EQ(ReasonOf(refusal(Placed("locality", "", {{"pace"}}))), "BAD_MASK");
  EXPECT_EQ(ReasonOf(refusal(Placed("", "", {{"balancer"}}))), "BAD_PLACEMENT");
  const absl::Status unknown = refusal(Placed(std::string(1 << 20, 'x'), ""));
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("use least_loaded, round_robin, weighted, locality"));
  EXPECT_LT(unknown.message().size(), 300u);
}

}  // namespace
}  // namespace muster::handler
