#include "master/registry/worker_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

absl::Time At(double seconds) { return kStart + absl::Seconds(seconds); }

WorkerOffer OfferOf(uint32_t slots) {
  WorkerOffer offer;
  offer.capacity.slots = slots;
  offer.executors = {ExecutorOffer{.name = "command"}};
  return offer;
}

JoinRequest JoinOf(const std::string& name, uint64_t incarnation, const std::string& address = "10.0.0.1:7071") {
  return JoinRequest{.name = name, .incarnation = Incarnation(incarnation), .address = address, .version = "1",
                     .offer = OfferOf(2)};
}

class WorkerTableTest : public ::testing::Test {
 protected:
  WorkerId Join(const std::string& name, uint64_t incarnation, double seconds,
                const std::string& address = "10.0.0.1:7071") {
    JoinOutcome outcome = table_.Join(JoinOf(name, incarnation, address), At(seconds));
    const Joined* joined = std::get_if<Joined>(&outcome);
    return joined == nullptr ? WorkerId() : joined->id;
  }

  bool OpenSession(WorkerId id, uint64_t number, uint64_t incarnation) {
    table_.SetSession(id, SessionNumber(number));
    return table_.OpenSession(id, SessionNumber(number), Incarnation(incarnation));
  }

  WorkerId JoinActive(const std::string& name, double seconds = 0) {
    WorkerId id = Join(name, 1, seconds);
    EXPECT_TRUE(OpenSession(id, 1, 1));
    table_.TakeChanges();
    return id;
  }

  HeartbeatOutcome Beat(const std::string& name, double seconds, uint64_t incarnation = 1) {
    return table_.Heartbeat(name, Incarnation(incarnation), WorkerLoad{}, std::nullopt, false, At(seconds));
  }

  std::vector<WorkerState> StatesEntered() {
    std::vector<WorkerState> states;
    for (const StateChange& change : table_.TakeChanges()) states.push_back(change.to);
    return states;
  }

  void TearDown() override { table_.CheckInvariants(); }

  WorkerTable table_{WorkerTableConfig{.heartbeat = absl::Seconds(2), .lost_after = absl::Seconds(30)}};
};

TEST_F(WorkerTableTest, JoinedWithoutASessionIsSuspect) {
  WorkerId id = Join("w1", 1, 0);
  EXPECT_EQ(table_.state(id), WorkerState::kSuspect);
  EXPECT_EQ(table_.View(id).reason, "no session");
  EXPECT_FALSE(table_.facts(id).TakesWork());
}

TEST_F(WorkerTableTest, HeartbeatAndSessionMakeItActive) {
  WorkerId id = Join("w1", 1, 0);
  EXPECT_TRUE(OpenSession(id, 7, 1));
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
  EXPECT_TRUE(table_.facts(id).TakesWork());
  EXPECT_THAT(StatesEntered(), ElementsAre(WorkerState::kSuspect, WorkerState::kActive));
}

TEST_F(WorkerTableTest, HelloOfAnOlderSessionOrAnotherIncarnationIsStale) {
  WorkerId id = Join("w1", 1, 0);
  table_.SetSession(id, SessionNumber(8));
  EXPECT_FALSE(table_.OpenSession(id, SessionNumber(7), Incarnation(1)));
  EXPECT_FALSE(table_.OpenSession(id, SessionNumber(8), Incarnation(2)));
  EXPECT_FALSE(table_.OpenSession(WorkerId(99), SessionNumber(8), Incarnation(1)));
  EXPECT_EQ(table_.state(id), WorkerState::kSuspect);
}

TEST_F(WorkerTableTest, EndOfAnOlderSessionDoesNotCloseTheNewOne) {
  WorkerId id = JoinActive("w1");
  ASSERT_TRUE(OpenSession(id, 2, 1));
  EXPECT_FALSE(table_.CloseSession(id, SessionNumber(1)));
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
  EXPECT_TRUE(table_.CloseSession(id, SessionNumber(2)));
  EXPECT_EQ(table_.state(id), WorkerState::kSuspect);
}

TEST_F(WorkerTableTest, ThreeMissedHeartbeatsMakeItSuspectAndLostAfterMakesItLost) {
  WorkerId id = JoinActive("w1");
  EXPECT_EQ(table_.NextDue(), At(6));
  table_.Expire(At(5.999));
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
  table_.Expire(At(6));
  EXPECT_EQ(table_.state(id), WorkerState::kSuspect);
  EXPECT_EQ(table_.NextDue(), At(30));
  table_.Expire(At(29.999));
  EXPECT_EQ(table_.state(id), WorkerState::kSuspect);
  table_.Expire(At(30));
  EXPECT_EQ(table_.state(id), WorkerState::kLost);
  EXPECT_EQ(table_.NextDue(), absl::InfiniteFuture());
  EXPECT_THAT(StatesEntered(), ElementsAre(WorkerState::kSuspect, WorkerState::kLost));
}

