// Schedules and their progress through a real store: what was written is what a start finds, and damage is told.
#include "master/store/schedule_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/domain/scheduled_work.h"
#include "master/store/store_check.h"
#include "muster/v1/schedule.pb.h"
#include "tests/unit/master/store/store_fixture.h"

namespace muster::store {
namespace {

using ::testing::HasSubstr;

core::ScheduleRow Row(const std::string& name, ScheduleTimes times) {
  core::ScheduleRow row{.owner = "ann@host", .created = At(5)};
  row.spec.name = name;
  row.spec.times = std::move(times);
  row.spec.work = std::make_shared<const ScheduledWork>(ScheduledWork{SingleTask(1).spec});
  return row;
}

ScheduledRun EndedRun(int64_t due) {
  return {.due = At(due), .last_due = At(due), .result = RunResult::kEnded, .task = TaskId(7), .ended_as = TaskState::kFailed,
          .started = At(due), .ended = At(due + 3), .reason = "exited with 3"};
}

core::ScheduleProgressRow Progress(const std::string& name, int64_t until) {
  return {.name = name, .decided_until = At(until)};
}

class ScheduleRowsTest : public StoreTest {
 protected:
  ScheduleRowsTest() { Reopen(); }
};

TEST_F(ScheduleRowsTest, EveryKindOfTimesAndRulesComesBack) {
  core::Transaction transaction;
  core::ScheduleRow cron = Row("a", CronTimes{"30 2 * * MON-FRI", "Europe/Berlin"});
  cron.spec.missed = MissedRuns::kRunAll;
  cron.spec.missed_limit = 1000;
  cron.spec.overlap = Overlap::kReplace;
  cron.spec.paused = true;
  cron.pause_reason = "a deploy";
  transaction.schedules.schedules = {cron, Row("b", IntervalTimes{absl::Seconds(90), At(5)}), Row("c", OneTime{At(99)})};
  core::ScheduleProgressRow progress = Progress("a", 50);
  progress.running = {{.due = At(40), .last_due = At(40), .task = TaskId(1), .started = At(41)},
                      {.due = At(45) + absl::Milliseconds(3), .last_due = At(45) + absl::Milliseconds(3), .task = TaskId(2),
                       .started = At(45), .request_id = "r-1"}};
  progress.waiting = {At(48), At(50)};
  progress.recent = {EndedRun(30),
                     {.due = At(10), .last_due = At(20), .result = RunResult::kSkipped, .reason = "it was missed"}};
  transaction.schedules.progress = {progress, Progress("b", 5), Progress("c", 5)};
  EXPECT_TRUE(transaction.NeedsSync());
  Commit(transaction);

  const core::ScheduleRows rows = Reopen().schedules;
  ASSERT_EQ(rows.schedules.size(), 3u);
  ASSERT_EQ(rows.progress.size(), 3u);
  const core::ScheduleRow& a = rows.schedules[0];
  EXPECT_EQ(a.spec.times, cron.spec.times);
  EXPECT_EQ(a.spec.missed, MissedRuns::kRunAll);
  EXPECT_EQ(a.spec.missed_limit, 1000u);
  EXPECT_EQ(a.spec.overlap, Overlap::kReplace);
  EXPECT_TRUE(a.spec.paused);
  EXPECT_EQ(a.pause_reason, "a deploy");
  EXPECT_EQ(a.owner, "ann@host");
  EXPECT_EQ(a.created, At(5));
  EXPECT_EQ(a.spec.work->task->payload, cron.spec.work->task->payload);
  EXPECT_EQ(rows.schedules[1].spec.times, ScheduleTimes(IntervalTimes{absl::Seconds(90), At(5)}));
  EXPECT_EQ(rows.schedules[2].spec.times, ScheduleTimes(OneTime{At(99)}));
  EXPECT_EQ(rows.progress[0].decided_until, At(50));
  EXPECT_EQ(rows.progress[0].running, progress.running);
  EXPECT_EQ(rows.progress[0].waiting, progress.waiting);
  EXPECT_EQ(rows.progress[0].recent, progress.recent);
}

TEST_F(ScheduleRowsTest, AWorkflowComesBackAndWhatIsNeitherItNorATaskIsDamage) {
  v1::ScheduledWorkflow workflow;
  workflow.mutable_spec()->add_nodes()->set_name("fetch");
  core::ScheduleRow row = Row("a", OneTime{At(99)});
  row.spec.work = std::make_shared<const ScheduledWork>(ScheduledWork{.workflow = workflow.SerializeAsString()});
  core::Transaction transaction;
  transaction.schedules.schedules = {row, Row("b", OneTime{At(99)})};
  Commit(transaction);
  const core::ScheduleRows rows = Reopen().schedules;
  ASSERT_EQ(rows.schedules.size(), 2u);
  EXPECT_TRUE(rows.schedules[0].spec.work->is_workflow());
  EXPECT_EQ(rows.schedules[0].spec.work->workflow, workflow.SerializeAsString());
  EXPECT_FALSE(rows.schedules[1].spec.work->is_workflow());
  EXPECT_FALSE(UnpackWork(std::string("\0\xff", 2)).ok());
  EXPECT_FALSE(UnpackWork("\xff").ok());
}

TEST_F(ScheduleRowsTest, AnEventComesBackAndTimesThatAreNoneAreDamage) {
  core::Transaction transaction;
  transaction.schedules.schedules = {Row("a", EventTimes{"push"})};
  Commit(transaction);
  EXPECT_EQ(Reopen().schedules.schedules.at(0).spec.times, ScheduleTimes(EventTimes{"push"}));
  core::Transaction wrong;
  wrong.schedules.schedules = {Row("a", EventTimes{"push"})};
  wrong.schedules.schedules[0].spec.overlap = Overlap::kReplace;
  Commit(wrong);
  EXPECT_EQ(TryReopen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ScheduleRowsTest, TheNewestHoldsAndARemovedOneLeavesNothing) {
  core::Transaction transaction;
  transaction.schedules.schedules = {Row("a", OneTime{At(99)}), Row("b", OneTime{At(99)})};
  transaction.schedules.progress = {Progress("a", 5), Progress("b", 5)};
  Commit(transaction);
  core::Transaction next;
  next.schedules.schedules = {Row("a", OneTime{At(99)})};
  next.schedules.schedules[0].removed = true;
  next.schedules.progress = {Progress("b", 6), Progress("b", 8)};
  Commit(next);
  const core::ScheduleRows rows = Reopen().schedules;
  ASSERT_EQ(rows.schedules.size(), 1u);
  EXPECT_EQ(rows.schedules[0].spec.name, "b");
  ASSERT_EQ(rows.progress.size(), 1u);
  EXPECT_EQ(rows.progress[0].decided_until, At(8));
}

TEST_F(ScheduleRowsTest, ADamagedRowStopsTheStartAndSaysWhere) {
  core::Transaction transaction;
  transaction.schedules.schedules = {Row("nightly", CronTimes{"30 2 * * *", "UTC"})};
  transaction.schedules.progress = {Progress("nightly", 5)};
  Commit(transaction);
  store_.reset();
  Sql("UPDATE schedule SET times = '61 2 * * *'");
  const absl::Status status = TryReopen();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("table schedule, row nightly"));
  const auto check = CheckStore(config_.directory, {});
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_FALSE(check->sound());
}

TEST_F(ScheduleRowsTest, RunsThatAreNoneAreRefusedAndNotGuessed) {
  core::ScheduleProgressRow progress = Progress("a", 5);
  progress.recent = {EndedRun(30)};
  progress.waiting = {At(50)};
  std::string packed;
  PackRuns(progress, &packed);
  core::ScheduleProgressRow back;
  EXPECT_TRUE(UnpackRuns(packed, &back));
  for (size_t size = 0; size < packed.size(); ++size) {
    core::ScheduleProgressRow cut;
    EXPECT_FALSE(UnpackRuns(std::string_view(packed).substr(0, size), &cut)) << size;
  }
  progress.recent[0].result = RunResult::kRuns;  // it is over, and goes on
  packed.clear();
  PackRuns(progress, &packed);
  core::ScheduleProgressRow wrong;
  EXPECT_FALSE(UnpackRuns(packed, &wrong));
}

}  // namespace
}  // namespace muster::store
