#include "worker/core/worker_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace muster::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

AttemptKey Key(uint64_t task, uint32_t number = 1) { return {TaskId(task), AttemptNumber(number)}; }

// A worker that tells its story: every call applies an event and keeps the effects until the next one.
class Story {
 public:
  explicit Story(WorkerCoreConfig config = {.slots = 2}) : core_(config) {}

  Story& At(double seconds) {
    now_ = absl::UnixEpoch() + absl::Seconds(seconds);
    effects_.clear();
    core_.Tick(now_, &effects_);
    core_.CheckInvariants();
    return *this;
  }
  Story& Do(WorkerEvent event) {
    effects_.clear();
    core_.Apply(std::move(event), now_, &effects_);
    core_.CheckInvariants();
    return *this;
  }
  Story& Open(uint64_t stream, uint64_t session, int64_t epoch = 1, const std::string& cluster = "a") {
    stream_ = StreamId(stream);
    return Do(SessionOpening{stream_, cluster, Epoch(epoch), SessionNumber(session)});
  }
  Story& Lease(double until_seconds) {
    return Do(LeaseExtended{absl::UnixEpoch() + absl::Seconds(until_seconds)});
  }
  Story& Lease(double until_seconds, int64_t epoch, uint64_t first_valid_session) {
    return Do(LeaseExtended{absl::UnixEpoch() + absl::Seconds(until_seconds), "a", Epoch(epoch),
                            SessionNumber(first_valid_session)});
  }
  Story& Assign(AttemptKey key, uint32_t slots = 1, OnWorkerLoss loss = OnWorkerLoss::kRerun) {
    return Do(Assigned{.stream = stream_, .key = key, .slots = slots, .on_worker_loss = loss});
  }
  Story& End(AttemptKey key, EndReason reason = EndReason::kExited) {
    auto report = std::make_shared<AttemptReport>();
    report->key = key;
    report->end.reason = reason;
    report->started = true;
    return Do(ExecutionEnded{report});
  }
  Story& Stop(AttemptKey key, EndReason reason = EndReason::kCancelled) {
    return Do(StopRequested{stream_, key, reason, absl::InfiniteDuration()});
  }
  Story& Recall(AttemptKey key) { return Do(RecallRequested{stream_, key}); }
  Story& Acknowledge(AttemptKey key) { return Do(ResultAcknowledged{stream_, key}); }
  Story& Drain(double deadline, bool leaving = true) {
    return Do(DrainRequested{StreamId(), absl::UnixEpoch() + absl::Seconds(deadline), leaving});
  }

  template <typename Effect>
  std::vector<Effect> All() const {
    std::vector<Effect> all;
    for (const WorkerEffect& effect : effects_) {
      if (const auto* found = std::get_if<Effect>(&effect)) all.push_back(*found);
    }
    return all;
  }
  std::vector<AttemptKey> Started() const { return Keys<StartExecution>(); }
  std::vector<AttemptKey> GivenBack() const { return Keys<SendGivenBack>(); }
  std::vector<AttemptKey> Stopped() const { return Keys<StopExecution>(); }
  std::vector<AttemptKey> Results() const {
    std::vector<AttemptKey> keys;
    for (const SendResult& sent : All<SendResult>()) keys.push_back(sent.report->key);
    return keys;
  }
  std::string Refusal() const {
    const auto refusals = All<SendRefusal>();
    return refusals.size() == 1 ? refusals[0].reason : "";
  }
  const std::vector<WorkerEffect>& effects() const { return effects_; }
  WorkerCore& core() { return core_; }
  StreamId stream() const { return stream_; }

 private:
  template <typename Effect>
  std::vector<AttemptKey> Keys() const {
    std::vector<AttemptKey> keys;
    for (const Effect& effect : All<Effect>()) keys.push_back(effect.key);
    return keys;
  }

  WorkerCore core_;
  absl::Time now_ = absl::UnixEpoch();
  StreamId stream_;
  std::vector<WorkerEffect> effects_;
};

