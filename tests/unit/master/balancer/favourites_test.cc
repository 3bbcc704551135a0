#include "master/balancer/favourites.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/master/balancer/cluster_of_facts.h"

namespace muster::balancer {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

std::vector<uint32_t> Of(const Favourites& favourites) {
  std::vector<uint32_t> workers;
  for (const WorkerId worker : favourites) workers.push_back(worker.value());
  return workers;
}

TEST(FavouritesTest, TheLastOneIsFirstAndTheOldestGoes) {
  Favourites favourites;
  for (uint32_t worker : {1, 2, 3, 2, 4, 5}) favourites.PutFirst(WorkerId(worker));
  EXPECT_THAT(Of(favourites), ElementsAre(5, 4, 2, 3));
  EXPECT_EQ(favourites.PlaceOf(WorkerId(2)), 2u);
  EXPECT_EQ(favourites.PlaceOf(WorkerId(1)), Favourites::kMost);
  favourites.Remove(WorkerId(4));
  favourites.Remove(WorkerId(9));
  EXPECT_THAT(Of(favourites), ElementsAre(5, 2, 3));
  EXPECT_EQ(favourites.PlaceOf(WorkerId(4)), Favourites::kMost);
}

TEST(FavouriteTableTest, TheLeastRecentlyPlacedKindIsForgotten) {
  FavouriteTable table;
  for (uint64_t kind = 1; kind <= FavouriteTable::kMaxFingerprints; ++kind) table.NotePlaced(kind, WorkerId(7));
  table.NotePlaced(1, WorkerId(8));
  table.NotePlaced(FavouriteTable::kMaxFingerprints + 1, WorkerId(7));
  EXPECT_EQ(table.size(), FavouriteTable::kMaxFingerprints);
  EXPECT_THAT(Of(table.Of(2)), IsEmpty());
  EXPECT_THAT(Of(table.Of(1)), ElementsAre(8, 7));
}

class LocalityTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kCompile = 11;
  static constexpr uint64_t kTest = 12;

  LocalityTest() {
    for (int i = 0; i < 3; ++i) cluster_.Add(2);
  }
  void TearDown() override { cluster_.balancer().CheckInvariants(); }

  uint32_t Place(uint64_t fingerprint, WorkerId avoid = WorkerId()) {
    return cluster_.Place(OneSlot(), avoid, fingerprint).value();
  }
  void End(uint32_t worker) { cluster_.End(WorkerId(worker), {.slots = 1}); }
  uint32_t Run(uint64_t fingerprint) {
    const uint32_t worker = Place(fingerprint);
    End(worker);
    return worker;
  }

  Favourites former_;
  ClusterOfFacts cluster_{BalancerKind::kLocality, [this](uint64_t kind) { return kind == kTest ? former_ : Favourites(); }};
};

TEST_F(LocalityTest, ACommandReturnsToTheWorkerThatRanItLastThoughOthersAreLessLoaded) {
  EXPECT_EQ(Place(kCompile), 1u);  // and stays there
  EXPECT_EQ(Run(kTest), 2u);       // the least loaded
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Run(kCompile), 1u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Run(kTest), 2u);
}

TEST_F(LocalityTest, AFullFavouriteIsNotWaitedForAndStaysTheSecond) {
  EXPECT_EQ(Place(kCompile), 1u);
  EXPECT_EQ(Place(kCompile), 1u);
  EXPECT_EQ(Place(kCompile), 2u);  // 1 is full
  EXPECT_EQ(Place(kCompile), 2u);
  EXPECT_EQ(Place(kCompile), 3u);
  EXPECT_EQ(Place(kCompile), 3u);
  EXPECT_EQ(Place(kCompile), 0u);
  End(1);
  End(2);
  EXPECT_EQ(Place(kCompile), 2u);  // it ran it after 1 did
  EXPECT_EQ(Place(kCompile), 1u);
}

TEST_F(LocalityTest, AFavouriteThatDrainsOrIsAvoidedOrUnwantedIsPassedOver) {
  EXPECT_EQ(Run(kCompile), 1u);
  const auto placement = cluster_.balancer().Choose(OneSlot(), WorkerId(), kCompile,
                                                    [](WorkerId worker) { return worker == WorkerId(1); });
  EXPECT_EQ(std::get<Placed>(placement).worker, WorkerId(2));
  cluster_.SetState(WorkerId(1), WorkerState::kDraining);
  EXPECT_EQ(Run(kCompile), 2u);
  EXPECT_EQ(Place(kCompile, WorkerId(2)), 3u);
}

