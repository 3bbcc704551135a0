// Schedules in the real core: what is started when, what ends it, and what a restart finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "master/core/schedule_table.h"
#include "tests/unit/master/core/schedule_by_hand.h"

namespace muster::core {
namespace {

using testing::AddScheduleEvent;
using testing::RunName;
using testing::ScheduleConfig;
using testing::TestCluster;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SchedulesTest : public ::testing::Test {
 protected:
  ScheduleAnswer Change(ChangeSchedule event) {
    cluster_.Apply(std::move(event));
    const auto answers = cluster_.Seen<ScheduleAnswer>();
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? ScheduleAnswer() : answers.front();
  }
  ScheduleAnswer Add(const std::string& name, ScheduleTimes times, const std::function<void(ScheduleSpec&)>& change = nullptr) {
    return Change(AddScheduleEvent(name, std::move(times), cluster_.now(), change));
  }
  template <typename What>
  ScheduleAnswer Do(What what, const std::string& name = "s") {
    return Change({.call = CallId(2), .name = name, .by = "ann", .what = std::move(what)});
  }
  static ScheduleTimes Every(int seconds) { return IntervalTimes{absl::Seconds(seconds), absl::Time()}; }
  ScheduleView View(const std::string& name = "s") { return cluster_.core().FindSchedule(name).value_or(ScheduleView()); }
  // The tasks of its runs that are open, oldest first.
  std::vector<TaskId> Open(const std::string& name = "s") {
    std::vector<TaskId> tasks;
    for (const ScheduledRun& run : View(name).running) tasks.push_back(run.task);
    return tasks;
  }
  size_t Decided(const std::string& words) {
    size_t count = 0;
    for (const activity::Record& record : cluster_.store().activity()) {
      const auto* decided = std::get_if<activity::ScheduleDecided>(&record.event);
      count += decided != nullptr && decided->what.find(words) != std::string::npos ? 1 : 0;
    }
    return count;
  }
  void Restart() { cluster_.Restart(ScheduleConfig()); }

  TestCluster cluster_{ScheduleConfig()};
};

TEST_F(SchedulesTest, ARunIsAnOrdinaryTaskThatStartsWhenItIsDue) {
  cluster_.Join("a", 2);
  const ScheduleAnswer added = Add("s", Every(60));
  ASSERT_TRUE(added.status.ok()) << added.status;
  EXPECT_EQ(added.schedule.next.front(), cluster_.now() + absl::Minutes(1));
  EXPECT_EQ(cluster_.core().NextDue(), std::min(cluster_.core().NextDue(), cluster_.now() + absl::Minutes(1)));
  cluster_.AdvanceBeating(absl::Seconds(59), {"a"});
  EXPECT_TRUE(Open().empty());
  cluster_.AdvanceBeating(absl::Seconds(1), {"a"});
  ASSERT_EQ(Open().size(), 1u);
  EXPECT_EQ(cluster_.StateOf(Open()[0]), TaskState::kDispatched) << "in the turn in which it was due";
  EXPECT_EQ(cluster_.store().SpecOf(Open()[0]).name, RunName("s", cluster_.now()));
  const TaskId task = Open()[0];
  cluster_.Started(task);
  cluster_.Exit(task, 3);
  EXPECT_TRUE(Open().empty());
  ASSERT_EQ(View().recent.size(), 1u);
  EXPECT_EQ(View().recent[0].result, RunResult::kEnded);
  EXPECT_EQ(View().recent[0].ended_as, TaskState::kFailed);
  EXPECT_EQ(View().recent[0].task, task);
}

TEST_F(SchedulesTest, TheProgressIsInTheCommitOfTheRunsThatItTellsOf) {
  Add("s", Every(10));
  cluster_.Advance(absl::Seconds(10));
  const Transaction& transaction = cluster_.transaction();
  ASSERT_EQ(transaction.specifications.size(), 1u);
  ASSERT_EQ(transaction.schedules.progress.size(), 1u);
  EXPECT_EQ(transaction.schedules.progress[0].decided_until, cluster_.now());
  EXPECT_EQ(transaction.schedules.progress[0].running[0].task, transaction.specifications[0].first);
  EXPECT_TRUE(transaction.schedules.schedules.empty()) << "what does not change is not written again";
}

TEST_F(SchedulesTest, TheSameAgainIsTheSameScheduleAndAnotherUnderItsNameIsRefused) {
  ASSERT_TRUE(Add("s", Every(10)).status.ok());
  cluster_.Advance(absl::Seconds(3));
  EXPECT_TRUE(Add("s", Every(10)).status.ok());
  EXPECT_EQ(View().next.front(), cluster_.now() + absl::Seconds(7)) << "it counts from when it was added first";
  const ScheduleAnswer other = Add("s", Every(11));
  EXPECT_EQ(other.status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(other.status), "SCHEDULE_EXISTS");
}

TEST_F(SchedulesTest, ForbidSkipsWhatComesWhileTheRunBeforeGoesOn) {
  Add("s", Every(10), [](ScheduleSpec& spec) { spec.overlap = Overlap::kForbid; });
  for (int i = 0; i < 4; ++i) cluster_.Advance(absl::Seconds(10));
  ASSERT_EQ(Open().size(), 1u);
  ASSERT_EQ(View().recent.size(), 1u) << "one after the other for one cause: told as one";
  EXPECT_EQ(View().recent[0].due, cluster_.now() - absl::Seconds(20));
  EXPECT_EQ(View().recent[0].last_due, cluster_.now());
  EXPECT_THAT(View().recent[0].reason, HasSubstr("still went on"));
  cluster_.Cancel(Open()[0]);
  EXPECT_TRUE(Open().empty());
  cluster_.Advance(absl::Seconds(10));
  EXPECT_EQ(Open().size(), 1u);
}

TEST_F(SchedulesTest, ReplaceCancelsTheEarlierRunAndStartsWhenThatHasEnded) {
  cluster_.Join("a", 1);
  Add("s", Every(60), [](ScheduleSpec& spec) { spec.overlap = Overlap::kReplace; });
  cluster_.AdvanceBeating(absl::Minutes(1), {"a"});
  const TaskId first = Open()[0];
  cluster_.Started(first);
  cluster_.AdvanceBeating(absl::Minutes(1), {"a"});
  EXPECT_THAT(Open(), ElementsAre(first)) << "its worker has not confirmed yet";
  EXPECT_EQ(View().waiting.size(), 1u);
  EXPECT_TRUE(cluster_.core().FindTask(first)->cancel_requested);
  cluster_.End(first, EndReason::kCancelled, true, true);
  ASSERT_EQ(Open().size(), 1u);
  EXPECT_NE(Open()[0], first);
  EXPECT_EQ(cluster_.Stored(first).outcome->state, TaskState::kCancelled);
  EXPECT_THAT(cluster_.Stored(first).outcome->message, HasSubstr("a newer run takes its place"));
}

TEST_F(SchedulesTest, WhatWasMissedWhileTheMasterWasDownIsRunOnce) {
  Add("s", Every(10));
  cluster_.Advance(absl::Seconds(10));
  ASSERT_EQ(Open().size(), 1u);
  cluster_.SetClock(cluster_.now() + absl::Seconds(95));
  Restart();
  ASSERT_EQ(Open().size(), 2u);
  EXPECT_EQ(View().running[1].due, cluster_.now() - absl::Seconds(5)) << "the newest one, for all of them";
  EXPECT_EQ(Decided("it was missed, and so was all until"), 1u);
}

TEST_F(SchedulesTest, ARestartFindsWhatRunsAndTellsOfWhatEndedMeanwhile) {
  Add("s", Every(10), [](ScheduleSpec& spec) { spec.overlap = Overlap::kForbid; });
  cluster_.Advance(absl::Seconds(10));
  const TaskId run = Open()[0];
  Restart();
  EXPECT_THAT(Open(), ElementsAre(run));
  cluster_.Advance(absl::Seconds(10));
  EXPECT_THAT(Open(), ElementsAre(run)) << "it still counts as the run before";
  cluster_.Cancel(run);
  EXPECT_TRUE(Open().empty());
  Restart();
  EXPECT_TRUE(Open().empty());
  EXPECT_EQ(View().recent[0].ended_as, TaskState::kCancelled);
}

TEST_F(SchedulesTest, AProgressThatWasSetAsideStartsNothingAgain) {
  Add("s", Every(10));
  cluster_.Advance(absl::Seconds(10));
  cluster_.store().ForgetProgress("s");
  cluster_.SetClock(cluster_.now() + absl::Seconds(25));
  Restart();
  EXPECT_TRUE(Open().empty());
  EXPECT_EQ(View().next.front(), cluster_.now() + absl::Seconds(5));
}

TEST_F(SchedulesTest, APauseStartsNothingAndSkipsWhatComesDue) {
  Add("s", Every(10));
  cluster_.Advance(absl::Seconds(5));
  EXPECT_EQ(Do(PauseSchedule{"a deploy"}).schedule.standing, ScheduleStanding::kPaused);
  cluster_.Advance(absl::Seconds(30));
  Restart();
  EXPECT_EQ(View().standing, ScheduleStanding::kPaused);
  EXPECT_EQ(View().reason, "a deploy");
  EXPECT_TRUE(Open().empty());
  EXPECT_EQ(Do(ResumeSchedule{}).schedule.standing, ScheduleStanding::kActive);
  EXPECT_TRUE(Open().empty()) << "whatever is said of missed runs";
  EXPECT_EQ(Decided("the schedule was paused"), 1u);
  cluster_.Advance(absl::Seconds(5));
  EXPECT_EQ(Open().size(), 1u);
}

TEST_F(SchedulesTest, ARunThatTheQueueDoesNotTakeIsToldAndTheNextOneTriesAgain) {
  CoreConfig config = ScheduleConfig();
  config.max_queued = 1;
  cluster_.Restart(config);
  Add("s", Every(10), [](ScheduleSpec& spec) { spec.overlap = Overlap::kForbid; });
  const TaskId other = cluster_.Submit(testing::Spec());
  cluster_.Advance(absl::Seconds(10));
  EXPECT_TRUE(Open().empty());
  ASSERT_EQ(View().recent.size(), 1u);
  EXPECT_EQ(View().recent[0].result, RunResult::kRefused);
  EXPECT_THAT(View().recent[0].reason, HasSubstr("tasks wait already"));
  EXPECT_EQ(Decided("refused: "), 1u);
  EXPECT_EQ(cluster_.core().counters().schedule_refusals, 1u);
  cluster_.Cancel(other);
  cluster_.Advance(absl::Seconds(10));
  EXPECT_EQ(Open().size(), 1u) << "what was refused does not count as a run that goes on";
}

// A full disk, a shut-down: who could not accept the run does not decide about it.
TEST_F(SchedulesTest, WithoutRoomNothingIsDecidedAndTheRuleForMissedRunsHoldsAfterwards) {
  Add("s", Every(10));
  cluster_.core().SetSurroundings({.low_on_room = true});
  for (int i = 0; i < 5; ++i) cluster_.Advance(absl::Seconds(10));
  EXPECT_TRUE(Open().empty());
  EXPECT_GT(cluster_.core().NextDue(), cluster_.now()) << "it must not make the loop spin";
  EXPECT_EQ(ReasonOf(Do(RunSchedule{}).status), "DISK_FULL");
  EXPECT_EQ(ReasonOf(Add("more", Every(10)).status), "DISK_FULL");
  cluster_.core().SetSurroundings({});
  cluster_.Turn();
  EXPECT_EQ(Open().size(), 1u);
  EXPECT_EQ(View().running[0].due, cluster_.now());
}

TEST_F(SchedulesTest, AMasterThatStopsLeavesWhatComesDueToTheNextOne) {
  Add("s", Every(10));
  cluster_.Apply(StopAdmission{"it stops"});
  cluster_.Advance(absl::Seconds(10));
  EXPECT_TRUE(Open().empty());
  Restart();
  EXPECT_EQ(Open().size(), 1u);
}

// People set clocks; the loop's own never jumps.
TEST_F(SchedulesTest, DueIsWhatTheWallSays) {
  const absl::Time wall = absl::FromCivil(absl::CivilMinute(2030, 5, 6, 1, 59), absl::UTCTimeZone());
  cluster_.core().SetSurroundings({.calendar_ahead = wall - cluster_.now()});
  cluster_.Turn();
  Add("s", CronTimes{"0 2 * * *", "UTC"});
  EXPECT_EQ(View().next.front(), wall + absl::Minutes(1));
  cluster_.Advance(absl::Seconds(30));
  EXPECT_TRUE(Open().empty());
  EXPECT_LE(cluster_.core().NextDue(), cluster_.now() + absl::Seconds(30));
  // The clock is set to an hour later.
  cluster_.core().SetSurroundings({.calendar_ahead = wall - cluster_.now() + absl::Hours(1)});
  cluster_.Turn();
  ASSERT_EQ(Open().size(), 1u);
  EXPECT_EQ(View().running[0].due, wall + absl::Minutes(1));
  // And back: nothing is started twice.
  cluster_.core().SetSurroundings({.calendar_ahead = wall - cluster_.now()});
  for (int i = 0; i < 20; ++i) cluster_.Advance(absl::Minutes(10));
  EXPECT_EQ(Open().size(), 1u);
}

// The hours around a change of the clock, through a master that is killed and started every seven minutes.
TEST_F(SchedulesTest, AroundAChangeOfTheClockEachDueTimeRunsOnceThoughTheMasterKeepsDying) {
  struct Change {
    const char* zone;
    const char* midnight;  // in UTC, of the day of the change
    const char* line;
    std::vector<std::string> due;  // until 05:00 of that zone, in UTC
  };
  const Change changes[] = {
      {"Europe/Berlin", "2026-03-28T23:00:00Z", "30 2 * * *", {"2026-03-29T01:00:00Z"}},
      {"Europe/Berlin", "2026-03-28T23:00:00Z", "30 * * * *",
       {"2026-03-28T23:30:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"}},
      {"Europe/Berlin", "2026-10-24T22:00:00Z", "30 2 * * *", {"2026-10-25T00:30:00Z"}},
      {"Europe/Berlin", "2026-10-24T22:00:00Z", "30 2-3 * * *", {"2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"}},
      {"Europe/Berlin", "2026-10-24T22:00:00Z", "*/30 2 * * *",
       {"2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"}},
      {"America/New_York", "2026-03-08T05:00:00Z", "30 2 * * *", {"2026-03-08T07:00:00Z"}},
      {"America/New_York", "2026-11-01T04:00:00Z", "30 1 * * *", {"2026-11-01T05:30:00Z"}},
      {"Australia/Lord_Howe", "2026-10-03T13:30:00Z", "10 2 * * *", {"2026-10-03T15:30:00Z"}},
      {"Australia/Lord_Howe", "2026-04-04T13:00:00Z", "40 1 * * *", {"2026-04-04T14:40:00Z"}},
  };
  for (const Change& change : changes) {
    absl::TimeZone zone;
    ASSERT_TRUE(absl::LoadTimeZone(change.zone, &zone)) << change.zone;
    CoreConfig config = ScheduleConfig();
    config.load_zone = [zone](const std::string&) { return zone; };
    absl::Time midnight;
    std::string error;
    ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, change.midnight, &midnight, &error)) << error;
    TestCluster cluster(config);
    cluster.SetClock(midnight);
    cluster.Restart(config);
    ChangeSchedule event = AddScheduleEvent("s", CronTimes{change.line, change.zone}, midnight,
                                            [](ScheduleSpec& spec) { spec.missed = MissedRuns::kRunAll; });
    std::get<AddSchedule>(event.what).zone = zone;
    cluster.Apply(std::move(event));
    const absl::Time end = absl::FromCivil(absl::CivilHour(absl::ToCivilDay(midnight + absl::Hours(2), zone)) + 5, zone);
    while (cluster.now() < end - absl::Minutes(7)) {
      cluster.SetClock(cluster.now() + absl::Minutes(7));
      cluster.Restart(config);
    }
    std::vector<std::string> started;
    for (const auto& [id, task] : cluster.store().tasks()) started.push_back(cluster.store().SpecOf(id).name.substr(2));
    EXPECT_EQ(started, change.due) << change.line << " in " << change.zone;
  }
}

