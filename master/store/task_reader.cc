#include "master/store/task_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "master/store/activity_packing.h"
#include "master/store/packing.h"
#include "master/store/report_packing.h"
#include "master/store/transaction_writer.h"

namespace muster::store {
namespace {

constexpr TaskState kNotSucceeded[] = {TaskState::kFailed, TaskState::kCancelled, TaskState::kTimedOut,
                                       TaskState::kLost, TaskState::kPoisoned};

}  // namespace

std::optional<core::SpecificationRow> PartCache::Find(TaskId first, CommitNumber* commit) {
  absl::MutexLock lock(&mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->part.first != first) continue;
    entries_.splice(entries_.begin(), entries_, entry);
    *commit = entry->commit;
    return entry->part;
  }
  return std::nullopt;
}

void PartCache::Keep(const core::SpecificationRow& part, CommitNumber commit) {
  absl::MutexLock lock(&mutex_);
  entries_.push_front({part, commit});
  if (entries_.size() > kParts) entries_.pop_back();
}

absl::StatusOr<std::optional<TaskReader::Part>> TaskReader::ReadPart(TaskId first) {
  Part part;
  if (std::optional<core::SpecificationRow> kept = parts_->Find(first, &part.commit)) {
    part.row = *std::move(kept);
    return part;
  }
  Query row(database_, "SELECT * FROM specification WHERE first = ?", "specification");
  row.Bind(1, IdNumber(first));
  if (!row.Next()) {
    MUSTER_RETURN_IF_ERROR(row.status());
    return std::nullopt;
  }
  MUSTER_ASSIGN_OR_RETURN(part.row, specifications_.Read(row));
  part.commit = CommitOf(row);
  if (part.row.rows != nullptr) parts_->Keep(part.row, part.commit);
  return part;
}

absl::StatusOr<std::optional<StoredTask>> TaskReader::FindTask(TaskId id) {
  TaskId first;
  {
    Query place(database_, "SELECT first, count FROM specification WHERE first <= ? ORDER BY first DESC LIMIT 1");
    place.Bind(1, IdNumber(id));
    if (!place.Next() || place.Int(0) + place.Int(1) <= IdNumber(id)) {
      MUSTER_RETURN_IF_ERROR(place.status());
      return std::nullopt;
    }
    first = TaskId(static_cast<uint64_t>(place.Int(0)));
  }
  MUSTER_ASSIGN_OR_RETURN(const std::optional<Part> part, ReadPart(first));
  if (!part.has_value()) return std::nullopt;
  MUSTER_ASSIGN_OR_RETURN(StoredTask task, ReadTask(id, *part));
  return task;
}

absl::StatusOr<StoredTask> TaskReader::ReadTask(TaskId id, const Part& part) {
  StoredTask task;
  task.id = id;
  task.specification = part.row;
  task.commit = part.commit;
  if (part.row.batch) task.batch_index = part.row.first_index + (id.value() - part.row.first.value());
  CommitNumber latest(std::numeric_limits<int64_t>::max());
  {
    Query outcome(database_, "SELECT * FROM outcome WHERE task = ?", "outcome");
    outcome.Bind(1, IdNumber(id));
    if (outcome.Next()) {
      MUSTER_ASSIGN_OR_RETURN(task.outcome, ReadOutcome(outcome));
      latest = CommitOf(outcome);
      task.commit = std::max(task.commit, latest);
    }
    MUSTER_RETURN_IF_ERROR(outcome.status());
  }
  MUSTER_RETURN_IF_ERROR(ReadAttempts(&task));
  CommitNumber found_in;
  MUSTER_ASSIGN_OR_RETURN(task.cancel, FindCancel(database_, id, latest, &found_in));
  if (task.cancel.has_value()) task.commit = std::max(task.commit, found_in);
  return task;
}

absl::Status TaskReader::ReadAttempts(StoredTask* task) {
  const int64_t low = PackKey({task->id, AttemptNumber(0)});
  const int64_t high = PackKey({task->id, AttemptNumber(kMaxAttemptNumber)});
  Query attempts(database_, "SELECT * FROM attempt WHERE key BETWEEN ? AND ? ORDER BY key", "attempt");
  attempts.Bind(1, low);
  attempts.Bind(2, high);
  while (attempts.Next()) {
    task->attempts.push_back(ReadAttempt(attempts));
    task->commit = std::max(task->commit, CommitOf(attempts));
  }
  MUSTER_RETURN_IF_ERROR(attempts.status());
  if (task->attempts.empty()) return absl::OkStatus();

  Query ends(database_, "SELECT * FROM attempt_end WHERE key BETWEEN ? AND ? ORDER BY key", "attempt_end");
  ends.Bind(1, low);
  ends.Bind(2, high);
  while (ends.Next()) {
    MUSTER_ASSIGN_OR_RETURN(core::AttemptEndRow end, ReadAttemptEnd(ends));
    task->attempt_ends.push_back(std::move(end));
    task->commit = std::max(task->commit, CommitOf(ends));
  }
  MUSTER_RETURN_IF_ERROR(ends.status());

  Query notes(database_, "SELECT * FROM note WHERE key BETWEEN ? AND ? ORDER BY key, rowid", "note");
  notes.Bind(1, low);
  notes.Bind(2, high);
  while (notes.Next()) {
    task->notes.push_back(ReadNote(notes));
    task->commit = std::max(task->commit, CommitOf(notes));
  }
  return notes.status();
}

