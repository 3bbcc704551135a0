// What of a worker is taken: reservations, attempts sent ahead, adoption, and a model under random schedules.
#include <deque>
#include <random>

#include "gtest/gtest.h"
#include "master/registry/worker_table.h"

namespace muster::registry {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);
const ResourceAmounts kOne{.slots = 1};

ResourceAmounts Capacity(uint32_t slots) {
  return ResourceAmounts{.slots = slots, .cpu_millis = 4000, .memory_bytes = 1000, .disk_bytes = 1000, .named = {{"gpu", 2}}};
}

class CapacityTest : public ::testing::Test {
 protected:
  CapacityTest() : id_(Join("w1", 4)) {}

  WorkerId Join(const std::string& name, uint32_t slots) {
    WorkerOffer offer;
    offer.capacity = Capacity(slots);
    table_.Join(JoinRequest{.name = name, .incarnation = Incarnation(1), .address = name, .offer = offer}, kNow);
    WorkerId id = table_.Find(name);
    table_.SetSession(id, SessionNumber(1));
    EXPECT_TRUE(table_.OpenSession(id, SessionNumber(1), Incarnation(1)));
    return id;
  }

  void Offer(uint32_t slots) {
    WorkerOffer offer;
    offer.capacity = Capacity(slots);
    table_.Heartbeat("w1", Incarnation(1), WorkerLoad{}, offer, false, kNow);
  }

  bool Dispatch(const ResourceAmounts& amounts) {
    auto reservation = table_.Reserve(id_, amounts);
    if (reservation.has_value()) reservation->Commit();
    return reservation.has_value();
  }

  bool SendAhead(uint32_t limit) {
    auto reservation = table_.ReserveAhead(id_, limit);
    if (reservation.has_value()) reservation->Commit();
    return reservation.has_value();
  }

  const WorkerFacts& Facts() const { return table_.facts(id_); }

  WorkerTable table_{WorkerTableConfig{}};
  WorkerId id_;
};

TEST_F(CapacityTest, AReservationThatIsNotCommittedReturnsItself) {
  {
    auto reservation = table_.Reserve(id_, Capacity(4));
    ASSERT_TRUE(reservation.has_value());
    EXPECT_EQ(Facts().FreeSlots(), 0u);
    EXPECT_FALSE(table_.Reserve(id_, kOne).has_value());
  }
  EXPECT_EQ(Facts().used, ResourceAmounts{});
}

TEST_F(CapacityTest, AMovedReservationReturnsItselfOnce) {
  auto first = table_.Reserve(id_, kOne);
  auto second = table_.Reserve(id_, kOne);
  ASSERT_TRUE(first.has_value() && second.has_value());
  {
    Reservation moved = std::move(*first);
    first.reset();
    EXPECT_EQ(Facts().used.slots, 2u);
  }
  EXPECT_EQ(Facts().used.slots, 1u);
  second->Commit();
  second.reset();
  EXPECT_EQ(Facts().used.slots, 1u);
}

TEST_F(CapacityTest, EveryResourceIsCounted) {
  ASSERT_TRUE(Dispatch({.slots = 1, .cpu_millis = 3000, .memory_bytes = 100, .named = {{"gpu", 1}}}));
  EXPECT_FALSE(Dispatch({.slots = 1, .cpu_millis = 1001}));
  EXPECT_FALSE(Dispatch({.slots = 1, .memory_bytes = 901}));
  EXPECT_FALSE(Dispatch({.slots = 1, .disk_bytes = 1001}));
  EXPECT_FALSE(Dispatch({.slots = 1, .named = {{"gpu", 2}}}));
  EXPECT_TRUE(Dispatch({.slots = 3, .cpu_millis = 1000, .memory_bytes = 900, .named = {{"gpu", 1}}}));
}

TEST_F(CapacityTest, AWorkerThatTakesNothingReservesNothing) {
  table_.SetDraining(id_, true, "");
  EXPECT_FALSE(Dispatch(kOne));
  EXPECT_FALSE(SendAhead(8));
}

TEST_F(CapacityTest, NothingIsSentAheadOfAFreeSlot) {
  EXPECT_FALSE(SendAhead(8));
  ASSERT_TRUE(Dispatch({.slots = 4}));
  EXPECT_TRUE(SendAhead(2));
  EXPECT_TRUE(SendAhead(2));
  EXPECT_FALSE(SendAhead(2));
  EXPECT_EQ(Facts().used.slots, 4u);
  EXPECT_EQ(Facts().prefetched, 2u);
}

TEST_F(CapacityTest, WhatWasSentAheadTakesTheSlotThatIsReturned) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Dispatch(kOne));
  ASSERT_TRUE(SendAhead(8));
  table_.Release(id_, kOne);
  EXPECT_EQ(Facts().used.slots, 4u);
  EXPECT_EQ(Facts().prefetched, 0u);
  table_.Release(id_, kOne);
  EXPECT_EQ(Facts().used.slots, 3u);
}

TEST_F(CapacityTest, AWideAttemptsEndStartsAllThatWasSentAhead) {
  ASSERT_TRUE(Dispatch({.slots = 3}));
  ASSERT_TRUE(Dispatch(kOne));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(SendAhead(8));
  table_.Release(id_, {.slots = 3});
  EXPECT_EQ(Facts().used.slots, 4u);
  EXPECT_EQ(Facts().prefetched, 2u);
}

