// Events in the real core: each schedule that waits for one starts once, also for the next master.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "master/core/schedule_table.h"
#include "tests/unit/master/core/schedule_by_hand.h"

namespace muster::core {
namespace {

using testing::AddScheduleEvent;
using testing::Flow;
using testing::ScheduleConfig;
using testing::Spec;
using testing::StartAWorkflow;
using testing::TestCluster;
using ::testing::HasSubstr;

class EventTriggersTest : public ::testing::Test {
 protected:
  ScheduleAnswer Add(const std::string& name = "s", const std::function<void(ScheduleSpec&)>& change = nullptr) {
    cluster_.Apply(AddScheduleEvent(name, EventTimes{"push"}, cluster_.now(), change));
    return cluster_.Seen<ScheduleAnswer>().at(0);
  }
  template <typename What>
  ScheduleAnswer Do(What what) {
    cluster_.Apply(ChangeSchedule{.call = CallId(2), .name = "s", .by = "ann", .what = std::move(what)});
    return cluster_.Seen<ScheduleAnswer>().at(0);
  }
  // As the edge does, without its look into the store.
  FireEvent Fire(const std::string& id) {
    FireEvent fire{.call = CallId(3), .event = "push", .id = id, .received = cluster_.now() + absl::Milliseconds(5), .runs = {}};
    for (const EventTrigger& trigger : cluster_.core().TriggersOf("push")) {
      EventRun& run = fire.runs.emplace_back();
      run.schedule = trigger.schedule;
      run.work = trigger.work;
      run.request = {.owner = trigger.owner, .id = "event/" + trigger.schedule + "/" + id, .digest = {}};
      if (trigger.work->is_workflow()) {
        run.what = Flow({{}, {.needs = {{0}}}});
      } else {
        run.what = Spec();
      }
    }
    return fire;
  }
  std::vector<EventRunAnswer> Send(FireEvent fire) {
    cluster_.Apply(std::move(fire));
    const auto answers = cluster_.Seen<EventAnswer>();
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? std::vector<EventRunAnswer>() : answers.front().runs;
  }
  EventRunAnswer SendOne(const std::string& id) { return Send(Fire(id)).at(0); }
  ScheduleView View(const std::string& name = "s") { return cluster_.core().FindSchedule(name).value_or(ScheduleView()); }

