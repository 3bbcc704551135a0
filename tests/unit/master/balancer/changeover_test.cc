// Another policy takes over while all goes on, and one runs beside as the shadow.
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/master/balancer/cluster_of_facts.h"

namespace muster::balancer {
namespace {

constexpr uint64_t kSomeKind = 7;

WorkerId Chosen(Balancer& balancer, uint64_t fingerprint = 0, WorkerId avoid = WorkerId()) {
  const Placement placement = balancer.Choose(OneSlot(), avoid, fingerprint);
  const auto* placed = std::get_if<Placed>(&placement);
  return placed == nullptr ? WorkerId() : placed->worker;
}

TEST(ChangeoverTest, TheNewPolicyDecidesFromTheNextPlacementOn) {
  ClusterOfFacts cluster(BalancerKind::kLeastLoaded);
  for (uint32_t weight : {1, 2, 3}) cluster.Add(100, weight);
  for (int i = 0; i < 30; ++i) cluster.Place(OneSlot());
  cluster.balancer().Use(BalancerKind::kWeighted, std::nullopt);
  cluster.balancer().CheckInvariants();
  std::vector<uint32_t> got(4);
  for (int i = 0; i < 60; ++i) ++got[cluster.Place(OneSlot()).value()];
  EXPECT_THAT(got, ::testing::ElementsAre(0, 10, 20, 30));  // it neither pays nor is owed for the time before
}

TEST(ChangeoverTest, AShadowThatTakesOverGoesOnWithWhatItKnows) {
  ClusterOfFacts cluster(BalancerKind::kLeastLoaded);
  for (int i = 0; i < 3; ++i) cluster.Add(4);
  cluster.balancer().Use(BalancerKind::kLeastLoaded, BalancerKind::kLocality);
  EXPECT_EQ(cluster.Place(OneSlot(), WorkerId(), 1), WorkerId(1));
  EXPECT_EQ(cluster.Place(OneSlot(), WorkerId(), kSomeKind), WorkerId(2));
  EXPECT_EQ(Chosen(cluster.balancer(), kSomeKind), WorkerId(3));
  EXPECT_EQ(Chosen(*cluster.balancer().shadow(), kSomeKind), WorkerId(2));
  cluster.balancer().Use(BalancerKind::kLocality, BalancerKind::kLeastLoaded);
  EXPECT_EQ(cluster.balancer().kind(), BalancerKind::kLocality);
  EXPECT_EQ(Chosen(cluster.balancer(), kSomeKind), WorkerId(2));
  EXPECT_EQ(Chosen(*cluster.balancer().shadow(), kSomeKind), WorkerId(3));
  cluster.balancer().Use(BalancerKind::kLocality, std::nullopt);
  EXPECT_EQ(cluster.balancer().shadow(), nullptr);
  EXPECT_EQ(Chosen(cluster.balancer(), kSomeKind), WorkerId(2));
}

TEST(ChangeoverTest, EachPolicySaysWhatSpeaksForAWorker) {
  ClusterOfFacts cluster(BalancerKind::kLeastLoaded);
  cluster.Add(4, 3);
  Balancer& balancer = cluster.balancer();
  const auto why = [&balancer] { return balancer.Why(WorkerId(1), kSomeKind); };
  EXPECT_EQ(why(), "has 0 of 4 slots taken");
  balancer.Use(BalancerKind::kRoundRobin, std::nullopt);
  EXPECT_EQ(why(), "had no turn yet");
  for (int i = 0; i < 2; ++i) cluster.Place(OneSlot(), WorkerId(), kSomeKind);
  EXPECT_EQ(why(), "had its last turn 0 placements ago");
  balancer.Use(BalancerKind::kWeighted, std::nullopt);
  EXPECT_EQ(why(), "is next by its weight of 3");
  balancer.Use(BalancerKind::kLocality, std::nullopt);
  EXPECT_EQ(why(), "has 2 of 4 slots taken");
  cluster.Place(OneSlot(), WorkerId(), kSomeKind);
  EXPECT_EQ(why(), "had this kind of command last");
}

// A shadow is exactly what the policy would be that had seen the same from its beginning: whatever decides meanwhile, and
// however often that is changed over.
class ShadowModelTest : public ::testing::TestWithParam<BalancerKind> {};

TEST_P(ShadowModelTest, SaysWhatItWouldSayAloneOfTheSameHistory) {
  for (int seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    ClusterOfFacts cluster(kBalancers[random() % std::size(kBalancers)]);
    Balancer alone(GetParam());
    const auto tell = [&](WorkerId id) { alone.Changed(cluster.Facts(id)); };
    for (size_t i = 0; i < 2 + random() % 5; ++i) tell(cluster.Add(1 + random() % 4, 1 + random() % 3));
    const auto change_over = [&] {
      const BalancerKind other = kBalancers[random() % std::size(kBalancers)];
      cluster.balancer().Use(other == GetParam() ? cluster.balancer().kind() : other, GetParam());
    };
    if (cluster.balancer().kind() == GetParam()) continue;
    change_over();
    std::vector<WorkerId> running;
    for (int step = 0; step < 120; ++step) {
      const WorkerId any(static_cast<uint32_t>(1 + random() % cluster.workers().size()));
      const uint64_t kind = random() % 4;
      if (random() % 12 == 0) {
        change_over();
      } else if (random() % 8 == 0) {
        cluster.SetState(any, random() % 2 == 0 ? WorkerState::kActive : WorkerState::kDraining);
        tell(any);
      } else if (random() % 8 == 0) {
        cluster.balancer().Failed(any, kind);
        alone.Failed(any, kind);
      } else if (random() % 3 == 0 && !running.empty()) {
        cluster.End(running.back(), {.slots = 1});
        tell(running.back());
        running.pop_back();
      } else {
        const WorkerId avoid(static_cast<uint32_t>(random() % 3));
        ASSERT_EQ(Chosen(*cluster.balancer().shadow(), kind, avoid), Chosen(alone, kind, avoid));
        if (const WorkerId placed = cluster.Place(OneSlot(), avoid, kind)) {
          alone.Picked(cluster.Facts(placed), kind);
          running.push_back(placed);
        }
      }
      cluster.balancer().CheckInvariants();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EachBalancer, ShadowModelTest, ::testing::ValuesIn(kBalancers),
                         [](const auto& info) { return std::string(BalancerName(info.param)); });

}  // namespace
}  // namespace muster::balancer