TEST_F(WorkerTableTest, AHeartbeatThatArrivesLateButBeforeAnyoneLookedSavesTheWorker) {
  WorkerId id = JoinActive("w1");
  Beat("w1", 40);
  table_.Expire(At(40));
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
  EXPECT_THAT(StatesEntered(), IsEmpty());
}

TEST_F(WorkerTableTest, AnOpenSessionDoesNotKeepASilentWorkerFromBeingLost) {
  WorkerId id = JoinActive("w1");
  table_.Expire(At(31));
  ASSERT_TRUE(table_.session_open(id));
  EXPECT_EQ(table_.state(id), WorkerState::kLost);
}

TEST_F(WorkerTableTest, HeartbeatsAloneKeepItSuspectForEver) {
  WorkerId id = Join("w1", 1, 0);
  for (int second = 2; second < 200; second += 2) {
    Beat("w1", second);
    table_.Expire(At(second));
    ASSERT_EQ(table_.state(id), WorkerState::kSuspect);
  }
}

TEST_F(WorkerTableTest, ALostWorkerThatIsHeardAgainWaitsForItsSession) {
  WorkerId id = JoinActive("w1");
  table_.Expire(At(30));
  table_.CloseSession(id, SessionNumber(1));
  EXPECT_FALSE(Beat("w1", 50).join_again);
  EXPECT_EQ(table_.state(id), WorkerState::kSuspect);
  EXPECT_TRUE(OpenSession(id, 2, 1));
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
  EXPECT_EQ(table_.NextDue(), At(56));
}

TEST_F(WorkerTableTest, AnUnknownOrForeignHeartbeatIsToldToJoinAgain) {
  EXPECT_TRUE(Beat("stranger", 0).join_again);
  WorkerId id = JoinActive("w1");
  EXPECT_TRUE(Beat("w1", 5, /*incarnation=*/2).join_again);
  EXPECT_EQ(table_.heartbeat_time(id), At(0));
}

TEST_F(WorkerTableTest, ASecondWorkerUnderALiveOnesNameIsRefusedAndToldWhoHasIt) {
  WorkerId id = JoinActive("w1");
  JoinOutcome outcome = table_.Join(JoinOf("w1", 2, "10.0.0.2:7071"), At(1));
  const NameTaken* taken = std::get_if<NameTaken>(&outcome);
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(taken->address, "10.0.0.1:7071");
  EXPECT_EQ(taken->heartbeat_age, absl::Seconds(1));
  EXPECT_EQ(table_.incarnation(id), Incarnation(1));
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
}

TEST_F(WorkerTableTest, ARestartAtTheSameAddressIsLetInAtOnce) {
  WorkerId id = JoinActive("w1");
  JoinOutcome outcome = table_.Join(JoinOf("w1", 2), At(0.1));
  const Joined* joined = std::get_if<Joined>(&outcome);
  ASSERT_NE(joined, nullptr);
  EXPECT_EQ(joined->id, id);
  EXPECT_EQ(joined->predecessor, Incarnation(1));
  EXPECT_EQ(table_.state(id), WorkerState::kSuspect);
  EXPECT_FALSE(table_.OpenSession(id, SessionNumber(1), Incarnation(1)));
}

TEST_F(WorkerTableTest, ARestartElsewhereIsLetInAfterTwoIntervals) {
  JoinActive("w1");
  EXPECT_EQ(Join("w1", 2, 3.9, "10.0.0.2:7071"), WorkerId());
  EXPECT_NE(Join("w1", 2, 4, "10.0.0.2:7071"), WorkerId());
}

TEST_F(WorkerTableTest, JoiningAgainAsTheSameProcessKeepsTheSession) {
  WorkerId id = JoinActive("w1");
  JoinOutcome outcome = table_.Join(JoinOf("w1", 1), At(1));
  EXPECT_EQ(std::get<Joined>(outcome).predecessor, Incarnation());
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
}

TEST_F(WorkerTableTest, AnExpectedWorkerIsSuspectUntilItJoinsAndLostWhenItDoesNot) {
  WorkerId id = table_.Expect("w1", Incarnation(5), At(0));
  EXPECT_EQ(table_.state(id), WorkerState::kSuspect);
  EXPECT_TRUE(Beat("w1", 1, 5).join_again);
  JoinOutcome outcome = table_.Join(JoinOf("w1", 5), At(2));
  EXPECT_EQ(std::get<Joined>(outcome).predecessor, Incarnation());
  WorkerId silent = table_.Expect("w2", Incarnation(6), At(0));
  table_.Expire(At(30));
  EXPECT_EQ(table_.state(silent), WorkerState::kLost);
}