  TestCluster cluster_{ScheduleConfig()};
};

TEST_F(EventTriggersTest, AnEventStartsEachThatWaitsForItAndTheSameAgainNothing) {
  ASSERT_TRUE(Add("a").status.ok());
  ASSERT_TRUE(Add("b", StartAWorkflow).status.ok());
  EXPECT_EQ(View("a").standing, ScheduleStanding::kActive);
  EXPECT_TRUE(View("a").next.empty());
  const auto runs = Send(Fire("1"));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(View("a").running.at(0).task, runs[0].run.task);
  EXPECT_EQ(View("b").running.at(0).task, runs[1].run.task);
  EXPECT_TRUE(cluster_.core().FindWorkflow(runs[1].run.task).has_value());
  const auto again = Send(Fire("1"));
  EXPECT_TRUE(again[0].repeated && again[1].repeated);
  EXPECT_EQ(again[0].run.task, runs[0].run.task);
  EXPECT_EQ(again[1].run.task, runs[1].run.task);
  EXPECT_EQ(View("a").running.size(), 1u);
  EXPECT_FALSE(SendOne("2").repeated);
  EXPECT_EQ(View("a").running.size(), 2u);
  EXPECT_TRUE(cluster_.core().TriggersOf("pull").empty());
}

TEST_F(EventTriggersTest, WhatTheEventStartedIsInTheCommitOfItsRequestId) {
  Add();
  SendOne("1");
  const Transaction& transaction = cluster_.transaction();
  ASSERT_EQ(transaction.specifications.size(), 1u);
  ASSERT_EQ(transaction.requests.size(), 1u);
  EXPECT_EQ(transaction.requests[0].request_id, "event/s/1");
  EXPECT_EQ(transaction.requests[0].tasks.front().first, transaction.specifications[0].first);
  ASSERT_EQ(transaction.schedules.progress.size(), 1u);
  EXPECT_EQ(transaction.schedules.progress[0].running[0].task, transaction.specifications[0].first);
}

TEST_F(EventTriggersTest, ARestartKnowsWhatWaitsForIt) {
  Add();
  const TaskId task = SendOne("1").run.task;
  cluster_.Restart(ScheduleConfig());
  ASSERT_EQ(cluster_.core().TriggersOf("push").size(), 1u);
  EXPECT_EQ(View().running.at(0).task, task);
  EXPECT_EQ(View().running.at(0).request_id, "1");
  cluster_.Cancel(task);
  ASSERT_EQ(View().recent.size(), 1u);
  EXPECT_EQ(View().recent[0].request_id, "1");
  EXPECT_EQ(View().standing, ScheduleStanding::kActive) << "it waits on";
}

TEST_F(EventTriggersTest, APausedOneSkipsAndLooksAtTheSameEventAnewAfterwards) {
  Add();
  Do(PauseSchedule{"a deploy"});
  const EventRunAnswer skipped = SendOne("1");
  EXPECT_EQ(skipped.run.result, RunResult::kSkipped);
  EXPECT_THAT(skipped.run.reason, HasSubstr("paused"));
  EXPECT_TRUE(View().running.empty());
  Do(ResumeSchedule{});
  EXPECT_TRUE(SendOne("1").run.task);
}

TEST_F(EventTriggersTest, ForbidSkipsWhileTheRunBeforeGoesOn) {
  Add("s", [](ScheduleSpec& spec) { spec.overlap = Overlap::kForbid; });
  const TaskId first = SendOne("1").run.task;
  EXPECT_EQ(SendOne("2").run.result, RunResult::kSkipped);
  EXPECT_TRUE(SendOne("1").repeated);
  cluster_.Cancel(first);
  EXPECT_TRUE(SendOne("2").run.task);
}

TEST_F(EventTriggersTest, AFullQueueIsToldAndTheSameEventIsTakenLater) {
  CoreConfig config = ScheduleConfig();
  config.max_queued = 1;
  cluster_.Restart(std::move(config));
  Add();
  const TaskId first = SendOne("1").run.task;
  const EventRunAnswer refused = SendOne("2");
  EXPECT_EQ(ReasonOf(refused.status), "QUEUE_FULL");
  EXPECT_EQ(View().running.size(), 1u);
  cluster_.Cancel(first);
  EXPECT_TRUE(SendOne("2").run.task);
}

TEST_F(EventTriggersTest, WhatCannotBeMadeOfTheEventIsToldAndNotedAndTheOthersStart) {
  Add("a");
  Add("b");
  FireEvent fire = Fire("1");
  fire.runs[0].status = absl::InvalidArgumentError("no value for the parameter build");
  fire.runs[0].what = TaskSpecPtr();
  const auto runs = Send(std::move(fire));
  EXPECT_TRUE(runs[0].status.ok());
  EXPECT_EQ(runs[0].run.result, RunResult::kRefused);
  EXPECT_TRUE(runs[1].run.task);
  ASSERT_EQ(View("a").recent.size(), 1u);
  EXPECT_THAT(View("a").recent[0].reason, HasSubstr("build"));
}

TEST_F(EventTriggersTest, AScheduleThatWasReplacedMeanwhileStartsNothing) {
  Add();
  FireEvent fire = Fire("1");
  Do(RemoveSchedule{});
  FireEvent late = fire;
  EXPECT_EQ(ReasonOf(Send(std::move(fire)).at(0).status), "SCHEDULE_CHANGED");
  Add("s", [](ScheduleSpec& spec) { spec.work = std::make_shared<const ScheduledWork>(ScheduledWork{Spec()}); });
  EXPECT_EQ(ReasonOf(Send(std::move(late)).at(0).status), "SCHEDULE_CHANGED");
  EXPECT_TRUE(View().running.empty());
}

TEST_F(EventTriggersTest, BeyondTheMostRunsAtOnceTheSenderIsToldToWait) {
  Add();
  for (size_t i = 0; i < schedules::ScheduleState::kMostRuns; ++i) ASSERT_TRUE(SendOne(std::to_string(i)).run.task);
  EXPECT_EQ(ReasonOf(SendOne("more").status), "SCHEDULE_BUSY");
  cluster_.Cancel(View().running.front().task);
  EXPECT_TRUE(SendOne("more").run.task);
}

TEST_F(EventTriggersTest, WithoutRoomNothingStarts) {
  Add();
  cluster_.core().SetSurroundings({.low_on_room = true});
  EXPECT_EQ(ReasonOf(SendOne("1").status), "DISK_FULL");
  cluster_.core().SetSurroundings({});
  EXPECT_TRUE(SendOne("1").run.task);
}

TEST_F(EventTriggersTest, ItIsNotRunByHandForNobodySaysWithWhat) {
  Add();
  EXPECT_EQ(ReasonOf(Do(RunSchedule{}).status), "SCHEDULE_WAITS_FOR_EVENT");
}

TEST_F(EventTriggersTest, SoManyWaitForAnEventAndNoMore) {
  for (size_t i = 0; i < ScheduleTable::kMostOfAnEvent; ++i) ASSERT_TRUE(Add("s" + std::to_string(i)).status.ok());
  EXPECT_EQ(ReasonOf(Add("more").status), "TOO_MANY_SCHEDULES");
  EXPECT_EQ(Send(Fire("1")).size(), ScheduleTable::kMostOfAnEvent);
}

}  // namespace
}  // namespace muster::core
