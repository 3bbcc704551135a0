// Each cause in turn, brought about in the real core: its code, its sentence, and the line for it in docs/explain.md.
#include "master/core/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/domain/isolation.h"
#include "common/domain/validation.h"
#include "tests/support/test_cluster.h"
#include "tests/unit/master/core/cluster_by_hand.h"
#include "tests/unit/master/core/workflow_by_hand.h"

namespace muster::core {
namespace {

using ::testing::ElementsAre;
using testing::Offer;
using testing::Spec;
using testing::TestCluster;

struct DocumentedReason {
  std::string sentence;
  std::string advice;
};

// | `CODE` | sentence | advice |
std::map<std::string, DocumentedReason> ReasonsOfTheDocument() {
  std::ifstream file(std::string(MUSTER_SOURCE_DIR) + "/docs/explain.md");
  std::map<std::string, DocumentedReason> rows;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5 || cells[1].rfind(" `", 0) != 0) continue;
    for (std::string& cell : cells) cell = std::string(absl::StripAsciiWhitespace(cell));
    rows[cells[1].substr(1, cells[1].size() - 2)] = {cells[2], cells[3]};
  }
  return rows;
}

// How long a jitter or a fence takes is another test's matter.
std::string WithoutTimes(const std::string& sentence) {
  static const std::regex kTime(" in ([0-9.]+(ms|h|m|s))+");
  return std::regex_replace(sentence, kTime, " in T");
}

// What the core says is what the document says of that code, to the letter.
void ExpectDocumented(const Explanation& explanation, ReasonCode code) {
  const std::string name(ReasonRowOf(explanation.code).name);
  EXPECT_EQ(name, ReasonRowOf(code).name) << explanation.sentence;
  EXPECT_EQ(WithoutTimes(explanation.sentence), WithoutTimes(ReasonsOfTheDocument()[name].sentence)) << name;
}

class ExplainTest : public ::testing::Test {
 protected:
  Explanation Of(TaskId task) {
    const auto explanation = cluster.core().Explain(task);
    EXPECT_TRUE(explanation.has_value());
    return explanation.value_or(Explanation{});
  }

  void ExpectDocumented(TaskId task, ReasonCode code) { core::ExpectDocumented(Of(task), code); }
  void ExpectDocumented(const Explanation& explanation, ReasonCode code) { core::ExpectDocumented(explanation, code); }

  void JoinWithMemory(const std::string& name, uint32_t slots, int64_t gibi) {
    WorkerOffer offer = Offer(slots);
    offer.capacity.memory_bytes = gibi << 30;
    JoinWith(name, std::move(offer));
  }
  void JoinWith(const std::string& name, WorkerOffer offer) {
    cluster.JoinOnly(name, std::move(offer), Incarnation(++incarnations_));
    cluster.Hello(name);
  }
  static TaskSpecPtr Asking(int64_t gibi, uint32_t slots = 1) {
    return Spec([=](TaskSpec& spec) {
      spec.requirements.resources.memory_bytes = gibi << 30;
      spec.requirements.resources.slots = slots;
    });
  }
  static TaskSpecPtr Needing(std::vector<Need> needs) {
    return Spec([&](TaskSpec& spec) { spec.requirements.needs = needs; });
  }
  static TaskSpecPtr WithPriority(int32_t priority) {
    return Spec([=](TaskSpec& spec) { spec.priority = priority; });
  }
  static TaskSpecPtr Retrying() {
    return Spec([](TaskSpec& spec) { spec.retry.max_attempts = 4; });
  }

  static TaskSpecPtr InQueue(const std::string& queue) {
    return Spec([&](TaskSpec& spec) { spec.queue = queue; });
  }
  static TaskSpecPtr OfAnn(uint32_t limit) {
    return Spec([=](TaskSpec& spec) {
      spec.limit_key = "user=ann";
      spec.limit = limit;
    });
  }
  void Set(const std::string& queue, QueueChange change) {
    cluster.Apply(UpdateQueue{CallId(1), queue, false, std::move(change), "ann@host"});
  }

  TestCluster cluster;
  uint64_t incarnations_ = 1000;
};

TEST_F(ExplainTest, AFreeSlot) {
  cluster.Join("w1", 2);
  const auto explanation = cluster.core().ExplainSpec(Spec());
  ASSERT_TRUE(explanation.ok());
  ExpectDocumented(*explanation, ReasonCode::kStartsNow);
  EXPECT_EQ(explanation->worker, "w1");
  EXPECT_FALSE(explanation->task);
}