TEST(WorkerCore, StartsWhatFitsAndKeepsTheRestInOrder) {
  Story story;
  story.Open(1, 1);
  EXPECT_THAT(story.Assign(Key(1)).Started(), ElementsAre(Key(1)));
  EXPECT_THAT(story.Assign(Key(2)).Started(), ElementsAre(Key(2)));
  EXPECT_THAT(story.Assign(Key(3)).Started(), IsEmpty());
  EXPECT_THAT(story.Assign(Key(4)).Started(), IsEmpty());
  story.End(Key(2));
  EXPECT_THAT(story.Results(), ElementsAre(Key(2)));
  EXPECT_THAT(story.Started(), ElementsAre(Key(3)));
  EXPECT_EQ(story.core().View().waiting, 1u);
}

TEST(WorkerCore, AWideAttemptAtTheHeadIsNotStarvedByNarrowOnes) {
  Story story;
  story.Open(1, 1).Assign(Key(1));
  EXPECT_THAT(story.Assign(Key(2), 2).Started(), IsEmpty());
  EXPECT_THAT(story.Assign(Key(3)).Started(), IsEmpty());
  EXPECT_THAT(story.End(Key(1)).Started(), ElementsAre(Key(2)));
  EXPECT_THAT(story.End(Key(2)).Started(), ElementsAre(Key(3)));
}

TEST(WorkerCore, WhatAnOlderSessionSaysIsDropped) {
  Story story;
  story.Open(1, 1).Open(2, 2);
  const auto rejected = story.All<RejectSession>();
  ASSERT_EQ(rejected.size(), 1u);
  EXPECT_EQ(rejected[0].stream, StreamId(1));
  story.Do(Assigned{.stream = StreamId(1), .key = Key(1)});
  EXPECT_THAT(story.effects(), IsEmpty());
  EXPECT_FALSE(story.core().PhaseOf(Key(1)).has_value());
}

TEST(WorkerCore, ALowerEpochIsNotObeyedEvenWithAHigherSession) {
  Story story;
  story.Open(1, 3, 7);
  story.Do(SessionOpening{StreamId(2), "a", Epoch(6), SessionNumber(99)});
  ASSERT_EQ(story.All<RejectSession>().size(), 1u);
  EXPECT_THAT(story.All<RejectSession>()[0].reason, HasSubstr("epoch 7"));
  EXPECT_TRUE(story.core().IsCurrent(StreamId(1)));
}

TEST(WorkerCore, TheSameSessionNumberAgainIsNotNewer) {
  Story story;
  story.Open(1, 3);
  story.Do(SessionEnded{StreamId(1)});
  story.Do(SessionOpening{StreamId(2), "a", Epoch(1), SessionNumber(3)});
  EXPECT_EQ(story.All<RejectSession>().size(), 1u);
  EXPECT_FALSE(story.core().View().session_open);
}

TEST(WorkerCore, HelloTellsEverythingHeldAndResultsAreRepeated) {
  Story story;
  story.Open(1, 1).Assign(Key(1)).Assign(Key(2)).Assign(Key(3));
  story.Do(ExecutionStarted{Key(2), absl::UnixEpoch()});
  story.End(Key(1));
  story.Do(SessionEnded{StreamId(1)}).Open(2, 2);
  const auto hellos = story.All<SendHello>();
  ASSERT_EQ(hellos.size(), 1u);
  EXPECT_THAT(hellos[0].held, ElementsAre(Pair(Key(1), HeldPhase::kFinished), Pair(Key(2), HeldPhase::kRunning),
                                          Pair(Key(3), HeldPhase::kRunning)));
  EXPECT_THAT(story.Results(), ElementsAre(Key(1)));
  ASSERT_EQ(story.All<SendStarted>().size(), 1u);
  EXPECT_EQ(story.All<SendStarted>()[0].key, Key(2));
}

TEST(WorkerCore, AResultIsForgottenOnlyWhenAcknowledged) {
  Story story;
  story.Open(1, 1).Assign(Key(1)).End(Key(1));
  story.Open(2, 2);
  EXPECT_THAT(story.Results(), ElementsAre(Key(1)));
  story.Acknowledge(Key(1));
  EXPECT_THAT(story.Open(3, 3).Results(), IsEmpty());
  EXPECT_THAT(story.All<SendHello>()[0].held, IsEmpty());
}

