#include "master/store/retention.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "master/store/packing.h"
#include "master/store/report_packing.h"
#include "master/store/schema.h"
#include "master/store/transaction_writer.h"
#include "master/store/workflow_rows.h"

namespace muster::store {
namespace {

// One step: about two milliseconds of deleting.
constexpr uint64_t kPurgedTasksPerStep = 256;
constexpr uint64_t kLeftoverTasksPerStep = 512;
constexpr int64_t kOutputBytesPerStep = int64_t{4} << 20;
constexpr int kOutputRowsPerStep = 256;
constexpr int kActivityRowsPerStep = 512;
constexpr int kRequestRowsPerStep = 256;
constexpr int kWorkflowsPerStep = 64;
constexpr int64_t kNewestCommitsKept = 2000;  // a start looks at the newest 1000

TaskRange Range(int64_t first, int64_t past) {
  return {TaskId(static_cast<uint64_t>(first)), static_cast<uint64_t>(past - first)};
}
int64_t Past(const TaskRange& range) { return IdNumber(range.first) + static_cast<int64_t>(range.count); }

// What has ended of some tasks.
struct Ends {
  int64_t count = 0;
  int64_t last_ns = 0;
};

class FinishedTasksFinder {
 public:
  FinishedTasksFinder(Database* database, const PurgeCriteria& criteria, bool whole_steps)
      : database_(database), criteria_(criteria), whole_steps_(whole_steps) {}

  absl::StatusOr<PurgeFinding> Find(int64_t from, int most_specifications) {
    MUSTER_ASSIGN_OR_RETURN(const int64_t newest, NewestFirst());
    Query rows(database_,
               "SELECT first, count, batch, created, length(payload) + coalesce(length(arguments), 0) "
               "FROM specification WHERE first >= ? ORDER BY first");
    rows.Bind(1, from);
    finding_.next = from;
    finding_.done = true;
    for (int looked = 0; rows.Next() && rows.Int(0) != newest && !NothingOlderFollows(rows); ++looked) {
      finding_.done = false;
      if (looked == most_specifications || IsFull()) break;
      MUSTER_ASSIGN_OR_RETURN(const bool goes, Goes(rows));
      if (goes && !Take(rows)) break;
      finding_.next = rows.Int(0) + rows.Int(1);
      finding_.done = true;
    }
    MUSTER_RETURN_IF_ERROR(rows.status());
    return std::move(finding_);
  }

 private:
  // Its id would be given out again; it is kept.
  absl::StatusOr<int64_t> NewestFirst() {
    Query newest(database_, "SELECT max(first) FROM specification");
    const bool found = newest.Next();
    MUSTER_RETURN_IF_ERROR(newest.status());
    return found ? newest.Int(0) : 0;
  }

  bool IsWanted(int64_t past) const {
    return past <= criteria_.ids_below || finding_.step.freed.tasks < criteria_.bytes_to_free;
  }
  bool NothingOlderFollows(const Query& row) const {
    return row.Int(3) >= TimeToNumber(criteria_.ended_before) && !IsWanted(row.Int(0) + row.Int(1));
  }
  bool IsFull() const {
    return whole_steps_ && (finding_.step.task_count >= kPurgedTasksPerStep || output_bytes_ >= kOutputBytesPerStep ||
                            !finding_.step.specifications.empty());
  }

  absl::StatusOr<bool> Goes(const Query& row) {
    const int64_t first = row.Int(0);
    const int64_t count = row.Int(1);
    std::optional<int64_t> last_end;
    if (row.Int(2) == 0) {
      MUSTER_ASSIGN_OR_RETURN(last_end, LastEndIfEnded(first, count));
    } else {
      MUSTER_ASSIGN_OR_RETURN(last_end, LastEndOfBatch(row.Int(2)));
    }
    if (!last_end.has_value()) return false;
    if (criteria_.is_needed && criteria_.is_needed(Range(first, first + count))) return false;
    return *last_end < TimeToNumber(criteria_.ended_before) || IsWanted(first + count);
  }