absl::StatusOr<std::optional<StoredBatch>> TaskReader::FindBatch(TaskId id) {
  MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskRange> ranges, BatchRanges(id));
  if (ranges.empty()) return std::nullopt;
  StoredBatch batch;
  batch.id = id;
  uint64_t ended[16] = {};
  for (const TaskRange& range : ranges) {
    MUSTER_ASSIGN_OR_RETURN(std::optional<Part> part, ReadPart(range.first));
    if (part.has_value()) batch.parts.push_back(std::move(part->row));
    batch.task_count += range.count;
    Query counts(database_,
                 "SELECT state, count(*), max(exit_code) FROM outcome WHERE task >= ? AND task < ? GROUP BY state");
    counts.Bind(1, IdNumber(range.first));
    counts.Bind(2, IdNumber(range.first) + static_cast<int64_t>(range.count));
    while (counts.Next()) {
      ended[counts.Int(0) & 15] += static_cast<uint64_t>(counts.Int(1));
      batch.exit_code = std::max(batch.exit_code, static_cast<int>(counts.Int(2)));
    }
    MUSTER_RETURN_IF_ERROR(counts.status());
  }
  for (int state = 0; state < 16; ++state) {
    if (ended[state] != 0) batch.ended.emplace_back(static_cast<TaskState>(state), ended[state]);
  }
  return batch;
}

absl::StatusOr<std::vector<TaskRange>> TaskReader::BatchRanges(TaskId id) {
  std::vector<TaskRange> ranges;
  if (!id) return ranges;
  Query parts(database_, "SELECT first, count FROM specification WHERE batch = ? ORDER BY first");
  parts.Bind(1, IdNumber(id));
  while (parts.Next()) {
    ranges.push_back({TaskId(static_cast<uint64_t>(parts.Int(0))), static_cast<uint64_t>(parts.Int(1))});
  }
  MUSTER_RETURN_IF_ERROR(parts.status());
  return ranges;
}

absl::StatusOr<bool> TaskReader::IsKept(TaskRange range) {
  Query part(database_, "SELECT first + count FROM specification WHERE first <= ? ORDER BY first DESC LIMIT 1");
  part.Bind(1, IdNumber(range.first));
  const bool covers = range.count > 0 && part.Next() &&
                      part.Int(0) >= IdNumber(range.first) + static_cast<int64_t>(range.count);
  MUSTER_RETURN_IF_ERROR(part.status());
  return covers;
}

