#include "master/balancer/balancer.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/master/balancer/cluster_of_facts.h"

namespace muster::balancer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BalancerTest : public ::testing::Test {
 protected:
  std::vector<std::string> InfeasibleReasons(const Requirements& requirements) {
    Placement placement = cluster_.balancer().Choose(requirements, WorkerId());
    const Infeasible* infeasible = std::get_if<Infeasible>(&placement);
    return infeasible == nullptr ? std::vector<std::string>{} : infeasible->reasons;
  }

  bool HasNoCapacityNow(const Requirements& requirements, WorkerId avoid = WorkerId()) {
    return std::holds_alternative<NoCapacityNow>(cluster_.balancer().Choose(requirements, avoid));
  }

  void TearDown() override { cluster_.balancer().CheckInvariants(); }

  ClusterOfFacts cluster_{BalancerKind::kLeastLoaded};
};

TEST_F(BalancerTest, FullIsNotInfeasible) {
  cluster_.Add(1);
  EXPECT_EQ(cluster_.Place(OneSlot()), WorkerId(1));
  EXPECT_TRUE(HasNoCapacityNow(OneSlot()));
  EXPECT_TRUE(HasNoCapacityNow(OneSlot()));  // as remembered
  cluster_.End(WorkerId(1), {.slots = 1});
  EXPECT_EQ(cluster_.Place(OneSlot()), WorkerId(1));
}

TEST_F(BalancerTest, SuspectAndDrainingWorkersAreCapacityThatIsNotThereNow) {
  WorkerId id = cluster_.Add(1);
  for (WorkerState state : {WorkerState::kSuspect, WorkerState::kDraining, WorkerState::kQuarantined}) {
    cluster_.SetState(id, state);
    EXPECT_TRUE(HasNoCapacityNow(OneSlot()));
  }
  cluster_.SetState(id, WorkerState::kLost);
  EXPECT_THAT(InfeasibleReasons(OneSlot()), ElementsAre("no worker has joined"));
  cluster_.SetState(id, WorkerState::kActive);
  EXPECT_EQ(cluster_.Place(OneSlot()), id);
}

TEST_F(BalancerTest, AWorkerThatRefusesGetsNothing) {
  WorkerId id = cluster_.Add(4);
  cluster_.Edit(id, [](WorkerFacts& worker) { worker.takes_nothing_because = "disk is low"; });
  EXPECT_TRUE(HasNoCapacityNow(OneSlot()));
}

TEST_F(BalancerTest, OnlyWorkersWithTheLabelAreChosen) {
  cluster_.Add(4);
  WorkerId gpu = cluster_.Add(4, 0, {{"gpu", "a100"}});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(cluster_.Place(OneSlot({NeedNamed("gpu")})), gpu);
  EXPECT_TRUE(HasNoCapacityNow(OneSlot({NeedNamed("gpu")})));
  EXPECT_EQ(cluster_.Place(OneSlot()), WorkerId(1));
}

TEST_F(BalancerTest, AnUnhealthyExecutorIsOutOfTheOfferUntilItIsWell) {
  WorkerId id = cluster_.Add(4);
  auto set_health = [](bool healthy) {
    return [healthy](WorkerFacts& worker) {
      worker.offer.executors[0].healthy = healthy;
      worker.offer.executors[0].reason = healthy ? "" : "disk on fire";
      ++worker.offer_revision;
    };
  };
  cluster_.Edit(id, set_health(false));
  EXPECT_THAT(InfeasibleReasons(OneSlot()),
              ElementsAre("no worker offers executor command (w1: unhealthy: disk on fire)"));
  EXPECT_FALSE(cluster_.balancer().CanServe(id, OneSlot(), WorkerId()));
  cluster_.Edit(id, set_health(true));
  EXPECT_EQ(cluster_.Place(OneSlot()), id);
}

TEST_F(BalancerTest, ARetryGoesToAnotherWorkerEvenIfItMustWaitForIt) {
  WorkerId failed = cluster_.Add(4);
  WorkerId other = cluster_.Add(1);
  EXPECT_EQ(cluster_.Place(OneSlot(), failed), other);
  EXPECT_TRUE(HasNoCapacityNow(OneSlot(), failed));
  EXPECT_FALSE(cluster_.balancer().CanServe(failed, OneSlot(), failed));
  EXPECT_TRUE(cluster_.balancer().CanServe(failed, OneSlot(), other));
}