  absl::StatusOr<std::optional<int64_t>> LastEndIfEnded(int64_t first, int64_t count) {
    Query ends(database_, "SELECT count(*), coalesce(max(ended), 0) FROM outcome WHERE task >= ? AND task < ?");
    ends.Bind(1, first);
    ends.Bind(2, first + count);
    std::optional<int64_t> last;
    if (ends.Next() && ends.Int(0) >= count) last = ends.Int(1);
    MUSTER_RETURN_IF_ERROR(ends.status());
    return last;
  }

  absl::StatusOr<std::optional<int64_t>> LastEndOfBatch(int64_t batch) {
    if (const auto known = batches_.find(batch); known != batches_.end()) return known->second;
    std::optional<int64_t> last = 0;
    Query parts(database_, "SELECT first, count FROM specification WHERE batch = ?");
    parts.Bind(1, batch);
    while (last.has_value() && parts.Next()) {
      MUSTER_ASSIGN_OR_RETURN(const std::optional<int64_t> ended, LastEndIfEnded(parts.Int(0), parts.Int(1)));
      last = ended.has_value() ? std::optional<int64_t>(std::max(*last, *ended)) : std::nullopt;
    }
    MUSTER_RETURN_IF_ERROR(parts.status());
    batches_[batch] = last;
    return last;
  }

  // False: it is more than this step has room for; it begins the next one.
  bool Take(const Query& row) {
    const int64_t first = row.Int(0);
    const int64_t past = first + row.Int(1);
    PurgeStep& step = finding_.step;
    const int64_t output = OutputBytes(first, past);
    const bool is_big = static_cast<uint64_t>(past - first) > kPurgedTasksPerStep || output > kOutputBytesPerStep;
    if (whole_steps_ && is_big && !step.tasks.empty()) return false;
    if (whole_steps_ && is_big) {
      step.specifications.push_back(Range(first, past));
    } else if (!step.tasks.empty() && Past(step.tasks.back()) == finding_.next) {
      step.tasks.back().count = static_cast<uint64_t>(past - IdNumber(step.tasks.back().first));
    } else {
      step.tasks.push_back(Range(first, past));
    }
    step.task_count += static_cast<uint64_t>(past - first);
    step.freed.tasks += row.Int(4) + kBytesPerTask * (past - first);
    if (!is_big) step.freed.output += output;
    output_bytes_ += output;
    return true;
  }

  int64_t OutputBytes(int64_t first, int64_t past) {
    if (!whole_steps_) return 0;
    Query sum(database_,
              "SELECT coalesce(sum(length(head) + length(tail)), 0) + 64 * count(*) FROM output "
              "WHERE key >= ? AND key < ?");
    sum.Bind(1, first << 17);
    sum.Bind(2, past << 17);
    return sum.Next() ? sum.Int(0) : 0;
  }

