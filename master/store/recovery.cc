#include "master/store/recovery.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "master/core/recovered_workflows.h"
#include "master/store/open_scan.h"
#include "master/store/row_reader.h"
#include "master/store/schedule_rows.h"
#include "master/store/schema.h"
#include "master/store/workflow_rows.h"

namespace muster::store {
namespace {

constexpr int kStepsBeforeSeek = 16;
constexpr int kAttemptBits = 16;  // of an attempt's key

using core::RecoveredTask;

class OpenTaskLoader {
 public:
  OpenTaskLoader(Database* database, core::RecoveredState* state) : database_(database), state_(state) {}

  absl::Status Load() {
    MUSTER_ASSIGN_OR_RETURN(floor_, ReadMetaNumber(database_, kMetaOpenFloor));
    MUSTER_RETURN_IF_ERROR(ReadNextId(database_, state_));
    MUSTER_RETURN_IF_ERROR(LoadSpecifications());
    MUSTER_ASSIGN_OR_RETURN(state_->workflows, ReadOpenWorkflows(database_));
    core::AttachToWorkflows(state_);
    MUSTER_RETURN_IF_ERROR(LoadAttempts());
    MUSTER_RETURN_IF_ERROR(LoadCancels());
    MUSTER_RETURN_IF_ERROR(LoadWorkerSettings());
    MUSTER_RETURN_IF_ERROR(LoadQueueSettings());
    MUSTER_RETURN_IF_ERROR(LoadPlacement());
    MUSTER_RETURN_IF_ERROR(ReadSchedules(database_, &state_->schedules));
    MUSTER_RETURN_IF_ERROR(LoadExecutors());
    return LoadRunTimes();
  }

 private:
  absl::Status LoadSpecifications() {
    std::vector<int64_t> firsts;
    Query exceptions(database_, "SELECT * FROM open_exception ORDER BY first", "open_exception");
    while (exceptions.Next()) firsts.push_back(exceptions.Int(0));
    MUSTER_RETURN_IF_ERROR(exceptions.status());
    MUSTER_ASSIGN_OR_RETURN(OpenRows rows, ScanOpen(database_->path(), std::move(firsts), floor_,
                                                    static_cast<int64_t>(state_->next_id.value())));
    state_->groups = std::move(rows.groups);
    state_->tasks = std::move(rows.tasks);
    return absl::OkStatus();
  }

