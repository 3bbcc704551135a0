// Turns one core::Transaction into rows, in one SQLite transaction that is on stable storage when Write returns.
//
// Thread rule: the writer's thread. Ownership: borrows the connection; keeps nothing of the transaction.
// Errors: as Database; after any of them nothing of the transaction is there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/ids.h"
#include "master/core/transaction.h"
#include "master/store/retention.h"
#include "master/store/schedule_rows.h"
#include "master/store/sqlite_database.h"
#include "master/store/table_writer.h"
#include "master/store/workflow_rows.h"

namespace muster::store {

// Where the history stands: the newest commit, the digest of all up to it, and its time.
struct CommitPosition {
  CommitNumber number;
  uint64_t digest = 0;
  int64_t time_ns = 0;  // never goes back
};

// A step of the floor below which every task has ended, exceptions listed. Found by the maintenance thread, written
// with the next commit.
struct FloorAdvance {
  TaskId floor;
  std::vector<int64_t> add;     // first ids of specifications below it that have open tasks
  std::vector<int64_t> remove;  // exceptions that have ended
};

// What maintenance has found, to be written beside a transaction. Null members: nothing.
struct SideWrites {
  const FloorAdvance* floor = nullptr;
  const PurgeStep* purge = nullptr;
  const Usage* usage = nullptr;  // before this commit; written with what it adds and frees, but not
  int64_t usage_slack = 0;       // while it adds less than this
};

class TransactionWriter {
 public:
  TransactionWriter(Database* database, CommitPosition position) : database_(database), position_(position) {}

  absl::StatusOr<CommitPosition> Write(const core::Transaction& transaction, const SideWrites& side);

  // What the last written transaction holds.
  const Usage& added() const { return added_; }
  bool usage_written() const { return usage_written_; }

 private:
  absl::Status WriteRows(const core::Transaction& transaction, int64_t commit, RunningDigest* digest);
  absl::Status WriteOutputs(const core::Transaction& transaction, int64_t commit, RunningDigest* digest);
  absl::Status WriteOther(const core::Transaction& transaction, int64_t commit, RunningDigest* digest);
  absl::Status WriteQueueSettings(const std::vector<core::QueueSettingRow>& rows, int64_t commit, RunningDigest* digest);
  absl::Status WriteRunTimes(const core::RunTimeRows& rows, int64_t commit, RunningDigest* digest);
  absl::Status WriteActivity(const core::Transaction& transaction, CommitPosition* next, RunningDigest digest);
  absl::Status WriteSide(const SideWrites& side);
  absl::Status WriteFloor(const FloorAdvance& floor);

  Database* const database_;
  CommitPosition position_;
  Usage added_;
  bool usage_written_ = false;
  std::string activity_;  // reused
  std::vector<std::pair<int64_t, const RetainedOutput*>> outputs_;  // reused

  TableWriter specifications_{
      "specification (first, count, batch, first_index, created, retry_of, name, queue, owner, payload, arguments,"
      " commit_number, crc)", 13};
  TableWriter attempts_{"attempt (key, worker, incarnation, dispatched, commit_number, crc)", 6};
  TableWriter attempt_ends_{
      "attempt_end (key, reason, used_attempt, used_worker_loss, ended, retry_at, message, report, commit_number, crc)",
      10};
  TableWriter outcomes_{
      "outcome (task, state, attempt, reason, exit_code, ended, message, report, commit_number, crc)", 10};
  TableWriter output_rows_{"output (key, head, tail, commit_number, crc)", 5, "INSERT OR IGNORE INTO "};
  TableWriter unknowns_{"unknown_since (key, give_up, commit_number, crc)", 4, "INSERT OR REPLACE INTO "};
  TableWriter requests_{"request (owner, request_id, digest, tasks, batch, time, commit_number, crc)", 8};
  TableWriter cancels_{"cancel (first, count, requested_by, reason, time, commit_number, crc)", 7,
                       "INSERT OR IGNORE INTO "};
  TableWriter worker_settings_{"worker_setting (name, weight, draining, reason, commit_number, crc)", 6,
                               "INSERT OR REPLACE INTO "};
  TableWriter queue_settings_{"queue_setting (name, settings, paused_until, pause_reason, commit_number, crc)", 6,
                              "INSERT OR REPLACE INTO "};
  TableWriter run_times_{"run_time (fingerprint, command, runs, failures, last, learned, commit_number, crc)", 8,
                         "INSERT OR REPLACE INTO "};
  ScheduleWriter schedules_;
  WorkflowWriter workflows_;
  TableWriter executors_{"executor (name, commit_number, crc)", 3};
  TableWriter notes_{"note (key, note, time, commit_number, crc)", 5};
  TableWriter activities_{"activity (commit_number, time, records, digest, crc)", 5};
  TableWriter exceptions_{"open_exception (first, crc)", 2, "INSERT OR REPLACE INTO "};
};

inline int64_t PackKey(AttemptKey key) {
  return static_cast<int64_t>((key.task.value() << 16) | key.number.value());
}
inline AttemptKey UnpackKey(int64_t packed) {
  return {TaskId(static_cast<uint64_t>(packed) >> 16), AttemptNumber(static_cast<uint32_t>(packed & 0xffff))};
}
inline int64_t OutputKey(AttemptKey key, bool is_stderr) { return PackKey(key) * 2 + (is_stderr ? 1 : 0); }

}  // namespace muster::store
