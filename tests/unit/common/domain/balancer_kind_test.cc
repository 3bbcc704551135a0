#include "common/domain/balancer_kind.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster {
namespace {

using ::testing::ElementsAre;

TEST(BalancerKindTest, HasTheNamesThatConfigurationsHave) {
  EXPECT_THAT(BalancerNames(), ElementsAre("least_loaded", "round_robin", "weighted", "locality"));
  for (const BalancerKind kind : kBalancers) EXPECT_EQ(BalancerNamed(BalancerName(kind)), kind);
}

TEST(BalancerKindTest, AnotherNameIsToldWhichThereAre) {
  for (const char* name : {"", "best", "locality ", "LOCALITY"}) EXPECT_FALSE(BalancerNamed(name).has_value()) << name;
  EXPECT_EQ(WhyNoBalancer("best"), "\"best\" is no balancer; use least_loaded, round_robin, weighted, locality");
}

}  // namespace
}  // namespace muster