TEST(WorkerCore, AnAcknowledgementOfWhatStillRunsForgetsNothing) {
  Story story;
  story.Open(1, 1).Assign(Key(1)).Acknowledge(Key(1));
  EXPECT_EQ(story.core().PhaseOf(Key(1)), HeldPhase::kRunning);
}

TEST(WorkerCore, ARepeatedAssignmentStartsNothingTwice) {
  Story story;
  story.Open(1, 1).Assign(Key(1));
  EXPECT_THAT(story.Assign(Key(1)).effects(), IsEmpty());
  story.End(Key(1));
  story.Assign(Key(1));
  EXPECT_THAT(story.Started(), IsEmpty());
  EXPECT_THAT(story.Results(), ElementsAre(Key(1)));
}

TEST(WorkerCore, OnlyWhatHasNotStartedIsGivenBack) {
  Story story({.slots = 1});
  story.Open(1, 1).Assign(Key(1)).Assign(Key(2));
  EXPECT_THAT(story.Recall(Key(1)).effects(), IsEmpty());
  EXPECT_THAT(story.Recall(Key(2)).GivenBack(), ElementsAre(Key(2)));
  EXPECT_THAT(story.End(Key(1)).Started(), IsEmpty());
}

TEST(WorkerCore, AStopBeforeTheStartIsAResultThatNeverStarted) {
  Story story({.slots = 1});
  story.Open(1, 1).Assign(Key(1)).Assign(Key(2)).Stop(Key(2));
  const auto results = story.All<SendResult>();
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].report->end.reason, EndReason::kCancelled);
  EXPECT_FALSE(results[0].report->started);
  EXPECT_TRUE(results[0].report->stopped);
}

TEST(WorkerCore, AStopOfSomethingRunningGoesToTheHost) {
  Story story;
  story.Open(1, 1).Assign(Key(1)).Stop(Key(1), EndReason::kLost);
  const auto stops = story.All<StopExecution>();
  ASSERT_EQ(stops.size(), 1u);
  EXPECT_EQ(stops[0].reason, EndReason::kLost);
  EXPECT_FALSE(stops[0].by_force);
}

TEST(WorkerCore, RefusesWithTheReason) {
  Story story({.slots = 2, .max_held = 3});
  story.Open(1, 1);
  EXPECT_THAT(story.Assign(Key(1), 3).Refusal(), HasSubstr("takes 3 slots"));
  story.Do(RefusalChanged{"disk low"});
  EXPECT_EQ(story.Assign(Key(2)).Refusal(), "disk low");
  story.Do(RefusalChanged{""});
  story.Assign(Key(3)).Assign(Key(4)).Assign(Key(5));
  EXPECT_THAT(story.Assign(Key(6)).Refusal(), HasSubstr("holds 3"));
  story.Drain(100);
  EXPECT_THAT(story.Assign(Key(7)).Refusal(), HasSubstr("draining"));
}

TEST(WorkerCore, WithoutALeaseNothingRunsThatMustNotRunTwice) {
  Story story({.slots = 1});
  story.Open(1, 1);
  EXPECT_THAT(story.Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence).Refusal(), HasSubstr("lease"));
  story.Lease(20).Assign(Key(2), 1, OnWorkerLoss::kRerunAfterFence);
  EXPECT_THAT(story.Started(), ElementsAre(Key(2)));
  EXPECT_EQ(story.core().NextDue(), absl::UnixEpoch() + absl::Seconds(20));
}

TEST(WorkerCore, AStartIsGoodUntilTheLeaseItWasDecidedUnderEnds) {
  Story story({.slots = 3});
  story.Open(1, 1).Lease(20);
  story.Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence);
  EXPECT_EQ(story.All<StartExecution>().at(0).before, absl::UnixEpoch() + absl::Seconds(20));
  story.Assign(Key(2));
  EXPECT_EQ(story.All<StartExecution>().at(0).before, absl::InfiniteFuture());
  story.Assign(Key(3), 1, OnWorkerLoss::kHold);
  EXPECT_EQ(story.All<StartExecution>().at(0).before, absl::InfiniteFuture());
}

