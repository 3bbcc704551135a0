// Accidents: the process is killed, the disk is full, two masters want one store, readers look while it is written.
#include <gmock/gmock.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "faulty_disk.h"
#include "store_fixture.h"

namespace muster::store {
namespace {

using testing::HasSubstr;

using DurabilityTest = StoreTest;

// Commits number n: tasks 2n and 2n+1, and one outcome for each of the two before.
core::Transaction NumberedCommit(uint64_t n) {
  core::Transaction transaction;
  transaction.specifications = {SingleTask(2 * n), SingleTask(2 * n + 1)};
  transaction.attempts = {Attempt(2 * n, 1), Attempt(2 * n + 1, 1)};
  if (n > 1) transaction.outcomes = {Outcome(2 * n - 2), Outcome(2 * n - 1)};
  transaction.activity = {{At(static_cast<int64_t>(n)), activity::MasterStopped{std::to_string(n)}}};
  return transaction;
}

// In a child: commits for ever, and says each number once it is durable.
[[noreturn]] void CommitForEver(const StoreConfig& config, int acknowledge) {
  auto store = OpenSqliteStore(config);
  if (!store.ok() || !(*store)->LoadOpen(At(0)).ok()) _exit(1);
  for (uint64_t n = static_cast<uint64_t>((*store)->last_commit().value()) + 1;; ++n) {
    if (!(*store)->Commit(NumberedCommit(n)).ok()) _exit(2);
    if (write(acknowledge, &n, sizeof n) != sizeof n) _exit(3);
  }
}

TEST_F(DurabilityTest, WhatWasAcknowledgedOutlivesAKillAndNothingIsThereByHalf) {
  config_.wal_limit_bytes = 1 << 20;  // so that kills hit checkpoints as well
  uint64_t acknowledged = 0;
  for (int round = 0; round < 5; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe2(pipe_ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) CommitForEver(config_, pipe_ends[1]);
    close(pipe_ends[1]);
    const uint64_t target = acknowledged + 100 + 57 * round;
    while (acknowledged < target) {
      uint64_t n = 0;
      ASSERT_EQ(read(pipe_ends[0], &n, sizeof n), ssize_t{sizeof n});
      acknowledged = n;
    }
    kill(child, SIGKILL);
    uint64_t n = 0;
    while (read(pipe_ends[0], &n, sizeof n) == ssize_t{sizeof n}) acknowledged = n;
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    const core::RecoveredState state = Reopen();
    const auto last = static_cast<uint64_t>(state.last_commit.value());
    EXPECT_GE(last, acknowledged);
    EXPECT_LE(last, acknowledged + 1);  // one may have been durable and not yet said
    EXPECT_EQ(state.next_id, TaskId(2 * last + 2));
    ASSERT_EQ(state.tasks.size(), 2u);
    EXPECT_EQ(state.tasks[0].id, TaskId(2 * last));
    EXPECT_EQ(state.tasks[0].history().attempts.size(), 1u);
    EXPECT_EQ(state.tasks[1].history().attempts.size(), 1u);
    EXPECT_FALSE(state.last_end_clean);
    EXPECT_EQ(Sql("SELECT count(*) FROM specification")[0], std::to_string(2 * last));
    EXPECT_EQ(Sql("SELECT count(*) FROM outcome")[0], std::to_string(2 * last - 2));
    EXPECT_EQ(store_->ReadActivity(CommitNumber(0), absl::InfinitePast(), 1 << 20)->size(), last);
    store_.reset();
    acknowledged = last;
  }
}

TEST_F(DurabilityTest, ACopyOfDatabaseAndWriteAheadFileIsAWholeStore) {
  Reopen();
  for (uint64_t n = 1; n <= 20; ++n) Commit(NumberedCommit(n));
  const std::string copy = root_ + "/copy";
  std::filesystem::create_directory(copy);
  for (const char* file : {"/muster.db", "/muster.db-wal"}) {
    std::filesystem::copy(config_.directory + file, copy + file);
  }
  config_.directory = copy;
  EXPECT_EQ(Reopen().last_commit, CommitNumber(20));
}

TEST_F(DurabilityTest, ASecondMasterIsRefusedAndTheLockEndsWithItsOwner) {
  Reopen();
  const auto second = OpenSqliteStore(config_);
  ASSERT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(second.status().message()),
            "data directory " + config_.directory + " is in use by another muster-master (pid " +
                std::to_string(getpid()) + "); stop it or choose another store.path");
  store_.reset();

  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto store = OpenSqliteStore(config_);
    _exit(store.ok() ? 0 : 1);  // without a destructor
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  Reopen();
  EXPECT_NE(store_, nullptr);
}

TEST_F(DurabilityTest, ReadersNeverSeeHalfOfACommit) {
  Reopen();
  Commit(NumberedCommit(1));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> durable{1};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  std::vector<std::string> findings(3);
  for (size_t i = 0; i < findings.size(); ++i) {
    readers.emplace_back([&, i] {
      while (!stop.load() && findings[i].empty()) {
        const uint64_t before = durable.load();
        const auto list = store_->ListTasks({.limit = 10, .include_finished = true});
        if (!list.ok()) {
          findings[i] = std::string(list.status().message());
          break;
        }
        // One snapshot: both tasks of the newest commit, open, with their attempts; the ones before have ended.
        const uint64_t newest = list->front().id.value();
        if (newest % 2 != 1) findings[i] = "half of the specifications";
        if (newest / 2 < before) findings[i] = "something acknowledged is missing";
        for (const StoredTask& task : *list) {
          const bool is_newest = task.id.value() + 1 >= newest;
          if (task.outcome.has_value() == is_newest) findings[i] = "half of the outcomes";
          if (task.attempts.size() != 1) findings[i] = "half of the attempts";
        }
        reads.fetch_add(1);
      }
    });
  }
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  uint64_t n = 1;
  while ((n < 300 || reads.load() < 100) && absl::Now() < deadline) {
    ++n;
    Commit(NumberedCommit(n));
    durable.store(n);
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  for (const std::string& finding : findings) EXPECT_EQ(finding, "");
  EXPECT_GE(reads.load(), 100u);
}

TEST_F(DurabilityTest, AFullDiskRefusesTheCommitWholeAndHeals) {
  FaultyDisk disk;
  Reopen();
  Commit(NumberedCommit(1));
  disk.SetFull(true);
  const auto refused = store_->Commit(NumberedCommit(2));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("muster.db"));
  EXPECT_EQ(store_->last_commit(), CommitNumber(1));
  EXPECT_FALSE(store_->FindTask(TaskId(4))->has_value());
  EXPECT_TRUE(store_->FindTask(TaskId(3))->has_value());
  EXPECT_EQ(store_->stats().refused_commits, 1u);
  disk.SetFull(false);
  EXPECT_EQ(Commit(NumberedCommit(2)), CommitNumber(2));
  EXPECT_EQ(Reopen().last_commit, CommitNumber(2));
  EXPECT_EQ(Sql("SELECT count(*) FROM specification")[0], "4");
}

TEST_F(DurabilityTest, ADiskThatIsFullWhileTheWriteAheadFileIsCopiedIsNoFatalError) {
  FaultyDisk disk;
  config_.wal_limit_bytes = 64 << 10;
  Reopen();
  disk.SetDatabaseFull();
  for (uint64_t n = 1; n <= 60; ++n) EXPECT_EQ(Commit(NumberedCommit(n)), CommitNumber(static_cast<int64_t>(n)));
  EXPECT_GT(store_->stats().checkpoints, 0u);
  disk.SetFull(false);
  EXPECT_EQ(Commit(NumberedCommit(61)), CommitNumber(61));
  EXPECT_EQ(Reopen().last_commit, CommitNumber(61));
}

TEST_F(DurabilityTest, EveryCommitIsSyncedBeforeItIsAcknowledged) {
  FaultyDisk disk;
  const int before_start = disk.wal_syncs();
  Reopen();
  EXPECT_GT(disk.wal_syncs(), before_start) << "the epoch is durable before anyone is spoken to";
  for (uint64_t n = 1; n <= 20; ++n) {
    const int before = disk.wal_syncs();
    Commit(NumberedCommit(n));
    EXPECT_GT(disk.wal_syncs(), before) << "commit " << n;
  }
}

TEST_F(DurabilityTest, AFailedSyncIsFatalAndTheNextStartMovesToANewFile) {
  FaultyDisk disk;
  Reopen();
  Commit(NumberedCommit(1));
  disk.SetSyncFails(true);
  const auto failed = store_->Commit(NumberedCommit(2));
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kInternal) << failed.status();
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr(DatabasePath()));
  disk.SetSyncFails(false);
  struct stat before;
  ASSERT_EQ(stat(DatabasePath().c_str(), &before), 0);
  EXPECT_GE(Reopen().last_commit, CommitNumber(1));
  struct stat after;
  ASSERT_EQ(stat(DatabasePath().c_str(), &after), 0);
  EXPECT_NE(before.st_ino, after.st_ino);
}

TEST_F(DurabilityTest, CommitAndReadsBeforeLoadingAreAnsweredAndNotACrash) {
  auto store = OpenSqliteStore(config_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Commit(NumberedCommit(1)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE((*store)->FindTask(TaskId(1))->has_value());
  ASSERT_TRUE((*store)->LoadOpen(At(0)).ok());
  EXPECT_EQ((*store)->LoadOpen(At(0)).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(DurabilityTest, AnIdThatDoesNotFitIsRefusedAndNotCutOff) {
  Reopen();
  core::Transaction transaction;
  transaction.specifications = {SingleTask(uint64_t{1} << 46)};
  EXPECT_FALSE(store_->Commit(transaction).ok());
  EXPECT_EQ(store_->last_commit(), CommitNumber(0));
}

}  // namespace
}  // namespace muster::store
