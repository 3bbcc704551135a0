// Tasks that say which of the workers with room they want: spread over many, or packed on few.
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "master/balancer/load_rank.h"
#include "tests/unit/master/balancer/cluster_of_facts.h"

namespace muster::balancer {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t kKind = 7;
constexpr uint64_t kOtherKind = 8;

Requirements Packed(uint32_t slots = 1) {
  Requirements requirements = OneSlot();
  requirements.resources.slots = slots;
  requirements.arrangement = Arrangement::kPack;
  return requirements;
}

Requirements Spread() {
  Requirements requirements = OneSlot();
  requirements.arrangement = Arrangement::kSpread;
  return requirements;
}

class ArrangementTest : public ::testing::TestWithParam<BalancerKind> {
 protected:
  WorkerId PlaceSpread(uint64_t kind = kKind, WorkerId avoid = WorkerId()) { return cluster.Place(Spread(), avoid, kind); }
  void Take(WorkerId worker, uint32_t slots) {
    cluster.Edit(worker, [slots](WorkerFacts& facts) { facts.used.slots = slots; });
  }

  ClusterOfFacts cluster{GetParam()};
};

TEST_P(ArrangementTest, PackingFillsTheFullestThatItFitsOn) {
  const WorkerId empty = cluster.Add(4);
  const WorkerId half = cluster.Add(4);
  const WorkerId third = cluster.Add(9);
  Take(half, 2);
  Take(third, 3);
  EXPECT_EQ(cluster.Place(Packed(3)), third) << "the fullest has no room for so many";
  EXPECT_EQ(cluster.Place(Packed()), third) << "6 of 9 are more than 2 of 4";
  EXPECT_EQ(cluster.Place(Packed(2)), third);
  EXPECT_EQ(cluster.Place(Packed()), half);
  EXPECT_EQ(cluster.Place(Packed()), half);
  EXPECT_EQ(cluster.Place(Packed()), empty) << "when all others are full";
  cluster.balancer().CheckInvariants();
}

TEST_P(ArrangementTest, OfEmptyWorkersTheSmallestIsPackedFirst) {
  cluster.Add(16);
  const WorkerId small = cluster.Add(2);
  cluster.Add(2);
  EXPECT_EQ(cluster.Place(Packed()), small);
  EXPECT_EQ(cluster.Place(Packed()), small);
}

TEST_P(ArrangementTest, WideTasksFindWholeWorkersWhereNarrowOnesArePacked) {
  for (int i = 0; i < 4; ++i) cluster.Add(4);
  std::set<WorkerId> used;
  for (int i = 0; i < 8; ++i) used.insert(cluster.Place(Packed()));
  EXPECT_THAT(used, ElementsAre(WorkerId(1), WorkerId(2)));
  EXPECT_TRUE(cluster.Place(Packed(4)));
  EXPECT_TRUE(cluster.Place(Packed(4)));
  EXPECT_FALSE(cluster.Place(Packed()));
}

TEST_P(ArrangementTest, SpreadingTakesEachWorkerOnceBeforeOneTwiceTheLeastLoadedFirst) {
  const WorkerId busy = cluster.Add(10);
  const WorkerId idle = cluster.Add(10);
  const WorkerId middle = cluster.Add(10);
  Take(busy, 8);
  Take(middle, 4);
  EXPECT_EQ(PlaceSpread(), idle);
  EXPECT_EQ(PlaceSpread(), middle);
  EXPECT_EQ(PlaceSpread(), busy) << "it has none of them, however loaded it is";
  EXPECT_EQ(PlaceSpread(), idle);
  cluster.balancer().CheckInvariants();
}

TEST_P(ArrangementTest, EachKindIsSpreadForItself) {
  const WorkerId first = cluster.Add(4);
  const WorkerId second = cluster.Add(100);
  EXPECT_EQ(PlaceSpread(), first);
  EXPECT_EQ(PlaceSpread(), second);
  EXPECT_EQ(PlaceSpread(kOtherKind), second) << "less loaded, and none of this kind anywhere";
  EXPECT_EQ(PlaceSpread(kOtherKind), first);
}

TEST_P(ArrangementTest, AWorkerThatHasNoRoomIsNotWaitedFor) {
  const WorkerId full = cluster.Add(1);
  const WorkerId other = cluster.Add(4);
  Take(full, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(PlaceSpread(), other);
}

TEST_P(ArrangementTest, TheWorkerThatJustFailedItIsStillAvoided) {
  const WorkerId first = cluster.Add(2);
  const WorkerId second = cluster.Add(4);
  Take(second, 3);
  EXPECT_EQ(PlaceSpread(kKind, first), second);
  EXPECT_EQ(cluster.Place(Packed(), second), WorkerId(1));
}

TEST_P(ArrangementTest, AnOrderThatWasAskedForFollowsEveryChange) {
  for (int i = 0; i < 3; ++i) cluster.Add(4);
  cluster.Place(Packed());
  PlaceSpread();
  cluster.Add(4, 0, {{"late", ""}});
  Take(WorkerId(2), 4);
  cluster.SetState(WorkerId(1), WorkerState::kDraining);
  cluster.balancer().CheckInvariants();
  EXPECT_EQ(cluster.Place(Packed()), WorkerId(3));
  cluster.SetState(WorkerId(1), WorkerState::kLost);
  Take(WorkerId(2), 3);
  cluster.balancer().CheckInvariants();
  EXPECT_EQ(cluster.Place(Packed()), WorkerId(2));
  cluster.SetState(WorkerId(1), WorkerState::kActive);
  cluster.balancer().CheckInvariants();
}

TEST_P(ArrangementTest, APlacementAmongVeryManyLooksAtFew) {
  for (int i = 0; i < 1000; ++i) cluster.Add(4);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(PlaceSpread());
  const uint64_t before = cluster.balancer().looked_at();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(PlaceSpread());
  EXPECT_LE(cluster.balancer().looked_at() - before, 10 * kSpreadCandidates);
  const uint64_t spread = cluster.balancer().looked_at();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.Place(Packed()));
  EXPECT_EQ(cluster.balancer().looked_at() - spread, 10u);
}

TEST_P(ArrangementTest, WhatIsToldOfVeryManyWorkersIsWhatIsDone) {
  for (uint32_t i = 0; i < 3 * kSpreadCandidates; ++i) cluster.Add(4 + i % 5);
  for (uint32_t i = 0; i < 5 * kSpreadCandidates; ++i) {
    const uint64_t kind = i % 3 == 0 ? kOtherKind : kKind;
    for (const Requirements& requirements : {Spread(), Packed(1 + i % 4)}) {
      const Analysis told = cluster.balancer().Analyze(requirements, WorkerId(1 + i % 9), kind);
      ASSERT_EQ(cluster.Place(requirements, WorkerId(1 + i % 9), kind), told.starts_on.value_or(WorkerId())) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EachBalancer, ArrangementTest, ::testing::ValuesIn(kBalancers),
                         [](const auto& info) { return std::string(BalancerName(info.param)); });

}  // namespace
}  // namespace muster::balancer