// The master lost the worker and gave the task to another; then the worker is heard of again, and its lease renewed,
// before the end of the old session, or what was under way on it, has reached it.
TEST(WorkerCore, ALateAssignmentOfASessionThatTheMasterHasClosedDoesNotStartUnderTheNewLease) {
  Story story({.slots = 3});
  story.Open(1, 5).Lease(20, 1, 5);
  story.At(30).Lease(50, 1, 6);
  EXPECT_EQ(story.All<RejectSession>().size(), 1u);
  EXPECT_THAT(story.Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence).Started(), IsEmpty());
  EXPECT_THAT(story.Open(2, 6).Assign(Key(1, 2), 1, OnWorkerLoss::kRerunAfterFence).Started(), ElementsAre(Key(1, 2)));
}

TEST(WorkerCore, ASessionOfAnEarlierMasterIsOverWhenTheNextOneAnswers) {
  Story story({.slots = 3});
  story.Open(1, 5).Lease(20, 1, 5).Lease(30, 2, 1);
  EXPECT_THAT(story.Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence).Started(), IsEmpty());
}

// A master that ends in order promises a long lease; the next one gives out work under a short one, and counts on it.
TEST(WorkerCore, TheLongLeaseOfAMasterThatEndedDoesNotOutlastWhatTheNextOneCountsOn) {
  Story story({.slots = 3});
  story.Open(1, 5).Lease(120, 1, 5).At(5).Lease(25, 2, 1).Open(2, 1, 2);
  story.Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence);
  EXPECT_THAT(story.At(24.9).Stopped(), IsEmpty());
  EXPECT_THAT(story.At(25).Stopped(), ElementsAre(Key(1)));
}

TEST(WorkerCore, ALeaseForTheOpenSessionOrAYoungerOneThanTheAnswerKnowsLeavesItOpen) {
  Story story({.slots = 3});
  story.Open(1, 5).Lease(20, 1, 5).Open(2, 7).Lease(30, 1, 5);
  EXPECT_THAT(story.Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence).Started(), ElementsAre(Key(1)));
}

TEST(WorkerCore, TheEndOfTheLeaseKillsWhatIsFencedAndNothingElse) {
  Story story({.slots = 3});
  story.Open(1, 1).Lease(20);
  story.Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence).Assign(Key(2), 1, OnWorkerLoss::kHold).Assign(Key(3));
  story.Assign(Key(4), 1, OnWorkerLoss::kRerunAfterFence);
  EXPECT_THAT(story.At(19.9).effects(), IsEmpty());
  story.At(20);
  EXPECT_THAT(story.Stopped(), ElementsAre(Key(1)));
  EXPECT_TRUE(story.All<StopExecution>()[0].by_force);
  EXPECT_THAT(story.GivenBack(), ElementsAre(Key(4)));
  EXPECT_THAT(story.At(21).effects(), IsEmpty());
  EXPECT_THAT(story.End(Key(1), EndReason::kLost).Results(), ElementsAre(Key(1)));
}

TEST(WorkerCore, ALeaseRenewedAfterItsEndFencesAgain) {
  Story story({.slots = 3});
  story.Open(1, 1).Lease(20).Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence);
  story.At(20).Lease(40).Assign(Key(2), 1, OnWorkerLoss::kRerunAfterFence);
  story.End(Key(1), EndReason::kLost);
  EXPECT_EQ(story.core().NextDue(), absl::UnixEpoch() + absl::Seconds(40));
  EXPECT_THAT(story.At(40).Stopped(), ElementsAre(Key(2)));
}

TEST(WorkerCore, AnEarlierAnswerDoesNotShortenTheLease) {
  Story story;
  story.Open(1, 1).Lease(20).Lease(10).Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence);
  EXPECT_THAT(story.At(15).Stopped(), IsEmpty());
}

