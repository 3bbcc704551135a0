// Why no worker that is there could ever take a task, in words.
#include "master/balancer/infeasibility.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/master/balancer/cluster_of_facts.h"

namespace muster::balancer {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class InfeasibilityTest : public ::testing::Test {
 protected:
  std::vector<std::string> Reasons(const Requirements& requirements) { return cluster_.balancer().WhyInfeasible(requirements); }

  ClusterOfFacts cluster_{BalancerKind::kLeastLoaded};
};

TEST_F(InfeasibilityTest, AnEmptyClusterSaysSo) {
  EXPECT_THAT(Reasons(OneSlot()), ElementsAre("no worker has joined"));
}

TEST_F(InfeasibilityTest, NamesWhatNoWorkerHas) {
  cluster_.Add(4, 0, {{"zone", "east"}});
  Requirements requirements = OneSlot({NeedNamed("gpu"), Need{.name = "zone", .value = "west", .has_value = true}});
  EXPECT_THAT(Reasons(requirements), ElementsAre("no worker has label gpu", "no worker has label zone=west"));
  requirements = OneSlot();
  requirements.resources.slots = 9;
  EXPECT_THAT(Reasons(requirements),
              ElementsAre("no worker is large enough (w1 has 4 slots, 9 are asked for)"));
  requirements.executor = "http";
  EXPECT_THAT(Reasons(requirements), ElementsAre("no worker offers executor http"));
}

TEST_F(InfeasibilityTest, SaysWhenEachIsThereButNotTogether) {
  cluster_.Add(4, 0, {{"gpu", ""}});
  cluster_.Add(4, 0, {{"ssd", ""}});
  EXPECT_THAT(Reasons(OneSlot({NeedNamed("gpu"), NeedNamed("ssd")})),
              ElementsAre("no single worker has all of: executor command, label gpu, label ssd"));
}

TEST_F(InfeasibilityTest, OneThatIsFullOrTakesNothingCouldAllTheSame) {
  const WorkerId id = cluster_.Add(1);
  EXPECT_EQ(cluster_.Place(OneSlot()), id);
  EXPECT_THAT(Reasons(OneSlot()), IsEmpty());
  cluster_.SetState(id, WorkerState::kDraining);
  EXPECT_THAT(Reasons(OneSlot()), IsEmpty());
  cluster_.SetState(id, WorkerState::kLost);
  EXPECT_THAT(Reasons(OneSlot()), ElementsAre("no worker has joined"));
}

}  // namespace
}  // namespace muster::balancer
