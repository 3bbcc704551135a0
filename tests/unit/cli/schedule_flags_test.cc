#include "cli/schedule_flags.h"

#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/schedule_table.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kThen = absl::FromUnixSeconds(1'798'000'000);  // 2026-12-23T04:26:40Z

ScheduleFlags Given(const std::function<void(ScheduleFlags*)>& change = nullptr) {
  ScheduleFlags flags;
  flags.name = "backup";
  flags.times = {"30 2 * * *"};
  flags.argv = {"./backup.sh", "--all"};
  if (change) change(&flags);
  return flags;
}

TEST(ScheduleFlags, EachFlagFindsItsField) {
  const auto request = Given([](ScheduleFlags* flags) {
                         flags->zone = "Europe/Berlin";
                         flags->missed = "all:24";
                         flags->overlap = "replace";
                         flags->task.queue = "nightly";
                       }).Build(kThen);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->name(), "backup");
  EXPECT_EQ(request->spec().times(), "30 2 * * *");
  EXPECT_EQ(request->spec().time_zone(), "Europe/Berlin");
  EXPECT_EQ(request->spec().missed_runs(), v1::MISSED_RUNS_RUN_ALL);
  EXPECT_EQ(request->spec().missed_limit(), 24u);
  EXPECT_EQ(request->spec().overlap(), v1::RUN_OVERLAP_REPLACE);
  EXPECT_EQ(request->spec().task().queue(), "nightly");
  EXPECT_THAT(request->spec().task().command().argv(), ElementsAre("./backup.sh", "--all"));
  EXPECT_NE(request->spec().task().owner(), "");
}

TEST(ScheduleFlags, TimesWithoutQuotesAreTheirWords) {
  EXPECT_EQ(Given([](auto* flags) { flags->times = {"every", "1h30m"}; }).Build(kThen)->spec().times(), "every 1h30m");
  EXPECT_EQ(Given([](auto* flags) { flags->times = {"at", "2026-12-24", "18:00"}; }).Build(kThen)->spec().times(),
            "at 2026-12-24 18:00");
}

TEST(ScheduleFlags, WhatMakesNoSenseIsSaidInOneLine) {
  const auto refused = [](const std::function<void(ScheduleFlags*)>& change) {
    return std::string(Given(change).Build(kThen).status().message());
  };
  EXPECT_THAT(refused([](auto* flags) { flags->missed = "all:0"; }), HasSubstr("all:N, with N from 1 to 1000"));
  EXPECT_THAT(refused([](auto* flags) { flags->missed = "never"; }), HasSubstr("is not one of skip, once, all, all:N"));
  EXPECT_THAT(refused([](auto* flags) { flags->task.at = "18:00"; }), HasSubstr("a schedule's TIMES say when"));
  EXPECT_THAT(refused([](auto* flags) { flags->task.delay = absl::Seconds(5); }), HasSubstr("--delay"));
  EXPECT_THAT(refused([](auto* flags) { flags->task.after = {"last"}; }), HasSubstr("--after"));
  EXPECT_THAT(refused([](auto* flags) { flags->argv.clear(); }), HasSubstr("no command to run"));
  EXPECT_THAT(refused([](auto* flags) { flags->times = {"30", "2", "CMakeLists.txt", "README.md", "docs", "src"}; }),
              HasSubstr("put a cron line into quotes"));
}