TEST_F(BalancerTest, ARetryComesBackToTheSameWorkerWhenThereIsNoOther) {
  WorkerId failed = cluster_.Add(4);
  WorkerId other = cluster_.Add(4);
  cluster_.SetState(other, WorkerState::kDraining);
  EXPECT_TRUE(cluster_.balancer().CanServe(failed, OneSlot(), failed));
  EXPECT_EQ(cluster_.Place(OneSlot(), failed), failed);
}

TEST_F(BalancerTest, CanServeIsWhatChooseWouldSay) {
  WorkerId id = cluster_.Add(2, 0, {{"gpu", ""}});
  Balancer& balancer = cluster_.balancer();
  EXPECT_TRUE(balancer.CanServe(id, OneSlot({NeedNamed("gpu")}), WorkerId()));
  EXPECT_FALSE(balancer.CanServe(id, OneSlot({NeedNamed("tpu")}), WorkerId()));
  EXPECT_FALSE(balancer.CanServe(WorkerId(77), OneSlot(), WorkerId()));
  Requirements wide = OneSlot();
  wide.resources.slots = 2;
  EXPECT_TRUE(balancer.CanServe(id, wide, WorkerId()));
  cluster_.Place(OneSlot());
  EXPECT_FALSE(balancer.CanServe(id, wide, WorkerId()));
}

TEST_F(BalancerTest, ARemovedWorkerIsNeverChosen) {
  WorkerId first = cluster_.Add(2);
  WorkerId second = cluster_.Add(2);
  EXPECT_EQ(cluster_.Place(OneSlot()), first);
  cluster_.balancer().Remove(first);
  cluster_.balancer().Remove(WorkerId(99));
  EXPECT_EQ(cluster_.Place(OneSlot()), second);
  EXPECT_EQ(cluster_.Place(OneSlot()), second);
  EXPECT_TRUE(HasNoCapacityNow(OneSlot()));
}

TEST_F(BalancerTest, MorePoolsThanAreKeptStillAnswerRightly) {
  cluster_.Add(1'000'000, 0, {{"zone", "east"}});
  cluster_.Add(1'000'000, 0, {{"gpu", ""}});
  for (size_t i = 0; i < Balancer::kMaxPools + 100; ++i) {
    EXPECT_THAT(InfeasibleReasons(OneSlot({NeedNamed("missing-" + std::to_string(i))})),
                ElementsAre(HasSubstr("no worker has label missing-")));
  }
  EXPECT_EQ(cluster_.Place(OneSlot({NeedNamed("gpu")})), WorkerId(2));
  EXPECT_EQ(cluster_.Place(OneSlot({NeedNamed("zone")})), WorkerId(1));
}

TEST_F(BalancerTest, ExplainsEachWorkerThatWouldNotGetIt) {
  cluster_.Add(4);
  cluster_.Add(4, 0, {{"gpu", ""}});
  WorkerId draining = cluster_.Add(4, 0, {{"gpu", ""}});
  cluster_.SetState(draining, WorkerState::kDraining);
  auto rejections = cluster_.balancer().Explain(OneSlot({NeedNamed("gpu")}), WorkerId(), 10);
  ASSERT_EQ(rejections.size(), 2u);
  EXPECT_EQ(rejections[0].name, "w1");
  EXPECT_EQ(rejections[0].rejection.filter, "needs");
  EXPECT_EQ(rejections[1].name, "w3");
  EXPECT_EQ(rejections[1].rejection.filter, "state");
  EXPECT_EQ(cluster_.balancer().Explain(OneSlot({NeedNamed("gpu")}), WorkerId(), 1).size(), 1u);
}

// --- Sending ahead

uint32_t UpToFour(uint32_t) { return 4; }

