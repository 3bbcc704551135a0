// The store's maintenance, on a thread and a connection of its own, so that commits do not wait for it:
//  - copies the write-ahead file into the database all the time; at the limit a commit waits for it, 20 ms at most;
//  - looks whether the file system has room, once a second and more often while much is written (ballast.h);
//  - finds what is no longer to be kept (purger.h), and what went bad (scrub.h);
//  - moves the floor below which every task has ended (but for a listed few), so that a start need not look at
//    history. It only reads: what it finds is written with the next commit.
//
// Thread rule: AfterCommit, pending_floor, FloorWritten from the writer's thread; the rest from any.
// Ownership: owns its connection and thread; the destructor ends both.
// Errors: status() is what the last copying failed with; anything but RESOURCE_EXHAUSTED stays.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "master/store/ballast.h"
#include "master/store/purger.h"
#include "master/store/scrub.h"
#include "master/store/sqlite_database.h"
#include "master/store/transaction_writer.h"

namespace muster::store {

struct MaintenanceConfig {
  Ballast* ballast = nullptr;  // looked at every round; may be null
  Purger* purger = nullptr;    // asked for its next step; may be null
  Scrub* scrub = nullptr;      // goes on with its round; may be null
  int64_t wal_limit_bytes = int64_t{64} << 20;
  uint64_t floor_lag = 16'384;  // ids: the newest tasks are left alone, most of them end soon
};

class Maintainer {
 public:
  static absl::StatusOr<std::unique_ptr<Maintainer>> Start(const std::string& path, const MaintenanceConfig& config);
  ~Maintainer();

  // The write-ahead file has this many pages now. May wait, at the limit.
  void AfterCommit(int wal_pages) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the next commit should write; null: nothing.
  std::shared_ptr<const FloorAdvance> pending_floor() const ABSL_LOCKS_EXCLUDED(mutex_);
  void FloorWritten() ABSL_LOCKS_EXCLUDED(mutex_);

  // One step of the floor, now.
  absl::Status FindFloor() ABSL_LOCKS_EXCLUDED(mutex_, database_mutex_);
  // One step of the retention, now.
  absl::Status FindPurge() ABSL_LOCKS_EXCLUDED(mutex_, database_mutex_);
  // One step of the scrub, now.
  absl::Status ScrubSome() ABSL_LOCKS_EXCLUDED(mutex_, database_mutex_);

  absl::Status status() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t checkpoints() const { return checkpoints_.load(std::memory_order_relaxed); }
  uint64_t limit_waits() const { return limit_waits_.load(std::memory_order_relaxed); }
  int64_t wal_bytes() const { return wal_bytes_.load(std::memory_order_relaxed); }

 private:
  Maintainer(const MaintenanceConfig& config, std::unique_ptr<Database> database, int page_bytes);

  void Run();
  absl::Duration UntilNextStep() const;
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool RoundDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return finished_round_ >= awaited_round_; }
  void CopyWal() ABSL_LOCKS_EXCLUDED(mutex_, database_mutex_);
  void WaitForRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::optional<FloorAdvance>> ReadFloorAdvance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_mutex_);
  absl::Status AdvanceFloor(FloorAdvance* advance) ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_mutex_);
  absl::Status FindEndedExceptions(FloorAdvance* advance) ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_mutex_);

  const MaintenanceConfig config_;
  const int page_bytes_;
  const int limit_pages_;

  absl::Mutex database_mutex_;
  const std::unique_ptr<Database> database_ ABSL_PT_GUARDED_BY(database_mutex_);
  int64_t exception_cursor_ ABSL_GUARDED_BY(database_mutex_) = 0;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int wal_pages_ ABSL_GUARDED_BY(mutex_) = 0;
  int copied_pages_ ABSL_GUARDED_BY(mutex_) = 0;
  int next_wait_pages_ ABSL_GUARDED_BY(mutex_);
  uint64_t started_round_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t finished_round_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t awaited_round_ ABSL_GUARDED_BY(mutex_) = 0;
  int commits_since_floor_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const FloorAdvance> pending_floor_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);

  std::atomic<uint64_t> checkpoints_{0};
  std::atomic<uint64_t> limit_waits_{0};
  std::atomic<int64_t> wal_bytes_{0};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace muster::store
