// Backup beside a running master, and what a restored store must never do a second time.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "dump.h"
#include "master/store/raise.h"
#include "master/store/store_copy.h"
#include "small_store.h"

namespace muster::store {
namespace {

using testing::HasSubstr;

class StoreCopyTest : public StoreTest {
 protected:
  StoreCopyTest() : backup_(root_ + "/backup"), restored_(root_ + "/restored") {}

  void Fill() {
    Reopen();
    SmallStore(store_.get()).FillAll();
  }
  void BackUp() {
    const auto made = BackUpStore(config_.directory, backup_);
    ASSERT_TRUE(made.ok()) << made.status();
  }
  absl::StatusOr<CopyResult> Restore(absl::Time now = At(3600)) { return RestoreStore(backup_, restored_, now); }

  core::RecoveredState Serve(const std::string& directory) {
    config_.directory = directory;
    return Reopen();
  }

  static std::vector<std::string> WithoutMeta(std::vector<std::string> lines) {
    lines.erase(std::remove_if(lines.begin(), lines.end(), [](const auto& it) { return it.rfind("meta|", 0) == 0; }),
                lines.end());
    return lines;
  }

  const std::string backup_;
  const std::string restored_;
};

TEST_F(StoreCopyTest, ABackupOfARunningStoreHasAllOfOneCommitAndIsSound) {
  Fill();
  BackUp();
  const auto report = CheckStore(backup_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->sound());
  EXPECT_EQ(report->last_commit, store_->last_commit());
  EXPECT_EQ(WithoutMeta(DumpStore(backup_)), WithoutMeta(DumpStore(config_.directory)));
  EXPECT_FALSE(std::filesystem::exists(backup_ + ".partial"));
  EXPECT_FALSE(std::filesystem::exists(backup_ + "/muster.db-wal"));
}

TEST_F(StoreCopyTest, CommitsGoOnWhileABackupIsMade) {
  Fill();
  SmallStore more(store_.get());
  std::atomic<bool> done{false};
  std::atomic<int> backups{0};
  std::thread copier([&] {
    for (int i = 0; i < 5; ++i) {
      const std::string to = backup_ + std::to_string(i);
      if (BackUpStore(config_.directory, to).ok() && CheckStore(to)->sound()) ++backups;
    }
    done = true;
  });
  uint64_t id = 100;
  while (!done) more.Succeeded(id++);
  copier.join();
  EXPECT_EQ(backups, 5);
  EXPECT_GT(id, 105u);
}

TEST_F(StoreCopyTest, NothingIsOverwritten) {
  Fill();
  BackUp();
  const auto again = BackUpStore(config_.directory, backup_);
  EXPECT_EQ(again.status().code(), absl::StatusCode::kAlreadyExists) << again.status();
  EXPECT_EQ(RestoreStore(backup_, config_.directory, At(0)).status().code(), absl::StatusCode::kAlreadyExists);
  std::filesystem::create_directory(restored_);  // an empty one gives way
  EXPECT_TRUE(Restore().ok());
}

TEST_F(StoreCopyTest, ADamagedStoreMakesNoBackupAndADamagedBackupIsNotRestored) {
  Fill();
  BackUp();
  Sql("UPDATE outcome SET exit_code = 3 WHERE task = 11");
  const auto made = BackUpStore(config_.directory, backup_ + "2");
  EXPECT_EQ(made.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("table outcome, row 11 (task B)"));
  EXPECT_FALSE(std::filesystem::exists(backup_ + "2"));
  store_.reset();
  config_.directory = backup_;
  Sql("UPDATE outcome SET exit_code = 3 WHERE task = 11");
  EXPECT_EQ(Restore().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(std::filesystem::exists(restored_));
}

TEST_F(StoreCopyTest, NoMasterServesABackup) {
  Fill();
  BackUp();
  store_.reset();
  config_.directory = backup_;
  const absl::Status refused = TryReopen();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("muster-master restore " + backup_));
}

TEST_F(StoreCopyTest, ARestoredStoreGivesNoIdNoAttemptAndNoEpochASecondTime) {
  Fill();
  const core::RecoveredState original = Reopen();
  BackUp();
  // What the lost tail does: ids, epochs.
  SmallStore tail(store_.get());
  for (uint64_t id = 100; id < 120; ++id) tail.Succeeded(id);
  Reopen();
  const core::RecoveredState lost = Reopen();
  store_.reset();
  const auto made = Restore();
  ASSERT_TRUE(made.ok()) << made.status();
  const core::RecoveredState restored = Serve(restored_);
  EXPECT_EQ(restored.cluster_id, original.cluster_id);
  EXPECT_GT(restored.epoch, lost.epoch);
  EXPECT_GT(restored.next_id, lost.next_id);
  ASSERT_EQ(restored.skipped_ids.size(), 1u);
  EXPECT_EQ(restored.skipped_ids[0].first, original.next_id);
  EXPECT_EQ(restored.skipped_ids[0].first.value() + restored.skipped_ids[0].count, restored.next_id.value());
  EXPECT_EQ(restored.copied_below, original.next_id);
  EXPECT_EQ(restored.copied_attempts, AttemptNumber(1024));
  EXPECT_FALSE(restored.last_end_clean);
  EXPECT_EQ(restored.tasks.size(), original.tasks.size());
  // It holds for every later start, too.
  const core::RecoveredState later = Reopen();
  EXPECT_EQ(later.next_id, restored.next_id);
  EXPECT_EQ(later.skipped_ids, restored.skipped_ids);
  EXPECT_EQ(later.copied_attempts, restored.copied_attempts);
}

TEST_F(StoreCopyTest, ATaskThatMayRunOnceEndsLostBecauseItMayHaveRunSince) {
  Reopen();
  v1::TaskSpec hold;
  hold.mutable_command()->add_argv("true");
  hold.set_on_worker_loss(v1::ON_WORKER_LOSS_HOLD);
  SmallStore small(store_.get());
  small.Accept(SingleTask(1, convert::MakeTaskSpec(hold, hold.SerializeAsString())));
  small.Accept(SingleTask(2));
  small.Commit();
  BackUp();
  store_.reset();
  const auto made = Restore();
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->lost_tasks, 1u);
  const core::RecoveredState restored = Serve(restored_);
  ASSERT_EQ(restored.tasks.size(), 1u);
  EXPECT_EQ(restored.tasks[0].id, TaskId(2));
  const auto task = store_->FindTask(TaskId(1));
  ASSERT_TRUE(task.ok() && task->has_value() && (*task)->outcome.has_value());
  EXPECT_EQ((*task)->outcome->state, TaskState::kLost);
  EXPECT_THAT((*task)->outcome->message, HasSubstr("restored from a backup"));
}

TEST_F(StoreCopyTest, ARestoreOfARestoreGoesFurther) {
  Fill();
  BackUp();
  store_.reset();
  const auto first = Restore(At(3600));
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(BackUpStore(restored_, backup_ + "2").ok());
  const auto second = RestoreStore(backup_ + "2", restored_ + "2", At(7200));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_GT(second->raised.epoch, first->raised.epoch);
  EXPECT_GT(second->raised.next_id, first->raised.next_id);
  EXPECT_EQ(second->raised.attempts, AttemptNumber(2048));
  // And so does a second one of the same backup, as the first may have been served meanwhile.
  const auto again = RestoreStore(backup_, restored_ + "3", At(7200));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_GT(again->raised.epoch, first->raised.epoch);
  EXPECT_GT(again->raised.next_id, first->raised.next_id);
}

TEST(Raise, TheClockDecidesAndAClockThatIsWrongUsesNotAllIdsUp) {
  const absl::Time made = At(0);
  const KnownEnd known{7, TaskId(1000), AttemptNumber(0), made};
  const Raised soon = RaisePast(known, made + absl::Seconds(59));
  EXPECT_EQ(soon.next_id, TaskId(1000 + (1 << 24)));
  EXPECT_EQ(soon.epoch, EpochAt(made + absl::Seconds(59)));
  const Raised hour = RaisePast(known, made + absl::Hours(1));
  EXPECT_EQ(hour.next_id, TaskId(1000 + 61 * (1 << 24)));
  const Raised back = RaisePast(known, made - absl::Hours(24 * 365 * 60));
  EXPECT_EQ(back.next_id, TaskId(1000 + (1 << 24)));
  EXPECT_EQ(back.epoch, 7 + (1 << 20));
  EXPECT_LT(RaisePast(known, made + absl::Hours(24 * 365 * 100)).next_id.value(), uint64_t{1} << 44);
  EXPECT_EQ(RaisePast({.attempts = AttemptNumber(59'999)}, made).attempts, AttemptNumber(60'000));
}

}  // namespace
}  // namespace muster::store
