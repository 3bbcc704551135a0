// The floor below which a start need not look, and the bound of the write-ahead file.
#include <gmock/gmock.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "store_fixture.h"

namespace muster::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class MaintenanceTest : public StoreTest {
 protected:
  MaintenanceTest() {
    config_.floor_lag = 10;
    Reopen();
  }

  void CommitTasks(uint64_t first, uint64_t count) {
    const TaskSpecPtr spec = MakeSpec();
    core::Transaction transaction;
    for (uint64_t id = first; id < first + count; ++id) transaction.specifications.push_back(SingleTask(id, spec));
    Commit(transaction);
  }
  void End(const std::vector<uint64_t>& tasks) {
    core::Transaction transaction;
    for (const uint64_t id : tasks) transaction.outcomes.push_back(Outcome(id));
    Commit(transaction);
  }
  // Finds the floor and writes it.
  int64_t MoveFloor() {
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(store_->Maintain().ok());
      Commit({});
    }
    const auto floor = Sql("SELECT value FROM meta WHERE key = 'open_floor'");
    return floor.empty() ? 0 : std::stoll(floor[0]);
  }
  std::vector<uint64_t> OpenIds(const core::RecoveredState& state) {
    std::vector<uint64_t> ids;
    for (const core::RecoveredTask& task : state.tasks) ids.push_back(task.id.value());
    return ids;
  }
};

TEST_F(MaintenanceTest, TheFloorPassesWhatHasEndedAndStopsBeforeTheNewest) {
  CommitTasks(1, 100);
  std::vector<uint64_t> ended;
  for (uint64_t id = 1; id <= 100; ++id) ended.push_back(id);
  End(ended);
  EXPECT_EQ(MoveFloor(), 90);
  const core::RecoveredState state = Reopen();
  EXPECT_THAT(state.tasks, IsEmpty());
  EXPECT_EQ(state.next_id, TaskId(101));
}

TEST_F(MaintenanceTest, TheFloorWaitsForWhatIsOpen) {
  CommitTasks(1, 100);
  End({1, 2, 3, 5});
  EXPECT_EQ(MoveFloor(), 4);
  EXPECT_EQ(Reopen().tasks.size(), 96u);
}

TEST_F(MaintenanceTest, StragglersBecomeExceptionsUntilTheyEnd) {
  CommitTasks(1, 10'000);
  std::vector<uint64_t> ended;
  for (uint64_t id = 1; id <= 10'000; ++id) {
    if (id != 7 && id != 3000 && id != 9999) ended.push_back(id);
  }
  End(ended);
  EXPECT_GT(MoveFloor(), 4000);
  EXPECT_THAT(Sql("SELECT first FROM open_exception"), ElementsAre("7", "3000"));
  core::Transaction transaction;
  transaction.attempts = {Attempt(7, 1)};
  transaction.cancels = {{{TaskId(3000), 1}, "bob", "", At(1)}};
  Commit(transaction);

  const core::RecoveredState state = Reopen();
  EXPECT_THAT(OpenIds(state), ElementsAre(7, 3000, 9999));
  EXPECT_EQ(state.groups.size(), 3u);
  EXPECT_EQ(state.tasks[0].history().attempts.size(), 1u);
  EXPECT_TRUE(state.tasks[1].history().cancel.has_value());
  const auto open = store_->ListTasks({});
  ASSERT_EQ(open->size(), 3u);
  EXPECT_EQ((*open)[2].id, TaskId(7));

  End({7});
  MoveFloor();
  EXPECT_THAT(Sql("SELECT first FROM open_exception"), ElementsAre("3000"));
  EXPECT_THAT(OpenIds(Reopen()), ElementsAre(3000, 9999));
}

TEST_F(MaintenanceTest, ABacklogIsReadInOrderThoughInManySlices) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1), SingleTask(2), BatchPart(10, 11, 100'000),
                                BatchPart(120'000, 120'001, 70'000), SingleTask(300'000)};
  transaction.outcomes = {Outcome(2), Outcome(65'536), Outcome(65'537)};
  Commit(transaction);
  const core::RecoveredState state = Reopen();
  std::vector<uint64_t> firsts;
  for (const core::TaskGroupPtr& group : state.groups) firsts.push_back(group->row.first.value());
  EXPECT_THAT(firsts, ElementsAre(1, 11, 120'001, 300'000));
  EXPECT_EQ(state.tasks.size(), 1u + 100'000 - 2 + 70'000 + 1);
  EXPECT_TRUE(std::is_sorted(state.tasks.begin(), state.tasks.end(),
                             [](const auto& a, const auto& b) { return a.id < b.id; }));
}

TEST_F(MaintenanceTest, ARowThatCannotBeReadIsNamedWhicheverSliceItIsIn) {
  CommitTasks(1, 10);
  CommitTasks(200'000, 10);
  store_.reset();
  Sql("UPDATE specification SET owner = 'eve' WHERE first = 200003");
  const absl::Status refused = TryReopen();
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("table specification, row 200003"));
}

