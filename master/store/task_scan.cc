// TaskReader::ScanTasks: a list of tasks, newest first, a bounded number of rows at a time.
#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/status_macros.h"
#include "master/store/packing.h"
#include "master/store/schema.h"
#include "master/store/task_reader.h"

namespace muster::store {
namespace {

constexpr size_t kRowsPerScan = 20'000;
constexpr int64_t kSpecificationsAtOnce = 50'000;

TaskId Id(int64_t number) { return TaskId(static_cast<uint64_t>(number)); }

bool WantsState(const TaskQuery& query, TaskState end) {
  if (end == TaskState::kNone) return query.include_open;
  const auto& states = query.finished_states;
  if (states.empty()) return query.include_finished;
  return std::find(states.begin(), states.end(), end) != states.end();
}

// Few have ended in another way than well, and those have an index.
bool OnlyFailures(const TaskQuery& query) {
  if (query.include_open || query.finished_states.empty()) return false;
  const auto& states = query.finished_states;
  return std::find(states.begin(), states.end(), TaskState::kSucceeded) == states.end();
}

bool OnlyOpen(const TaskQuery& query) { return !query.include_finished && query.finished_states.empty(); }

// The highest id below `before` that the ranges allow, and the lowest one of that run of ids.
bool NextRun(const TaskQuery& query, TaskId before, TaskRange* run) {
  if (before.value() <= 1) return false;
  if (query.ranges.empty()) {
    *run = {TaskId(1), before.value() - 1};
    return true;
  }
  uint64_t best_past = 0;
  for (const TaskRange& range : query.ranges) {
    const uint64_t first = range.first.value();
    if (range.count == 0 || first >= before.value()) continue;
    const uint64_t past = std::min(before.value(), first + range.count);
    if (past <= best_past) continue;
    best_past = past;
    *run = {range.first, past - first};
  }
  return best_past != 0;
}

bool Matches(const TaskQuery& query, const core::SpecificationRow& part) {
  const TaskSpec& spec = *part.spec;
  if (!query.queue.empty() && spec.queue != query.queue) return false;
  if (!query.owner.empty() && spec.owner != query.owner) return false;
  return std::all_of(query.labels.begin(), query.labels.end(), [&spec](const auto& label) {
    return std::find(spec.labels.begin(), spec.labels.end(), label) != spec.labels.end();
  });
}

bool InRanges(const TaskQuery& query, TaskId id) {
  if (query.ranges.empty()) return true;
  return std::any_of(query.ranges.begin(), query.ranges.end(), [id](const TaskRange& range) {
    return id >= range.first && id.value() - range.first.value() < range.count;
  });
}

}  // namespace

struct TaskReader::Scan {
  const TaskQuery& query;
  TaskScan result;
  TaskId before;
  size_t rows = 0;

