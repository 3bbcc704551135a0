// Of a damaged store, what is whole is served, what is damaged is set aside, and nothing is guessed.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "master/store/salvage.h"
#include "master/store/schema.h"
#include "small_store.h"

namespace muster::store {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class SalvageTest : public StoreTest {
 protected:
  SalvageTest() : to_(root_ + "/salvaged") {}

  void MakeStore() {
    Reopen();
    SmallStore(store_.get()).FillAll();
    last_ = store_->last_commit();
    store_.reset();
  }

  SalvageResult Salvage() {
    auto made = SalvageStore(config_.directory, to_, At(3600));
    EXPECT_TRUE(made.ok()) << made.status();
    if (!made.ok()) return {};
    EXPECT_TRUE(made->check.sound());
    return *std::move(made);
  }
  core::RecoveredState Serve() {
    config_.directory = to_;
    return Reopen();
  }
  StoredTask Find(uint64_t id) {
    const auto task = store_->FindTask(TaskId(id));
    EXPECT_TRUE(task.ok() && task->has_value()) << id;
    return task.ok() && task->has_value() ? **task : StoredTask{};
  }
  std::vector<std::string> SetAside() {
    std::ifstream file(to_ + "/" + kSetAsideName);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
  // Overwrites the page with the first bytes of this table.
  void BreakPageOf(const std::string& table) {
    const int64_t page = std::stoll(Sql("SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'")[0]);
    std::fstream file(DatabasePath(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp((page - 1) * 4096);
    file << std::string(64, 'x');
  }

  const std::string to_;
  CommitNumber last_;
};

TEST_F(SalvageTest, OfASoundStoreAllIsServed) {
  MakeStore();
  const SalvageResult result = Salvage();
  EXPECT_THAT(result.lost_tasks, IsEmpty());
  EXPECT_THAT(result.gone_tasks, IsEmpty());
  EXPECT_THAT(SetAside(), IsEmpty());
  EXPECT_EQ(result.check.tasks, 27u);
  const core::RecoveredState state = Serve();
  EXPECT_EQ(state.tasks.size(), 14u);
  EXPECT_EQ(state.last_commit, last_);
  EXPECT_EQ(state.worker_settings.size(), 2u);
  EXPECT_EQ(state.queue_settings.size(), 2u);
  EXPECT_EQ(state.schedules.schedules.size(), 1u);
  EXPECT_EQ(state.schedules.progress.size(), 1u);
  EXPECT_EQ(state.workflows.size(), 1u);
  EXPECT_EQ(state.run_times.size(), 1u);
  EXPECT_TRUE(store_->FindRequest("ann@host", "r-1")->has_value());
}

TEST_F(SalvageTest, APlacementIsKeptAndOneThatAStartWouldRefuseIsSetAside) {
  MakeStore();
  ASSERT_TRUE(WriteMeta(Database::Open(DatabasePath(), {})->get(), kMetaPlacement, "balancer=locality").ok());
  Salvage();
  EXPECT_THAT(SetAside(), IsEmpty());
  EXPECT_EQ(Serve().placement.by_hand.balancer, BalancerKind::kLocality);
  store_.reset();
  ASSERT_TRUE(WriteMeta(Database::Open(DatabasePath(), {})->get(), kMetaPlacement, "balancer=tarot").ok());
  const auto again = SalvageStore(config_.directory, root_ + "/again", At(3600));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->check.sound());
  std::ifstream aside(root_ + "/again/" + kSetAsideName);
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(aside), {}), HasSubstr("tarot"));
  config_.directory = root_ + "/again";
  EXPECT_TRUE(Reopen().placement.by_hand.Empty());
}

TEST_F(SalvageTest, ATaskWithADamagedOutcomeEndsLostAndTheOthersAreServed) {
  MakeStore();
  Sql("UPDATE outcome SET state = 7 WHERE task = 2");
  const SalvageResult result = Salvage();
  EXPECT_THAT(result.lost_tasks, ElementsAre(Pair(TaskId(2), HasSubstr("table outcome: its checksum does not match"))));
  EXPECT_THAT(SetAside(), Contains(AllOf(HasSubstr("\"task\":\"2\""), HasSubstr("\"table\":\"outcome\""),
                                         HasSubstr("\"values\":{\"task\":2,\"state\":7"))));
  const core::RecoveredState state = Serve();
  EXPECT_EQ(state.tasks.size(), 14u) << "it is not run again";
  EXPECT_EQ(Find(2).outcome->state, TaskState::kLost);
  EXPECT_THAT(Find(2).outcome->message, HasSubstr("set aside by salvage"));
  EXPECT_EQ(Find(1).outcome->state, TaskState::kSucceeded);
  EXPECT_EQ(store_->FindReport(Key(1, 1)).value()->stdout_output.head, "one\n");
}

TEST_F(SalvageTest, AnOutcomeThatIsWholeStaysThoughItsAttemptIsDamaged) {
  MakeStore();
  Sql("UPDATE attempt SET worker = 'w9' WHERE key >> 16 = 1");
  const SalvageResult result = Salvage();
  EXPECT_THAT(result.lost_tasks, IsEmpty());
  Serve();
  EXPECT_EQ(Find(1).outcome->state, TaskState::kSucceeded);
  EXPECT_TRUE(Find(1).attempts.empty());
}

TEST_F(SalvageTest, AnOpenTaskWithADamagedAttemptIsNotRunAgain) {
  MakeStore();
  Sql("UPDATE attempt SET worker = 'w9' WHERE key >> 16 = 22 AND key & 65535 = 1");
  EXPECT_THAT(Salvage().lost_tasks, ElementsAre(testing::Key(TaskId(22))));
  EXPECT_EQ(Serve().tasks.size(), 13u);
}

TEST_F(SalvageTest, ATaskWithADamagedSpecificationIsSetAsideWhole) {
  MakeStore();
  Sql("UPDATE specification SET owner = 'eve' WHERE first = 7");
  const SalvageResult result = Salvage();
  EXPECT_THAT(result.gone_tasks, ElementsAre(testing::Key(TaskId(7))));
  EXPECT_THAT(SetAside(), Contains(AllOf(HasSubstr("\"task\":\"7\""), HasSubstr("\"table\":\"attempt\""))));
  Serve();
  EXPECT_FALSE(store_->FindTask(TaskId(7))->has_value());
}

TEST_F(SalvageTest, WhereAPageOfOutcomesIsGoneNothingIsTakenForOpen) {
  MakeStore();
  BreakPageOf("outcome");
  const SalvageResult result = Salvage();
  EXPECT_THAT(result.lost_tasks, Contains(testing::Key(TaskId(1))));
  EXPECT_THAT(result.lost_tasks, Contains(testing::Key(TaskId(42))));
  EXPECT_THAT(SetAside(), Contains(HasSubstr("pages cannot be read")));
  EXPECT_TRUE(Serve().tasks.empty());
  EXPECT_EQ(Find(5).outcome->state, TaskState::kLost);
}

TEST_F(SalvageTest, ADamagedActivityLogCostsNoTask) {
  MakeStore();
  BreakPageOf("activity");
  const SalvageResult result = Salvage();
  EXPECT_THAT(result.lost_tasks, IsEmpty());
  EXPECT_EQ(Serve().tasks.size(), 14u);
}

TEST_F(SalvageTest, ABrokenHeaderIsMendedInTheCopy) {
  MakeStore();
  {
    std::fstream file(DatabasePath(), std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(70, 'x');
  }
  EXPECT_FALSE(TryReopen().ok());
  EXPECT_EQ(Salvage().check.tasks, 27u);
  EXPECT_FALSE(TryReopen().ok()) << "the damaged store is left as it was";
  EXPECT_EQ(Serve().tasks.size(), 14u);
}

TEST_F(SalvageTest, WhenTheEndIsMissingItIsARestoredCopy) {
  Reopen();
  v1::TaskSpec hold;
  hold.mutable_command()->add_argv("true");
  hold.set_on_worker_loss(v1::ON_WORKER_LOSS_HOLD);
  SmallStore small(store_.get());
  small.Accept(SingleTask(1, convert::MakeTaskSpec(hold, hold.SerializeAsString())));
  small.Accept(SingleTask(2));
  small.Commit();
  store_.reset();
  std::filesystem::copy(DatabasePath(), root_ + "/old.db");
  const core::RecoveredState later = Reopen();
  SmallStore(store_.get()).Succeeded(3);
  store_.reset();
  std::filesystem::copy(root_ + "/old.db", DatabasePath(), std::filesystem::copy_options::overwrite_existing);
  ASSERT_FALSE(TryReopen().ok());
  const SalvageResult result = Salvage();
  EXPECT_EQ(result.held_tasks, 1u);
  const core::RecoveredState state = Serve();
  EXPECT_GT(state.epoch, later.epoch);
  EXPECT_GT(state.next_id, TaskId(4));
  ASSERT_EQ(state.tasks.size(), 1u);
  EXPECT_EQ(state.tasks[0].id, TaskId(2));
}

TEST_F(SalvageTest, BesideARunningMasterItIsRefused) {
  Reopen();
  EXPECT_EQ(SalvageStore(config_.directory, to_, At(0)).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace muster::store