TEST_F(ExplainTest, AllSlotsTaken) {
  cluster.Join("w1", 2);
  cluster.Join("w2", 1);
  for (int i = 0; i < 3; ++i) cluster.Submit(Spec());
  const TaskId task = cluster.Submit(Spec());
  ExpectDocumented(task, ReasonCode::kWaitsForSlot);
  const Explanation explanation = Of(task);
  EXPECT_EQ(explanation.workers, 2u);
  ASSERT_EQ(explanation.groups.size(), 1u);
  EXPECT_EQ(explanation.groups[0].cause, "has no slot free");
  EXPECT_EQ(explanation.groups[0].count, 2u);
  EXPECT_EQ(explanation.groups[0].examples[0].why, "has none of its 2 slots free");
  EXPECT_EQ(explanation.would_start_now, "");
  EXPECT_EQ(explanation.since, cluster.now());
}

TEST_F(ExplainTest, MoreSlotsThanAreFree) {
  cluster.Join("w1", 4);
  cluster.Submit(Spec());
  cluster.Submit(Spec());
  const Explanation explanation = Of(cluster.Submit(Asking(0, 4)));
  EXPECT_EQ(explanation.code, ReasonCode::kWaitsForSlot);
  EXPECT_EQ(explanation.sentence, "It asks for 4 slots on one worker, and no worker has so many free (2 of 4 slots taken).");
  EXPECT_EQ(explanation.would_start_now, "with 2 slots");
}

TEST_F(ExplainTest, MemoryTaken) {
  JoinWithMemory("w1", 4, 8);
  cluster.Submit(Asking(6));
  const TaskId task = cluster.Submit(Asking(3));
  ExpectDocumented(task, ReasonCode::kWaitsForResource);
  const Explanation explanation = Of(task);
  EXPECT_EQ(explanation.would_start_now, "with memory <= 2 GiB");
  ASSERT_TRUE(explanation.nearest.has_value());
  EXPECT_EQ(explanation.nearest->worker, "w1");
  EXPECT_THAT(explanation.nearest->misses, ElementsAre("has 2 GiB of memory free, 3 GiB are asked for"));
}

TEST_F(ExplainTest, DiskTaken) {
  WorkerOffer offer = Offer(4);
  offer.capacity.disk_bytes = int64_t{10} << 30;
  JoinWith("w1", offer);
  const auto asking = [](int64_t gibi) {
    return Spec([gibi](TaskSpec& spec) { spec.requirements.resources.disk_bytes = gibi << 30; });
  };
  const TaskId first = cluster.Submit(asking(6));
  const TaskId task = cluster.Submit(asking(5));
  EXPECT_EQ(Of(task).code, ReasonCode::kWaitsForResource);
  EXPECT_EQ(Of(task).sentence, "Slots are free, but not all else that it asks for: worker w1 has 4 GiB of disk free, 5 GiB are asked for.");
  EXPECT_EQ(Of(task).would_start_now, "with disk <= 4 GiB");
  cluster.Exit(first, 0);
  EXPECT_EQ(Of(task).code, ReasonCode::kStarting) << "what has ended gives its disk back";
  EXPECT_EQ(Of(cluster.Submit(asking(11))).code, ReasonCode::kNoWorkerEverFits);
}

TEST_F(ExplainTest, HigherPrioritiesFirst) {
  cluster.Join("w1", 2);
  for (int i = 0; i < 2; ++i) cluster.Submit(Spec());
  cluster.Submit(Spec());
  const TaskId task = cluster.Submit(Spec());
  for (int i = 0; i < 3; ++i) cluster.Submit(WithPriority(5));
  ExpectDocumented(task, ReasonCode::kBehindHigherPriority);
  const QueuePosition position = *Of(task).position;
  EXPECT_EQ(position.queued, 5u);
  EXPECT_EQ(position.ahead, 4u);
  EXPECT_EQ(position.ahead_by_priority, 3u);
}