class AheadTest : public ::testing::TestWithParam<BalancerKind> {
 protected:
  WorkerId SendAhead() {
    auto worker = cluster_.balancer().ChooseAhead(OneSlot(), 0, UpToFour);
    if (!worker.has_value()) return WorkerId();
    // As the core does it: changed and counted in one.
    ++const_cast<WorkerFacts&>(cluster_.Facts(*worker)).prefetched;
    cluster_.balancer().Picked(cluster_.Facts(*worker));
    return *worker;
  }

  ClusterOfFacts cluster_{GetParam()};
};

TEST_P(AheadTest, OnlyToWorkersWithoutAFreeSlotAndUpToTheAllowance) {
  WorkerId full = cluster_.Add(1);
  WorkerId wide = cluster_.Add(2);
  EXPECT_EQ(SendAhead(), WorkerId());
  while (cluster_.Facts(full).used.slots == 0) cluster_.Place(OneSlot());
  cluster_.Edit(wide, [](WorkerFacts& worker) { worker.used.slots = 1; });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(SendAhead(), full);
  EXPECT_EQ(SendAhead(), WorkerId());
}

TEST_P(AheadTest, NeverForMoreThanOneSlotOrToAWorkerThatTakesNothing) {
  WorkerId id = cluster_.Add(1);
  cluster_.Place(OneSlot());
  Requirements heavy = OneSlot();
  heavy.resources.memory_bytes = 1;
  EXPECT_FALSE(cluster_.balancer().ChooseAhead(heavy, 0, UpToFour).has_value());
  cluster_.SetState(id, WorkerState::kDraining);
  EXPECT_EQ(SendAhead(), WorkerId());
}

INSTANTIATE_TEST_SUITE_P(Policies, AheadTest,
                         ::testing::ValuesIn(kBalancers));

TEST(WeightedAheadTest, SendingAheadKeepsToTheWeights) {
  ClusterOfFacts cluster(BalancerKind::kWeighted);
  for (uint32_t weight : {1, 2, 3}) cluster.Add(1, weight);
  for (int i = 0; i < 3; ++i) cluster.Place(OneSlot());
  std::vector<int> sent(4);
  for (;;) {
    auto worker = cluster.balancer().ChooseAhead(OneSlot(), 0, [](uint32_t) { return 300u; });
    if (!worker.has_value()) break;
    ++sent[worker->value()];
    ++const_cast<WorkerFacts&>(cluster.Facts(*worker)).prefetched;
    cluster.balancer().Picked(cluster.Facts(*worker));
  }
  // Ended by the heaviest being full, though the others had room.
  EXPECT_EQ(sent[3], 300);
  EXPECT_NEAR(sent[2], 200, 2);
  EXPECT_NEAR(sent[1], 100, 2);
}

// --- Against the obvious implementation

class BalancerModelTest : public ::testing::TestWithParam<BalancerKind> {};

Requirements RandomRequirements(std::mt19937_64& random) {
  Requirements requirements = OneSlot();
  if (random() % 3 == 0) requirements.needs.push_back(NeedNamed(random() % 2 == 0 ? "gpu" : "ssd"));
  if (random() % 4 == 0) requirements.resources.slots = 1 + random() % 5;
  if (random() % 4 == 0) requirements.resources.memory_bytes = 100 * (1 + random() % 12);
  return requirements;
}

void ChangeRandomly(WorkerFacts& worker, std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      worker.state = static_cast<WorkerState>(1 + random() % 5);
      break;
    case 1:
      worker.state = WorkerState::kActive;
      break;
    case 2:
      worker.offer.labels.clear();
      if (random() % 2 == 0) worker.offer.labels.push_back({"gpu", ""});
      if (random() % 2 == 0) worker.offer.labels.push_back({"ssd", ""});
      worker.offer.capacity = {.slots = 1 + static_cast<uint32_t>(random() % 4), .memory_bytes = 1000};
      ++worker.offer_revision;
      break;
    default:
      worker.weight = 1 + random() % 4;
  }
}

