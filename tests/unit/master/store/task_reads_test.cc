// Lists, batches and names.
#include <gmock/gmock.h>

#include <algorithm>

#include "store_fixture.h"

namespace muster::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<uint64_t> Ids(const std::vector<StoredTask>& tasks) {
  std::vector<uint64_t> ids;
  for (const StoredTask& task : tasks) ids.push_back(task.id.value());
  return ids;
}

class TaskReadsTest : public StoreTest {
 protected:
  TaskReadsTest() { Reopen(); }

  std::vector<uint64_t> List(const TaskQuery& query) {
    auto tasks = store_->ListTasks(query);
    EXPECT_TRUE(tasks.ok()) << tasks.status();
    return tasks.ok() ? Ids(*tasks) : std::vector<uint64_t>{};
  }

  // 1 open, 2 succeeded, 3 failed (queue night), batch 4 with 5..8 of which 6 and 8 succeeded, 9 cancelled.
  void CommitSome() {
    core::Transaction transaction;
    transaction.specifications = {SingleTask(1), SingleTask(2, MakeSpec("", "", "bob")),
                                  SingleTask(3, MakeSpec("", "night")), BatchPart(4, 5, 4), SingleTask(9)};
    transaction.outcomes = {Outcome(2), Outcome(3, TaskState::kFailed), Outcome(6), Outcome(8),
                            Outcome(9, TaskState::kCancelled, 0)};
    Commit(transaction);
  }
};

TEST_F(TaskReadsTest, OpenTasksAreListedNewestFirst) {
  CommitSome();
  EXPECT_THAT(List({}), ElementsAre(7, 5, 1));
}

TEST_F(TaskReadsTest, AllTasksAreListedNewestFirst) {
  CommitSome();
  EXPECT_THAT(List({.include_finished = true}), ElementsAre(9, 8, 7, 6, 5, 3, 2, 1));
  EXPECT_THAT(List({.include_open = false, .include_finished = true}), ElementsAre(9, 8, 6, 3, 2));
}

TEST_F(TaskReadsTest, FinishedStatesSelect) {
  CommitSome();
  EXPECT_THAT(List({.finished_states = {TaskState::kFailed, TaskState::kCancelled}, .include_open = false}),
              ElementsAre(9, 3));
  EXPECT_THAT(List({.finished_states = {TaskState::kSucceeded}, .include_open = false}), ElementsAre(8, 6, 2));
  EXPECT_THAT(List({.finished_states = {TaskState::kFailed}}), ElementsAre(7, 5, 3, 1));
  EXPECT_THAT(List({.finished_states = {TaskState::kLost}, .include_open = false}), IsEmpty());
}

TEST_F(TaskReadsTest, RangesQueueOwnerAndLabelsSelect) {
  CommitSome();
  EXPECT_THAT(List({.ranges = {{TaskId(2), 1}, {TaskId(5), 3}}, .include_finished = true}), ElementsAre(7, 6, 5, 2));
  EXPECT_THAT(List({.ranges = {{TaskId(7), 10}, {TaskId(6), 2}, {TaskId(1), 1}}, .include_finished = true}),
              ElementsAre(9, 8, 7, 6, 1));
  EXPECT_THAT(List({.ranges = {{TaskId(3), 7}}, .finished_states = {TaskState::kCancelled, TaskState::kFailed},
                    .include_open = false}),
              ElementsAre(9, 3));
  EXPECT_THAT(List({.include_finished = true, .queue = "night"}), ElementsAre(3));
  EXPECT_THAT(List({.include_finished = true, .owner = "bob"}), ElementsAre(2));
  EXPECT_THAT(List({.labels = {{"team", "blue"}}}), ElementsAre(7, 5, 1));
  EXPECT_THAT(List({.labels = {{"team", "red"}}}), IsEmpty());
}

TEST_F(TaskReadsTest, PagesJoinWithoutGapOrRepeat) {
  CommitSome();
  std::vector<uint64_t> all;
  TaskQuery query{.limit = 1, .include_finished = true};
  while (true) {
    const auto scan = store_->ScanTasks(query);
    ASSERT_TRUE(scan.ok()) << scan.status();
    for (const uint64_t id : Ids(scan->tasks)) all.push_back(id);
    if (!scan->resume_before) break;
    query.before = scan->resume_before;
  }
  EXPECT_THAT(all, ElementsAre(9, 8, 7, 6, 5, 3, 2, 1));
}