TEST_F(SchedulesTest, ASingleTimeEndsWithItsRun) {
  Add("s", OneTime{cluster_.now() + absl::Seconds(10)});
  EXPECT_EQ(View().standing, ScheduleStanding::kActive);
  cluster_.Advance(absl::Seconds(10));
  EXPECT_EQ(View().standing, ScheduleStanding::kActive);
  cluster_.Cancel(Open()[0]);
  EXPECT_EQ(View().standing, ScheduleStanding::kEnded);
  Restart();
  EXPECT_EQ(View().standing, ScheduleStanding::kEnded);
}

TEST_F(SchedulesTest, ASingleTimeThatCameWhileItWasBeingAddedIsRun) {
  ChangeSchedule event = AddScheduleEvent("s", OneTime{cluster_.now() + absl::Seconds(1)}, cluster_.now());
  cluster_.Advance(absl::Seconds(2));
  EXPECT_TRUE(Change(std::move(event)).status.ok());
  EXPECT_EQ(Open().size(), 1u);
}

TEST_F(SchedulesTest, ARunByHandIsNoDueTimeAndObeysTheOverlapRule) {
  Add("s", Every(1), [](ScheduleSpec& spec) { spec.overlap = Overlap::kForbid; });
  Do(PauseSchedule{});
  const ScheduleAnswer by_hand = Do(RunSchedule{"r1"});
  ASSERT_TRUE(by_hand.status.ok()) << by_hand.status;
  EXPECT_TRUE(IsByHand(by_hand.run.due));
  EXPECT_TRUE(by_hand.run.task);
  EXPECT_EQ(Do(RunSchedule{"r1"}).run.task, by_hand.run.task) << "the same call again starts nothing";
  const ScheduleAnswer second = Do(RunSchedule{"r2"});
  EXPECT_EQ(ReasonOf(second.status), "SCHEDULE_BUSY");
  Restart();
  EXPECT_EQ(Do(RunSchedule{"r1"}).run.task, by_hand.run.task) << "also after a restart";
  cluster_.Cancel(by_hand.run.task);
  EXPECT_EQ(Do(RunSchedule{"r1"}).run.task, by_hand.run.task) << "and when it has ended";
  EXPECT_NE(Do(RunSchedule{"r3"}).run.task, by_hand.run.task);
}

