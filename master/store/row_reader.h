// Rows of the tables back into the core's rows. Each takes a query over all columns of its table ("SELECT * FROM ...")
// that was told the table's name, so that the checksum has been checked.
//
// Thread rule: a SpecificationReader belongs to one thread at a time; the functions are pure.
// Errors: DATA_LOSS naming file, table and row.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/domain/ids.h"
#include "master/core/transaction.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

// Rows with the same specification share one, as long as no other took its place among those that are remembered.
class SpecificationReader {
 public:
  absl::StatusOr<core::SpecificationRow> Read(const Query& row);

 private:
  static constexpr size_t kRemembered = 256;

  absl::StatusOr<TaskSpecPtr> ReadSpec(const Query& row);

  std::array<TaskSpecPtr, kRemembered> known_;  // by what is quickly seen of their payloads
};

core::AttemptRow ReadAttempt(const Query& row);
absl::StatusOr<core::AttemptEndRow> ReadAttemptEnd(const Query& row);
absl::StatusOr<core::OutcomeRow> ReadOutcome(const Query& row);
core::UnknownRow ReadUnknown(const Query& row);
absl::StatusOr<core::RequestRow> ReadRequest(const Query& row);
core::CancelRow ReadCancel(const Query& row);
core::WorkerSettingRow ReadWorkerSetting(const Query& row);
absl::StatusOr<core::QueueSettingRow> ReadQueueSetting(const Query& row);
core::ExecutorRow ReadExecutor(const Query& row);
absl::StatusOr<LearnedRunTimes> ReadRunTimes(const Query& row);
core::NoteRow ReadNote(const Query& row);

// Every table's rows carry the commit they came with in the column before the checksum.
CommitNumber CommitOf(const Query& row);

// The first wish that covers the task, if any. `latest`: only wishes up to this commit count.
absl::StatusOr<std::optional<core::CancelRow>> FindCancel(Database* database, TaskId task, CommitNumber latest,
                                                          CommitNumber* found_in);
// No stored range of tasks is longer than this.
absl::StatusOr<int64_t> LongestCancel(Database* database);

}  // namespace muster::store
