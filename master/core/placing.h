// One scheduling round: the best task that has room goes first, until nothing waits that has room.
//
// A class that finds no room is parked and not looked at again until a worker that could serve it changes. So a round
// costs what it places and what changed, not what waits.
// Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/container/btree_set.h"
#include "master/core/cluster.h"
#include "master/core/dispatching.h"
#include "master/core/prefetch.h"

namespace muster::core {

class Placing {
 public:
  Placing(Cluster* cluster, Transitions* transitions, Dispatching* dispatching, Prefetch* prefetch)
      : cluster_(*cluster), transitions_(*transitions), dispatching_(*dispatching), prefetch_(*prefetch) {}

  void Round(const Moment& turn);
  // The last round ended at its bound: there is more to place.
  bool unfinished() const { return unfinished_; }

 private:
  void Refresh(const Moment& turn);
  // False: the task's queue is paused or at a limit, and out of turn now; or its key is, and its class with it.
  bool PassesLimits(const Moment& turn, const Task& task, scheduler::ClassId cls);
  void WakeClasses(const absl::btree_set<WorkerId>& changed);
  // What became of the first task in line.
  void PlaceNext(const Moment& turn, const scheduler::NextTask& next);
  bool HasSuspect(WorkerId worker) const;
  bool StaysApart(const Moment& turn, Task& task, WorkerId worker);
  void Send(const Moment& turn, Task& task, registry::Reservation reservation, bool prefetched);

  Cluster& cluster_;
  Transitions& transitions_;
  Dispatching& dispatching_;
  Prefetch& prefetch_;
  absl::btree_set<scheduler::ClassId> wait_to_be_sent_ahead_;  // a part of the parked classes
  absl::btree_set<WorkerId> freed_;                            // since the last round
  uint64_t offers_revision_ = 0;                               // as of the last look at the parked classes
  bool unfinished_ = false;
};

}  // namespace muster::core
