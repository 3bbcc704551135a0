// The schedules: one record each, found by name, by when it is due next, by the event that it waits for, and by the task or workflow of a run.
//
// What is to be done at a due time is decided by schedules::ScheduleState; this table keeps which task or workflow each run is, and
// what became of the last due times. Bounded: kMostSchedules and kMostBytes.
// Thread rule: one thread. Ownership: it owns its records; a pointer is valid until Remove. Cost: O(log n).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/schedule_view.h"
#include "common/domain/task_state.h"
#include "common/domain/workflow.h"
#include "master/core/schedule_rows.h"
#include "master/schedules/schedule_state.h"

namespace muster::core {

struct Schedule {
  // With `row.spec.paused` as `state` has it.
  Schedule(ScheduleRow row, schedules::Timetable timetable, schedules::ScheduleProgress progress);

  const std::string& name() const { return row.spec.name; }
  // When there is something to decide.
  absl::Time NextAt() const { return held_because.empty() ? state.NextAt() : absl::InfiniteFuture(); }
  bool HasEnded() const { return held_because.empty() && state.HasEnded(); }
  int64_t bytes() const;
  // The run by hand that this call asked for, if it is still known; null for an empty id.
  const ScheduledRun* FindRequest(const std::string& request_id) const;

  ScheduleRow row;
  schedules::Timetable timetable;
  schedules::ScheduleState state;
  std::string held_because;                     // empty: nothing keeps it from being decided
  std::map<absl::Time, ScheduledRun> running;   // by due time, the same as in `state`
  std::deque<ScheduledRun> recent;              // the newest first, at most ScheduleTable::kRecentRuns

  // The table's own.
  absl::Time listed_at = absl::InfiniteFuture();
  bool is_new = false;    // its row is to be written, too
  bool changed = false;   // its progress is to be written
};

// The end of a run's task or workflow, until the schedule has been told.
struct RunEnd {
  std::string schedule;
  absl::Time due;
  TaskState state = TaskState::kNone;  // kNone: nobody saw it
  std::string reason;
  absl::Time ended;
};

class ScheduleTable {
 public:
  static constexpr size_t kMostSchedules = 10'000;
  static constexpr int64_t kMostBytes = int64_t{256} << 20;
  static constexpr size_t kRecentRuns = 10;
  static constexpr size_t kMostOfAnEvent = 100;

  Schedule* Add(Schedule schedule);
  void Remove(const std::string& name);
  Schedule* Find(const std::string& name);
  const Schedule* Find(const std::string& name) const;
  const std::map<std::string, std::unique_ptr<Schedule>>& all() const { return schedules_; }
  // Takes out those that have ended, the oldest first, until there is room for one of so many bytes; their names. Nothing
  // is taken out when that would not do.
  std::vector<std::string> MakeRoom(int64_t bytes);
  bool HasRoom(int64_t bytes) const { return schedules_.size() < kMostSchedules && bytes_ + bytes <= kMostBytes; }

  // --- After each change of a record: it is listed anew, and written with the turn.
  void Changed(Schedule* schedule);
  void ChangedWhole(Schedule* schedule);  // its row, too
  // The rows of what has changed, once.
  ScheduleRows TakeRows();

  // --- By due time.
  absl::Time NextAt() const { return due_.empty() ? absl::InfiniteFuture() : due_.begin()->first; }
  Schedule* FirstDue(absl::Time now);  // null: none is

  // --- Runs.
  void AddRun(Schedule* schedule, ScheduledRun run);
  // The run is no more among those that go on.
  void Settle(Schedule* schedule, ScheduledRun run);
  void Note(Schedule* schedule, ScheduledRun run);  // that never went on; skips of one cause become one
  void OnTaskEnd(TaskId task, TaskState state, const std::string& reason, absl::Time now);
  void OnWorkflowEnd(TaskId workflow, WorkflowState state, const std::string& reason, absl::Time now);
  bool has_ends() const { return !ends_.empty(); }
  std::vector<RunEnd> TakeEnds() { return std::exchange(ends_, {}); }
  void PutBack(RunEnd end) { ends_.push_back(std::move(end)); }
  const absl::flat_hash_map<TaskId, std::pair<std::string, absl::Time>>& by_task() const { return by_task_; }
  size_t due_size() const { return due_.size(); }

  // --- By event: the names of those that wait for it, in order.
  const absl::btree_set<std::string>& WaitingFor(const std::string& event) const;

 private:
  void Unlist(Schedule* schedule);

  std::map<std::string, std::unique_ptr<Schedule>> schedules_;
  absl::btree_set<std::pair<absl::Time, std::string>> due_;
  absl::flat_hash_map<TaskId, std::pair<std::string, absl::Time>> by_task_;  // or workflow; open ones, to schedule and due time
  std::map<std::string, absl::btree_set<std::string>> by_event_;
  std::vector<RunEnd> ends_;
  absl::btree_set<std::string> to_write_;  // changed, or removed
  int64_t bytes_ = 0;
};

ScheduleProgressRow ProgressRowOf(const Schedule& schedule);
// Whole; and as many of a list, with less of each.
ScheduleView ViewOfSchedule(const Schedule& schedule);
std::vector<ScheduleView> ViewOfSchedules(const ScheduleTable& table, const std::string& after, size_t limit);

}  // namespace muster::core