TEST_F(ExplainTest, EarlierOnesFirst) {
  cluster.Join("w1", 2);
  for (int i = 0; i < 4; ++i) cluster.Submit(Spec());
  const TaskId task = cluster.Submit(Spec());
  cluster.Submit(Spec());
  ExpectDocumented(task, ReasonCode::kBehindEarlier);
  EXPECT_EQ(Of(task).position->ahead, 2u);
  EXPECT_EQ(Of(task).position->queued, 4u);
}

TEST_F(ExplainTest, WhoWaitsForAnotherKindOfWorkerIsNotInTheWay) {
  cluster.Join("w1", 1);
  JoinWith("gpu", Offer(1, {{"gpu", ""}}));
  cluster.Submit(Needing({{"gpu", "", false}}));
  for (int i = 0; i < 3; ++i) cluster.Submit(Needing({{"gpu", "", false}}));
  cluster.Submit(Needing({{"none", "", false}}));
  cluster.Submit(Spec());
  JoinWith("zone", Offer(1, {{"zone", "a"}}));
  cluster.Submit(Needing({{"zone", "a", true}}));
  const TaskId task = cluster.Submit(Needing({{"zone", "a", true}}));
  const Explanation explanation = Of(task);
  EXPECT_EQ(explanation.code, ReasonCode::kWaitsForSlot) << explanation.sentence;
  EXPECT_EQ(explanation.position->ahead, 4u);
  EXPECT_EQ(explanation.position->competing, 0u);
}

TEST_F(ExplainTest, TheWorkerThatFailedIt) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Retrying());
  cluster.Join("w2", 1);
  cluster.Submit(Spec());
  cluster.Exit(task, 7);
  cluster.AdvanceBeating(absl::Seconds(2), {"w1", "w2"});
  ExpectDocumented(task, ReasonCode::kAvoidsFailedWorker);
}

TEST_F(ExplainTest, WorkersThatDrain) {
  cluster.Join("w1", 1);
  cluster.Apply(DrainWorker{CallId(1), "w1", absl::InfiniteDuration(), "new kernel"});
  ExpectDocumented(cluster.Submit(Spec()), ReasonCode::kWorkersDraining);
}

TEST_F(ExplainTest, WorkersWithoutASession) {
  cluster.Join("w1", 1);
  cluster.CloseSession("w1");
  ExpectDocumented(cluster.Submit(Spec()), ReasonCode::kWorkersSuspect);
}

TEST_F(ExplainTest, WorkersThatAreShortOfDisk) {
  cluster.Join("w1", 1);
  WorkerHeartbeat beat{CallId(1), "w1", cluster.worker("w1").incarnation, {}, std::nullopt, false};
  beat.load.refuses_because = "free disk is 100 MiB";
  cluster.Apply(beat);
  ExpectDocumented(cluster.Submit(Spec()), ReasonCode::kWorkersRefuse);
}

TEST_F(ExplainTest, WorkersThatAreEmptiedForAWideTask) {
  cluster.Join("w1", 4);
  std::vector<TaskId> narrow;
  for (int i = 0; i < 4; ++i) narrow.push_back(cluster.Submit(Spec()));
  const TaskId wide = cluster.Submit(Spec([](TaskSpec& spec) { spec.requirements.resources.slots = 4; }));
  cluster.AdvanceBeating(absl::Seconds(11), {"w1"});
  narrow.push_back(cluster.Submit(Spec()));
  cluster.Exit(narrow[0], 0);
  cluster.AdvanceBeating(absl::Seconds(1), {"w1"});
  cluster.Exit(narrow[1], 0);
  ExpectDocumented(wide, ReasonCode::kRoomIsHeld);
  ExpectDocumented(cluster.Submit(Spec()), ReasonCode::kWorkersHeld);
}

TEST_F(ExplainTest, WorkersInQuarantine) {
  cluster.Join("w1", 1);
  cluster.Apply(QuarantineWorker{CallId(1), "w1", ""});
  const TaskId task = cluster.Submit(Spec());
  ExpectDocumented(task, ReasonCode::kWorkersQuarantined);
  cluster.Apply(ResumeWorker{.call = CallId(2), .name = "w1"});
  EXPECT_EQ(Of(task).code, ReasonCode::kStarting);
}

