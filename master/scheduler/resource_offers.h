// Who is asked again when something of what the cluster has as a whole may have become free.
//
//   offers.Begin(now);                                        // a round: anything may have changed
//   if (offers.due()) offers.Offer(lack_of);                  // before each look at the queues
//   while (!(next = queues.Peek()) && offers.Offer(lack_of))  // who was asked may wait for something else now
//     ...
//   offers.LooksAt(next->cls);
//
// Those that stand by for the same amounts lack the same. So of each queue the first is asked, in the order of the
// queues' turns, and woken if it lacks nothing, for as long as it would fit; the next when the look at these is over. So a
// placement costs as many looks whether ten classes wait or ten thousand. A claim does not hold its own class, which is
// therefore asked too, wherever it stands.
//
// Between two changes no class is woken twice: one that shows another task than the first, and lacks again, ends there.
//
// Cost: O(what is asked for in different amounts), and for what fits O(queues log queues). Pure, deterministic. Thread rule:
// one thread. Ownership: queues and resources outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "master/scheduler/cluster_resources.h"
#include "master/scheduler/task_queues.h"

namespace muster::scheduler {

class ResourceOffers {
 public:
  // What a queued task cannot have now.
  using LackOf = absl::FunctionRef<std::optional<ClusterResources::Lack>(TaskId task)>;

  ResourceOffers(TaskQueues* queues, ClusterResources* resources) : queues_(*queues), resources_(*resources) {}

  void Begin(absl::Time now);
  // Something was placed: who was outdone by one of that queue or key may not be so any more.
  void Placed() { woken_.clear(); }
  void LooksAt(ClassId cls) { due_ |= woken_.contains(cls); }
  bool due() const { return due_ || resources_.changed(); }
  // False: it woke nobody.
  bool Offer(LackOf lack_of);

 private:
  bool OfferTo(const ClusterAmounts& amounts, LackOf lack_of);
  // The class to wake instead of the one that it holds back; empty: there is none.
  std::optional<ClassId> OwnerOf(const ClusterResources::Lack& lack, LackOf lack_of) const;

  TaskQueues& queues_;
  ClusterResources& resources_;
  absl::btree_set<ClassId> woken_;  // since something changed
  bool due_ = true;
};

}  // namespace muster::scheduler