  Database* const database_;
  const PurgeCriteria& criteria_;
  const bool whole_steps_;
  PurgeFinding finding_;
  int64_t output_bytes_ = 0;
  absl::flat_hash_map<int64_t, std::optional<int64_t>> batches_;  // nothing: some of it is open
};

absl::StatusOr<bool> IsKept(Database* database, TaskId id) {
  Query part(database, "SELECT first + count FROM specification WHERE first <= ? ORDER BY first DESC LIMIT 1");
  part.Bind(1, IdNumber(id));
  const bool covers = part.Next() && part.Int(0) > IdNumber(id);
  MUSTER_RETURN_IF_ERROR(part.status());
  return covers;
}

// The ids of a part are nobody else's.
absl::StatusOr<bool> AnyTaskIsKept(Database* database, TaskId workflow) {
  Query parts(database, "SELECT * FROM workflow_part WHERE workflow = ? ORDER BY first DESC", "workflow_part");
  parts.Bind(1, IdNumber(workflow));
  while (parts.Next()) {
    MUSTER_ASSIGN_OR_RETURN(const core::WorkflowPartRow part, ReadWorkflowPart(parts));
    const TaskRange last = part.tasks.back().tasks;
    Query kept(database, "SELECT 1 FROM specification WHERE first >= ? AND first < ? LIMIT 1");
    kept.Bind(1, IdNumber(part.tasks.front().tasks.first));
    kept.Bind(2, Past(last));
    if (kept.Next()) return true;
    MUSTER_RETURN_IF_ERROR(kept.status());
  }
  MUSTER_RETURN_IF_ERROR(parts.status());
  return false;
}

absl::Status DeleteWorkflow(Database* database, TaskId id) {
  for (const char* const sql : {"DELETE FROM workflow_part WHERE workflow = ?", "DELETE FROM workflow_state WHERE workflow = ?",
                                "DELETE FROM workflow WHERE id = ?"}) {
    Query remove(database, sql);
    remove.Bind(1, IdNumber(id));
    MUSTER_RETURN_IF_ERROR(remove.Run());
  }
  return absl::OkStatus();
}

absl::Status FindOldCancels(Database* database, PurgeStep* step) {
  Query wishes(database,
               "SELECT first, count FROM cancel WHERE count > 1 AND first + count <= "
               "(SELECT min(first) FROM specification) ORDER BY first, count LIMIT 256");
  while (wishes.Next()) step->cancels.push_back(Range(wishes.Int(0), wishes.Int(0) + wishes.Int(1)));
  return wishes.status();
}

absl::Status DeleteBetween(Database* database, const char* sql, int64_t low, int64_t past) {
  Query rows(database, sql);
  rows.Bind(1, low);
  rows.Bind(2, past);
  return rows.Run();
}

absl::Status DeleteTasks(Database* database, const TaskRange& range) {
  const int64_t first = IdNumber(range.first);
  const int64_t past = Past(range);
  struct Deletion {
    const char* sql;
    int bits;  // of the key behind the task's id
  };
  static constexpr Deletion kDeletions[] = {
      {"DELETE FROM specification WHERE first >= ? AND first < ?", 0},
      {"DELETE FROM outcome WHERE task >= ? AND task < ?", 0},
      {"DELETE FROM attempt WHERE key >= ? AND key < ?", 16},
      {"DELETE FROM attempt_end WHERE key >= ? AND key < ?", 16},
      {"DELETE FROM unknown_since WHERE key >= ? AND key < ?", 16},
      {"DELETE FROM note WHERE key >= ? AND key < ?", 16},
      {"DELETE FROM output WHERE key >= ? AND key < ?", 17},
      {"DELETE FROM cancel WHERE first >= ? AND first < ? AND count = 1", 0},
  };
  for (const Deletion& deletion : kDeletions) {
    MUSTER_RETURN_IF_ERROR(DeleteBetween(database, deletion.sql, first << deletion.bits, past << deletion.bits));
  }
  return absl::OkStatus();
}

}  // namespace

Usage& Usage::operator+=(const Usage& other) {
  tasks = std::max<int64_t>(0, tasks + other.tasks);
  output = std::max<int64_t>(0, output + other.output);
  activity = std::max<int64_t>(0, activity + other.activity);
  return *this;
}

std::string Usage::ToText() const { return absl::StrCat(tasks, ",", output, ",", activity); }

Usage Usage::FromText(std::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(absl::string_view(text.data(), text.size()), ',');
  Usage usage;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &usage.tasks) || !absl::SimpleAtoi(parts[1], &usage.output) ||
      !absl::SimpleAtoi(parts[2], &usage.activity)) {
    return {};
  }
  return usage;
}

bool PurgeStep::Empty() const {
  return tasks.empty() && specifications.empty() && outputs.empty() && activity_below == 0 && requests.empty() &&
         cancels.empty() && workflows.empty() && !sets_purging;
}

absl::StatusOr<PurgeFinding> FindFinishedTasks(Database* database, int64_t from, const PurgeCriteria& criteria,
                                               int most_specifications, bool whole_steps) {
  return FinishedTasksFinder(database, criteria, whole_steps).Find(from, most_specifications);
}

