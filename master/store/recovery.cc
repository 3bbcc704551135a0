#include "master/store/recovery.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "master/store/row_reader.h"
#include "master/store/schema.h"

namespace muster::store {
namespace {

constexpr int64_t kCommitsToVerify = 1000;
constexpr int kStepsBeforeSeek = 16;
constexpr absl::Duration kPageCheckLimit = absl::Milliseconds(500);

using core::RecoveredTask;

class OpenTaskLoader {
 public:
  OpenTaskLoader(Database* database, core::RecoveredState* state) : database_(database), state_(state) {}

  absl::Status Load() {
    MUSTER_ASSIGN_OR_RETURN(floor_, ReadMetaNumber(database_, kMetaOpenFloor));
    MUSTER_RETURN_IF_ERROR(LoadExceptions());
    first_above_floor_ = state_->tasks.size();
    MUSTER_RETURN_IF_ERROR(LoadAboveFloor());
    MUSTER_RETURN_IF_ERROR(LoadAttempts());
    MUSTER_RETURN_IF_ERROR(LoadCancels());
    MUSTER_RETURN_IF_ERROR(LoadWorkerSettings());
    MUSTER_RETURN_IF_ERROR(LoadExecutors());
    return FindNextId();
  }

 private:
  absl::Status LoadExceptions() {
    Query exceptions(database_, "SELECT * FROM open_exception ORDER BY first", "open_exception");
    while (exceptions.Next()) {
      Query row(database_, "SELECT * FROM specification WHERE first = ?", "specification");
      row.Bind(1, exceptions.Int(0));
      if (row.Next()) MUSTER_RETURN_IF_ERROR(AddIfOpen(row));
      MUSTER_RETURN_IF_ERROR(row.status());
    }
    return exceptions.status();
  }

  absl::Status LoadAboveFloor() {
    Query rows(database_,
               "SELECT * FROM specification WHERE first >= ? AND (count > 1 OR NOT EXISTS "
               "(SELECT 1 FROM outcome WHERE task = first)) ORDER BY first",
               "specification");
    rows.Bind(1, floor_);
    while (rows.Next()) {
      if (rows.Int(1) == 1) {
        AddTasks(rows.Int(0), rows.Int(0) + 1);
        MUSTER_RETURN_IF_ERROR(AddSpecification(rows));
      } else {
        MUSTER_RETURN_IF_ERROR(AddIfOpen(rows));
      }
    }
    return rows.status();
  }

  absl::Status AddIfOpen(const Query& row) {
    const int64_t first = row.Int(0);
    const int64_t count = row.Int(1);
    const size_t before = state_->tasks.size();
    int64_t next = first;
    Query ended(database_, "SELECT task FROM outcome WHERE task >= ? AND task < ? ORDER BY task");
    ended.Bind(1, first);
    ended.Bind(2, first + count);
    while (ended.Next()) {
      AddTasks(next, ended.Int(0));
      next = ended.Int(0) + 1;
    }
    MUSTER_RETURN_IF_ERROR(ended.status());
    AddTasks(next, first + count);
    return state_->tasks.size() == before ? absl::OkStatus() : AddSpecification(row);
  }

  absl::Status AddSpecification(const Query& row) {
    MUSTER_ASSIGN_OR_RETURN(core::SpecificationRow specification, specifications_.Read(row));
    state_->specifications.push_back(std::move(specification));
    return absl::OkStatus();
  }

  void AddTasks(int64_t first, int64_t past) {
    for (int64_t id = first; id < past; ++id) state_->tasks.emplace_back().id = TaskId(static_cast<uint64_t>(id));
  }

