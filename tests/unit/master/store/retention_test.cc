// What is no longer kept goes in small steps; what is open, young or within the limits stays.
#include "master/store/retention.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "master/store/salvage.h"
#include "master/store/store_copy.h"
#include "small_store.h"

namespace muster::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int kManySteps = 40;
const absl::Duration kWeek = absl::Hours(24 * 7);

class RetentionTest : public StoreTest {
 protected:
  RetentionTest() {
    config_.floor_lag = 10;
    config_.calendar = [this] { return absl::FromUnixNanos(now_ns_.load()); };
    SetNow(At(100));
  }
  ~RetentionTest() override { store_.reset(); }  // its maintenance asks for the time until then
  void SetNow(absl::Time now) { now_ns_ = absl::ToUnixNanos(now); }

  // Each with an attempt, output, a note and a wish.
  void CommitTasks(uint64_t first, uint64_t count, const std::string& output = "hello") {
    const TaskSpecPtr spec = MakeSpec();
    core::Transaction transaction;
    for (uint64_t id = first; id < first + count; ++id) {
      transaction.specifications.push_back(SingleTask(id, spec));
      transaction.attempts.push_back(Attempt(id, 1));
      transaction.notes.push_back({Key(id, 1), "late", At(3)});
      transaction.cancels.push_back({{TaskId(id), 1}, "ann", "", At(2)});
    }
    Commit(transaction);
    output_ = output;
  }
  void End(const std::vector<uint64_t>& tasks, absl::Time ended = At(4)) {
    core::Transaction transaction;
    for (const uint64_t id : tasks) {
      transaction.outcomes.push_back(Outcome(id, TaskState::kSucceeded, 1, Report(id, 1, output_)));
      transaction.outcomes.back().ended = ended;
    }
    transaction.activity.push_back({ended, activity::MasterStopped{"the commit's time"}});
    Commit(transaction);
  }
  // Lets the retention have its way.
  void Settle(int steps = kManySteps) {
    for (int i = 0; i < steps; ++i) {
      EXPECT_TRUE(store_->Maintain().ok());
      Commit({});
    }
  }
  std::vector<uint64_t> KeptTasks() {
    std::vector<uint64_t> ids;
    const auto all = store_->ListTasks({.limit = 100'000, .include_finished = true});
    EXPECT_TRUE(all.ok()) << all.status();
    if (all.ok()) {
      for (auto task = all->rbegin(); task != all->rend(); ++task) ids.push_back(task->id.value());
    }
    return ids;
  }
  int64_t Count(const std::string& table) { return std::stoll(Sql("SELECT count(*) FROM " + table)[0]); }

  std::atomic<int64_t> now_ns_{0};
  std::string output_;
};

TEST_F(RetentionTest, FinishedTasksGoByAgeAndOpenOnesNever) {
  config_.retention.tasks.age = kWeek;
  Reopen();
  CommitTasks(1, 6);
  End({1, 2, 4});
  End({5}, At(1000));
  SetNow(At(4) + kWeek);
  Settle(3);
  EXPECT_THAT(KeptTasks(), ElementsAre(1, 2, 3, 4, 5, 6));
  SetNow(At(5) + kWeek);
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(3, 5, 6));
  for (const char* table : {"attempt", "note", "cancel"}) EXPECT_EQ(Count(table), 3) << table;
  EXPECT_EQ(Count("outcome"), 1);
  EXPECT_EQ(Count("output"), 1);
  EXPECT_EQ(store_->stats().purged_tasks, 3u);
  SetNow(At(0) + 100 * kWeek);
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(3, 6));
  const core::RecoveredState state = Reopen();
  EXPECT_EQ(state.tasks.size(), 2u);
  EXPECT_EQ(state.next_id, TaskId(7));
}