TEST_F(WorkerTableTest, AnExpectedWorkerThatWasReplacedWhileTheMasterWasDownNamesItsPredecessor) {
  table_.Expect("w1", Incarnation(5), At(0));
  JoinOutcome outcome = table_.Join(JoinOf("w1", 6, "10.9.9.9:7071"), At(0.5));
  ASSERT_TRUE(std::holds_alternative<Joined>(outcome));
  EXPECT_EQ(std::get<Joined>(outcome).predecessor, Incarnation(5));
}

TEST_F(WorkerTableTest, DrainingByHandOutlivesARestartOfTheWorker) {
  WorkerId id = JoinActive("w1");
  table_.SetDraining(id, true, "new kernel");
  EXPECT_EQ(table_.state(id), WorkerState::kDraining);
  EXPECT_EQ(table_.View(id).reason, "new kernel");
  Join("w1", 2, 1);
  OpenSession(id, 2, 2);
  EXPECT_EQ(table_.state(id), WorkerState::kDraining);
  table_.SetDraining(id, false, "");
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
}

TEST_F(WorkerTableTest, TheWorkersOwnWishToDrainEndsWithItsSuccessor) {
  WorkerId id = JoinActive("w1");
  table_.Heartbeat("w1", Incarnation(1), WorkerLoad{}, std::nullopt, /*draining=*/true, At(1));
  EXPECT_EQ(table_.state(id), WorkerState::kDraining);
  Join("w1", 2, 2);
  OpenSession(id, 2, 2);
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
}

TEST_F(WorkerTableTest, SilenceShowsThroughADrainAndAQuarantine) {
  WorkerId draining = JoinActive("w1");
  WorkerId quarantined = JoinActive("w2");
  table_.SetDraining(draining, true, "");
  table_.SetQuarantined(quarantined, true, "fails everything");
  table_.Expire(At(6));
  EXPECT_EQ(table_.state(draining), WorkerState::kSuspect);
  EXPECT_EQ(table_.state(quarantined), WorkerState::kQuarantined);
  table_.Expire(At(30));
  EXPECT_EQ(table_.state(draining), WorkerState::kLost);
  EXPECT_EQ(table_.state(quarantined), WorkerState::kLost);
}

TEST_F(WorkerTableTest, AWorkerInQuarantineTakesNothingAndOnTrialOneMoreThanItHas) {
  const WorkerId id = JoinActive("w1");
  const ResourceAmounts one{.slots = 1};
  auto held = table_.Reserve(id, one);
  ASSERT_TRUE(held.has_value());
  held->Commit();
  table_.SetStanding(id, {Standing::Level::kQuarantined, false, "fails everything"});
  EXPECT_EQ(table_.state(id), WorkerState::kQuarantined);
  EXPECT_FALSE(table_.Reserve(id, one).has_value());
  table_.SetStanding(id, {Standing::Level::kQuarantined, true, "is tried"});
  auto tried = table_.Reserve(id, one);
  ASSERT_TRUE(tried.has_value());
  EXPECT_FALSE(table_.Reserve(id, one).has_value());
  EXPECT_FALSE(table_.ReserveAhead(id, 8).has_value());
  EXPECT_EQ(table_.View(id).reason, "is tried");
  table_.Release(id, one);
}

TEST_F(WorkerTableTest, NobodyIsTriedWithoutASessionOrWhileItRefusesOrIsPutAsideByHand) {
  const WorkerId id = JoinActive("w1");
  table_.SetStanding(id, {Standing::Level::kQuarantined, true, "is tried"});
  EXPECT_TRUE(table_.facts(id).TakesWork());
  table_.SetQuarantined(id, true, "by a person");
  EXPECT_FALSE(table_.facts(id).TakesWork());
  table_.SetQuarantined(id, false, "");
  WorkerLoad full;
  full.refuses_because = "disk of work_dir is low";
  table_.Heartbeat("w1", Incarnation(1), full, std::nullopt, false, At(1));
  EXPECT_FALSE(table_.facts(id).TakesWork());
  Beat("w1", 2);
  EXPECT_TRUE(table_.facts(id).TakesWork());
  table_.CloseSession(id, SessionNumber(1));
  EXPECT_FALSE(table_.facts(id).TakesWork());
  EXPECT_EQ(table_.state(id), WorkerState::kQuarantined);
}

TEST_F(WorkerTableTest, OneAtATimeStaysActiveAndSaysWhy) {
  const WorkerId id = JoinActive("w1");
  table_.SetStanding(id, {Standing::Level::kOneAtATime, true, "failed thrice at once"});
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
  EXPECT_EQ(table_.View(id).reason, "failed thrice at once");
  EXPECT_EQ(table_.facts(id).FreeSlots(), 1u);
  table_.SetStanding(id, {});
  EXPECT_EQ(table_.facts(id).FreeSlots(), 2u);
  EXPECT_EQ(table_.View(id).reason, "");
}

