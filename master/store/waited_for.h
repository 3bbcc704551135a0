// What open tasks depend on, and the tasks of open workflows: their ends must stay, for a restart asks for them again.
//
// A waiter holds what it depends on until its whole group has ended, whether it still waits or runs already. Kept in
// memory alone: a start makes it from the open specifications.
//
//   waited_for.Load(state);                       // at start
//   waited_for.Accepting(transaction);            // before it is written: what it makes wait is held from here on
//   if (waited_for.HoldsAnyOf(purge)) ...         // found before that: not with this commit
//   waited_for.Ended(transaction);                // after it is written
// Thread rule: Load, Accepting and Ended from the writer's thread, the rest from any. Cost: an ordered look-up for each
// outcome while anything depends on anything, nothing else. Memory: about 100 bytes for each dependency.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"
#include "master/core/recovered_state.h"
#include "master/core/transaction.h"
#include "master/store/retention.h"

namespace muster::store {

class WaitedFor {
 public:
  void Load(const core::RecoveredState& state) ABSL_LOCKS_EXCLUDED(mutex_);
  // Twice is as once: a commit that found no room is tried again.
  void Accepting(const core::Transaction& transaction) ABSL_LOCKS_EXCLUDED(mutex_);
  void Ended(const core::Transaction& transaction) ABSL_LOCKS_EXCLUDED(mutex_);

  // `range`: of one specification.
  bool Holds(TaskRange range) const ABSL_LOCKS_EXCLUDED(mutex_);
  bool HoldsAnyOf(const PurgeStep& step) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Group {
    uint64_t count = 0;
    uint64_t open = 0;
    TaskSpecPtr spec;
  };

  void Add(TaskRange group, uint64_t open, const TaskSpecPtr& spec) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(TaskId task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HoldsLocked(TaskRange range) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  void Keep(const core::WorkflowPartRow& part) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  absl::btree_map<TaskId, Group> waiters_ ABSL_GUARDED_BY(mutex_);     // by first id
  absl::btree_map<TaskId, uint32_t> needed_ ABSL_GUARDED_BY(mutex_);   // by a range's first id: how many name it
  // Of open workflows: from the first id of a part to the one past its last, which no other call's tasks lie between.
  absl::btree_map<TaskId, TaskId> parts_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<TaskId, std::vector<TaskId>> of_workflow_ ABSL_GUARDED_BY(mutex_);  // first ids of its parts
};

}  // namespace muster::store
