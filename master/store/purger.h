// Keeps the store within its retention: finds one bounded step after the other (retention.h) and hands each to the next
// commit; also the steps that people ask for.
//
//   maintenance thread ──FindStep──▶ one step waiting ──pending / Written──▶ the writer's thread
//   a call's thread ─────PurgeByHand─────▲
//
// Thread rule: any thread; each function names its own. Ownership: keeps no connection. Errors: as Database.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "master/store/retention.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

class Purger {
 public:
  // `calendar`: which tasks are old.
  // `is_needed`: finished tasks that stay though they are old; asked from any thread.
  Purger(RetentionConfig config, std::function<absl::Time()> calendar, std::function<bool(TaskRange)> is_needed);

  // At start.
  absl::Status Load(Database* database) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- The maintenance thread.
  // How long until FindStep is worth calling; zero: now.
  absl::Duration Rest() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Finds the next step, unless one waits to be written.
  absl::Status FindStep(Database* database) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- The writer's thread.
  std::shared_ptr<const PurgeStep> pending() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Written(const PurgeStep& step) ABSL_LOCKS_EXCLUDED(mutex_);
  // It cannot be written: some of it has become needed since it was found.
  void Dropped() ABSL_LOCKS_EXCLUDED(mutex_);
  void Added(const Usage& added) ABSL_LOCKS_EXCLUDED(mutex_);
  Usage usage() const ABSL_LOCKS_EXCLUDED(mutex_);

  // --- A call's thread. One bounded part of the walk over finished tasks that ended before `ended_before`, from id
  // `from` on; with a dry run nothing goes. `found.step.task_count` tasks are gone, durably, when it returns.
  absl::StatusOr<PurgeFinding> PurgeByHand(Database* database, int64_t from, absl::Time ended_before, bool dry_run)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // --- Any thread.
  bool has_pending() const ABSL_LOCKS_EXCLUDED(mutex_);
  // How long a master without other work may sleep before it asks for a pending step. Infinite: none is to be expected.
  absl::Duration Pause() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t purged_tasks() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Kind { kTasks, kOutput, kActivity, kRequests, kWorkflows };
  struct Excess {
    PurgeCriteria tasks, output, activity;
    bool is_urgent = false;  // far beyond a limit
  };

  Excess ExcessNow(int64_t next_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<PurgeStep> Find(Database* database) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<PurgeStep> FindOf(Database* database, Kind kind, const Excess& excess);
  void Offer(PurgeStep step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsFree() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return pending_ == nullptr && !reserved_; }
  bool IsWritten() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return pending_ == nullptr; }

  const RetentionConfig config_;
  const std::function<absl::Time()> calendar_;
  const std::function<bool(TaskRange)> is_needed_;
  std::vector<TaskRange> skipped_ids_;  // never changes after Load

  // The maintenance thread's own: where the walks stand.
  Kind kind_ = Kind::kTasks;
  int64_t task_cursor_ = 0;
  int64_t output_cursor_ = 0;
  std::pair<std::string, std::string> request_cursor_;
  int64_t workflow_cursor_ = 0;

  mutable absl::Mutex mutex_;
  std::shared_ptr<const PurgeStep> pending_ ABSL_GUARDED_BY(mutex_);
  std::vector<TaskRange> purging_ ABSL_GUARDED_BY(mutex_);  // once `pending_` is written
  Usage usage_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_find_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // of the process's clock
  bool in_round_ ABSL_GUARDED_BY(mutex_) = false;  // steps follow one another
  bool reserved_ ABSL_GUARDED_BY(mutex_) = false;  // a step by hand is being found, or waits
  bool dropped_ ABSL_GUARDED_BY(mutex_) = false;   // what was offered last
  uint64_t purged_tasks_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace muster::store
