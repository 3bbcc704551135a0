// The reads of store.h, each on one connection whose transaction shows one commit.
//
// Thread rule: a TaskReader is made for one read; the PartCache that they share locks itself. Ownership: borrows the
// connection. Errors: as Database; DATA_LOSS for rows that cannot be read.
#pragma once

#include <list>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "master/store/row_reader.h"
#include "master/store/sqlite_database.h"
#include "master/store/store.h"

namespace muster::store {

// The parts of batches that were read last, unpacked: a part never changes, and a page of its tasks needs it often.
class PartCache {
 public:
  std::optional<core::SpecificationRow> Find(TaskId first, CommitNumber* commit) ABSL_LOCKS_EXCLUDED(mutex_);
  void Keep(const core::SpecificationRow& part, CommitNumber commit) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr size_t kParts = 8;
  struct Entry {
    core::SpecificationRow part;
    CommitNumber commit;
  };
  absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // newest use first
};

class TaskReader {
 public:
  TaskReader(Database* database, PartCache* parts) : database_(database), parts_(parts) {}

  absl::StatusOr<std::optional<StoredTask>> FindTask(TaskId id);
  absl::StatusOr<TaskScan> ScanTasks(const TaskQuery& query);
  absl::StatusOr<std::optional<StoredBatch>> FindBatch(TaskId id);
  absl::StatusOr<std::vector<TaskRange>> BatchRanges(TaskId id);
  absl::StatusOr<std::vector<TaskId>> FindByName(std::string_view name, size_t limit);
  // Whether one specification has all of them: it is the first of a task that a purge takes.
  absl::StatusOr<bool> IsKept(TaskRange range);
  absl::StatusOr<std::vector<core::RangeEnds>> FindEnds(const std::vector<core::AskedRange>& ranges);
  absl::StatusOr<std::optional<core::RequestRow>> FindRequest(std::string_view owner, std::string_view request_id);
  absl::StatusOr<AttemptReportPtr> FindReport(AttemptKey key);
  // Adds what was tried again by one of the next specifications. How far it has looked; no id: there are no more.
  absl::StatusOr<TaskId> RetriedTasks(TaskId after, std::vector<TaskId>* retried);
  absl::StatusOr<std::vector<ActivityEntry>> ReadActivity(CommitNumber after, absl::Time since, size_t limit);

 private:
  struct Part {
    core::SpecificationRow row;
    CommitNumber commit;
  };
  struct Scan;

  // Of the specification that starts there.
  absl::StatusOr<std::optional<Part>> ReadPart(TaskId first);
  absl::StatusOr<StoredTask> ReadTask(TaskId id, const Part& part);
  absl::Status ReadAttempts(StoredTask* task);
  absl::Status ScanSpecifications(Scan* scan);
  absl::Status ScanEnded(Scan* scan);
  absl::Status ScanPart(Scan* scan, TaskId first, TaskRange tasks);
  absl::StatusOr<TaskRange> NewestPart(TaskId past, bool among_exceptions);
  absl::StatusOr<TaskState> EndStateOf(TaskId id);
  absl::Status FindFailed(core::RangeEnds* ends);
  absl::StatusOr<bool> ReadOutput(int64_t key, RetainedOutput* output);
  absl::StatusOr<CommitNumber> LastCommitBefore(absl::Time since);

  Database* const database_;
  PartCache* const parts_;
  SpecificationReader specifications_;
};

}  // namespace muster::store
