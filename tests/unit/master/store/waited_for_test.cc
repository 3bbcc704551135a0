// What an open task depends on stays, over restarts and whenever it is purged; and how it ended is told.
#include "master/store/waited_for.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "common/base/id_text.h"
#include "master/store/store_check.h"
#include "store_fixture.h"

namespace muster::store {
namespace {

using testing::Contains;
using testing::ElementsAre;

TaskSpecPtr After(std::vector<TaskRange> needs) {
  v1::TaskSpec message;
  message.mutable_command()->add_argv("true");
  for (const TaskRange& need : needs) {
    v1::Dependency* const dependency = message.add_dependencies();
    dependency->set_task("whatever was typed");
    dependency->add_tasks()->set_first_id(IdToText(need.first.value()));
    dependency->mutable_tasks(0)->set_count(static_cast<int64_t>(need.count));
  }
  return convert::MakeTaskSpec(message, message.SerializeAsString());
}

TaskRange Ids(uint64_t first, uint64_t count = 1) { return {TaskId(first), count}; }

class WaitedForTest : public StoreTest {
 protected:
  WaitedForTest() {
    config_.floor_lag = 10;
    config_.retention.tasks.age = absl::Hours(1);
    config_.calendar = [this] { return At(hours_.load() * 3600); };
  }
  ~WaitedForTest() override { store_.reset(); }

  void Accept(std::vector<core::SpecificationRow> rows) {
    core::Transaction transaction;
    transaction.specifications = std::move(rows);
    Commit(transaction);
  }
  void End(std::vector<uint64_t> tasks, TaskState state = TaskState::kSucceeded) {
    core::Transaction transaction;
    for (const uint64_t task : tasks) transaction.outcomes.push_back(Outcome(task, state, 0));
    Commit(transaction);
  }
  void LetRetentionHaveItsWay() {
    hours_ = 1000;
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(store_->Maintain().ok());
      Commit({});
    }
  }
  std::vector<uint64_t> Kept() {
    std::vector<uint64_t> ids;
    for (const std::string& row : Sql("SELECT first FROM specification ORDER BY first")) ids.push_back(std::stoull(row));
    return ids;
  }