// The same command works on w1 and w2, and fails at once on w3.
TEST_F(ExplainTest, TheOnlyWorkerThatCouldTakeItFailsWhatWorksElsewhere) {
  const auto needing = [](const char* label) {
    return Spec([label](TaskSpec& spec) {
      spec.requirements.needs = {{label, "", false}};
      spec.fingerprint = 7;
    });
  };
  for (const char* good : {"w1", "w2"}) JoinWith(good, Offer(1, {{"good", ""}}));
  JoinWith("w3", Offer(4, {{"bad", ""}}));
  for (const TaskId task : {cluster.Submit(needing("good")), cluster.Submit(needing("good"))}) cluster.Exit(task, 0);
  for (int failures = 0; failures < 10; ++failures) {
    const TaskId task = cluster.Submit(needing("bad"));
    if (failures == 3) {
      EXPECT_EQ(Of(task).code, ReasonCode::kWaitsForSlot);
      EXPECT_EQ(Of(task).sentence,
                "After failures, no worker that could take it takes more than one attempt at a time: worker w3 takes one "
                "attempt at a time until one succeeds: its last 3 failed at once, and not elsewhere.");
    }
    cluster.AdvanceBeating(absl::Seconds(2), {"w1", "w2", "w3"});
    cluster.Exit(task, 1);
  }
  const Explanation explanation = Of(cluster.Submit(needing("bad")));
  EXPECT_EQ(explanation.code, ReasonCode::kWorkersQuarantined);
  EXPECT_EQ(explanation.sentence,
            "No worker that could take it takes new work: worker w3 is QUARANTINED: 10 of its 10 last attempts failed at "
            "what works elsewhere; one attempt is tried after 30s.");
}

TEST_F(ExplainTest, NobodyThere) { ExpectDocumented(cluster.Submit(Spec()), ReasonCode::kNoWorkers); }

TEST_F(ExplainTest, AnExecutorThatNobodyHas) {
  WorkerOffer offer = Offer(1);
  offer.executors = {ExecutorOffer{.name = "command"}};
  JoinWith("w1", offer);
  ExpectDocumented(cluster.Submit(Spec([](TaskSpec& spec) { spec.requirements.executor = "noop"; })),
                   ReasonCode::kNoExecutor);
}

TEST_F(ExplainTest, AnExecutorThatIsUnwell) {
  WorkerOffer offer = Offer(1);
  offer.executors = {ExecutorOffer{.name = "command", .healthy = false, .reason = "no cgroup"}};
  JoinWith("w1", offer);
  ExpectDocumented(cluster.Submit(Spec()), ReasonCode::kExecutorUnhealthy);
}

TEST_F(ExplainTest, ALabelThatNobodyHas) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Needing({{"gpu", "a100", true}}));
  ExpectDocumented(task, ReasonCode::kNoWorkerHasNeed);
  EXPECT_EQ(Of(task).would_start_now, "without label gpu=a100");
  EXPECT_EQ(cluster.core().counters().accepted_impossible, 1u);
}

TEST_F(ExplainTest, AValidationThatNoWorkerKnowsOf) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Needing({{kValidationCapability, "", false}}));
  ExpectDocumented(task, ReasonCode::kNoWorkerValidates);
  EXPECT_EQ(Of(task).would_start_now, "") << "nobody asked for it by name";
  EXPECT_EQ(Of(task).groups[0].cause, "is of an older version, which validates nothing");
  const TaskId more = cluster.Submit(Needing({{"gpu", "", false}, {kValidationCapability, "", false}}));
  EXPECT_EQ(Of(more).code, ReasonCode::kNoWorkerHasNeed);
  EXPECT_EQ(Of(more).sentence, "No worker has label gpu; no worker validates: it takes one of this version or newer.");
}

TEST_F(ExplainTest, ATierOfIsolationThatNoWorkerOffers) {
  WorkerOffer limited = Offer(1);
  limited.executors[0].capabilities = {"command", kLimitedCapability};
  JoinWith("w1", limited);
  const TaskId task = cluster.Submit(Needing({{kStrictCapability, "", false}}));
  ExpectDocumented(task, ReasonCode::kNoWorkerIsolates);
  EXPECT_EQ(Of(task).groups[0].cause, "does not offer isolation strict");
  EXPECT_EQ(Of(task).would_start_now, "without isolation strict");
  const TaskId more = cluster.Submit(Needing({{"gpu", "", false}, {kStrictCapability, "", false}}));
  EXPECT_EQ(Of(more).code, ReasonCode::kNoWorkerHasNeed);
  EXPECT_EQ(Of(more).sentence, "No worker has label gpu; no worker offers isolation strict.");
  EXPECT_EQ(Of(cluster.Submit(Needing({{kLimitedCapability, "", false}}))).worker, "w1");
}

