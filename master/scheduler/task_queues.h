// Which task next: queues that share by weight, priority with aging inside each, and classes that wait for room.
//
//   queues.Add(task, "default", spec.priority, {spec.requirements, avoid}, submit_time);
//   while (auto next = queues.Peek(fits)) {                    // `fits`: has what changed room for a parked class?
//     if (PlacedSomewhere(*next)) queues.Take(next->task);     // charged to its queue
//     else queues.Park(next->cls);                             // shown again only when it fits, or after Wake
//   }
//
// Between queues: stride scheduling (stride_turns.h); one whose tasks were all parked, or that is blocked, keeps its place.
//
// Inside a queue: higher priority first, one step up per aging_interval of waiting, then age, then id. Two tasks age
// equally fast, so their order never changes while they wait: `since - priority * aging_interval` is a constant of
// each, and the smallest is next. No re-sorting, ever.
//
// Classes (class_table.h): tasks with equal requirements (and the same worker to avoid, and limit by key) find room
// together or not at all. A parked class found none anywhere: it keeps its place in line, and only what changed since
// can have room for it. New tasks of it are parked with it. A class is forgotten with its last task.
//
// Standby: classes that the cluster has too little for now wait in lines by what they ask for, each in its queue's order.
// All of a line lack the same, so only the first of each queue need be asked (resource_offers.h).
//
// Cost: every call is O(log n) in the queued tasks, Park and Wake also O(lanes of the class); a lane is one queue,
// class and priority. Peek with `fits` asks once for each parked lane that is before the one it shows. About 50 bytes
// per queued task.
// Pure, deterministic. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/strong_id.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"

namespace muster::scheduler {

using ClassId = StrongId<struct ClassIdTag, uint64_t>;

using ClusterAmounts = std::vector<std::pair<std::string, int64_t>>;  // of what the cluster has as a whole; by name

struct ClassKey {
  Requirements requirements;
  WorkerId avoid;  // 0: none; else the worker that just failed the task
  std::string limit_key;  // empty: none (key_limits.h)
  uint32_t limit = 0;

  friend bool operator==(const ClassKey&, const ClassKey&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const ClassKey& key) {
    return H::combine(std::move(state), key.requirements, key.avoid, key.limit_key, key.limit);
  }
};

struct NextTask {
  TaskId task;
  ClassId cls;
  bool parked = false;  // its class is
};

struct QueueStatus {
  std::string name;
  uint32_t weight = 1;
  uint64_t queued = 0;
  uint64_t served = 0;           // popped since the queue is known
  absl::Time oldest_since = absl::InfiniteFuture();  // of what is queued
};

// Where a task stands in its queue, or would stand.
struct QueuePlace {
  std::string_view queue;
  int32_t priority = 0;
  absl::Time since;
  TaskId task;  // of equals the lower is first; the highest number there is for one that has none yet
};

struct TaskAhead {
  TaskId task;
  ClassId cls;
  int32_t priority = 0;
};

class TaskQueues {
 public:
  // Intervals above a year count as a year: strict priority in practice.
  explicit TaskQueues(absl::Duration aging_interval);
  ~TaskQueues();
  TaskQueues(const TaskQueues&) = delete;
  TaskQueues& operator=(const TaskQueues&) = delete;

  // `since`: when its waiting began. A task that comes back (given back, preempted, retried) keeps its first time.
  // The task must not be queued already.
  void Add(TaskId task, std::string_view queue, int32_t priority, const ClassKey& key, absl::Time since);
  bool Remove(TaskId task);  // false: it is not queued
  bool Contains(TaskId task) const;

  using Fits = absl::FunctionRef<bool(const NextTask& next, const ClassKey& key)>;

  // The next task of a class that is not parked; empty: there is none.
  std::optional<NextTask> Peek() const;
  // The same; or one before it whose class is parked, and fits.
  std::optional<NextTask> Peek(Fits fits) const;
  // Takes out a queued task whose class is not held, from a queue that is not blocked, and charges the queue.
  void Take(TaskId task);

  void Park(ClassId cls);  // it found no room; a class that is gone is ignored here and below
  void Hold(ClassId cls);  // it waits for what no worker can change: out of line, and not among parked()
  void StandBy(ClassId cls);  // the same, for what it asks of the cluster as a whole
  void Wake(ClassId cls);  // it is to be looked at again, whatever fits
  void WakeAll();          // all that are parked
  const absl::btree_set<ClassId>& parked() const;
  const ClassKey& key(ClassId cls) const;           // of a class that has queued tasks
  std::optional<ClassId> ClassOf(TaskId task) const;  // of a queued task
  // The first task of the class in that queue, or else in some other one. Empty: it has none.
  std::optional<TaskId> FirstOf(ClassId cls, std::string_view queue) const;

  // Up to `limit` tasks of the class, lane by lane, each in its order.
  std::vector<TaskId> SomeOf(ClassId cls, size_t limit) const;
  // How many queued tasks the class has; 0: it is gone.
  uint64_t SizeOf(ClassId cls) const;
  // The first task of each lane that was not taken when everybody was asked: parked, in the order of the line, then
  // those of queues that are blocked. For as long as `visit` says so.
  using VisitHead = absl::FunctionRef<bool(const NextTask& head)>;
  void VisitLeftOver(VisitHead visit) const;
  // Whether `first` is before `second` in the line; both are queued. Queues compare by whose turn it is.
  bool IsBefore(TaskId first, TaskId second) const;

  // A blocked queue is out of turn, whatever it has. One that is forgotten with its last task comes back unblocked.
  void Block(std::string_view queue);
  void Unblock(std::string_view queue);
  // Room is left, and everybody in line was asked: wakes the parked classes that were not, since all their tasks are in
  // blocked queues.
  void WakeBlocked();
  // What classes stand by for, and how many tasks they have.
  using VisitStandby = absl::FunctionRef<void(const ClusterAmounts& amounts, uint64_t tasks)>;
  void VisitStandbys(VisitStandby visit) const;
  // Of those that stand by for that: the first of each queue that is not blocked, by the queues' turns.
  std::vector<NextTask> FirstOnStandby(const ClusterAmounts& amounts) const;
  // Creates the queue when it is not known. A weight of 0 counts as 1.
  void SetWeight(std::string_view queue, uint32_t weight);

  // --- Reads.
  uint64_t size() const;
  uint64_t QueuedIn(std::string_view queue) const;
  QueueStatus StatusOf(std::string_view queue) const;  // of one that is not known: empty
  std::vector<QueueStatus> Queues() const;  // that have tasks, or were given a weight; by name
  // How many tasks of its queue are before it, counted up to `limit`. Costs the count. Empty: it is not queued.
  std::optional<uint64_t> AheadOf(TaskId task, uint64_t limit) const;

  // Shows each task of the queue that is before the place, in no order. False: there were more than `limit` (or more
  // lanes than that), and the rest is not shown. Costs what it shows.
  bool VisitAhead(const QueuePlace& place, size_t limit, const std::function<void(const TaskAhead&)>& visit) const;

  void CheckInvariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::scheduler