TEST(WorkerCore, AnotherClusterEndsTheWorkOfTheFirst) {
  Story story({.slots = 1});
  story.Open(1, 1).Assign(Key(1)).Assign(Key(2)).Open(2, 1, 1, "b");
  EXPECT_THAT(story.Stopped(), ElementsAre(Key(1)));
  EXPECT_THAT(story.All<SendHello>()[0].held, IsEmpty());
  ASSERT_EQ(story.All<ClusterChanged>().size(), 1u);
  EXPECT_EQ(story.All<ClusterChanged>()[0].from, "a");
  EXPECT_EQ(story.All<ClusterChanged>()[0].stopped, 1u);
  // Its slot is free only when it has really ended, and its name is taken until then.
  EXPECT_THAT(story.Assign(Key(1)).Refusal(), HasSubstr("another cluster"));
  EXPECT_THAT(story.Assign(Key(5)).Started(), IsEmpty());
  story.End(Key(1), EndReason::kLost);
  EXPECT_EQ(story.All<Orphaned>().size(), 1u);
  EXPECT_THAT(story.Results(), IsEmpty());
  EXPECT_THAT(story.Started(), ElementsAre(Key(5)));
}

TEST(WorkerCore, DrainGivesBackWhatWaitsAndLetsTheRestFinish) {
  Story story({.slots = 1});
  story.Open(1, 1).Assign(Key(1)).Assign(Key(2)).Drain(25);
  EXPECT_THAT(story.GivenBack(), ElementsAre(Key(2)));
  EXPECT_THAT(story.Stopped(), IsEmpty());
  EXPECT_THAT(story.End(Key(1)).All<DrainFinished>(), IsEmpty());
  const auto done = story.Acknowledge(Key(1)).All<DrainFinished>();
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].unacknowledged, 0u);
}

TEST(WorkerCore, AfterTheDrainsDeadlineWhatIsLeftIsPreemptedThenKilledThenCounted) {
  Story story;
  story.Open(1, 1).Assign(Key(1)).Drain(25).At(25);
  ASSERT_EQ(story.All<StopExecution>().size(), 1u);
  EXPECT_EQ(story.All<StopExecution>()[0].reason, EndReason::kPreempted);
  EXPECT_FALSE(story.All<StopExecution>()[0].by_force);
  story.At(28);
  ASSERT_EQ(story.All<StopExecution>().size(), 1u);
  EXPECT_TRUE(story.All<StopExecution>()[0].by_force);
  story.End(Key(1), EndReason::kPreempted);
  EXPECT_THAT(story.At(29.9).All<DrainFinished>(), IsEmpty());
  ASSERT_EQ(story.At(30).All<DrainFinished>().size(), 1u);
  EXPECT_EQ(story.All<DrainFinished>()[0].unacknowledged, 1u);
  EXPECT_THAT(story.At(31).All<DrainFinished>(), IsEmpty());
}

TEST(WorkerCore, AnIdleWorkerIsDrainedAtOnce) {
  Story story;
  EXPECT_EQ(story.Drain(25).All<DrainFinished>().size(), 1u);
}

TEST(WorkerCore, ASecondSignalBringsTheDeadlineForward) {
  Story story;
  story.Open(1, 1).Assign(Key(1)).Drain(25);
  EXPECT_THAT(story.Drain(0).Stopped(), ElementsAre(Key(1)));
}

TEST(WorkerCore, TheMastersDrainIsResumedButAnEndingProcessIsNot) {
  Story story;
  story.Open(1, 1);
  story.Do(DrainRequested{story.stream(), absl::UnixEpoch() + absl::Seconds(5)});
  EXPECT_THAT(story.All<DrainFinished>(), IsEmpty());
  EXPECT_FALSE(story.Assign(Key(1)).Refusal().empty());
  story.Do(ResumeRequested{story.stream()});
  EXPECT_THAT(story.Assign(Key(2)).Started(), ElementsAre(Key(2)));
  story.Drain(25).Do(ResumeRequested{story.stream()});
  EXPECT_TRUE(story.core().View().draining);
}

TEST(WorkerCore, AFormerClustersDrainEndsWithItButAnEndingProcessGoesOnEnding) {
  Story story;
  story.Open(1, 1).Do(DrainRequested{story.stream(), absl::UnixEpoch() + absl::Seconds(5)});
  story.Open(2, 2);
  EXPECT_TRUE(story.core().View().draining) << "the same master's wish outlives its session";
  story.Open(3, 1, 1, "b");
  EXPECT_FALSE(story.core().View().draining);
  EXPECT_THAT(story.Assign(Key(1)).Started(), ElementsAre(Key(1)));
  story.Drain(25).Open(4, 1, 1, "c");
  EXPECT_TRUE(story.core().View().draining);
}

