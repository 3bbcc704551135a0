// From what the store knows to tables that go on where the last master ended (transaction.h says what the rows mean).
//
// Attempts without an end are DISPATCHED on their worker, which is expected to join and to say hello; LOST decides when
// it does not. Deadlines are calendar time in the store and re-based once: the remainder is clamped to [0, full
// length], so that neither a clock that jumped nor a master that restarts often keeps a task from being decided. Only
// the wait for a fence begins anew with each start, because a calendar that jumped must not make two copies.
// A task without an attempt waits for what it depends on again: for how that ended the store is asked (dependents.h).
// Thread rule: one thread. Errors: rows that contradict each other are a broken invariant; the store has checked them.
#pragma once

#include "master/core/cluster.h"
#include "master/core/recovered_state.h"
#include "master/core/transitions.h"

namespace muster::core {

class Recovery {
 public:
  Recovery(Cluster* cluster, Transitions* transitions) : cluster_(*cluster), transitions_(*transitions) {}

  // Everything that `state` says, as of now.
  void Restore(const Moment& turn, RecoveredState state);

 private:
  TaskGroupPtr Settled(TaskGroupPtr group) const;
  void RestoreWorkflow(const RecoveredWorkflow& recovered);
  void BreakWhatLacksTasks();
  void RestoreSettings(const RecoveredState& state);
  void RestoreTask(const Moment& turn, TaskId id, const TaskGroupPtr& group, const TaskHistory& history);
  StateData StateFrom(const Moment& turn, Task& task, const TaskHistory& history);
  StateData PlacedFrom(const Moment& turn, const TaskHistory& history, const AttemptRow& current);
  StateData WaitingFrom(const Moment& turn, Task& task, const TaskHistory& history);
  bool WaitsForOthers(const Task& task);
  absl::Duration LongestFence() const;  // from the answer to a heartbeat, whoever gave it

  TaskId judged_group_;  // the last one whose dependencies were looked at, and what came of it
  bool judged_to_wait_ = false;
  Cluster& cluster_;
  Transitions& transitions_;
};

}  // namespace muster::core