TEST_F(SchedulesTest, WhatIsRemovedStartsNothingMoreAndItsRunGoesOn) {
  Add("s", Every(10));
  cluster_.Advance(absl::Seconds(10));
  const TaskId run = Open()[0];
  EXPECT_EQ(Do(RemoveSchedule{}).schedule.running.size(), 1u);
  cluster_.Advance(absl::Seconds(10));
  EXPECT_TRUE(cluster_.core().IsOpen(run));
  EXPECT_FALSE(cluster_.core().FindSchedule("s").has_value());
  EXPECT_EQ(ReasonOf(Do(RemoveSchedule{}).status), "NO_SUCH_SCHEDULE");
  // A new one of that name has nothing to do with it.
  Add("s", Every(10), [](ScheduleSpec& spec) { spec.overlap = Overlap::kForbid; });
  cluster_.Advance(absl::Seconds(10));
  ASSERT_EQ(Open().size(), 1u);
  cluster_.Cancel(run);
  EXPECT_EQ(Open().size(), 1u);
  Restart();
  EXPECT_EQ(Open().size(), 1u);
}

TEST_F(SchedulesTest, AZoneThatThisMachineDoesNotKnowHoldsItAndDecidesNothing) {
  Add("s", CronTimes{"* * * * *", "Europe/Berlin"});
  cluster_.Advance(absl::Seconds(30));
  CoreConfig without = ScheduleConfig();
  without.load_zone = [](const std::string& name) -> absl::StatusOr<absl::TimeZone> {
    return absl::FailedPreconditionError("no zone " + name + " on this machine");
  };
  cluster_.Restart(without);
  cluster_.Advance(absl::Hours(1));
  EXPECT_EQ(View().standing, ScheduleStanding::kHeld);
  EXPECT_THAT(View().reason, HasSubstr("no zone Europe/Berlin"));
  EXPECT_TRUE(Open().empty());
  EXPECT_EQ(ReasonOf(Do(PauseSchedule{}).status), "SCHEDULE_HELD");
  Restart();
  EXPECT_EQ(View().standing, ScheduleStanding::kActive);
  EXPECT_EQ(Open().size(), 1u);
}