  bool Full() const {
    return result.tasks.size() + result.unreadable.size() >= query.limit || rows >= kRowsPerScan;
  }
  // A damaged row hides its own task and no other. OK: `why` was such damage, and is noted.
  absl::Status PassOver(TaskId id, absl::Status why) {
    if (!absl::IsDataLoss(why)) return why;
    result.unreadable.push_back(id);
    return absl::OkStatus();
  }
};

absl::StatusOr<TaskScan> TaskReader::ScanTasks(const TaskQuery& query) {
  Scan scan{query, {}, query.before, 0};
  if (!scan.before) scan.before = TaskId(kMaxTaskId);
  MUSTER_RETURN_IF_ERROR(OnlyFailures(query) ? ScanEnded(&scan) : ScanSpecifications(&scan));
  scan.result.resume_before = scan.before;
  return std::move(scan.result);
}

absl::Status TaskReader::ScanSpecifications(Scan* scan) {
  const bool only_open = OnlyOpen(scan->query);
  int64_t floor = 0;
  if (only_open) {
    MUSTER_ASSIGN_OR_RETURN(floor, ReadMetaNumber(database_, kMetaOpenFloor));
  }
  while (!scan->Full()) {
    TaskRange run;
    if (!NextRun(scan->query, scan->before, &run)) {
      scan->before = TaskId();
      break;
    }
    const int64_t past = IdNumber(run.first) + static_cast<int64_t>(run.count);
    const bool below_floor = only_open && past <= floor;
    MUSTER_ASSIGN_OR_RETURN(const TaskRange part, NewestPart(Id(past), below_floor));
    ++scan->rows;
    const int64_t part_past = std::min(past, IdNumber(part.first) + static_cast<int64_t>(part.count));
    if (part_past <= IdNumber(run.first)) {
      scan->before = run.first;
    } else if (only_open && !below_floor && part_past <= floor) {
      scan->before = Id(floor);  // from here on the listed exceptions are enough
    } else {
      const int64_t low = std::max(IdNumber(part.first), IdNumber(run.first));
      MUSTER_RETURN_IF_ERROR(ScanPart(scan, part.first, {Id(low), static_cast<uint64_t>(part_past - low)}));
    }
  }
  return absl::OkStatus();
}

// Of the specifications that start below `past`, or of those among the exceptions. Count 0: there is none.
absl::StatusOr<TaskRange> TaskReader::NewestPart(TaskId past, bool among_exceptions) {
  Query part(database_, among_exceptions
                            ? "SELECT s.first, s.count FROM open_exception e JOIN specification s ON s.first = e.first "
                              "WHERE e.first < ? ORDER BY e.first DESC LIMIT 1"
                            : "SELECT first, count FROM specification WHERE first < ? ORDER BY first DESC LIMIT 1");
  part.Bind(1, IdNumber(past));
  if (part.Next()) return TaskRange{Id(part.Int(0)), static_cast<uint64_t>(part.Int(1))};
  MUSTER_RETURN_IF_ERROR(part.status());
  return TaskRange{};
}

// Those of `tasks`, all of the specification that starts at `first`, newest first.
absl::Status TaskReader::ScanPart(Scan* scan, TaskId first, TaskRange tasks) {
  std::optional<Part> part;
  for (uint64_t id = tasks.first.value() + tasks.count; id-- > tasks.first.value() && !scan->Full();) {
    scan->before = TaskId(id);
    ++scan->rows;
    MUSTER_ASSIGN_OR_RETURN(const TaskState end, EndStateOf(TaskId(id)));
    if (!WantsState(scan->query, end)) continue;
    if (!part.has_value()) {
      absl::StatusOr<std::optional<Part>> read = ReadPart(first);
      if (!read.ok()) {
        MUSTER_RETURN_IF_ERROR(scan->PassOver(TaskId(id), read.status()));
        continue;
      }
      part = *std::move(read);
      if (!part.has_value() || !Matches(scan->query, part->row)) {
        scan->before = tasks.first;  // as none of them does
        return absl::OkStatus();
      }
    }
    absl::StatusOr<StoredTask> task = ReadTask(TaskId(id), *part);
    if (task.ok()) {
      scan->result.tasks.push_back(*std::move(task));
    } else {
      MUSTER_RETURN_IF_ERROR(scan->PassOver(TaskId(id), task.status()));
    }
  }
  return absl::OkStatus();
}

absl::Status TaskReader::ScanEnded(Scan* scan) {
  while (!scan->Full() && scan->before.value() > 1) {
    int64_t newest = 0;
    for (const TaskState state : scan->query.finished_states) {
      Query ended(database_,
                  "SELECT task FROM outcome WHERE state = ? AND state <> 7 AND task < ? ORDER BY task DESC LIMIT 1");
      ended.Bind(1, static_cast<int64_t>(state));
      ended.Bind(2, IdNumber(scan->before));
      if (ended.Next()) newest = std::max(newest, ended.Int(0));
      MUSTER_RETURN_IF_ERROR(ended.status());
      ++scan->rows;
    }
    scan->before = Id(newest);
    if (newest == 0) return absl::OkStatus();
    if (!InRanges(scan->query, Id(newest))) continue;
    absl::StatusOr<std::optional<StoredTask>> task = FindTask(Id(newest));
    if (!task.ok()) {
      MUSTER_RETURN_IF_ERROR(scan->PassOver(Id(newest), task.status()));
    } else if (task->has_value() && Matches(scan->query, (*task)->specification)) {
      scan->result.tasks.push_back(**std::move(task));
    }
  }
  if (scan->before.value() <= 1) scan->before = TaskId();  // the first task of all was among them
  return absl::OkStatus();
}

absl::StatusOr<TaskId> TaskReader::RetriedTasks(TaskId after, std::vector<TaskId>* retried) {
  TaskId last;
  Query part(database_, "SELECT first, retry_of FROM specification WHERE first > ? ORDER BY first LIMIT ?");
  part.Bind(1, IdNumber(after));
  part.Bind(2, kSpecificationsAtOnce);
  while (part.Next()) {
    last = Id(part.Int(0));
    if (const int64_t task = part.Int(1); task != 0) retried->push_back(Id(task));
  }
  MUSTER_RETURN_IF_ERROR(part.status());
  return last;
}

absl::StatusOr<TaskState> TaskReader::EndStateOf(TaskId id) {
  Query outcome(database_, "SELECT state FROM outcome WHERE task = ?");
  outcome.Bind(1, IdNumber(id));
  const bool has_ended = outcome.Next();
  MUSTER_RETURN_IF_ERROR(outcome.status());
  return has_ended ? static_cast<TaskState>(outcome.Int(0)) : TaskState::kNone;
}

}  // namespace muster::store