TEST_F(LocalityTest, AFavouriteWithoutRoomForTheTaskIsPassedOver) {
  EXPECT_EQ(Place(kCompile), 1u);
  Requirements wide = OneSlot();
  wide.resources.slots = 2;
  EXPECT_EQ(cluster_.Place(wide, WorkerId(), kCompile), WorkerId(2));
}

TEST_F(LocalityTest, AWorkerThatFailsAtOnceDoesNotDrawAllOfTheKindToItself) {
  EXPECT_EQ(Run(kCompile), 1u);
  cluster_.balancer().Failed(WorkerId(1), kCompile);
  EXPECT_EQ(Place(kTest), 1u);
  EXPECT_EQ(Run(kCompile), 2u);
  EXPECT_EQ(Run(kCompile), 2u);
}

TEST_F(LocalityTest, WhatIsOfNoKindHasNoFavourite) {
  EXPECT_EQ(Place(0), 1u);
  EXPECT_EQ(Place(0), 2u);
}

TEST_F(LocalityTest, WhereItRanInFormerTimesCountsUntilItIsPlacedOrFails) {
  former_.Add(WorkerId(99));  // gone
  former_.Add(WorkerId(3));
  EXPECT_EQ(Run(kTest), 3u);
  EXPECT_EQ(Run(kTest), 3u);
  cluster_.balancer().Failed(WorkerId(3), kTest);
  EXPECT_EQ(Run(kTest), 1u);  // where it ran formerly is not asked again
}

TEST_F(LocalityTest, TheFirstPlacementAfterARestartForgetsNoneOfTheOtherFormerWorkers) {
  former_.Add(WorkerId(3));
  former_.Add(WorkerId(2));
  EXPECT_EQ(Place(kTest), 3u);
  EXPECT_EQ(Place(kTest), 3u);
  EXPECT_EQ(Place(kTest), 2u) << "3 is full, and 1 never had it";
}

TEST_F(LocalityTest, AFailureAfterARestartForgetsNoOtherFormerWorker) {
  former_.Add(WorkerId(3));
  former_.Add(WorkerId(2));
  cluster_.balancer().Failed(WorkerId(3), kTest);
  EXPECT_EQ(Run(kTest), 2u);
}

TEST_F(LocalityTest, AFailureOfAKindThatIsKnownFromFormerTimesCounts) {
  former_.Add(WorkerId(3));
  cluster_.balancer().Failed(WorkerId(3), kTest);
  EXPECT_EQ(Run(kTest), 1u);
}

TEST_F(LocalityTest, SendingAheadPrefersTheFavouriteUpToTheAllowance) {
  for (uint64_t kind : {21, 22, 23, 24, 25, 26}) EXPECT_NE(Place(kind), 0u);
  EXPECT_EQ(Place(23), 0u);
  const auto send_ahead = [this](uint64_t kind) {
    const auto worker = cluster_.balancer().ChooseAhead(OneSlot(), kind, [](uint32_t) { return 2u; });
    if (!worker.has_value()) return 0u;
    ++const_cast<WorkerFacts&>(cluster_.Facts(*worker)).prefetched;
    cluster_.balancer().Picked(cluster_.Facts(*worker), kind);
    return worker->value();
  };
  EXPECT_EQ(send_ahead(23), 3u);
  EXPECT_EQ(send_ahead(23), 3u);
  EXPECT_EQ(send_ahead(23), 1u);  // 3 has its two
  EXPECT_EQ(send_ahead(22), 2u);
}

TEST(LocalityCostTest, APlacementLooksAtNoMoreThanTheFavouritesAndOneOther) {
  ClusterOfFacts cluster(BalancerKind::kLocality);
  for (int i = 0; i < 1'000; ++i) cluster.Add(2);
  for (int i = 0; i < 2'000; ++i) EXPECT_TRUE(cluster.Place(OneSlot(), WorkerId(), 1 + i % 10));
  EXPECT_LE(cluster.balancer().looked_at(), 2'000 * (Favourites::kMost + 1));
}

}  // namespace
}  // namespace muster::balancer