// One task's row is checked whole; of many, the index of what did not succeed tells.
absl::Status TaskReader::FindFailed(core::RangeEnds* ends) {
  const TaskRange range = ends->asked.tasks;
  if (range.count == 1) {
    Query outcome(database_, "SELECT * FROM outcome WHERE task = ?", "outcome");
    outcome.Bind(1, IdNumber(range.first));
    const auto state = outcome.Next() ? static_cast<TaskState>(outcome.Int(1)) : TaskState::kSucceeded;
    if (state != TaskState::kSucceeded) {
      ends->failed = range.first;
      ends->failed_as = state;
    }
    return outcome.status();
  }
  for (const TaskState state : kNotSucceeded) {
    Query failed(database_, "SELECT task FROM outcome WHERE state = ? AND state <> 7 AND task >= ? AND task < ? ORDER BY task LIMIT 1");
    failed.Bind(1, static_cast<int64_t>(state));
    failed.Bind(2, IdNumber(range.first));
    failed.Bind(3, IdNumber(range.first) + static_cast<int64_t>(range.count));
    if (failed.Next() && (!ends->failed || TaskId(static_cast<uint64_t>(failed.Int(0))) < ends->failed)) {
      ends->failed = TaskId(static_cast<uint64_t>(failed.Int(0)));
      ends->failed_as = state;
    }
    MUSTER_RETURN_IF_ERROR(failed.status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<core::RangeEnds>> TaskReader::FindEnds(const std::vector<core::AskedRange>& ranges) {
  std::vector<core::RangeEnds> found;
  found.reserve(ranges.size());
  for (const core::AskedRange& asked : ranges) {
    core::RangeEnds ends{asked, TaskId(), TaskState::kNone};
    MUSTER_ASSIGN_OR_RETURN(const bool is_kept, IsKept(asked.tasks));
    const absl::Status read = is_kept ? FindFailed(&ends) : absl::OkStatus();
    if (!is_kept || absl::IsDataLoss(read)) {
      ends.failed = asked.tasks.first;
      ends.failed_as = TaskState::kUnknown;
    } else if (!read.ok()) {
      return read;
    }
    found.push_back(ends);
  }
  return found;
}

absl::StatusOr<std::vector<TaskId>> TaskReader::FindByName(std::string_view name, size_t limit) {
  std::vector<TaskId> tasks;
  if (name.empty()) return tasks;
  Query named(database_, "SELECT first, count FROM specification WHERE name = ? ORDER BY first DESC");
  named.Bind(1, name);
  while (tasks.size() < limit && named.Next()) {
    for (int64_t i = named.Int(1); i > 0 && tasks.size() < limit; --i) {
      tasks.emplace_back(static_cast<uint64_t>(named.Int(0) + i - 1));
    }
  }
  MUSTER_RETURN_IF_ERROR(named.status());
  return tasks;
}

absl::StatusOr<std::optional<core::RequestRow>> TaskReader::FindRequest(std::string_view owner,
                                                                        std::string_view request_id) {
  Query request(database_, "SELECT * FROM request WHERE owner = ? AND request_id = ?", "request");
  request.Bind(1, owner);
  request.Bind(2, request_id);
  if (!request.Next()) {
    MUSTER_RETURN_IF_ERROR(request.status());
    return std::nullopt;
  }
  MUSTER_ASSIGN_OR_RETURN(core::RequestRow row, ReadRequest(request));
  return row;
}

absl::StatusOr<AttemptReportPtr> TaskReader::FindReport(AttemptKey key) {
  AttemptReportPtr found;
  Query end(database_, "SELECT * FROM attempt_end WHERE key = ?", "attempt_end");
  end.Bind(1, PackKey(key));
  if (end.Next()) {
    MUSTER_ASSIGN_OR_RETURN(const core::AttemptEndRow row, ReadAttemptEnd(end));
    found = row.report;
  }
  MUSTER_RETURN_IF_ERROR(end.status());
  if (found == nullptr) {
    Query outcome(database_, "SELECT * FROM outcome WHERE task = ? AND attempt = ?", "outcome");
    outcome.Bind(1, IdNumber(key.task));
    outcome.Bind(2, key.number.value());
    if (outcome.Next()) {
      MUSTER_ASSIGN_OR_RETURN(const core::OutcomeRow row, ReadOutcome(outcome));
      found = row.report;
    }
    MUSTER_RETURN_IF_ERROR(outcome.status());
  }
  if (found == nullptr) return found;
  auto report = std::make_shared<AttemptReport>(*found);
  MUSTER_ASSIGN_OR_RETURN(const bool has_stdout, ReadOutput(OutputKey(key, false), &report->stdout_output));
  MUSTER_ASSIGN_OR_RETURN(const bool has_stderr, ReadOutput(OutputKey(key, true), &report->stderr_output));
  const bool is_kept = (has_stdout || report->stdout_output.total_bytes == 0) &&
                       (has_stderr || report->stderr_output.total_bytes == 0);
  return is_kept ? report : nullptr;
}

absl::StatusOr<bool> TaskReader::ReadOutput(int64_t key, RetainedOutput* output) {
  Query row(database_, "SELECT * FROM output WHERE key = ?", "output");
  row.Bind(1, key);
  if (row.Next()) {
    output->head = std::string(row.Bytes(1));
    output->tail = std::string(row.Bytes(2));
    return true;
  }
  MUSTER_RETURN_IF_ERROR(row.status());
  return false;
}

absl::StatusOr<std::vector<ActivityEntry>> TaskReader::ReadActivity(CommitNumber after, absl::Time since,
                                                                    size_t limit) {
  std::vector<ActivityEntry> entries;
  if (since != absl::InfinitePast()) {
    MUSTER_ASSIGN_OR_RETURN(const CommitNumber before, LastCommitBefore(since));
    after = std::max(after, before);
  }
  Query commits(database_, "SELECT * FROM activity WHERE commit_number > ? ORDER BY commit_number", "activity");
  commits.Bind(1, after.value());
  while (entries.size() < limit && commits.Next()) {
    std::optional<std::vector<activity::Record>> records = UnpackActivity(commits.Bytes(2));
    if (!records.has_value()) return commits.Damaged("its records cannot be read");
    uint32_t index = 0;
    for (activity::Record& record : *records) {
      if (record.time >= since) entries.push_back({CommitNumber(commits.Int(0)), index, std::move(record)});
      ++index;
    }
  }
  MUSTER_RETURN_IF_ERROR(commits.status());
  return entries;
}

// The times of commits never go back, so halving finds it.
absl::StatusOr<CommitNumber> TaskReader::LastCommitBefore(absl::Time since) {
  int64_t low = 0;
  int64_t high = 0;
  {
    Query last(database_, "SELECT max(commit_number) FROM activity");
    if (last.Next()) high = last.Int(0);
    MUSTER_RETURN_IF_ERROR(last.status());
  }
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    Query row(database_, "SELECT time FROM activity WHERE commit_number >= ? ORDER BY commit_number LIMIT 1");
    row.Bind(1, middle);
    const bool is_before = row.Next() && row.Int(0) < TimeToNumber(since);
    MUSTER_RETURN_IF_ERROR(row.status());
    if (is_before) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return CommitNumber(low);
}

}  // namespace muster::store
