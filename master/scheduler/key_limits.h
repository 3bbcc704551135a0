// At most so many tasks with the same key ("user=ann") at once, in whatever queues; and with a limit of 1, in the order
// of their arrival.
//
//   keys.Start("user=ann");  keys.Stop("user=ann");                 // each task that comes to run, and that does no more
//   if (!keys.MayStart("user=ann", 3)) keys.Hold("user=ann", cls);  // TakeFreed names the class when one has stopped
//
// Tasks with a limit of 1 stand in the key's line from when they are first queued until they have ended. First() alone
// may start: it is the one that was ever dispatched, which keeps the key over its retries, or else the oldest. So they
// run one after the other, each to its end, and a restart, which knows the open tasks and their attempts, finds the same
// order.
//
// Tasks of one key may have different limits: each starts when fewer than its own limit run.
// Cost: O(1), the line O(log n) in the key's tasks; a key is forgotten with its last task.
// Pure, deterministic. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "common/domain/ids.h"
#include "master/scheduler/task_queues.h"

namespace muster::scheduler {

class KeyLimits {
 public:
  // --- How many run.
  void Start(const std::string& key);
  void Stop(const std::string& key);
  uint64_t running(const std::string& key) const;
  bool MayStart(const std::string& key, uint32_t limit) const { return running(key) < limit; }
  // The class is not looked at until one of the key has stopped.
  void Hold(const std::string& key, ClassId cls);
  std::vector<ClassId> TakeFreed();

  // --- The line.
  void Join(const std::string& key, TaskId task);   // again is fine
  void Take(const std::string& key, TaskId task);   // it is dispatched: the key is its own until it leaves
  void Leave(const std::string& key, TaskId task);  // it has ended; nobody who never joined minds
  TaskId First(const std::string& key) const;       // 0: nobody stands there
  TaskId SecondOldest(const std::string& key) const;  // of those in line; 0: there is none
  // Shows up to `limit` of those whose turn is before the task's, which need not stand there itself. False: there are more.
  bool VisitBefore(const std::string& key, TaskId task, size_t limit, const std::function<void(TaskId)>& visit) const;
  size_t size() const { return keys_.size(); }

  void CheckInvariants() const;

 private:
  struct Key {
    uint64_t running = 0;
    TaskId holder;                     // 0: nobody was dispatched yet
    absl::btree_set<TaskId> line;      // by arrival, which is the order of ids
    absl::btree_set<ClassId> held;

    bool Forgettable() const { return running == 0 && line.empty() && held.empty(); }
  };

  void ForgetIdle(const std::string& key);

  absl::flat_hash_map<std::string, Key> keys_;
  std::vector<ClassId> freed_;
};

}  // namespace muster::scheduler