TEST(WorkerCore, WorkThatHasEndedWellIsToldAndValidatedInTheSlotThatItHas) {
  Story story({.slots = 1});
  story.Open(1, 1).Assign(Key(1)).Assign(Key(2));
  story.Do(ExecutionStarted{Key(1), absl::UnixEpoch()}).Do(WorkEnded{Key(1), absl::UnixEpoch()});
  ASSERT_EQ(story.All<SendValidating>().size(), 1u);
  ASSERT_EQ(story.All<StartValidation>().size(), 1u);
  EXPECT_EQ(story.All<StartValidation>()[0].key, Key(1));
  EXPECT_EQ(story.core().PhaseOf(Key(1)), HeldPhase::kValidating);
  EXPECT_THAT(story.Started(), IsEmpty()) << "its slot is not free yet";
  EXPECT_TRUE(story.Do(WorkEnded{Key(1), absl::UnixEpoch()}).effects().empty()) << "once";
  EXPECT_THAT(story.End(Key(1)).Results(), ElementsAre(Key(1)));
  EXPECT_THAT(story.Started(), ElementsAre(Key(2)));
}

TEST(WorkerCore, AValidationIsSaidAgainToTheNextSessionWithItsStart) {
  Story story;
  story.Open(1, 1).Assign(Key(1)).Do(SessionEnded{StreamId(1)});
  story.Do(WorkEnded{Key(1), absl::UnixEpoch()});
  EXPECT_EQ(story.All<StartValidation>().size(), 1u) << "it needs no master";
  story.Open(2, 2);
  EXPECT_THAT(story.All<SendHello>()[0].held, ElementsAre(Pair(Key(1), HeldPhase::kValidating)));
  EXPECT_EQ(story.All<SendStarted>().size(), 1u);
  EXPECT_EQ(story.All<SendValidating>().size(), 1u);
}

TEST(WorkerCore, WhatIsBeingKilledIsNotValidatedAndAFencedOneOnlyWithinItsLease) {
  Story story;
  story.Open(1, 1).Lease(20).Assign(Key(1), 1, OnWorkerLoss::kRerunAfterFence);
  story.Do(WorkEnded{Key(1), absl::UnixEpoch()});
  ASSERT_EQ(story.All<StartValidation>().size(), 1u);
  EXPECT_EQ(story.All<StartValidation>()[0].before, absl::UnixEpoch() + absl::Seconds(20));
  EXPECT_THAT(story.At(20).Stopped(), ElementsAre(Key(1))) << "the lease ends its validation as it ends its work";

  story.Lease(60).Assign(Key(2), 1, OnWorkerLoss::kRerunAfterFence).At(60);
  EXPECT_TRUE(story.Do(WorkEnded{Key(2), absl::UnixEpoch()}).All<StartValidation>().empty());
}

TEST(WorkerCore, ACancelStopsAValidation) {
  Story story;
  story.Open(1, 1).Assign(Key(1)).Do(WorkEnded{Key(1), absl::UnixEpoch()});
  EXPECT_THAT(story.Stop(Key(1)).Stopped(), ElementsAre(Key(1)));
}

TEST(WorkerCore, APersonsCommandTakesAFreeSlotOrIsRefused) {
  Story story({.slots = 1});
  story.Open(1, 1);
  EXPECT_EQ(story.Do(DirectRequested{.direct = 1}).All<StartDirect>().size(), 1u);
  ASSERT_EQ(story.Do(DirectRequested{.direct = 2}).All<RefuseDirect>().size(), 1u);
  EXPECT_THAT(story.All<RefuseDirect>()[0].reason, HasSubstr("all 1 slots"));
  EXPECT_THAT(story.Assign(Key(1)).Started(), IsEmpty());
  EXPECT_THAT(story.Do(DirectEnded{1}).Started(), ElementsAre(Key(1)));
}

}  // namespace
}  // namespace muster::worker