TEST_P(BalancerModelTest, PlacesWhereTheFiltersAllowAndOnlyWaitsWhenNobodyCan) {
  for (int seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    ClusterOfFacts cluster(GetParam());
    for (size_t i = 0; i < 1 + random() % 6; ++i) {
      WorkerId id = cluster.Add(1 + random() % 4);
      cluster.Edit(id, [&](WorkerFacts& worker) { ChangeRandomly(worker, random); });
    }
    std::vector<std::pair<WorkerId, ResourceAmounts>> running;
    for (int step = 0; step < 80; ++step) {
      if (random() % 6 == 0) {
        WorkerId id(1 + static_cast<uint32_t>(random() % cluster.workers().size()));
        cluster.Edit(id, [&](WorkerFacts& worker) { ChangeRandomly(worker, random); });
      } else if (random() % 3 == 0 && !running.empty()) {
        size_t ended = random() % running.size();
        cluster.End(running[ended].first, running[ended].second);
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(ended));
      } else {
        Requirements requirements = RandomRequirements(random);
        WorkerId avoid(static_cast<uint32_t>(random() % 3));
        bool any = false;       // could be placed, if nobody were avoided
        bool feasible = false;  // could ever be placed
        bool another = false;   // takes work, could ever fit, and is not avoided
        for (const auto& worker : cluster.workers()) {
          auto rejection = FirstRejection(*worker, requirements, WorkerId());
          bool fits = !LacksExecutor(worker->offer, "command") && !LacksNeeds(worker->offer, requirements) &&
                      !NeverFits(worker->offer, requirements.resources) && worker->state != WorkerState::kLost;
          feasible |= fits;
          another |= fits && worker->TakesWork() && worker->id != avoid;
          any |= !rejection.has_value() && worker->id != avoid;
          ASSERT_EQ(cluster.balancer().CanServe(worker->id, requirements, WorkerId()), !rejection.has_value());
        }
        bool only_avoided = !any && avoid && !another && avoid.value() <= cluster.workers().size() &&
                            !FirstRejection(cluster.Facts(avoid), requirements, WorkerId()).has_value();
        const uint64_t fingerprint = random() % 3;
        Placement placement = cluster.balancer().Choose(requirements, avoid, fingerprint);
        ASSERT_EQ(std::holds_alternative<Placed>(placement), any || only_avoided);
        ASSERT_EQ(std::holds_alternative<Infeasible>(placement), !feasible);
        if (const Infeasible* infeasible = std::get_if<Infeasible>(&placement)) {
          ASSERT_FALSE(infeasible->reasons.empty());
        }
        WorkerId placed = cluster.Place(requirements, avoid, fingerprint);
        if (placed) running.push_back({placed, requirements.resources});
        ASSERT_TRUE(!placed || placed != avoid || only_avoided);
      }
      cluster.balancer().CheckInvariants();
    }
  }
}

TEST_P(BalancerModelTest, TheSameStepsGiveTheSameChoices) {
  auto run = [] {
    std::mt19937_64 random(5);
    ClusterOfFacts cluster(GetParam());
    for (int i = 0; i < 20; ++i) cluster.Add(1 + random() % 8);
    std::vector<uint32_t> choices;
    for (int i = 0; i < 60; ++i) choices.push_back(cluster.Place(RandomRequirements(random), WorkerId(), i % 7).value());
    return choices;
  };
  EXPECT_EQ(run(), run());
}

TEST_P(BalancerModelTest, TheCostOfAPlacementStaysFlatWithTenThousandWorkers) {
  ClusterOfFacts cluster(GetParam());
  for (int i = 0; i < 10'000; ++i) cluster.Add(4, 0, {{"shape", std::to_string(i % 5)}});
  Requirements shaped = OneSlot({Need{.name = "shape", .value = "3", .has_value = true}});
  int placed = 0;
  for (; placed < 40'000; ++placed) {
    if (!cluster.Place(placed % 10 == 0 && placed < 8'000 ? shaped : OneSlot())) break;
  }
  EXPECT_EQ(placed, 40'000);
  // Full: nothing to look at, however often it is asked.
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_TRUE(std::holds_alternative<NoCapacityNow>(cluster.balancer().Choose(OneSlot(), WorkerId())));
  }
  EXPECT_EQ(cluster.balancer().looked_at(), 40'000u);
}

INSTANTIATE_TEST_SUITE_P(Policies, BalancerModelTest,
                         ::testing::ValuesIn(kBalancers));

}  // namespace
}  // namespace muster::balancer
