// One scheduling round: the best task that has room goes first, until nothing waits that has room.
//
// A class that finds no room is parked: only a worker that changes can have room for it, so a round asks those that
// changed alone, in the order of the line, and only until they are full. It costs what it places, and for each of these a
// glance at the classes that are before it and do not fit.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/container/btree_set.h"
#include "master/core/cluster.h"
#include "master/core/dispatching.h"
#include "master/core/held_room.h"
#include "master/core/new_room.h"
#include "master/core/prefetch.h"
#include "master/core/shadow_comparison.h"
#include "master/scheduler/resource_offers.h"

namespace muster::core {

class Placing {
 public:
  Placing(Cluster* cluster, Transitions* transitions, Dispatching* dispatching, Prefetch* prefetch)
      : cluster_(*cluster), transitions_(*transitions), dispatching_(*dispatching), prefetch_(*prefetch),
        held_(cluster, dispatching), offers_(&cluster->queues, &cluster->resources) {}

  void Round(const Moment& turn);
  // Whether a task that is not in line yet would be placed in the next round.
  bool StartsNow(const Moment& turn, const Task& task);
  // The last round found that something could be placed which could not before: a worker, a queue, or a key has room.
  bool found_changes() const { return found_changes_; }
  // The last round ended at its bound: there is more to place.
  bool unfinished() const { return unfinished_; }
  absl::Time NextDue() const { return held_.NextDue(); }

 private:
  void PlaceWhatFits(const Moment& turn);
  void Refresh(const Moment& turn);
  void TakeChanges();  // of workers, since they were taken last
  void Changed(WorkerId worker);
  void WakeThoseWhoAvoid();
  std::optional<scheduler::NextTask> Next(const Moment& turn);
  std::optional<scheduler::NextTask> NextInLine();
  // False: the task's queue is paused or at a limit, and out of turn now; or its key is, or what it asks of the cluster is
  // taken, and its class with it.
  bool PassesLimits(const Moment& turn, const Task& task, scheduler::ClassId cls);
  // What became of the first task in line.
  void PlaceNext(const Moment& turn, const scheduler::NextTask& next);
  balancer::Placement Choose(const Task& task);
  // Workers that it would rather not have; empty: none.
  std::function<bool(WorkerId)> UnwantedBy(const Task& task) const;
  bool SendAhead(const Moment& turn, Task& task, const scheduler::NextTask& next);
  void Park(const Moment& turn, const Task& task, scheduler::ClassId cls, bool waits);
  bool HasSuspect(WorkerId worker) const;
  bool StaysApart(const Moment& turn, Task& task, WorkerId worker);
  void Send(const Moment& turn, Task& task, const scheduler::NextTask& next, registry::Reservation reservation, bool ahead);
  // The one before it was placed, and its class is parked still.
  void WaitsInItsPlace(const Moment& turn, const std::string& queue, scheduler::ClassId cls);

  Cluster& cluster_;
  Transitions& transitions_;
  Dispatching& dispatching_;
  Prefetch& prefetch_;
  HeldRoom held_;
  scheduler::ResourceOffers offers_;
  ShadowComparison shadow_{&cluster_};
  NewRoom room_{&cluster_, &prefetch_};
  absl::btree_set<WorkerId> freed_;   // since the last round
  uint64_t offers_revision_ = 0;      // as of the last look at those who avoid a worker
  bool found_changes_ = false;
  bool unfinished_ = false;
};

}  // namespace muster::core