TEST_F(RetentionTest, TheNewestAreKeptByCountAndTheirIdsAreNotGivenOutAgain) {
  config_.retention.tasks.count = 10;
  Reopen();
  CommitTasks(1, 100);
  std::vector<uint64_t> ended;
  for (uint64_t id = 1; id <= 100; ++id) {
    if (id != 50) ended.push_back(id);
  }
  End(ended);
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(50, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100));
  EXPECT_EQ(store_->next_id(), TaskId(101));
  SetNow(At(0) + 100 * kWeek);
  config_.retention.tasks.age = kWeek;
  EXPECT_EQ(Reopen().tasks.size(), 1u);
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(50, 100));  // the newest holds the place of the ids
  EXPECT_EQ(Reopen().next_id, TaskId(101));
}

TEST_F(RetentionTest, TheOldestGoWhenTheBytesAreTooMany) {
  Reopen();
  CommitTasks(1, 1000);
  std::vector<uint64_t> ended;
  for (uint64_t id = 1; id <= 1000; ++id) ended.push_back(id);
  End(ended);
  const int64_t each = store_->stats().kept_task_bytes / 1000;
  EXPECT_GT(each, 256);
  config_.retention.tasks.bytes = 300 * each;
  Reopen();
  EXPECT_EQ(store_->stats().kept_task_bytes, 1000 * each) << "it is remembered across a clean or any other end";
  Settle();
  const std::vector<uint64_t> kept = KeptTasks();
  EXPECT_LE(kept.size(), 300u);
  EXPECT_GE(kept.size(), 295u);
  EXPECT_EQ(kept.back(), 1000u);
  EXPECT_LE(store_->stats().kept_task_bytes, 300 * each);
}

TEST_F(RetentionTest, ABatchGoesWhenAllOfItHasEnded) {
  config_.retention.tasks.age = kWeek;
  Reopen();
  core::Transaction transaction;
  transaction.specifications = {BatchPart(1, 2, 3), BatchPart(1, 5, 2, 4), SingleTask(10)};
  Commit(transaction);
  End({2, 3, 4, 5});
  SetNow(At(0) + 2 * kWeek);
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(2, 3, 4, 5, 6, 10));
  End({6}, At(0) + 2 * kWeek);
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(2, 3, 4, 5, 6, 10)) << "its last end counts";
  SetNow(At(1) + 3 * kWeek);
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(10));
  EXPECT_FALSE((*store_->FindBatch(TaskId(1))).has_value());
}

TEST_F(RetentionTest, AGreatPartIsGoneAtOnceForReadersAndItsRowsFollowInBoundedSteps) {
  config_.retention.tasks.age = kWeek;
  Reopen();
  core::Transaction transaction;
  transaction.specifications = {BatchPart(1, 2, 3000), SingleTask(5000)};
  Commit(transaction);
  std::vector<uint64_t> ended;
  for (uint64_t id = 2; id < 3002; ++id) ended.push_back(id);
  End(ended);
  EXPECT_EQ(Count("outcome"), 3000);
  SetNow(At(5) + kWeek);
  int64_t rows = 3000;
  for (int step = 0; step < kManySteps && rows > 0; ++step) {
    Settle(1);
    const int64_t left = Count("outcome");
    EXPECT_LE(rows - left, 512) << "in one commit";
    rows = left;
    if (Count("specification") == 1) {
      EXPECT_THAT(KeptTasks(), ElementsAre(5000));
    }
    if (step == 3) Reopen();  // and a restart goes on with it
  }
  EXPECT_EQ(rows, 0);
  Settle(3);
  EXPECT_EQ(Sql("SELECT value FROM meta WHERE key = 'purging'")[0], "");
}