TEST_F(MaintenanceTest, EqualSpecificationsAreOneInMemory) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1, MakeSpec("a")), SingleTask(2, MakeSpec("b")), SingleTask(3, MakeSpec("a"))};
  Commit(transaction);
  const core::RecoveredState state = Reopen();
  ASSERT_EQ(state.groups.size(), 3u);
  EXPECT_EQ(state.groups[0]->row.spec, state.groups[2]->row.spec);
  EXPECT_EQ(state.groups[1]->row.spec->name, "b");
}

TEST_F(MaintenanceTest, AWishForManyReachesAStraggler) {
  CommitTasks(1, 10'000);
  std::vector<uint64_t> ended;
  for (uint64_t id = 1; id <= 10'000; ++id) {
    if (id != 7 && id != 9999) ended.push_back(id);
  }
  core::Transaction wish;
  wish.cancels = {{{TaskId(5), 20}, "bob", "first", At(1)}};
  Commit(wish);
  wish.cancels = {{{TaskId(7), 1}, "eve", "second", At(2)}};
  Commit(wish);
  End(ended);
  MoveFloor();
  const core::RecoveredState state = Reopen();
  ASSERT_THAT(OpenIds(state), ElementsAre(7, 9999));
  ASSERT_TRUE(state.tasks[0].history().cancel.has_value());
  EXPECT_EQ(state.tasks[0].history().cancel->by, "bob");
  EXPECT_FALSE(state.tasks[1].history().cancel.has_value());
}

TEST_F(MaintenanceTest, AnOldBacklogDoesNotHoldTheFloor) {
  CommitTasks(1, 600);
  core::Transaction transaction;
  transaction.specifications = {BatchPart(601, 602, 300'000)};
  Commit(transaction);
  CommitTasks(300'602, 20);
  EXPECT_GE(MoveFloor(), 512);  // a bounded number of exceptions at a time
  EXPECT_GE(MoveFloor(), 601);
  EXPECT_EQ(Sql("SELECT count(*) FROM open_exception WHERE first <= 600")[0], "600");
  EXPECT_EQ(Reopen().tasks.size(), 300'620u);
}

TEST_F(MaintenanceTest, ABatchWithAnOpenTaskIsNotPassed) {
  core::Transaction transaction;
  transaction.specifications = {BatchPart(1, 2, 50)};
  Commit(transaction);
  CommitTasks(100, 100);
  std::vector<uint64_t> ended;
  for (uint64_t id = 2; id <= 51; ++id) {
    if (id != 40) ended.push_back(id);
  }
  End(ended);
  EXPECT_EQ(MoveFloor(), 0);
  EXPECT_EQ(OpenIds(Reopen()).front(), 40u);
  End({40});
  EXPECT_EQ(MoveFloor(), 52);
}

TEST_F(MaintenanceTest, TheFloorMovesByItself) {
  CommitTasks(1, 100);
  std::vector<uint64_t> ended;
  for (uint64_t id = 1; id <= 100; ++id) ended.push_back(id);
  End(ended);
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (Sql("SELECT 1 FROM meta WHERE key = 'open_floor'").empty() && absl::Now() < deadline) Commit({});
  EXPECT_FALSE(Sql("SELECT 1 FROM meta WHERE key = 'open_floor'").empty());
}

TEST_F(MaintenanceTest, TheWriteAheadFileStaysBounded) {
  config_.wal_limit_bytes = 1 << 20;
  Reopen();
  int64_t largest = 0;
  for (uint64_t n = 0; n < 300; ++n) {
    CommitTasks(1 + n * 100, 100);
    largest = std::max(largest, store_->stats().wal_bytes);
  }
  EXPECT_GT(store_->stats().checkpoints, 0u);
  EXPECT_LT(largest, 8 << 20);
  EXPECT_GT(store_->stats().database_bytes, 1 << 20);
}

TEST_F(MaintenanceTest, ALongReaderOfAnotherProgramHoldsTheFileBackAndNotTheCommits) {
  config_.wal_limit_bytes = 256 << 10;
  Reopen();
  CommitTasks(1, 10);
  sqlite3* shell = nullptr;
  ASSERT_EQ(sqlite3_open(DatabasePath().c_str(), &shell), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(shell, "BEGIN; SELECT count(*) FROM specification", nullptr, nullptr, nullptr), SQLITE_OK);
  for (uint64_t n = 1; n <= 50; ++n) CommitTasks(1 + n * 100, 100);
  EXPECT_EQ(store_->last_commit(), CommitNumber(51));
  // It waited once for the limit, and then once for each quarter more, not with every commit.
  EXPECT_LT(store_->stats().wal_limit_waits, 40u);
  sqlite3_close_v2(shell);
}

}  // namespace
}  // namespace muster::store