TEST(ScheduleFlags, AWorkflowIsReadFromItsFileInPlaceOfACommand) {
  const std::string file = ::testing::TempDir() + "nightly.yaml";
  std::ofstream(file) << "parameters: {city: {}}\ntasks:\n  fetch: {run: 'echo {{ city }}'}\n";
  const auto flow = [&file](ScheduleFlags* flags) {
    flags->argv.clear();
    flags->flow = file;
    flags->sets = {"city=Bonn"};
  };
  const auto request = Given(flow).Build(kThen);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_FALSE(request->spec().has_task());
  EXPECT_EQ(request->spec().workflow().spec().nodes(0).name(), "fetch");
  EXPECT_NE(request->spec().workflow().spec().nodes(0).task().owner(), "");
  EXPECT_EQ(request->spec().workflow().parameters(0).value(), "Bonn");
  const auto refused = [&flow](const std::function<void(ScheduleFlags*)>& change) {
    ScheduleFlags flags = Given(flow);
    change(&flags);
    return std::string(flags.Build(kThen).status().message());
  };
  EXPECT_THAT(refused([](auto* flags) { flags->argv = {"true"}; }), HasSubstr("both --flow and a command"));
  EXPECT_THAT(refused([](auto* flags) { flags->task.retries = 2; }), HasSubstr("goes into"));
  EXPECT_THAT(refused([](auto* flags) { flags->task.environment = {"A=b"}; }), HasSubstr("goes into"));
  EXPECT_THAT(refused([](auto* flags) { flags->sets = {"city"}; }), HasSubstr("write NAME=VALUE"));
  EXPECT_THAT(std::string(Given([](auto* flags) { flags->sets = {"city=Bonn"}; }).Build(kThen).status().message()),
              HasSubstr("--set is for a workflow's parameters"));
}

v1::Schedule Shown() {
  v1::Schedule schedule;
  schedule.set_name("backup");
  schedule.set_state(v1::SCHEDULE_STATE_ACTIVE);
  *schedule.mutable_spec() = Given([](auto* flags) { flags->zone = "Europe/Berlin"; }).Build(kThen)->spec();
  schedule.add_next_times()->set_seconds(1'798'075'800);  // 2026-12-24T01:30:00Z
  v1::ScheduledRun* const skipped = schedule.add_recent_runs();
  skipped->mutable_due_time()->set_seconds(1'797'989'400);  // 2026-12-23T01:30:00Z
  skipped->set_result(v1::SCHEDULED_RUN_RESULT_SKIPPED);
  skipped->set_reason("the run before still went on");
  v1::ScheduledRun* const ended = schedule.add_recent_runs();
  ended->mutable_due_time()->set_seconds(1'797'903'000);
  ended->mutable_start_time()->set_seconds(1'797'903'000);
  ended->mutable_end_time()->set_seconds(1'797'903'252);
  ended->set_result(v1::SCHEDULED_RUN_RESULT_ENDED);
  ended->set_task_state(v1::TASK_STATE_SUCCEEDED);
  ended->set_task_id("7F");
  return schedule;
}

TEST(ScheduleTable, ARowTellsOfTheNextRunAndOfTheLastOnesOutcome) {
  EXPECT_THAT(ScheduleRow(Shown(), kThen, false),
              ElementsAre("backup", "30 2 * * *", "Europe/Berlin", "ACTIVE", "in 21h", "SKIPPED", "2h ago", "-"));
  v1::Schedule running = Shown();
  v1::ScheduledRun* const run = running.add_running();
  run->set_result(v1::SCHEDULED_RUN_RESULT_RUNNING);
  run->mutable_due_time()->set_seconds(absl::ToUnixSeconds(kThen) - 120);
  run->set_task_id("80");
  EXPECT_THAT(ScheduleRow(running, kThen, false),
              ElementsAre("backup", "30 2 * * *", "Europe/Berlin", "ACTIVE", "in 21h", "RUNNING", "2m ago", "80"));
  EXPECT_EQ(ScheduleRow(Shown(), kThen, true).size(), ScheduleHeader(true).size());
  EXPECT_EQ(ScheduleRow(Shown(), kThen, false).size(), ScheduleHeader(false).size());
}

TEST(ScheduleTable, APageShowsTimesOnTheClockOfItsZone) {
  const std::string page = SchedulePage(Shown(), kThen);
  EXPECT_THAT(page, HasSubstr("2026-12-24T02:30:00+01:00  in 21h"));
  EXPECT_THAT(page, HasSubstr("2026-12-22T02:30:00+01:00  SUCCEEDED  7F  4m12s"));
  EXPECT_THAT(page, HasSubstr("SKIPPED  the run before still went on"));
  EXPECT_THAT(page, Not(HasSubstr("Running")));
  EXPECT_EQ(ScheduleSummary(Shown(), kThen),
            "schedule backup is active (30 2 * * *, Europe/Berlin), next 2026-12-24T02:30:00+01:00, in 21h");
}

}  // namespace
}  // namespace muster::cli
