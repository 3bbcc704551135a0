#include "master/store/purger.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/time/clock.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "master/store/recovery.h"
#include "master/store/schema.h"

namespace muster::store {
namespace {

constexpr absl::Duration kBetweenPurges = absl::Milliseconds(50);
constexpr absl::Duration kBetweenUrgentPurges = absl::Milliseconds(5);
constexpr absl::Duration kBetweenPurgeRounds = absl::Seconds(10);
constexpr absl::Duration kByHandPause = absl::Milliseconds(1);
constexpr absl::Duration kFindLimit = absl::Seconds(1);
constexpr absl::Duration kWriteLimit = absl::Seconds(30);
constexpr absl::Duration kRequestsKept = absl::Hours(24);
constexpr int kSpecificationsPerStep = 1024;
constexpr int kSpecificationsPerCount = 16'384;

int64_t Beyond(int64_t used, int64_t limit) { return std::max<int64_t>(0, used - limit); }
bool IsFarBeyond(int64_t used, int64_t limit) { return used - limit > limit / 10; }

}  // namespace

Purger::Purger(RetentionConfig config, std::function<absl::Time()> calendar, std::function<bool(TaskRange)> is_needed)
    : config_(std::move(config)), calendar_(std::move(calendar)), is_needed_(std::move(is_needed)) {}

absl::Status Purger::Load(Database* database) {
  MUSTER_ASSIGN_OR_RETURN(const auto usage, ReadMeta(database, kMetaUsage));
  MUSTER_ASSIGN_OR_RETURN(std::vector<TaskRange> purging, ReadRanges(database, kMetaPurging));
  MUSTER_ASSIGN_OR_RETURN(skipped_ids_, ReadRanges(database, kMetaSkippedIds));
  Usage kept;
  if (usage.has_value()) {
    kept = Usage::FromText(*usage);
  } else {
    MUSTER_ASSIGN_OR_RETURN(kept, CountUsage(database));
  }
  absl::MutexLock lock(&mutex_);
  usage_ = kept;
  purging_ = std::move(purging);
  return absl::OkStatus();
}

absl::Duration Purger::Rest() const {
  absl::MutexLock lock(&mutex_);
  if (!IsFree()) return kBetweenPurges;
  return std::max(absl::ZeroDuration(), next_find_ - absl::Now());
}

absl::Status Purger::FindStep(Database* database) {
  {
    absl::MutexLock lock(&mutex_);
    if (!IsFree()) return absl::OkStatus();
  }
  absl::StatusOr<PurgeStep> step = Find(database);
  absl::MutexLock lock(&mutex_);
  if (!step.ok() || step->Empty()) {
    const bool is_over = kind_ == Kind::kTasks && task_cursor_ == 0;  // all kinds had their turn
    if (is_over || !step.ok()) next_find_ = absl::Now() + kBetweenPurgeRounds;
    in_round_ = in_round_ && !is_over;
    return step.status();
  }
  in_round_ = true;
  if (IsFree()) Offer(*std::move(step));  // else somebody's own step came first, and this is found again
  return absl::OkStatus();
}

absl::StatusOr<PurgeStep> Purger::Find(Database* database) {
  database->SetDeadline(absl::Now() + kFindLimit);
  const absl::Cleanup no_deadline = [database] { database->SetDeadline(absl::InfiniteFuture()); };
  MUSTER_ASSIGN_OR_RETURN(auto snapshot, SqlTransaction::Begin(database, SqlTransaction::Kind::kRead));
  int64_t next_id = 0;
  {
    Query newest(database, "SELECT first + count FROM specification ORDER BY first DESC LIMIT 1");
    if (newest.Next()) next_id = newest.Int(0);
    MUSTER_RETURN_IF_ERROR(newest.status());
  }
  Excess excess;
  std::vector<TaskRange> purging;
  {
    absl::MutexLock lock(&mutex_);
    excess = ExcessNow(next_id);
    purging = purging_;
    next_find_ = absl::Now() + (excess.is_urgent ? kBetweenUrgentPurges : kBetweenPurges);
  }
  if (!purging.empty()) return FindLeftovers(database, std::move(purging));
  for (int turn = 0; turn < 5; ++turn) {
    MUSTER_ASSIGN_OR_RETURN(PurgeStep step, FindOf(database, kind_, excess));
    if (!step.Empty()) return step;
    if (kind_ == Kind::kTasks && task_cursor_ != 0) return step;  // in the middle of a long walk
  }
  return PurgeStep();
}

Purger::Excess Purger::ExcessNow(int64_t next_id) const {
  const absl::Time now = calendar_();
  Excess excess;
  excess.tasks = {now - config_.tasks.age, FirstKeptId(next_id, config_.tasks.count, skipped_ids_),
                  Beyond(usage_.tasks, config_.tasks.bytes), is_needed_};
  excess.output = {now - config_.output.age, 0, Beyond(usage_.output, config_.output.bytes), nullptr};
  excess.activity = {now - config_.activity.age, 0, Beyond(usage_.activity, config_.activity.bytes), nullptr};
  excess.is_urgent = IsFarBeyond(usage_.tasks, config_.tasks.bytes) ||
                     IsFarBeyond(usage_.output, config_.output.bytes) ||
                     IsFarBeyond(usage_.activity, config_.activity.bytes) ||
                     excess.tasks.ids_below - task_cursor_ > config_.tasks.count / 10;
  return excess;
}

// Moves on to the next kind when a walk is over.
absl::StatusOr<PurgeStep> Purger::FindOf(Database* database, Kind kind, const Excess& excess) {
  switch (kind) {
    case Kind::kTasks: {
      MUSTER_ASSIGN_OR_RETURN(PurgeFinding found, FindFinishedTasks(database, task_cursor_, excess.tasks,
                                                                    kSpecificationsPerStep));
      task_cursor_ = found.done ? 0 : found.next;
      if (found.done) kind_ = Kind::kOutput;
      return std::move(found.step);
    }
    case Kind::kOutput: {
      MUSTER_ASSIGN_OR_RETURN(PurgeFinding found, FindOldOutput(database, output_cursor_, excess.output));
      output_cursor_ = found.done ? 0 : found.next;
      if (found.done) kind_ = Kind::kActivity;
      return std::move(found.step);
    }
    case Kind::kActivity: {
      MUSTER_ASSIGN_OR_RETURN(PurgeFinding found, FindOldActivity(database, excess.activity));
      if (found.done) kind_ = Kind::kRequests;
      return std::move(found.step);
    }
    case Kind::kRequests: {
      MUSTER_ASSIGN_OR_RETURN(PurgeStep step, FindOldRequests(database, calendar_() - kRequestsKept, &request_cursor_));
      if (request_cursor_.first.empty() && request_cursor_.second.empty()) kind_ = Kind::kWorkflows;
      return step;
    }
    case Kind::kWorkflows: {
      MUSTER_ASSIGN_OR_RETURN(PurgeStep step, FindEmptyWorkflows(database, &workflow_cursor_));
      if (workflow_cursor_ == 0) kind_ = Kind::kTasks;
      return step;
    }
  }
  return PurgeStep();
}

void Purger::Offer(PurgeStep step) {
  if (!step.specifications.empty()) {
    step.purging = purging_;
    step.purging.insert(step.purging.end(), step.specifications.begin(), step.specifications.end());
    step.sets_purging = true;
  }
  pending_ = std::make_shared<const PurgeStep>(std::move(step));
  dropped_ = false;
}

std::shared_ptr<const PurgeStep> Purger::pending() const {
  absl::MutexLock lock(&mutex_);
  return pending_;
}

void Purger::Written(const PurgeStep& step) {
  absl::MutexLock lock(&mutex_);
  usage_ += Usage{-step.freed.tasks, -step.freed.output, -step.freed.activity};
  purged_tasks_ += step.task_count;
  if (step.sets_purging) purging_ = step.purging;
  pending_ = nullptr;
}

void Purger::Dropped() {
  absl::MutexLock lock(&mutex_);
  pending_ = nullptr;
  dropped_ = true;
}

void Purger::Added(const Usage& added) {
  absl::MutexLock lock(&mutex_);
  usage_ += added;
}

Usage Purger::usage() const {
  absl::MutexLock lock(&mutex_);
  return usage_;
}

uint64_t Purger::purged_tasks() const {
  absl::MutexLock lock(&mutex_);
  return purged_tasks_;
}

bool Purger::has_pending() const {
  absl::MutexLock lock(&mutex_);
  return pending_ != nullptr;
}

absl::Duration Purger::Pause() const {
  absl::MutexLock lock(&mutex_);
  if (reserved_) return kByHandPause;
  return in_round_ ? kBetweenPurges : absl::InfiniteDuration();
}

absl::StatusOr<PurgeFinding> Purger::PurgeByHand(Database* database, int64_t from, absl::Time ended_before,
                                                 bool dry_run) {
  const PurgeCriteria criteria{.ended_before = ended_before, .is_needed = is_needed_};
  if (dry_run) return FindFinishedTasks(database, from, criteria, kSpecificationsPerCount, false);
  {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &Purger::IsFree), kWriteLimit)) {
      return RefuseForNow("PURGE_WAITS", "the purge before it is not written yet", absl::Seconds(5));
    }
    reserved_ = true;  // no other step takes the same rows
  }
  database->SetDeadline(absl::Now() + kFindLimit);  // the time for a read began before the wait
  absl::StatusOr<PurgeFinding> found = FindFinishedTasks(database, from, criteria, kSpecificationsPerStep);
  absl::MutexLock lock(&mutex_);
  bool written = true;
  if (found.ok() && !found->step.Empty()) {
    Offer(found->step);
    written = mutex_.AwaitWithTimeout(absl::Condition(this, &Purger::IsWritten), kWriteLimit);
  }
  reserved_ = false;
  if (written && std::exchange(dropped_, false)) {
    return RefuseForNow("PURGE_WAITS", "tasks were submitted meanwhile that depend on some of it", absl::Seconds(1));
  }
  if (written) return found;
  return RefuseForNow("PURGE_WAITS", "the master could not write yet", absl::Seconds(5));
}

}  // namespace muster::store