// The accident: a check, a backup or a salvage in the middle of a purge.
TEST_F(RetentionTest, AStoreThatIsHalfPurgedIsSoundAndItsCopiesGoOnWithThePurge) {
  config_.retention.tasks.age = kWeek;
  Reopen();
  SmallStore small(store_.get());
  small.FillAll();
  small.Accept(BatchPart(100, 101, 3000));
  for (uint64_t id = 101; id < 3101; ++id) small.Dispatch(id, 1);
  small.Commit();
  for (uint64_t id = 101; id < 3101; ++id) small.End(id, 1, TaskState::kSucceeded);
  small.Commit();
  small.Succeeded(5000);
  SetNow(At(5) + kWeek);
  for (int step = 0; step < kManySteps && Count("specification WHERE first = 101") > 0; ++step) Settle(1);
  const std::string leftovers = "outcome WHERE task >= 101 AND task < 3101";
  ASSERT_GT(Count(leftovers), 0);
  ASSERT_EQ(Count("specification WHERE first = 101"), 0);
  const std::string original = config_.directory;
  const auto expect_sound = [](const absl::StatusOr<CheckReport>& report) {
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->sound()) << report->findings.front().Line();
  };
  const auto expect_goes_on = [&] {
    EXPECT_GT(Count(leftovers), 0);
    Reopen();
    Settle();
    EXPECT_EQ(Count(leftovers), 0);
    store_.reset();
    expect_sound(CheckStore(config_.directory));
  };
  expect_sound(CheckStore(original));
  const auto backup = BackUpStore(original, root_ + "/backup");
  ASSERT_TRUE(backup.ok()) << backup.status();
  store_.reset();
  const auto salvaged = SalvageStore(original, root_ + "/salvaged", At(3600));
  ASSERT_TRUE(salvaged.ok()) << salvaged.status();
  EXPECT_THAT(salvaged->gone_tasks, IsEmpty());
  EXPECT_THAT(salvaged->set_aside_rows, IsEmpty());
  const auto restored = RestoreStore(root_ + "/backup", root_ + "/restored", At(3600));
  ASSERT_TRUE(restored.ok()) << restored.status();
  for (const char* copy : {"/salvaged", "/restored"}) {
    SCOPED_TRACE(copy);
    config_.directory = root_ + copy;
    expect_goes_on();
  }
  config_.directory = original;
  expect_goes_on();
}

// The accident: a restore skips millions of ids, and one task later everything before it is no longer among the newest.
TEST_F(RetentionTest, IdsThatARestoreSkippedDoNotCountAsTasks) {
  const std::vector<TaskRange> skipped = {{TaskId(51), 100}, {TaskId(201), 1000}};
  EXPECT_EQ(FirstKeptId(101, 10, {}), 91);
  EXPECT_EQ(FirstKeptId(5, 10, {}), 0);
  EXPECT_EQ(FirstKeptId(1204, 3, skipped), 1201);
  EXPECT_EQ(FirstKeptId(1204, 10, skipped), 194);
  EXPECT_EQ(FirstKeptId(1204, 60, skipped), 44) << "3 since the last restore, 50 before it, 7 before the first";
  EXPECT_EQ(FirstKeptId(201, 10, skipped), 191) << "nothing was accepted since";

  config_.retention.tasks.count = 10;
  Reopen();
  CommitTasks(1, 5);
  End({1, 2, 3, 4, 5});
  const auto backup = BackUpStore(config_.directory, root_ + "/backup");
  ASSERT_TRUE(backup.ok()) << backup.status();
  ASSERT_TRUE(RestoreStore(root_ + "/backup", root_ + "/restored", At(3600)).ok());
  config_.directory = root_ + "/restored";
  const TaskId next = Reopen().next_id;
  EXPECT_FALSE(store_->WasSkipped(TaskId(5)));
  EXPECT_TRUE(store_->WasSkipped(TaskId(6)));
  EXPECT_FALSE(store_->WasSkipped(next));
  CommitTasks(next.value(), 1);
  End({next.value()});
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(1, 2, 3, 4, 5, next.value()));
}

TEST_F(RetentionTest, AStoreThatDoesNotSayHowMuchItKeepsIsCounted) {
  Reopen();
  CommitTasks(1, 30);
  End({1, 2, 3});
  const StoreStats before = store_->stats();
  Sql("DELETE FROM meta WHERE key = 'usage'");
  Reopen();
  const StoreStats counted = store_->stats();
  EXPECT_GT(counted.kept_task_bytes, 30 * 256);
  EXPECT_EQ(counted.kept_task_bytes, before.kept_task_bytes);
  EXPECT_EQ(counted.kept_output_bytes, before.kept_output_bytes);
  EXPECT_EQ(counted.kept_activity_bytes, before.kept_activity_bytes);
}