TEST_F(CapacityTest, AdoptionCountsWhatIsThereEvenWithoutRoom) {
  for (int i = 0; i < 6; ++i) table_.Adopt(id_, kOne);
  EXPECT_EQ(Facts().used.slots, 4u);
  EXPECT_EQ(Facts().prefetched, 2u);
  table_.Adopt(id_, {.slots = 2, .memory_bytes = 2000});
  EXPECT_EQ(Facts().FreeSlots(), 0u);
  EXPECT_FALSE(Dispatch(kOne));
  for (int i = 0; i < 6; ++i) table_.Release(id_, kOne);
  table_.Release(id_, {.slots = 2, .memory_bytes = 2000});
  EXPECT_EQ(Facts().used, ResourceAmounts{});
  EXPECT_EQ(Facts().prefetched, 0u);
}

TEST_F(CapacityTest, AdoptedBeforeTheOfferIsKnownFillsTheSlotsLater) {
  WorkerId id = table_.Expect("w2", Incarnation(3), kNow);
  for (int i = 0; i < 3; ++i) table_.Adopt(id, kOne);
  table_.Release(id, kOne);
  WorkerOffer offer;
  offer.capacity.slots = 1;
  table_.Join(JoinRequest{.name = "w2", .incarnation = Incarnation(3), .address = "w2", .offer = offer}, kNow);
  EXPECT_EQ(table_.facts(id).used.slots, 1u);
  EXPECT_EQ(table_.facts(id).prefetched, 1u);
}

TEST_F(CapacityTest, ASmallerOfferTakesNothingAwayButAcceptsNothingUntilItFits) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(Dispatch(kOne));
  Offer(2);
  EXPECT_EQ(Facts().FreeSlots(), 0u);
  table_.Release(id_, kOne);
  table_.Release(id_, kOne);
  EXPECT_FALSE(Dispatch(kOne));
  table_.Release(id_, kOne);
  EXPECT_TRUE(Dispatch(kOne));
}

// --- A model under random schedules

struct Attempt {
  ResourceAmounts amounts;
};

ResourceAmounts RandomAmounts(std::mt19937_64& random) {
  ResourceAmounts amounts = kOne;
  if (random() % 3 == 0) amounts.slots = 1 + random() % 4;
  if (random() % 4 == 0) amounts.cpu_millis = 500 * (1 + random() % 8);
  if (random() % 4 == 0) amounts.memory_bytes = 100 * (1 + random() % 10);
  if (random() % 4 == 0) amounts.disk_bytes = 100 * (1 + random() % 10);
  if (random() % 6 == 0) amounts.named = {{"gpu", 1 + static_cast<int64_t>(random() % 2)}};
  return amounts;
}

ResourceAmounts SumOf(const std::deque<Attempt>& attempts) {
  ResourceAmounts sum;
  int64_t gpus = 0;
  for (const Attempt& attempt : attempts) {
    sum.slots += attempt.amounts.slots;
    sum.cpu_millis += attempt.amounts.cpu_millis;
    sum.memory_bytes += attempt.amounts.memory_bytes;
    sum.disk_bytes += attempt.amounts.disk_bytes;
    for (const auto& entry : attempt.amounts.named) gpus += entry.second;
  }
  if (gpus > 0) sum.named = {{"gpu", gpus}};
  return sum;
}

class CapacityModelTest : public ::testing::TestWithParam<int> {};

TEST_P(CapacityModelTest, WhatIsHeldIsAlwaysWhatWasSentAndNeverMoreThanThereIs) {
  for (int seed = GetParam() * 50; seed < (GetParam() + 1) * 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    WorkerTable table{WorkerTableConfig{}};
    WorkerOffer offer;
    offer.capacity = Capacity(1 + random() % 5);
    table.Join(JoinRequest{.name = "w", .incarnation = Incarnation(1), .address = "w", .offer = offer}, kNow);
    WorkerId id = table.Find("w");
    table.SetSession(id, SessionNumber(1));
    ASSERT_TRUE(table.OpenSession(id, SessionNumber(1), Incarnation(1)));
    const WorkerFacts& facts = table.facts(id);
    std::deque<Attempt> sent;
    for (int step = 0; step < 200; ++step) {
      if (random() % 5 < 2) {
        ResourceAmounts amounts = RandomAmounts(random);
        auto reservation = table.Reserve(id, amounts);
        if (reservation.has_value() && random() % 4 != 0) {
          reservation->Commit();
          sent.push_back({amounts});
        }
      } else if (random() % 2 == 0) {
        auto reservation = table.ReserveAhead(id, 3);
        if (reservation.has_value() && random() % 4 != 0) {
          reservation->Commit();
          sent.push_back({kOne});
        }
      } else if (!sent.empty()) {
        size_t victim = random() % sent.size();
        table.Release(id, sent[victim].amounts);
        sent.erase(sent.begin() + static_cast<std::ptrdiff_t>(victim));
      }
      ResourceAmounts held = facts.used;
      held.slots += facts.prefetched;
      ASSERT_EQ(held, SumOf(sent));
      ASSERT_LE(facts.used.slots, offer.capacity.slots);
      ASSERT_LE(facts.used.cpu_millis, offer.capacity.cpu_millis);
      ASSERT_LE(facts.used.memory_bytes, offer.capacity.memory_bytes);
      ASSERT_LE(facts.used.disk_bytes, offer.capacity.disk_bytes);
      ASSERT_LE(facts.prefetched, 3u);
      table.CheckInvariants();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CapacityModelTest, ::testing::Range(0, 8));

}  // namespace
}  // namespace muster::registry