TEST_F(ExplainTest, ALabelThatEveryWorkerHasAndTheTaskAvoids) {
  JoinWith("w1", Offer(1, {{"spot", ""}}));
  JoinWith("w2", Offer(1, {{"spot", "cheap"}}));
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) { spec.requirements.excludes = {{"spot", "", false}}; }));
  ExpectDocumented(task, ReasonCode::kNoWorkerWithoutAvoided);
  EXPECT_EQ(Of(task).would_start_now, "with label spot allowed");
  EXPECT_EQ(Of(task).groups[0].cause, "has label spot, which the task avoids");
  EXPECT_EQ(cluster.core().counters().accepted_impossible, 1u);
  JoinWith("w3", Offer(1));
  EXPECT_EQ(Of(task).code, ReasonCode::kStarting);
  EXPECT_EQ(Of(task).worker, "w3");
}

TEST_F(ExplainTest, LabelsThatNoOneWorkerHasTogether) {
  JoinWith("w1", Offer(1, {{"gpu", "a100"}}));
  JoinWith("w2", Offer(1, {{"zone", "west"}}));
  ExpectDocumented(cluster.Submit(Needing({{"gpu", "", false}, {"zone", "west", true}})), ReasonCode::kNoWorkerHasAll);
}

TEST_F(ExplainTest, LargerThanEveryWorker) {
  JoinWithMemory("w1", 4, 8);
  const TaskId task = cluster.Submit(Asking(16, 8));
  ExpectDocumented(task, ReasonCode::kNoWorkerEverFits);
  EXPECT_EQ(Of(task).would_start_now, "with 4 slots and memory <= 8 GiB");
}

TEST_F(ExplainTest, RefusedAgainAndAgain) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Refuse(task, "no room");
  cluster.Refuse(task, "no room");
  ExpectDocumented(task, ReasonCode::kPausedAfterRefusal);
  EXPECT_EQ(Of(task).held_until, cluster.now() + absl::Milliseconds(250));
}

TEST_F(ExplainTest, TwoWorkersDiedOfIt) {
  cluster.Join("w1", 2);
  const TaskId first = cluster.Submit(Spec());
  const TaskId second = cluster.Submit(Spec());
  for (int loss = 0; loss < 2; ++loss) {
    for (const TaskId task : {first, second}) {
      if (cluster.StateOf(task) == TaskState::kDispatched) cluster.Started(task);
    }
    cluster.Reincarnate("w1");
  }
  const TaskId task = cluster.StateOf(first) == TaskState::kQueued ? first : second;
  ExpectDocumented(task, ReasonCode::kKeepsApart);
}

TEST_F(ExplainTest, AQueueThatIsPaused) {
  cluster.Join("w1", 1);
  cluster.Apply(PauseQueue{CallId(1), "nightly", absl::InfiniteFuture(), std::nullopt, "a deploy", "ann@host"});
  const TaskId task = cluster.Submit(InQueue("nightly"));
  ExpectDocumented(task, ReasonCode::kQueuePaused);
  EXPECT_EQ(Of(task).would_start_now, "");
  const absl::Time until = cluster.now() + absl::Hours(2);
  cluster.Apply(PauseQueue{CallId(1), "nightly", until, std::nullopt, "", "ann@host"});
  EXPECT_EQ(Of(task).held_until, until);
}

TEST_F(ExplainTest, APauseOfWhatCouldNotStartThen) {
  cluster.Apply(PauseQueue{CallId(1), "default", absl::InfiniteFuture(), std::nullopt, "", "ann@host"});
  EXPECT_EQ(Of(cluster.Submit(Spec())).sentence,
            "Queue default is paused until it is resumed. As things are it could not start even then: no worker has joined.");
}

TEST_F(ExplainTest, AQueueThatRunsAsManyAsItMay) {
  cluster.Join("w1", 8);
  Set("nightly", {.max_running = 2});
  for (int i = 0; i < 2; ++i) cluster.Submit(InQueue("nightly"));
  ExpectDocumented(cluster.Submit(InQueue("nightly")), ReasonCode::kQueueAtLimit);
}

