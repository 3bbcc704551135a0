// One attempt sent to one worker: its number made durable, the task moved, the assignment handed to the dispatcher; and
// the orders that follow an attempt to where it is (stop, recall).
//
// Thread rule: one thread.
#pragma once

#include "common/domain/attempt.h"
#include "master/core/cluster.h"
#include "master/core/transitions.h"

namespace muster::core {

class Dispatching {
 public:
  Dispatching(Cluster* cluster, Transitions* transitions) : cluster_(*cluster), transitions_(*transitions) {}

  // Room on the worker is reserved and becomes the attempt's; its session is open.
  void Send(const Moment& turn, Task& task, WorkerId worker, bool prefetched);

  // Asks the worker to stop the task's current attempt. Nothing when no session is open: Hello asks again.
  void Stop(const Moment& turn, const Task& task, EndReason reason);
  // The same for an attempt that is not current any more, or of no task at all.
  void StopStray(const Moment& turn, WorkerId worker, AttemptKey key);

  // Asks for an attempt back that was sent ahead. Once.
  void Recall(const Moment& turn, Task& task);
  // For all that were sent ahead to that worker.
  void RecallAhead(const Moment& turn, WorkerId worker);

  // Attempts sent ahead that have come into a slot by now, as the registry counts.
  void Promote(WorkerId worker);

 private:
  Cluster& cluster_;
  Transitions& transitions_;
};

}  // namespace muster::core
