#include "master/store/failure_scan.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "master/store/row_reader.h"
#include "master/store/transaction_writer.h"

namespace muster::store {
namespace {

constexpr size_t kMostRowsLookedAt = 50'000;
constexpr size_t kStderrBytes = 4096;

int32_t FailureCode(const AttemptReportPtr& report) {
  if (report == nullptr) return 0;
  switch (report->end.reason) {
    case EndReason::kExited: return report->end.exit_code;
    case EndReason::kSignaled: return report->end.signal;
    case EndReason::kStartFailed: return report->end.start_errno;
    default: return 0;
  }
}

class FailureReader {
 public:
  FailureReader(Database* database, absl::Time since, size_t limit)
      : database_(database), since_(since), limit_(limit) {}

  // Attempts that were not their task's last.
  absl::Status ReadRetried() {
    Query rows(database_, "SELECT * FROM attempt_end ORDER BY key DESC", "attempt_end");
    for (size_t looked_at = 0; rows.Next(); ++looked_at) {
      if (Enough(looked_at)) return absl::OkStatus();
      MUSTER_ASSIGN_OR_RETURN(const core::AttemptEndRow end, ReadAttemptEnd(rows));
      if (!end.used_attempt || end.ended < since_) continue;
      found_.push_back({end.key, "", end.reason, FailureCode(end.report), end.message, "", end.ended, false});
    }
    return rows.status();
  }

  absl::Status ReadLast(TaskState state) {
    Query rows(database_, "SELECT * FROM outcome WHERE state = ? AND state <> 7 ORDER BY task DESC", "outcome");
    rows.Bind(1, static_cast<int64_t>(state));
    for (size_t looked_at = 0; rows.Next(); ++looked_at) {
      if (Enough(looked_at)) return absl::OkStatus();
      MUSTER_ASSIGN_OR_RETURN(const core::OutcomeRow outcome, ReadOutcome(rows));
      if (!outcome.attempt || outcome.report == nullptr || outcome.ended < since_) continue;
      found_.push_back({{outcome.task, outcome.attempt}, "", outcome.reason, FailureCode(outcome.report),
                        outcome.message, "", outcome.ended, true});
    }
    return rows.status();
  }

  // The newest of all that were found, with worker and stderr.
  absl::StatusOr<FailureScan> Take() {
    FailureScan scan{std::move(found_), complete_};
    std::sort(scan.failures.begin(), scan.failures.end(), [](const FailedAttempt& a, const FailedAttempt& b) {
      return std::pair(a.ended, a.key) > std::pair(b.ended, b.key);
    });
    if (scan.failures.size() > limit_) {
      scan.failures.resize(limit_);
      scan.complete = false;
    }
    for (FailedAttempt& failure : scan.failures) MUSTER_RETURN_IF_ERROR(Complete(&failure));
    return scan;
  }

 private:
  bool Enough(size_t looked_at) {
    if (looked_at < kMostRowsLookedAt) return false;
    complete_ = false;
    return true;
  }

  absl::Status Complete(FailedAttempt* failure) {
    Query attempt(database_, "SELECT * FROM attempt WHERE key = ?", "attempt");
    attempt.Bind(1, PackKey(failure->key));
    if (attempt.Next()) failure->worker = ReadAttempt(attempt).worker;
    MUSTER_RETURN_IF_ERROR(attempt.status());
    Query output(database_, "SELECT * FROM output WHERE key = ?", "output");
    output.Bind(1, OutputKey(failure->key, true));
    if (output.Next()) {
      const std::string_view bytes = output.Bytes(2).empty() ? output.Bytes(1) : output.Bytes(2);
      failure->stderr_tail = std::string(bytes.substr(bytes.size() - std::min(bytes.size(), kStderrBytes)));
    }
    return output.status();
  }

  Database* const database_;
  const absl::Time since_;
  const size_t limit_;
  std::vector<FailedAttempt> found_;
  bool complete_ = true;
};

}  // namespace

absl::StatusOr<FailureScan> ScanFailures(Database* database, absl::Time since, size_t limit) {
  FailureReader reader(database, since, limit);
  MUSTER_RETURN_IF_ERROR(reader.ReadRetried());
  MUSTER_RETURN_IF_ERROR(reader.ReadLast(TaskState::kFailed));
  MUSTER_RETURN_IF_ERROR(reader.ReadLast(TaskState::kTimedOut));
  return reader.Take();
}

}  // namespace muster::store