TEST_F(RetentionTest, OutputGoesApartFromItsTask) {
  config_.retention.output.age = kWeek;
  Reopen();
  CommitTasks(1, 3);
  End({1, 2});
  ASSERT_NE(*store_->FindReport(Key(1, 1)), nullptr);
  SetNow(At(4) + kWeek);
  Settle(3);
  EXPECT_EQ(Count("output"), 2);
  SetNow(At(5) + kWeek);
  Settle();
  EXPECT_EQ(Count("output"), 0);
  EXPECT_EQ(*store_->FindReport(Key(1, 1)), nullptr);
  EXPECT_THAT(KeptTasks(), ElementsAre(1, 2, 3));
}

TEST_F(RetentionTest, OutputGoesByBytesInBoundedSteps) {
  Reopen();
  CommitTasks(1, 20, std::string(1 << 20, 'x'));
  for (uint64_t id = 1; id < 20; ++id) End({id});
  EXPECT_GT(store_->stats().kept_output_bytes, 19 << 20);
  config_.retention.output.bytes = 5 << 20;
  Reopen();
  Settle(1);
  EXPECT_GE(Count("output"), 19 - 5);
  Settle();
  EXPECT_LE(Count("output"), 5);
  EXPECT_GE(Count("output"), 4);
  EXPECT_NE(*store_->FindReport(Key(19, 1)), nullptr);
}

TEST_F(RetentionTest, TheActivityLogLosesItsBeginning) {
  config_.retention.activity.bytes = 1000;
  Reopen();
  for (int i = 0; i < 2300; ++i) Commit({});
  Settle();
  const int64_t first = std::stoll(Sql("SELECT min(commit_number) FROM activity")[0]);
  EXPECT_GT(first, 300);
  EXPECT_GE(Count("activity"), 2000) << "what a start looks at stays";
  store_.reset();
  EXPECT_TRUE(TryReopen().ok());
}

TEST_F(RetentionTest, ACallIsRememberedADayAndAsLongAsItsTasks) {
  config_.retention.tasks.age = absl::Hours(1);
  Reopen();
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1), SingleTask(2), SingleTask(3)};
  transaction.requests = {{"ann", "r1", Digest{}, {{TaskId(1), 1}}, TaskId(), At(0)},
                          {"ann", "r2", Digest{}, {{TaskId(2), 1}}, TaskId(), At(0)}};
  Commit(transaction);
  End({1});
  SetNow(At(0) + absl::Hours(23));
  Settle();
  EXPECT_THAT(KeptTasks(), ElementsAre(2, 3));
  EXPECT_TRUE((*store_->FindRequest("ann", "r1")).has_value());
  SetNow(At(0) + absl::Hours(25));
  Settle();
  EXPECT_FALSE((*store_->FindRequest("ann", "r1")).has_value());
  EXPECT_TRUE((*store_->FindRequest("ann", "r2")).has_value()) << "its task is open";
}

TEST_F(RetentionTest, ByHandACountComesFirstAndThenTheyGo) {
  Reopen();
  CommitTasks(1, 2000);
  std::vector<uint64_t> ended;
  for (uint64_t id = 1; id <= 2000; ++id) {
    if (id % 100 != 0) ended.push_back(id);
  }
  End(ended);
  const auto all = [this](bool dry_run) {
    PurgeOrder order{.ended_before = At(50), .dry_run = dry_run};
    uint64_t tasks = 0;
    for (bool done = false; !done;) {
      const auto part = store_->Purge(order);
      EXPECT_TRUE(part.ok()) << part.status();
      if (!part.ok()) break;
      tasks += part->tasks;
      done = part->done;
      order.from = part->next;
    }
    return tasks;
  };
  EXPECT_EQ(all(true), 1980u);
  EXPECT_EQ(Count("outcome"), 1980);
  std::atomic<bool> stop{false};
  uint64_t purged = 0;
  std::thread caller([&] {
    purged = all(false);
    stop = true;
  });
  while (!stop) {
    if (store_->WantsCommit()) Commit({});
  }
  caller.join();
  EXPECT_EQ(purged, 1980u);
  EXPECT_EQ(KeptTasks().size(), 20u);
  EXPECT_EQ(all(true), 0u);
}

}  // namespace
}  // namespace muster::store
