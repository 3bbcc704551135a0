// Sending ahead of a free slot, so that short commands do not wait a round trip (design.md, dispatcher).
//
// Only under RERUN, for one slot and nothing else, when the median run time of the command's kind is known and short;
// per worker at most what runs in the horizon, and the limit. What waits and may not be sent ahead itself comes first:
// nothing is sent ahead to a worker that something waits for which is before it or in another queue, and what was sent
// ahead there with a lower priority is recalled. Attempts sent ahead are also recalled when another worker idles.
// Only "given back" frees an attempt.
// Thread rule: one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "master/core/cluster.h"
#include "master/core/dispatching.h"

namespace muster::core {

class Prefetch {
 public:
  Prefetch(Cluster* cluster, Dispatching* dispatching) : cluster_(*cluster), dispatching_(*dispatching) {}

  // Whether tasks like this one are ever sent ahead.
  bool Eligible(const Task& task) const;
  // A worker to send an eligible task ahead to, after it found no free slot; as that balancer has it. Empty: none now.
  std::optional<WorkerId> Choose(const Moment& turn, const Task& task, balancer::Balancer* balancer);

  // The first task of the class found no room and may not be sent ahead. Recalls what is in its way.
  void Waits(const Moment& turn, const Task& task, scheduler::ClassId cls);
  void NoLongerWaits(scheduler::ClassId cls) { waiting_.erase(cls); }

  // The round left this worker with a free slot and nothing to fill it with.
  void FillFrom(const Moment& turn, WorkerId idle);
  // Slots may have freed: some that were sent ahead are in slots now.
  void Promote(WorkerId worker);
  void Note(WorkerId worker);    // something was sent ahead there
  void Forget(WorkerId worker);  // the registry did

 private:
  struct Waiting {
    std::string queue;
    absl::Time order;  // as the queue sorts: since - priority * aging interval
  };

  uint32_t Allowance(const Task& task, uint32_t slots) const;
  absl::Time OrderOf(const Task& task) const;
  void ForgetThoseThatAreGone();
  bool InTheWay(const Moment& turn, const Task& task, WorkerId worker);
  void RecallBelow(const Moment& turn, WorkerId worker, int32_t priority, size_t* budget);

  Cluster& cluster_;
  Dispatching& dispatching_;
  absl::btree_map<scheduler::ClassId, Waiting> waiting_;  // a part of the parked classes
  absl::btree_set<WorkerId> ahead_;                       // workers that have something sent ahead
};

}  // namespace muster::core