  // Walks the table and the open tasks side by side, both in order; jumps where the table has much that is not open.
  template <typename Visit>
  absl::Status Join(const char* sql, const char* table, Visit visit) {
    auto task = state_->tasks.begin();
    const auto end = state_->tasks.end();
    while (task != end) {
      Query rows(database_, sql, table);
      rows.Bind(1, PackKey({task->id, AttemptNumber(0)}));
      int unwanted = 0;
      while (unwanted < kStepsBeforeSeek && rows.Next()) {
        const TaskId owner = UnpackKey(rows.Int(0)).task;
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
    MUSTER_RETURN_IF_ERROR(Join("SELECT * FROM attempt WHERE key >= ? ORDER BY key", "attempt",
                                [](RecoveredTask& task, const Query& row) {
                                  task.attempts.push_back(ReadAttempt(row));
                                  return absl::OkStatus();
                                }));
    MUSTER_RETURN_IF_ERROR(Join("SELECT * FROM attempt_end WHERE key >= ? ORDER BY key", "attempt_end",
                                [](RecoveredTask& task, const Query& row) {
                                  absl::StatusOr<core::AttemptEndRow> end = ReadAttemptEnd(row);
                                  if (end.ok()) task.attempt_ends.push_back(*std::move(end));
                                  return end.status();
                                }));
    return Join("SELECT * FROM unknown_since WHERE key >= ? ORDER BY key", "unknown_since",
                [](RecoveredTask& task, const Query& row) {
                  task.unknown = ReadUnknown(row);
                  return absl::OkStatus();
                });
  }

  absl::Status LoadCancels() {
    std::vector<CommitNumber> since(state_->tasks.size());
    for (size_t i = 0; i < first_above_floor_; ++i) {
      const CommitNumber any(std::numeric_limits<int64_t>::max());
      MUSTER_ASSIGN_OR_RETURN(state_->tasks[i].cancel, FindCancel(database_, state_->tasks[i].id, any, &since[i]));
    }
    MUSTER_ASSIGN_OR_RETURN(const int64_t longest, LongestCancel(database_));
    Query wishes(database_, "SELECT * FROM cancel WHERE first >= ?", "cancel");
    wishes.Bind(1, floor_ - longest);
    while (wishes.Next()) Apply(ReadCancel(wishes), CommitOf(wishes), &since);
    return wishes.status();
  }

  // The first wish holds.
  void Apply(const core::CancelRow& wish, CommitNumber commit, std::vector<CommitNumber>* since) {
    auto& tasks = state_->tasks;
    auto task = std::lower_bound(tasks.begin(), tasks.end(), wish.tasks.first,
                                 [](const RecoveredTask& it, TaskId id) { return it.id < id; });
    for (; task != tasks.end() && task->id.value() - wish.tasks.first.value() < wish.tasks.count; ++task) {
      CommitNumber& known = (*since)[static_cast<size_t>(task - tasks.begin())];
      if (task->cancel.has_value() && known <= commit) continue;
      task->cancel = wish;
      known = commit;
    }
  }

  absl::Status LoadWorkerSettings() {
    Query settings(database_, "SELECT * FROM worker_setting ORDER BY name", "worker_setting");
    while (settings.Next()) state_->worker_settings.push_back(ReadWorkerSetting(settings));
    return settings.status();
  }

  absl::Status LoadExecutors() {
    Query executors(database_, "SELECT * FROM executor ORDER BY name", "executor");
    while (executors.Next()) state_->executors.push_back(ReadExecutor(executors));
    return executors.status();
  }

  absl::Status FindNextId() {
    Query newest(database_, "SELECT * FROM specification ORDER BY first DESC LIMIT 1", "specification");
    state_->next_id = TaskId(1);
    if (newest.Next()) state_->next_id = TaskId(static_cast<uint64_t>(newest.Int(0) + newest.Int(1)));
    return newest.status();
  }

  Database* const database_;
  core::RecoveredState* const state_;
  SpecificationReader specifications_;
  int64_t floor_ = 0;
  size_t first_above_floor_ = 0;
};

absl::Status CheckPages(Database* database) {
  database->SetDeadline(absl::Now() + kPageCheckLimit);
  Query check(database, "PRAGMA quick_check(1)");
  std::string finding;
  if (check.Next()) finding = std::string(check.Bytes(0));
  database->SetDeadline(absl::InfiniteFuture());
  if (absl::IsDeadlineExceeded(check.status())) return absl::OkStatus();  // as far as time allowed
  MUSTER_RETURN_IF_ERROR(check.status());
  if (finding == "ok" || finding.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("store ", database->path(), " is damaged: ", finding));
}

}  // namespace

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

absl::Status VerifyAfterUncleanEnd(Database* database, CommitPosition position) {
  Query commits(database, "SELECT * FROM activity WHERE commit_number > ? ORDER BY commit_number", "activity");
  commits.Bind(1, position.number.value() - kCommitsToVerify);
  int64_t expected = std::max<int64_t>(1, position.number.value() - kCommitsToVerify + 1);
  while (commits.Next()) {
    if (commits.Int(0) != expected++) return commits.Damaged("the commit before it is missing");
  }
  MUSTER_RETURN_IF_ERROR(commits.status());
  return CheckPages(database);
}

absl::Status ReadOpenTasks(Database* database, core::RecoveredState* state) {
  return OpenTaskLoader(database, state).Load();
}

}  // namespace muster::store