TEST_F(ExplainTest, AQueueThatStartsSoManyASecond) {
  cluster.Join("w1", 8);
  Set("nightly", {.start_rate = 2});
  for (int i = 0; i < 2; ++i) cluster.Submit(InQueue("nightly"));
  const TaskId task = cluster.Submit(InQueue("nightly"));
  ExpectDocumented(task, ReasonCode::kQueueRate);
  EXPECT_EQ(Of(task).held_until, cluster.now() + absl::Seconds(1));
  for (int i = 0; i < 2; ++i) cluster.Advance(absl::Milliseconds(500));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
}

TEST_F(ExplainTest, AsManyOfItsKeyAsMay) {
  cluster.Join("w1", 8);
  for (int i = 0; i < 2; ++i) cluster.Submit(OfAnn(2));
  ExpectDocumented(cluster.Submit(OfAnn(2)), ReasonCode::kKeyLimit);
  EXPECT_EQ(Of(cluster.Submit(OfAnn(1))).sentence, "2 tasks with user=ann run; it starts when none does.");
}

TEST_F(ExplainTest, WhoHasTheKeyBeforeIt) {
  cluster.Join("w1", 8);
  cluster.Submit(OfAnn(1));
  cluster.Submit(OfAnn(1));
  const TaskId task = cluster.Submit(OfAnn(1));
  ExpectDocumented(task, ReasonCode::kKeyOrder);
  EXPECT_EQ(Of(task).position->ahead, 1u);  // the first one is not in the queue any more
  EXPECT_EQ(Of(task).position->queued, 2u);
  const auto next = cluster.core().ExplainSpec(OfAnn(1));
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->sentence, "Tasks with user=ann run one after the other: task 1 (DISPATCHED) and 2 more have to end first.");
  EXPECT_EQ(next->position->queued, 3u);
}

TEST_F(ExplainTest, WhoIsHeldByItsKeyIsNotInTheWay) {
  cluster.Join("w1", 2);
  cluster.Submit(OfAnn(1));
  for (int i = 0; i < 3; ++i) cluster.Submit(OfAnn(1));
  cluster.Submit(Spec());
  const TaskId task = cluster.Submit(Spec());
  EXPECT_EQ(Of(task).code, ReasonCode::kWaitsForSlot) << Of(task).sentence;
}

class ExplainOfTheCluster : public ExplainTest {
 protected:
  ExplainOfTheCluster() {
    CoreConfig config;
    config.resources = {{"license.matlab", 2}};
    cluster.Restart(config);
    cluster.Join("w1", 8);
  }
  static TaskSpecPtr Licences(int64_t amount) {
    return Spec([=](TaskSpec& spec) { spec.requirements.resources.named = {{"license.matlab", amount}}; });
  }
};

TEST_F(ExplainOfTheCluster, AllLicencesTaken) {
  cluster.Submit(Licences(1));
  cluster.Submit(Licences(1));
  ExpectDocumented(cluster.Submit(Licences(1)), ReasonCode::kClusterLacks);
}

TEST_F(ExplainOfTheCluster, TheRestIsKeptForAnotherOne) {
  cluster.Submit(Licences(1));
  const TaskId wide = cluster.Submit(Licences(2));
  EXPECT_EQ(Of(wide).sentence, "1 of 2 license.matlab is taken by task 1; it asks for 2.");
  cluster.AdvanceBeating(absl::Seconds(10), {"w1"});
  const Explanation narrow = Of(cluster.Submit(Licences(1)));
  EXPECT_EQ(narrow.code, ReasonCode::kClusterLacks);
  EXPECT_EQ(narrow.sentence, "1 of 2 license.matlab is taken by task 1; what is free is kept for task 2, which is before it "
                             "and has waited long.");
}

TEST_F(ExplainOfTheCluster, MoreLicencesThanThereAre) {
  ExpectDocumented(cluster.Submit(Licences(4)), ReasonCode::kClusterNeverHas);
  const auto unsubmitted = cluster.core().ExplainSpec(Licences(4));
  ASSERT_TRUE(unsubmitted.ok());
  ExpectDocumented(*unsubmitted, ReasonCode::kClusterNeverHas);
}

TEST_F(ExplainOfTheCluster, WhoWaitsForLicencesIsNotInTheWay) {
  cluster.Submit(Licences(2));
  cluster.Submit(Licences(1));
  while (cluster.StateOf(cluster.Submit(Spec())) != TaskState::kQueued) {
  }
  EXPECT_EQ(Of(cluster.Submit(Spec())).position->competing, 1u);
}