TEST_F(WorkerTableTest, AWorkerThatRefusesStaysActiveWithItsReason) {
  WorkerId id = JoinActive("w1");
  WorkerLoad load;
  load.refuses_because = "disk of work_dir is low";
  table_.Heartbeat("w1", Incarnation(1), load, std::nullopt, false, At(1));
  EXPECT_EQ(table_.state(id), WorkerState::kActive);
  EXPECT_FALSE(table_.facts(id).TakesWork());
  EXPECT_EQ(table_.View(id).reason, "disk of work_dir is low");
  std::vector<StateChange> changes = table_.TakeChanges();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].from, changes[0].to);
  Beat("w1", 2);
  EXPECT_TRUE(table_.facts(id).TakesWork());
}

TEST_F(WorkerTableTest, OnlyARealChangeOfTheOfferCountsAsOne) {
  WorkerId id = JoinActive("w1");
  uint64_t revision = table_.facts(id).offer_revision;
  EXPECT_FALSE(
      table_.Heartbeat("w1", Incarnation(1), WorkerLoad{}, OfferOf(2), false, At(1)).offer_changed);
  EXPECT_EQ(table_.facts(id).offer_revision, revision);
  EXPECT_TRUE(
      table_.Heartbeat("w1", Incarnation(1), WorkerLoad{}, OfferOf(3), false, At(2)).offer_changed);
  EXPECT_EQ(table_.facts(id).offer_revision, revision + 1);
}

TEST_F(WorkerTableTest, TheWeightIsTheSlotsUntilItIsSet) {
  WorkerId id = JoinActive("w1");
  EXPECT_EQ(table_.facts(id).weight, 2u);
  table_.SetWeight(id, 9);
  EXPECT_EQ(table_.facts(id).weight, 9u);
  table_.SetWeight(id, 0);
  EXPECT_EQ(table_.facts(id).weight, 2u);
}

TEST_F(WorkerTableTest, SettingsCanPrecedeTheWorker) {
  WorkerId id = table_.Intern("w1");
  table_.SetWeight(id, 5);
  table_.SetDraining(id, true, "by hand");
  EXPECT_EQ(table_.state(id), WorkerState::kNone);
  EXPECT_THAT(table_.Ids(), IsEmpty());
  EXPECT_EQ(Join("w1", 1, 0), id);
  OpenSession(id, 1, 1);
  EXPECT_EQ(table_.facts(id).weight, 5u);
  EXPECT_EQ(table_.state(id), WorkerState::kDraining);
}

TEST_F(WorkerTableTest, ForgetsOnlyWhatIsGoneAndHoldsNothing) {
  WorkerId id = JoinActive("w1");
  EXPECT_FALSE(table_.Forget(id));
  auto reservation = table_.Reserve(id, ResourceAmounts{.slots = 1});
  ASSERT_TRUE(reservation.has_value());
  reservation->Commit();
  table_.Expire(At(30));
  EXPECT_FALSE(table_.Forget(id));
  table_.Release(id, ResourceAmounts{.slots = 1});
  EXPECT_TRUE(table_.Forget(id));
  EXPECT_FALSE(table_.Contains(id));
  EXPECT_EQ(table_.Find("w1"), WorkerId());
  EXPECT_NE(Join("w1", 2, 31), id);
}

TEST(WorkerTableLimitTest, IsFullForNewNamesOnly) {
  WorkerTable table(WorkerTableConfig{.max_workers = 2});
  EXPECT_TRUE(std::holds_alternative<Joined>(table.Join(JoinOf("a", 1), At(0))));
  EXPECT_TRUE(std::holds_alternative<Joined>(table.Join(JoinOf("b", 1), At(0))));
  EXPECT_TRUE(std::holds_alternative<TableFull>(table.Join(JoinOf("c", 1), At(0))));
  EXPECT_TRUE(std::holds_alternative<Joined>(table.Join(JoinOf("a", 2), At(1))));
  table.Expire(At(40));
  EXPECT_TRUE(table.Forget(table.Find("b")));
  EXPECT_TRUE(std::holds_alternative<Joined>(table.Join(JoinOf("c", 1), At(41))));
}

TEST_F(WorkerTableTest, ExpiryCostsWhatChangesAmongTenThousand) {
  for (int i = 0; i < 10'000; ++i) Join("w" + std::to_string(i), 1, i < 5 ? 0 : 10);
  table_.TakeChanges();
  table_.Expire(At(6));
  EXPECT_EQ(table_.TakeChanges().size(), 5u);
  EXPECT_EQ(table_.NextDue(), At(16));
}

}  // namespace
}  // namespace muster::registry