TEST_F(TaskReadsTest, ADamagedRowHidesItsOwnTaskAndNoOtherAndIsNamed) {
  CommitSome();
  Sql("UPDATE outcome SET message = 'not what was written' WHERE task = 3");
  Sql("UPDATE specification SET name = 'not what was written' WHERE first = 1");
  std::vector<uint64_t> all;
  std::vector<TaskId> unreadable;
  TaskQuery query{.limit = 2, .include_finished = true};
  while (true) {
    const auto scan = store_->ScanTasks(query);
    ASSERT_TRUE(scan.ok()) << scan.status();
    EXPECT_LE(scan->tasks.size() + scan->unreadable.size(), 2u);
    for (const uint64_t id : Ids(scan->tasks)) all.push_back(id);
    unreadable.insert(unreadable.end(), scan->unreadable.begin(), scan->unreadable.end());
    if (!scan->resume_before) break;
    query.before = scan->resume_before;
  }
  EXPECT_THAT(all, ElementsAre(9, 8, 7, 6, 5, 2));
  EXPECT_THAT(unreadable, ElementsAre(TaskId(3), TaskId(1)));
  const auto failed = store_->ScanTasks({.finished_states = {TaskState::kCancelled, TaskState::kFailed}, .include_open = false});
  ASSERT_TRUE(failed.ok()) << failed.status();
  EXPECT_THAT(failed->unreadable, ElementsAre(TaskId(3)));
  EXPECT_TRUE(absl::IsDataLoss(store_->FindTask(TaskId(3)).status()));
  EXPECT_TRUE(absl::IsDataLoss(store_->ListTasks({.include_finished = true}).status())) << "who takes all must not miss one";
}

TEST_F(TaskReadsTest, AListOfFailuresEndsAlsoWhenTheFirstTaskOfAllIsOneOfThem) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1), SingleTask(2)};
  transaction.outcomes = {Outcome(1, TaskState::kFailed), Outcome(2, TaskState::kFailed)};
  Commit(transaction);
  EXPECT_THAT(List({.finished_states = {TaskState::kFailed}, .include_open = false}), ElementsAre(2, 1));
}

