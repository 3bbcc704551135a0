// What each policy gives to whom.
#include <map>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/master/balancer/cluster_of_facts.h"

namespace muster::balancer {
namespace {

using ::testing::ElementsAre;

// Places tasks that end at once.
std::map<uint32_t, int> Shares(ClusterOfFacts& cluster, int tasks) {
  std::map<uint32_t, int> shares;
  for (int i = 0; i < tasks; ++i) {
    WorkerId worker = cluster.Place(OneSlot());
    ++shares[worker.value()];
    if (worker) cluster.End(worker, {.slots = 1});
  }
  return shares;
}

std::vector<uint32_t> Order(ClusterOfFacts& cluster, int tasks) {
  std::vector<uint32_t> order;
  for (int i = 0; i < tasks; ++i) {
    order.push_back(cluster.Place(OneSlot()).value());
    if (order.back() != 0) cluster.End(WorkerId(order.back()), {.slots = 1});
  }
  return order;
}

TEST(WeightedTest, ThreeWorkersShareSixThousandTasksAsTheirWeightsSay) {
  ClusterOfFacts cluster(BalancerKind::kWeighted);
  for (uint32_t weight : {1, 2, 3}) cluster.Add(4, weight);
  EXPECT_EQ(Shares(cluster, 6000), (std::map<uint32_t, int>{{1, 1000}, {2, 2000}, {3, 3000}}));
}

TEST(WeightedTest, EveryWholeRoundIsExactAndSpreadOut) {
  ClusterOfFacts cluster(BalancerKind::kWeighted);
  cluster.Add(8, 5);
  cluster.Add(8, 1);
  cluster.Add(8, 1);
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(Shares(cluster, 7), (std::map<uint32_t, int>{{1, 5}, {2, 1}, {3, 1}}));
  }
  // Smooth: the light ones come in the middle of a round, not at its end.
  EXPECT_THAT(Order(cluster, 7), ElementsAre(1, 1, 1, 2, 3, 1, 1));
}

TEST(WeightedTest, RandomWeightsAreExactAfterWholeRounds) {
  for (int seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    ClusterOfFacts cluster(BalancerKind::kWeighted);
    std::map<uint32_t, int> expected;
    int total = 0;
    for (size_t i = 0; i < 2 + random() % 6; ++i) {
      int weight = 1 + static_cast<int>(random() % 9);
      expected[cluster.Add(2, static_cast<uint32_t>(weight)).value()] = 3 * weight;
      total += weight;
    }
    ASSERT_EQ(Shares(cluster, 3 * total), expected);
  }
}

TEST(WeightedTest, AFullWorkerLetsTheOthersWorkAndCatchesUp) {
  ClusterOfFacts cluster(BalancerKind::kWeighted);
  WorkerId light = cluster.Add(100, 1);
  WorkerId heavy = cluster.Add(1, 3);
  WorkerId first = cluster.Place(OneSlot());
  EXPECT_EQ(first, heavy);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(cluster.Place(OneSlot()), light);
  cluster.End(heavy, {.slots = 1});
  for (int i = 0; i < 29; ++i) {
    ASSERT_EQ(cluster.Place(OneSlot()), heavy);
    cluster.End(heavy, {.slots = 1});
  }
  EXPECT_EQ(Shares(cluster, 40), (std::map<uint32_t, int>{{1, 10}, {2, 30}}));
}

TEST(WeightedTest, AWorkerThatJoinsLateIsNotOwedThePast) {
  ClusterOfFacts cluster(BalancerKind::kWeighted);
  cluster.Add(4, 1);
  Shares(cluster, 1000);
  cluster.Add(4, 1);
  EXPECT_EQ(Shares(cluster, 100), (std::map<uint32_t, int>{{1, 50}, {2, 50}}));
}

TEST(WeightedTest, AWorkerThatWasDrainedIsNotOwedThatTime) {
  ClusterOfFacts cluster(BalancerKind::kWeighted);
  WorkerId first = cluster.Add(4, 1);
  cluster.Add(4, 1);
  Shares(cluster, 10);
  cluster.SetState(first, WorkerState::kDraining);
  EXPECT_EQ(Shares(cluster, 100), (std::map<uint32_t, int>{{2, 100}}));
  cluster.SetState(first, WorkerState::kActive);
  EXPECT_EQ(Shares(cluster, 100), (std::map<uint32_t, int>{{1, 50}, {2, 50}}));
}

TEST(WeightedTest, ANewWeightHoldsFromThenOn) {
  ClusterOfFacts cluster(BalancerKind::kWeighted);
  WorkerId first = cluster.Add(4, 1);
  cluster.Add(4, 1);
  Shares(cluster, 100);
  cluster.Edit(first, [](WorkerFacts& worker) { worker.weight = 3; });
  std::map<uint32_t, int> shares = Shares(cluster, 400);
  EXPECT_NEAR(shares[1], 300, 2);
  EXPECT_NEAR(shares[2], 100, 2);
}

TEST(WeightedTest, TheWeightIsTheSlotsByDefault) {
  ClusterOfFacts cluster(BalancerKind::kWeighted);
  cluster.Add(2);
  cluster.Add(6);
  EXPECT_EQ(Shares(cluster, 800), (std::map<uint32_t, int>{{1, 200}, {2, 600}}));
}

TEST(RoundRobinTest, GoesRoundWhateverTheSlots) {
  ClusterOfFacts cluster(BalancerKind::kRoundRobin);
  for (uint32_t slots : {1, 8, 3}) cluster.Add(slots);
  EXPECT_THAT(Order(cluster, 7), ElementsAre(1, 2, 3, 1, 2, 3, 1));
  EXPECT_EQ(Shares(cluster, 6000), (std::map<uint32_t, int>{{1, 2000}, {2, 2000}, {3, 2000}}));
}

TEST(RoundRobinTest, PassesOverAFullWorkerAndComesBackToIt) {
  ClusterOfFacts cluster(BalancerKind::kRoundRobin);
  WorkerId small = cluster.Add(1);
  cluster.Add(9);
  cluster.Add(9);
  EXPECT_EQ(cluster.Place(OneSlot()), small);
  EXPECT_THAT(Order(cluster, 4), ElementsAre(2, 3, 2, 3));
  cluster.End(small, {.slots = 1});
  EXPECT_THAT(Order(cluster, 4), ElementsAre(1, 2, 3, 1));
}

TEST(LeastLoadedTest, FillsByTheShareOfSlotsTaken) {
  ClusterOfFacts cluster(BalancerKind::kLeastLoaded);
  cluster.Add(2);
  cluster.Add(4);
  cluster.Add(6);
  std::map<uint32_t, int> shares;
  for (int i = 0; i < 6; ++i) ++shares[cluster.Place(OneSlot()).value()];
  EXPECT_EQ(shares, (std::map<uint32_t, int>{{1, 1}, {2, 2}, {3, 3}}));
  for (int i = 0; i < 6; ++i) ++shares[cluster.Place(OneSlot()).value()];
  EXPECT_EQ(shares, (std::map<uint32_t, int>{{1, 2}, {2, 4}, {3, 6}}));
  EXPECT_EQ(cluster.Place(OneSlot()), WorkerId());
}

TEST(LeastLoadedTest, EqualSharesAreATieThatTheIdBreaks) {
  ClusterOfFacts cluster(BalancerKind::kLeastLoaded);
  cluster.Add(6);
  cluster.Add(3);
  cluster.Edit(WorkerId(1), [](WorkerFacts& worker) { worker.used.slots = 2; });
  cluster.Edit(WorkerId(2), [](WorkerFacts& worker) { worker.used.slots = 1; });
  EXPECT_EQ(cluster.Place(OneSlot()), WorkerId(1));
  EXPECT_EQ(cluster.Place(OneSlot()), WorkerId(2));
}

}  // namespace
}  // namespace muster::balancer