  // Walks the table and the open tasks side by side, both in order; jumps where the table has much that is not open.
  // The table's key is the task's id with `shift` bits behind it.
  template <typename Visit>
  absl::Status Join(const char* sql, const char* table, int shift, Visit visit) {
    auto task = state_->tasks.begin();
    const auto end = state_->tasks.end();
    while (task != end) {
      Query rows(database_, sql, table);
      rows.Bind(1, static_cast<int64_t>(task->id.value() << shift));
      int unwanted = 0;
      while (unwanted < kStepsBeforeSeek && rows.Next()) {
        const TaskId owner(static_cast<uint64_t>(rows.Int(0)) >> shift);
        while (task != end && task->id < owner) ++task;
        if (task == end) return absl::OkStatus();
        if (task->id == owner) {
          MUSTER_RETURN_IF_ERROR(visit(*task, rows));
          unwanted = 0;
        } else {
          ++unwanted;
        }
      }
      MUSTER_RETURN_IF_ERROR(rows.status());
      if (unwanted < kStepsBeforeSeek) return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  absl::Status LoadAttempts() {
    MUSTER_RETURN_IF_ERROR(Join("SELECT * FROM attempt WHERE key >= ? ORDER BY key", "attempt", kAttemptBits,
                                [](RecoveredTask& task, const Query& row) {
                                  task.AddHistory().attempts.push_back(ReadAttempt(row));
                                  return absl::OkStatus();
                                }));
    MUSTER_RETURN_IF_ERROR(Join("SELECT * FROM attempt_end WHERE key >= ? ORDER BY key", "attempt_end", kAttemptBits,
                                [](RecoveredTask& task, const Query& row) {
                                  absl::StatusOr<core::AttemptEndRow> end = ReadAttemptEnd(row);
                                  if (end.ok()) task.AddHistory().attempt_ends.push_back(*std::move(end));
                                  return end.status();
                                }));
    return Join("SELECT * FROM unknown_since WHERE key >= ? ORDER BY key", "unknown_since", kAttemptBits,
                [](RecoveredTask& task, const Query& row) {
                  task.AddHistory().unknown = ReadUnknown(row);
                  return absl::OkStatus();
                });
  }

  absl::Status LoadCancels() {
    std::vector<CommitNumber> since(state_->tasks.size());
    const auto wish = [this, &since](RecoveredTask& task, const core::CancelRow& row, CommitNumber commit) {
      CommitNumber& known = since[static_cast<size_t>(&task - state_->tasks.data())];
      if (task.history().cancel.has_value() && known <= commit) return;  // the first wish holds
      task.AddHistory().cancel = row;
      known = commit;
    };
    MUSTER_RETURN_IF_ERROR(Join("SELECT * FROM cancel WHERE first >= ? AND count = 1 ORDER BY first", "cancel", 0,
                                [&](RecoveredTask& task, const Query& row) {
                                  wish(task, ReadCancel(row), CommitOf(row));
                                  return absl::OkStatus();
                                }));
    Query ranges(database_, "SELECT * FROM cancel WHERE count > 1", "cancel");
    while (ranges.Next()) {
      const core::CancelRow row = ReadCancel(ranges);
      ForEachIn(row.tasks, [&](RecoveredTask& task) { wish(task, row, CommitOf(ranges)); });
    }
    return ranges.status();
  }

  template <typename Visit>
  void ForEachIn(TaskRange range, Visit visit) {
    auto& tasks = state_->tasks;
    auto task = std::lower_bound(tasks.begin(), tasks.end(), range.first,
                                 [](const RecoveredTask& it, TaskId id) { return it.id < id; });
    for (; task != tasks.end() && task->id.value() - range.first.value() < range.count; ++task) visit(*task);
  }

  absl::Status LoadWorkerSettings() {
    Query settings(database_, "SELECT * FROM worker_setting ORDER BY name", "worker_setting");
    while (settings.Next()) state_->worker_settings.push_back(ReadWorkerSetting(settings));
    return settings.status();
  }

  absl::Status LoadQueueSettings() {
    Query settings(database_, "SELECT * FROM queue_setting ORDER BY name", "queue_setting");
    while (settings.Next()) {
      MUSTER_ASSIGN_OR_RETURN(core::QueueSettingRow row, ReadQueueSetting(settings));
      state_->queue_settings.push_back(std::move(row));
    }
    return settings.status();
  }

  absl::Status LoadPlacement() {
    MUSTER_ASSIGN_OR_RETURN(state_->placement, ReadPlacement(database_));
    return absl::OkStatus();
  }

  absl::Status LoadExecutors() {
    Query executors(database_, "SELECT * FROM executor ORDER BY name", "executor");
    while (executors.Next()) state_->executors.push_back(ReadExecutor(executors));
    return executors.status();
  }

  // Only advice: what cannot be read is counted and left out, here as nowhere else.
  absl::Status LoadRunTimes() {
    Query rows(database_, "SELECT * FROM run_time ORDER BY last");
    while (rows.Next()) {
      absl::StatusOr<LearnedRunTimes> learned =
          rows.ChecksumMatches() ? ReadRunTimes(rows) : absl::StatusOr<LearnedRunTimes>(absl::DataLossError("checksum"));
      if (learned.ok()) {
        state_->run_times.push_back(*std::move(learned));
      } else {
        ++state_->damaged_run_times;
      }
    }
    if (!absl::IsDataLoss(rows.status())) return rows.status();
    ++state_->damaged_run_times;
    return absl::OkStatus();
  }

  Database* const database_;
  core::RecoveredState* const state_;
  int64_t floor_ = 0;
};

}  // namespace

absl::Status ReadNextId(Database* database, core::RecoveredState* state) {
  Query newest(database, "SELECT * FROM specification ORDER BY first DESC LIMIT 1", "specification");
  MUSTER_ASSIGN_OR_RETURN(int64_t next_id, ReadMetaNumber(database, kMetaNextId));
  if (newest.Next()) next_id = std::max(next_id, newest.Int(0) + newest.Int(1));
  state->next_id = TaskId(static_cast<uint64_t>(std::max<int64_t>(next_id, 1)));
  MUSTER_RETURN_IF_ERROR(newest.status());
  MUSTER_ASSIGN_OR_RETURN(state->skipped_ids, ReadRanges(database, kMetaSkippedIds));
  MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskRange> copied, ReadRanges(database, kMetaCopiedAttempts));
  if (copied.empty()) return absl::OkStatus();
  state->copied_below = copied.back().first;
  state->copied_attempts = AttemptNumber(static_cast<uint32_t>(copied.back().count));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<TaskRange>> ReadRanges(Database* database, std::string_view key) {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadMeta(database, key));
  if (!text.has_value()) return std::vector<TaskRange>();
  std::optional<std::vector<TaskRange>> ranges = ParseRanges(*text);
  if (ranges.has_value()) return *std::move(ranges);
  return absl::DataLossError(absl::StrCat("store ", database->path(), " is damaged: table meta, row ",
                                          absl::string_view(key.data(), key.size()), ": no ranges"));
}

absl::StatusOr<core::PlacementRow> ReadPlacement(Database* database) {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadMeta(database, kMetaPlacement));
  std::optional<PlacementChange> by_hand = PlacementChangeFrom(text.value_or(""));
  if (by_hand.has_value()) return core::PlacementRow{*std::move(by_hand)};
  return absl::DataLossError(absl::StrCat("store ", database->path(), " is damaged: table meta, row placement: \"", *text,
                                          "\" is no placement that this muster-master knows; a newer one may have written it"));
}

uint64_t DigestAfter(const Query& activity) {
  RunningDigest digest(static_cast<uint64_t>(activity.Int(3)));
  digest.Add(static_cast<uint64_t>(activity.Int(4)));
  return digest.value();
}

absl::StatusOr<CommitPosition> ReadPosition(Database* database) {
  CommitPosition position;
  Query newest(database, "SELECT * FROM activity ORDER BY commit_number DESC LIMIT 1", "activity");
  if (newest.Next()) {
    position.number = CommitNumber(newest.Int(0));
    position.time_ns = newest.Int(1);
    position.digest = DigestAfter(newest);
  }
  MUSTER_RETURN_IF_ERROR(newest.status());
  return position;
}

absl::Status VerifyNewestCommits(Database* database, CommitPosition position) {
  Query commits(database, "SELECT * FROM activity WHERE commit_number > ? ORDER BY commit_number", "activity");
  commits.Bind(1, position.number.value() - kCommitsToVerify);
  int64_t expected = std::max<int64_t>(1, position.number.value() - kCommitsToVerify + 1);
  while (commits.Next()) {
    if (commits.Int(0) != expected++) return commits.Damaged("the commit before it is missing");
  }
  return commits.status();
}

absl::Status ReadOpenTasks(Database* database, core::RecoveredState* state) {
  return OpenTaskLoader(database, state).Load();
}

}  // namespace muster::store