  std::atomic<int64_t> hours_{0};
};

TEST_F(WaitedForTest, WhatAnOpenTaskDependsOnOutlivesItsRetention) {
  Reopen();
  Accept({SingleTask(1), SingleTask(2), SingleTask(3), BatchPart(4, 5, 3), SingleTask(10, After({Ids(2), Ids(5, 3)})), SingleTask(11)});
  End({1, 2, 3, 5, 6, 7});
  LetRetentionHaveItsWay();
  EXPECT_THAT(Kept(), ElementsAre(2, 5, 10, 11));
  Reopen();
  LetRetentionHaveItsWay();
  EXPECT_THAT(Kept(), ElementsAre(2, 5, 10, 11)) << "after a restart";
  End({10});
  LetRetentionHaveItsWay();
  EXPECT_THAT(Kept(), ElementsAre(11));
}

TEST_F(WaitedForTest, OneTaskOfABatchHoldsItsPart) {
  Reopen();
  Accept({BatchPart(1, 2, 3), SingleTask(10, After({Ids(4)})), SingleTask(11)});
  End({2, 3, 4});
  LetRetentionHaveItsWay();
  EXPECT_THAT(Kept(), ElementsAre(2, 10, 11));
}

TEST_F(WaitedForTest, AGroupHoldsUntilItsLastTaskHasEnded) {
  Reopen();
  core::SpecificationRow waiters = BatchPart(2, 3, 3);
  waiters.spec = After({Ids(1)});
  Accept({SingleTask(1), waiters, SingleTask(9)});
  End({1, 3, 5});
  LetRetentionHaveItsWay();
  EXPECT_THAT(Kept(), ElementsAre(1, 3, 9));
  Reopen();
  End({4});
  LetRetentionHaveItsWay();
  EXPECT_THAT(Kept(), ElementsAre(9));
}

// The purge was found while nobody depended on it, and both would be written by one commit.
TEST_F(WaitedForTest, WhoIsAcceptedWithThePurgeOfWhatItDependsOnKeepsIt) {
  Reopen();
  Accept({SingleTask(1), SingleTask(2), SingleTask(3)});
  End({1, 2});
  hours_ = 1000;
  for (int i = 0; i < 100 && !store_->WantsCommit(); ++i) ASSERT_TRUE(store_->Maintain().ok());
  ASSERT_TRUE(store_->WantsCommit());
  Accept({SingleTask(4, After({Ids(2)})), SingleTask(5)});
  EXPECT_THAT(Kept(), ElementsAre(1, 2, 3, 4, 5));
  LetRetentionHaveItsWay();
  EXPECT_THAT(Kept(), ElementsAre(2, 3, 4, 5));
}

TEST_F(WaitedForTest, APurgeByHandThatComesTooLateSaysSo) {
  Reopen();
  Accept({SingleTask(1), SingleTask(2), SingleTask(3)});
  End({1});
  absl::StatusOr<PurgeProgress> purged;
  std::thread call([&] { purged = store_->Purge({.ended_before = At(1'000'000)}); });
  while (!store_->WantsCommit()) std::this_thread::yield();
  Accept({SingleTask(4, After({Ids(1)}))});
  call.join();
  EXPECT_EQ(purged.status().code(), absl::StatusCode::kResourceExhausted) << purged.status();
  EXPECT_THAT(Kept(), ElementsAre(1, 2, 3, 4));
}

TEST_F(WaitedForTest, HowTasksEndedIsFound) {
  Reopen();
  Accept({SingleTask(1), SingleTask(2), SingleTask(3), BatchPart(4, 5, 4), BatchPart(10, 11, 2)});
  End({1, 5, 11, 12});
  End({2, 7}, TaskState::kTimedOut);
  End({6}, TaskState::kPoisoned);
  const auto ends = store_->FindEnds({{Ids(1), 7}, {Ids(2), 8}, {Ids(3), 9}, {Ids(5, 4), 1}, {Ids(11, 2), 2}, {Ids(99), 3}, {Ids(5, 9), 4}});
  ASSERT_TRUE(ends.ok()) << ends.status();
  std::vector<std::string> told;
  for (const core::RangeEnds& one : *ends) {
    told.push_back(std::to_string(one.asked.ticket) + ":" + std::to_string(one.failed.value()) + " " + std::string(TaskStateName(one.failed_as)));
  }
  EXPECT_THAT(told, ElementsAre("7:0 NONE", "8:2 TIMED_OUT", "9:0 NONE", "1:6 POISONED", "2:0 NONE", "3:99 UNKNOWN", "4:5 UNKNOWN"));
}

TEST_F(WaitedForTest, OfADamagedEndItIsSaidThatNobodyKnowsIt) {
  Reopen();
  Accept({SingleTask(1), SingleTask(2)});
  End({1, 2}, TaskState::kFailed);
  Sql("UPDATE outcome SET state = 7 WHERE task = 1");
  const auto ends = store_->FindEnds({{Ids(1), 1}, {Ids(2), 2}});
  ASSERT_TRUE(ends.ok()) << ends.status();
  EXPECT_EQ((*ends)[0].failed_as, TaskState::kUnknown);
  EXPECT_EQ((*ends)[1].failed_as, TaskState::kFailed);
}

TEST_F(WaitedForTest, CheckNamesWhatDependsOnWhatIsNotThere) {
  Reopen();
  Accept({SingleTask(1), SingleTask(2), SingleTask(3, After({Ids(1), Ids(2)}))});
  End({1});
  store_.reset();
  ASSERT_TRUE(CheckStore(config_.directory)->sound());
  Sql("DELETE FROM outcome WHERE task = 1; DELETE FROM specification WHERE first = 1");
  const auto report = CheckStore(config_.directory);
  ASSERT_TRUE(report.ok());
  std::vector<std::string> lines;
  for (const Finding& finding : report->findings) lines.push_back(finding.Line());
  EXPECT_THAT(lines, Contains("muster.db: table specification, row 3 (task 3): it depends on task 1, which is not there"));
}

TEST_F(WaitedForTest, DependenciesComeBackFromTheStoreAndAreNotSentToWorkers) {
  Reopen();
  const TaskSpecPtr spec = After({Ids(1), Ids(5, 3)});
  Accept({SingleTask(1), SingleTask(9, spec)});
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.groups.size(), 2u);
  EXPECT_EQ(state.groups[1]->row.spec->dependencies, spec->dependencies);
  EXPECT_EQ(state.groups[1]->row.spec->payload, spec->payload);
  v1::TaskSpec whole, sent;
  ASSERT_TRUE(whole.ParseFromString(spec->payload));
  const std::string_view for_workers = spec->payload_for_workers();
  ASSERT_TRUE(sent.ParseFromArray(for_workers.data(), static_cast<int>(for_workers.size())));
  EXPECT_EQ(whole.dependencies_size(), 2);
  EXPECT_EQ(sent.dependencies_size(), 0);
  EXPECT_EQ(sent.command().argv(0), "true");
}

}  // namespace
}  // namespace muster::store