TEST_F(SchedulesTest, AnExecutorThatNobodyOffersIsRefusedWhenTheScheduleIsAdded) {
  const ScheduleAnswer answer = Add("s", Every(10), [](ScheduleSpec& spec) {
    spec.work = std::make_shared<const ScheduledWork>(
        ScheduledWork{testing::Spec([](TaskSpec& task) { task.requirements.executor = "nobody"; })});
  });
  EXPECT_EQ(ReasonOf(answer.status), "UNKNOWN_EXECUTOR");
}

TEST_F(SchedulesTest, SoManyAndNoMoreAndTheEndedOnesMakeRoom) {
  Add("once", OneTime{cluster_.now() + absl::Seconds(1)});
  cluster_.Advance(absl::Seconds(1));
  cluster_.Cancel(Open("once")[0]);
  Effects effects;  // without a commit for each: this is about the bound
  for (size_t i = 1; i < ScheduleTable::kMostSchedules; ++i) {
    cluster_.core().Apply(AddScheduleEvent("s" + std::to_string(i), Every(100000), cluster_.now()), cluster_.now(), &effects);
  }
  EXPECT_EQ(cluster_.core().counters().schedules, ScheduleTable::kMostSchedules);
  effects = {};
  cluster_.core().Apply(AddScheduleEvent("more", Every(100000), cluster_.now()), cluster_.now(), &effects);
  EXPECT_TRUE(std::get<ScheduleAnswer>(effects.effects.back()).status.ok()) << "the one that has ended makes room";
  EXPECT_FALSE(cluster_.core().FindSchedule("once").has_value());
  cluster_.core().Apply(AddScheduleEvent("most", Every(100000), cluster_.now()), cluster_.now(), &effects);
  EXPECT_EQ(ReasonOf(std::get<ScheduleAnswer>(effects.effects.back()).status), "TOO_MANY_SCHEDULES");
}

// A thousand that are due at once are taken over several turns, each of which is told to come at once.
TEST_F(SchedulesTest, ManyThatAreDueAtOnceAreStartedOverSeveralTurns) {
  for (int i = 0; i < 3; ++i) {
    Add("s" + std::to_string(i), Every(1), [](ScheduleSpec& spec) {
      spec.missed = MissedRuns::kRunAll;
      spec.missed_limit = 900;
    });
  }
  cluster_.SetClock(cluster_.now() + absl::Hours(1));
  cluster_.Turn();
  EXPECT_LT(cluster_.core().counters().schedule_runs, 2000u);
  int turns = 1;
  while (cluster_.core().NextDue() <= cluster_.now() && turns < 10) {
    cluster_.Turn();
    ++turns;
  }
  EXPECT_EQ(cluster_.core().counters().schedule_runs, 2703u) << "each 900 and the one that is on time";
  EXPECT_GT(turns, 1);
}

}  // namespace
}  // namespace muster::core