TEST_F(ExplainTest, AMasterThatStops) {
  cluster.Join("w1", 1);
  cluster.Submit(Spec());
  const TaskId task = cluster.Submit(Spec());
  cluster.Apply(StopMaster{"SIGTERM"});
  ExpectDocumented(task, ReasonCode::kMasterStopping);
}

TEST_F(ExplainTest, AStartTime) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Spec([&](TaskSpec& spec) { spec.start_time = cluster.now() + absl::Minutes(5); }));
  ExpectDocumented(task, ReasonCode::kStartTime);
  EXPECT_EQ(Of(task).held_until, cluster.now() + absl::Minutes(5));
}

TEST_F(ExplainTest, WhatItDependsOn) {
  cluster.Join("w1", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskId second = cluster.Submit(Spec());
  const auto after = Spec([&](TaskSpec& spec) {
    spec.dependencies = {{{first, 1}}, {{second, 1}, DependencyCondition::kAny}};
  });
  ExpectDocumented(cluster.Submit(after), ReasonCode::kDependency);
  const auto told = cluster.core().ExplainSpec(after);
  ASSERT_TRUE(told.ok());
  EXPECT_EQ(told->code, ReasonCode::kDependency);
  EXPECT_EQ(told->sentence, "It waits for 2 tasks: 1 (DISPATCHED on w1), 2 to end (QUEUED).");
}

TEST_F(ExplainTest, TheGateOfAWorkflow) {
  cluster.Join("w1", 4);
  SubmitWorkflow wide = muster::testing::Flow({{}}, [](WorkflowSpec& spec) { spec.max_parallel = 1; });
  wide.nodes[0] = muster::testing::Node(0, 2);
  const TaskId flow = muster::testing::SubmitFlow(cluster, std::move(wide));
  ExpectDocumented(TaskId(muster::testing::TaskOf(cluster, flow, 0).value() + 1), ReasonCode::kWorkflow);
}

TEST_F(ExplainTest, WhatWouldBeCancelledAtOnceIsToldBeforeItIsSubmitted) {
  cluster.Join("w1", 1);
  const TaskId failed = cluster.Submit(Spec());
  cluster.Exit(failed, 1);
  const auto after = Spec([&](TaskSpec& spec) { spec.dependencies = {{{failed, 1}}}; });
  const auto ends = cluster.store().FindEnds({{{failed, 1}}});
  EXPECT_EQ(cluster.core().ExplainSpec(after, ends)->sentence, "It would be CANCELLED at once: task 1 ended FAILED.");
  const auto otherwise = Spec([&](TaskSpec& spec) { spec.dependencies = {{{failed, 1}, DependencyCondition::kFailure}}; });
  EXPECT_EQ(cluster.core().ExplainSpec(otherwise, ends)->code, ReasonCode::kStartsNow);
}

TEST_F(ExplainTest, AStartTimeOfWhatCouldNotStartThen) {
  const TaskId task = cluster.Submit(Spec([&](TaskSpec& spec) { spec.start_time = cluster.now() + absl::Minutes(5); }));
  EXPECT_EQ(Of(task).sentence, "Its start time is in 5m. As things are it could not start even then: no worker has joined.");
}

TEST_F(ExplainTest, ARetryDelay) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.retry.max_attempts = 4;
    spec.retry.base_delay = absl::Seconds(30);
  }));
  cluster.Exit(task, 7);
  const Explanation explanation = Of(task);
  ASSERT_EQ(explanation.state, TaskState::kPending);
  ExpectDocumented(explanation, ReasonCode::kRetryLater);
  EXPECT_EQ(explanation.since, cluster.now());
}

TEST_F(ExplainTest, MoreRetriesThanTheClusterBears) {
  cluster.Join("w1", 200);
  std::vector<TaskId> tasks;
  for (int i = 0; i < 150; ++i) {
    tasks.push_back(cluster.Submit(Spec([](TaskSpec& spec) {
      spec.retry.max_attempts = 4;
      spec.retry.base_delay = absl::Milliseconds(1);
    })));
  }
  for (const TaskId task : tasks) cluster.Exit(task, 7);
  cluster.AdvanceBeating(absl::Milliseconds(10), {"w1"});
  ASSERT_EQ(cluster.StateOf(tasks.back()), TaskState::kPending);
  ExpectDocumented(tasks.back(), ReasonCode::kBeyondRetryBudget);
}