absl::StatusOr<PurgeFinding> FindOldOutput(Database* database, int64_t from, const PurgeCriteria& criteria) {
  PurgeFinding finding;
  finding.next = from;
  finding.done = true;
  Query rows(database,
             "SELECT key, length(head) + length(tail) + 64, coalesce((SELECT time FROM activity a "
             "WHERE a.commit_number = o.commit_number), 0) FROM output o WHERE key >= ? ORDER BY key");
  rows.Bind(1, from);
  int kept = 0;
  while (rows.Next()) {
    const bool is_old = rows.Int(2) < TimeToNumber(criteria.ended_before);
    const bool is_too_much = finding.step.freed.output < criteria.bytes_to_free;
    if (is_old || is_too_much) {
      finding.step.outputs.push_back(rows.Int(0));
      finding.step.freed.output += rows.Int(1);
    } else if (++kept == kOutputRowsPerStep) {
      break;  // newer ones follow; a straggler among them waits for the next walk
    }
    finding.next = rows.Int(0) + 1;
    if (finding.step.freed.output >= kOutputBytesPerStep || finding.step.outputs.size() == kOutputRowsPerStep) {
      finding.done = false;
      break;
    }
  }
  MUSTER_RETURN_IF_ERROR(rows.status());
  return finding;
}

absl::StatusOr<PurgeFinding> FindOldActivity(Database* database, const PurgeCriteria& criteria) {
  PurgeFinding finding;
  finding.done = true;
  Query rows(database,
             "SELECT commit_number, time, length(records) + 64 FROM activity WHERE commit_number <= "
             "(SELECT max(commit_number) FROM activity) - ? ORDER BY commit_number");
  rows.Bind(1, kNewestCommitsKept);
  int count = 0;
  while (rows.Next()) {
    const bool is_old = rows.Int(1) < TimeToNumber(criteria.ended_before);
    if (!is_old && finding.step.freed.activity >= criteria.bytes_to_free) break;
    finding.step.activity_below = rows.Int(0) + 1;
    finding.step.freed.activity += rows.Int(2);
    if (++count == kActivityRowsPerStep) {
      finding.done = false;
      break;
    }
  }
  MUSTER_RETURN_IF_ERROR(rows.status());
  return finding;
}

absl::StatusOr<PurgeStep> FindLeftovers(Database* database, std::vector<TaskRange> purging) {
  PurgeStep step;
  const TaskRange range = purging.front();
  const int64_t first = IdNumber(range.first);
  const int64_t past = std::min(Past(range), first + static_cast<int64_t>(kLeftoverTasksPerStep));
  Query outputs(database,
                "SELECT key, length(head) + length(tail) + 64 FROM output WHERE key >= ? AND key < ? ORDER BY key");
  outputs.Bind(1, first << 17);
  outputs.Bind(2, past << 17);
  while (step.freed.output < kOutputBytesPerStep && outputs.Next()) {
    step.outputs.push_back(outputs.Int(0));
    step.freed.output += outputs.Int(1);
  }
  MUSTER_RETURN_IF_ERROR(outputs.status());
  if (step.freed.output >= kOutputBytesPerStep) return step;  // there may be more of it
  step.outputs.clear();  // goes with its tasks
  step.tasks.push_back(Range(first, past));
  if (past == Past(range)) {
    purging.erase(purging.begin());
  } else {
    purging.front() = Range(past, Past(range));
  }
  step.purging = std::move(purging);
  step.sets_purging = true;
  return step;
}

absl::StatusOr<PurgeStep> FindEmptyWorkflows(Database* database, int64_t* from) {
  PurgeStep step;
  Query rows(database, "SELECT workflow FROM workflow_state WHERE workflow > ? AND state >= 3 ORDER BY workflow");
  rows.Bind(1, std::exchange(*from, 0));
  for (int looked = 0; looked < kWorkflowsPerStep; ++looked) {
    if (!rows.Next()) {
      *from = 0;
      MUSTER_RETURN_IF_ERROR(rows.status());
      return step;
    }
    *from = rows.Int(0);
    const TaskId id(static_cast<uint64_t>(*from));
    MUSTER_ASSIGN_OR_RETURN(const bool kept, AnyTaskIsKept(database, id));
    if (!kept) step.workflows.push_back(id);
  }
  return step;
}

