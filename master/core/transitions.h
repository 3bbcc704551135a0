// The one place where a task changes state. Every move is checked against the table of docs/states.md, keeps counts,
// deadlines, queue and room true, is told to watchers, and is written to the activity log; a move to a terminal state
// writes the outcome and takes the task out of the table.
//
// Thread rule: one thread. Errors: a move that the table does not have is a broken invariant.
#pragma once

#include <string>

#include "common/domain/attempt.h"
#include "common/domain/task_state.h"
#include "master/core/cluster.h"

namespace muster::core {

// Why a task moves. `reason` is for people.
struct Cause {
  std::string reason;
  AttemptReportPtr report;
  EndReason end_reason = EndReason::kNone;
};

// How an attempt that is not the task's last ended.
struct AttemptClosing {
  EndReason reason = EndReason::kNone;
  bool used_attempt = false;
  bool used_worker_loss = false;
  absl::Time retry_at = absl::InfinitePast();
  std::string message;
  AttemptReportPtr report;
};

class Transitions {
 public:
  explicit Transitions(Cluster* cluster) : cluster_(*cluster) {}

  // A record that was just added gets its first state: PENDING for its group's dependencies (which wait) or until its
  // start time, or QUEUED.
  TaskState Admit(const Moment& turn, Task& task);
  // A record that was just added gets the state that the store knows. Nobody is told.
  void Restore(Task& task, StateData state);

  // `task` is gone afterwards when `to` is an end.
  void Move(const Moment& turn, Task& task, StateData to, Cause cause = {});

  // The same with the words of common cases. `End` is for Ended; it names the current attempt or the last one.
  void End(const Moment& turn, Task& task, TaskState state, Cause cause);
  // Back into the queue; `now` begins a new wait, otherwise it keeps its place.
  void Requeue(const Moment& turn, Task& task, bool new_wait, Cause cause);
  void Wait(const Moment& turn, Task& task, PendingReason reason, absl::Time until, Cause cause);

  // Its dependencies are met: QUEUED, or PENDING until its start time. Of a workflow's: to its gate, and from there on.
  void Release(const Moment& turn, Task& task);

  // Writes the end of the current attempt, before the task moves on from it.
  void CloseAttempt(const Moment& turn, const Task& task, AttemptClosing closing);

  // Beyond the cluster's retry budget: due, but waits for a token.
  void HoldBackRetry(Task& task);

  // Queued but not looked at until `until`, so that a worker that refuses is not asked over and over.
  void Pause(Task& task, absl::Time until);
  void Unpause(Task& task);

  // An attempt that the worker holds, counted now if it was not.
  void TakeRoom(Task& task, WorkerId worker);

 private:
  void Enter(Task& task);
  void Leave(Task& task);
  // What it is to the limits of its queue and its key.
  void Count(const Task& task, TaskState from, TaskState to);
  // The same to what the cluster has as a whole; `took`: it did so far.
  void CountOfCluster(const Task& task, bool took);
  // Among what the scheduler looks at, unless it has to wait for its turn with its key.
  void Offer(Task& task);
  void TakeOutOfLine(TaskId task);
  // The key is the task's own until its end, and then the next one's.
  void TakeKey(const Task& task);
  void LeaveKey(const Task& task);
  void ReturnRoom(Task& task, WorkerId worker);
  void Tell(const Moment& turn, const Task& task, const AttemptPlace& before, const Cause& cause);
  void LogMove(const Moment& turn, const Task& task, const Cause& cause);
  void WriteOutcome(const Moment& turn, const Task& task, const Cause& cause);

  Cluster& cluster_;
};

}  // namespace muster::core