TEST_F(ExplainTest, AFenceThatIsWaitedFor) {
  cluster.Join("w1", 1);
  const TaskId task =
      cluster.Submit(Spec([](TaskSpec& spec) { spec.on_worker_loss = OnWorkerLoss::kRerunAfterFence; }));
  cluster.Started(task);
  cluster.Restart();  // the worker may have been promised a long lease
  cluster.Join("w2", 1);
  cluster.AdvanceBeating(cluster.core().config().lost_after, {"w2"});
  const Explanation explanation = Of(task);
  ASSERT_EQ(explanation.state, TaskState::kPending);
  ExpectDocumented(explanation, ReasonCode::kRerunsAfterLoss);
}

TEST_F(ExplainTest, SentAndNotStarted) {
  cluster.Join("w1", 1);
  ExpectDocumented(cluster.Submit(Spec()), ReasonCode::kStarting);
}

TEST_F(ExplainTest, SentAheadOfAFreeSlot) {
  cluster.Join("w1", 1);
  for (int i = 0; i < 3; ++i) {
    const TaskId quick = cluster.Submit(Spec());
    cluster.Started(quick);
    cluster.Exit(quick, 0);
  }
  cluster.Submit(Spec());
  const TaskId ahead = cluster.Submit(Spec());
  ASSERT_EQ(cluster.StateOf(ahead), TaskState::kDispatched);
  ExpectDocumented(ahead, ReasonCode::kSentAhead);
}

TEST_F(ExplainTest, Running) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  cluster.AdvanceBeating(absl::Seconds(3), {"w1"});
  ExpectDocumented(task, ReasonCode::kRunning);
}

TEST_F(ExplainTest, Validating) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  cluster.Validating(task);
  cluster.AdvanceBeating(absl::Seconds(3), {"w1"});
  ExpectDocumented(task, ReasonCode::kValidating);
}

TEST_F(ExplainTest, AWorkerThatWentSilent) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  cluster.CloseSession("w1");
  ExpectDocumented(task, ReasonCode::kWorkerOutOfTouch);
}

TEST_F(ExplainTest, ACancelThatIsNotConfirmed) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  cluster.Cancel(task);
  ExpectDocumented(task, ReasonCode::kCancelRequested);
}

TEST_F(ExplainTest, ATaskThatMustNotRunTwice) {
  cluster.Join("w1", 1);
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) { spec.on_worker_loss = OnWorkerLoss::kHold; }));
  cluster.Started(task);
  cluster.Advance(cluster.core().config().lost_after);
  ExpectDocumented(task, ReasonCode::kUnknownWorkerLost);
}

TEST_F(ExplainTest, WhatASubmitWouldBeRefusedForIsTold) {
  EXPECT_FALSE(cluster.core().ExplainSpec(Spec([](TaskSpec& spec) { spec.requirements.executor = "sql"; })).ok());
  cluster.Apply(StopAdmission{"maintenance"});
  EXPECT_EQ(cluster.core().ExplainSpec(Spec()).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ExplainTest, AskingChangesNothing) {
  cluster.Join("w1", 1);
  cluster.Submit(Spec());
  const TaskId waiting = cluster.Submit(Spec());
  const uint64_t accepted = cluster.core().counters().accepted;
  ASSERT_TRUE(cluster.core().ExplainSpec(Spec()).ok());
  EXPECT_EQ(cluster.core().counters().accepted, accepted);
  EXPECT_EQ(Of(waiting).position->queued, 1u);
  cluster.core().CheckInvariants();
}

TEST(ReasonTable, HasEachCodeOnceAndTheDocumentGivesTheSameAdvice) {
  std::map<std::string, DocumentedReason> documented = ReasonsOfTheDocument();
  for (const ReasonRow& row : Reasons()) {
    const std::string name(row.name);
    ASSERT_TRUE(documented.count(name) == 1) << name;
    EXPECT_EQ(documented[name].advice, row.advice.empty() ? "-" : std::string(row.advice)) << name;
    EXPECT_EQ(ReasonRowOf(row.code).name, row.name);
  }
  EXPECT_EQ(documented.size(), Reasons().size());
}

}  // namespace
}  // namespace muster::core