TEST_F(TaskReadsTest, AScanThatFindsNothingStopsAfterABoundedNumberOfRowsAndGoesOnWhereItWas) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1, MakeSpec("", "rare"))};
  const TaskSpecPtr common = MakeSpec();
  for (uint64_t id = 2; id <= 40'001; ++id) transaction.specifications.push_back(SingleTask(id, common));
  Commit(transaction);
  TaskQuery query{.queue = "rare"};
  const auto first = store_->ScanTasks(query);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(first->tasks, IsEmpty());
  EXPECT_GT(first->resume_before, TaskId(1));
  EXPECT_LT(first->resume_before, TaskId(40'001));
  EXPECT_THAT(List(query), ElementsAre(1));
}

TEST_F(TaskReadsTest, AHundredThousandRowsAreFewRowsAndEachIsFound) {
  core::Transaction transaction;
  transaction.specifications = {BatchPart(1, 2, 60'000), BatchPart(1, 60'002, 40'000, 60'001)};
  for (uint64_t id = 2; id < 50'002; ++id) {
    transaction.outcomes.push_back(Outcome(id, id % 2 == 0 ? TaskState::kSucceeded : TaskState::kFailed, 1,
                                           Report(id, 1, "", id % 2 == 0 ? 0 : 7)));
  }
  Commit(transaction);
  EXPECT_THAT(Sql("SELECT count(*) FROM specification"), ElementsAre("2"));
  for (const uint64_t index : {1u, 2u, 60'000u, 60'001u, 100'000u}) {
    const auto task = store_->FindTask(TaskId(index + 1));
    ASSERT_TRUE(task.ok() && task->has_value()) << index;
    EXPECT_EQ((*task)->batch_index, index);
    const core::SpecificationRow& part = (*task)->specification;
    EXPECT_EQ((*part.rows)[index + 1 - part.first.value()][0], "value " + std::to_string(index));
    EXPECT_EQ((*task)->outcome.has_value(), index + 1 < 50'002);
  }
  EXPECT_FALSE(store_->FindTask(TaskId(1))->has_value());  // the batch's own id is no task
  EXPECT_FALSE(store_->FindTask(TaskId(100'002))->has_value());

  const auto batch = store_->FindBatch(TaskId(1));
  ASSERT_TRUE(batch.ok() && batch->has_value());
  EXPECT_EQ((*batch)->task_count, 100'000u);
  EXPECT_EQ((*batch)->parts.size(), 2u);
  EXPECT_THAT((*batch)->ended, ElementsAre(std::pair(TaskState::kSucceeded, uint64_t{25'000}),
                                           std::pair(TaskState::kFailed, uint64_t{25'000})));
  EXPECT_EQ((*batch)->exit_code, 7);
  EXPECT_THAT(*store_->BatchRanges(TaskId(1)),
              ElementsAre(TaskRange{TaskId(2), 60'000}, TaskRange{TaskId(60'002), 40'000}));

  const core::RecoveredState state = Reopen();
  EXPECT_EQ(state.tasks.size(), 50'000u);
  EXPECT_EQ(state.tasks.front().id, TaskId(50'002));
  EXPECT_EQ(state.groups.size(), 2u);
  EXPECT_EQ(state.next_id, TaskId(100'002));
}

TEST_F(TaskReadsTest, ABatchThatIsNoneIsNotFound) {
  CommitSome();
  EXPECT_FALSE(store_->FindBatch(TaskId(5))->has_value());
  EXPECT_FALSE(store_->FindBatch(TaskId(0))->has_value());
  EXPECT_THAT(*store_->BatchRanges(TaskId(77)), IsEmpty());
}

TEST_F(TaskReadsTest, ANameFindsItsTasksNewestFirst) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1, MakeSpec("a")), SingleTask(2), SingleTask(3, MakeSpec("a")),
                                SingleTask(4, MakeSpec("b"))};
  Commit(transaction);
  EXPECT_THAT(*store_->FindByName("a", 10), ElementsAre(TaskId(3), TaskId(1)));
  EXPECT_THAT(*store_->FindByName("a", 1), ElementsAre(TaskId(3)));
  EXPECT_THAT(*store_->FindByName("c", 10), IsEmpty());
  EXPECT_THAT(*store_->FindByName("", 10), IsEmpty());
}

TEST_F(TaskReadsTest, WhatWasRetriedIsFoundThroughMoreTasksThanOneReadLooksAt) {
  EXPECT_THAT(*store_->RetriedTasks(), IsEmpty());
  constexpr uint64_t kTasks = 110'000;
  core::Transaction transaction;
  for (uint64_t id = 1; id <= kTasks; ++id) transaction.specifications.push_back(SingleTask(id));
  for (const uint64_t id : {uint64_t{50'000}, uint64_t{50'001}, uint64_t{100'000}, kTasks}) {
    transaction.specifications[id - 1].retry_of = TaskId(id / 2);
  }
  Commit(transaction);
  EXPECT_THAT(*store_->RetriedTasks(), ElementsAre(TaskId(25'000), TaskId(25'000), TaskId(50'000), TaskId(55'000)));
}

TEST_F(TaskReadsTest, ViewsShowTasksAttemptsAndOutcomesInWords) {
  CommitSome();
  core::Transaction transaction;
  transaction.specifications = {SingleTask(32 * 32 + 31)};
  transaction.attempts = {Attempt(32 * 32 + 31, 1)};
  Commit(transaction);
  EXPECT_THAT(Sql("SELECT id, task, state, queue, owner, batch, batch_index FROM tasks WHERE task IN (1, 3, 6, 1055) "
                  "ORDER BY task"),
              ElementsAre("1|1|OPEN|default|ann@host||", "3|3|FAILED|night|ann@host||",
                          "6|6|SUCCEEDED|default|ann@host|4|2", "10Z|1055|OPEN|default|ann@host||"));
  EXPECT_THAT(Sql("SELECT count(*) FROM tasks"), ElementsAre("9"));
  EXPECT_THAT(Sql("SELECT id, number, worker, incarnation, dispatched, end_reason FROM attempts"),
              ElementsAre("10Z|1|w1|f00df00df00df00d|2023-11-14T22:13:21Z|"));
  EXPECT_THAT(Sql("SELECT state, end_reason, exit_code, ended, message FROM outcomes WHERE task = 3"),
              ElementsAre("FAILED|EXITED|125|2023-11-14T22:13:24Z|why"));
}

}  // namespace
}  // namespace muster::store
