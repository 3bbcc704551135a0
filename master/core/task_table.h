// The open tasks: one record each, found by id, by range, by name. A task whose end is recorded leaves the table.
//
// The state of a record changes only through Transitions (transitions.h); this table keeps what is found by it: counts
// by state, the bytes that wait, the deadline, who is on which worker, how many of a kind that spreads.
// Thread rule: one thread. Ownership: the table owns its tasks; a Task* is valid until Remove.
// Size: a record is about 200 bytes; what all tasks of a call share is in one TaskGroup.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"
#include "common/domain/task_state.h"
#include "master/core/id_pages.h"
#include "master/core/task_group.h"

namespace muster::core {

// Tasks that killed this many workers are suspects: they keep apart.
inline constexpr int kLossesUntilApart = 2;

struct CancelWish {
  std::string by;
  std::string reason;
};

struct Task {
  TaskId id;
  TaskGroupPtr group;
  StateData state;

  uint32_t last_attempt = 0;  // the highest number given out
  uint16_t failures = 0;      // used of max_attempts
  uint16_t losses = 0;        // used of max_worker_losses
  WorkerId avoid;             // where the last attempt failed
  bool started = false;       // the current attempt was reported started
  bool wants_recall = false;  // a Recall is on its way
  bool holds_room = false;    // the current attempt is counted on its worker
  bool runs_apart = false;    // counted as a suspect on its worker (WorkerLink::suspects)
  uint8_t refusals = 0;       // in a row, without having started
  uint64_t dispatch_order = 0;  // of the current attempt, for those sent ahead
  absl::Time queued_since = absl::InfinitePast();  // for age and queue deadline; a task given back keeps its place
  absl::Time dispatched = absl::InfinitePast();    // of the current attempt
  std::shared_ptr<const CancelWish> cancel;
  std::unique_ptr<std::string> last_failure;  // in words

  const TaskSpec& spec() const { return *group->row.spec; }
  uint64_t batch_index() const {
    return group->InBatch() ? group->row.first_index + (id.value() - group->row.first.value()) : 0;
  }
  uint64_t row_index() const { return id.value() - group->row.first.value(); }
  TaskState state_now() const { return StateOf(state); }
};

// Where a task's current attempt is; worker 0 when it has none.
struct AttemptPlace {
  AttemptNumber attempt;
  WorkerId worker;
  Incarnation incarnation;
};
AttemptPlace PlaceOf(const StateData& state);

// Waits for the fence: its attempt on a lost worker may still run, and must have been stopped before anything follows, a
// confirmed cancel included.
bool WaitsForFence(const Task& task);
// PENDING for what it depends on.
bool WaitsForNeeds(const Task& task);
// PENDING until its workflow has a place for it.
bool IsAtGate(const Task& task);

// When the state ends by itself: retry or start time, queue deadline, give-up. Infinite: never.
absl::Time DueOf(const Task& task);

class TaskTable {
 public:
  using TasksById = IdPages<TaskId, std::unique_ptr<Task>>;
  using SpreadByKind = absl::flat_hash_map<std::pair<uint64_t, WorkerId>, uint32_t>;
  using AttemptsByWorker = absl::flat_hash_map<WorkerId, absl::btree_set<TaskId>>;

  // Before the record's state counts; `id` must be new.
  Task* Add(TaskId id, TaskGroupPtr group);
  void Remove(TaskId id);

  Task* Find(TaskId id);
  const Task* Find(TaskId id) const;
  const TasksById& all() const { return tasks_; }
  size_t size() const { return tasks_.size(); }

  // Up to `limit` ids below `before`, newest first.
  std::vector<TaskId> Newest(TaskId before, size_t limit) const;
  std::vector<TaskId> InRange(TaskRange range, size_t limit) const;
  uint64_t CountIn(TaskRange range, uint64_t by_state[16]) const;  // adds to by_state
  std::vector<TaskId> Named(std::string_view name) const;  // newest first

  // Attempts there: dispatched, running, or unknown. By id.
  const absl::btree_set<TaskId>& On(WorkerId worker) const;
  const AttemptsByWorker& by_worker() const { return by_worker_; }

  // Of those, how many of one kind that spread.
  uint32_t Spreading(uint64_t fingerprint, WorkerId worker) const;
  const SpreadByKind& spread() const { return spread_; }

  // What is kept by state; called by Transitions around each change.
  void Enter(const Task& task);
  void Leave(const Task& task);

  uint64_t count(TaskState state) const { return counts_[static_cast<size_t>(state)]; }
  uint64_t waiting() const { return count(TaskState::kPending) + count(TaskState::kQueued); }
  int64_t waiting_bytes() const { return waiting_bytes_; }

 private:
  TasksById tasks_;
  absl::flat_hash_map<std::string, absl::btree_set<TaskId>> by_name_;  // of those that have one
  AttemptsByWorker by_worker_;
  SpreadByKind spread_;  // by fingerprint and worker; never 0
  uint64_t counts_[16] = {};
  int64_t waiting_bytes_ = 0;
};

}  // namespace muster::core