absl::StatusOr<PurgeStep> FindOldRequests(Database* database, absl::Time made_before,
                                          std::pair<std::string, std::string>* from) {
  PurgeStep step;
  MUSTER_RETURN_IF_ERROR(FindOldCancels(database, &step));
  Query rows(database,
             "SELECT owner, request_id, tasks, coalesce(time, 0) FROM request WHERE (owner, request_id) > (?, ?) "
             "ORDER BY owner, request_id");
  const std::pair<std::string, std::string> begin = std::exchange(*from, {});
  rows.Bind(1, begin.first);
  rows.Bind(2, begin.second);
  for (int looked = 0; looked < kRequestRowsPerStep; ++looked) {
    if (!rows.Next()) {
      *from = {};
      MUSTER_RETURN_IF_ERROR(rows.status());
      return step;
    }
    *from = {std::string(rows.Bytes(0)), std::string(rows.Bytes(1))};
    const auto tasks = UnpackRanges(rows.Bytes(2));
    bool goes = rows.Int(3) < TimeToNumber(made_before) && tasks.has_value();
    for (size_t i = 0; goes && i < tasks->size(); ++i) {
      MUSTER_ASSIGN_OR_RETURN(const bool kept, IsKept(database, (*tasks)[i].first));
      goes = !kept;
    }
    if (goes) step.requests.push_back(*from);
  }
  return step;
}

absl::Status WritePurge(Database* database, const PurgeStep& step) {
  for (const TaskRange& range : step.tasks) MUSTER_RETURN_IF_ERROR(DeleteTasks(database, range));
  for (const TaskRange& range : step.specifications) {
    MUSTER_RETURN_IF_ERROR(DeleteBetween(database, "DELETE FROM specification WHERE first >= ? AND first < ?",
                                         IdNumber(range.first), Past(range)));
  }
  for (const int64_t key : step.outputs) {
    MUSTER_RETURN_IF_ERROR(DeleteBetween(database, "DELETE FROM output WHERE key >= ? AND key < ?", key, key + 1));
  }
  if (step.activity_below > 0) {
    MUSTER_RETURN_IF_ERROR(DeleteBetween(database, "DELETE FROM activity WHERE commit_number >= ? AND commit_number < ?",
                                         0, step.activity_below));
  }
  for (const TaskId id : step.workflows) MUSTER_RETURN_IF_ERROR(DeleteWorkflow(database, id));
  for (const auto& [owner, id] : step.requests) {
    Query call(database, "DELETE FROM request WHERE owner = ? AND request_id = ?");
    call.Bind(1, owner);
    call.Bind(2, id);
    MUSTER_RETURN_IF_ERROR(call.Run());
  }
  for (const TaskRange& range : step.cancels) {
    MUSTER_RETURN_IF_ERROR(DeleteBetween(database, "DELETE FROM cancel WHERE first = ? AND count = ?",
                                         IdNumber(range.first), static_cast<int64_t>(range.count)));
  }
  if (!step.sets_purging) return absl::OkStatus();
  return WriteMeta(database, kMetaPurging, FormatRanges(step.purging));
}

absl::StatusOr<Usage> CountUsage(Database* database) {
  Usage usage;
  Query sums(database,
             "SELECT (SELECT coalesce(sum(length(payload) + coalesce(length(arguments), 0) + 256 * count), 0) "
             "FROM specification), (SELECT coalesce(sum(length(head) + length(tail) + 64), 0) FROM output), "
             "(SELECT coalesce(sum(length(records) + 64), 0) FROM activity)");
  if (sums.Next()) usage = {sums.Int(0), sums.Int(1), sums.Int(2)};
  MUSTER_RETURN_IF_ERROR(sums.status());
  return usage;
}

int64_t FirstKeptId(int64_t next_id, int64_t count, const std::vector<TaskRange>& skipped) {
  for (auto range = skipped.rbegin(); range != skipped.rend(); ++range) {
    if (Past(*range) > next_id) continue;  // nothing was accepted since
    const int64_t since = next_id - Past(*range);
    if (since >= count) break;
    count -= since;
    next_id = IdNumber(range->first);
  }
  return std::max<int64_t>(0, next_id - count);
}

}  // namespace muster::store
