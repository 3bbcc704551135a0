// Room that has appeared since the parked classes were looked at last: the workers that changed and are not full yet,
// and how many more may be tried to be sent ahead. A parked class fits nowhere else.
//
// A class that was asked and did not fit is passed over until something changes again: until then there is only less.
// Sending ahead is never needed, only quicker, so for that the first 64 in line are looked at, not all.
// Cost of a question: O(1) to O(few) workers. Thread rule: one thread.
#pragma once

#include <cstdint>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "master/core/cluster.h"
#include "master/core/prefetch.h"

namespace muster::core {

class NewRoom {
 public:
  NewRoom(Cluster* cluster, Prefetch* prefetch) : cluster_(*cluster), prefetch_(*prefetch) {}

  void Changed(WorkerId worker);
  void Gone(WorkerId worker) { workers_.erase(worker); }
  bool has_free_slots() const { return !workers_.empty(); }
  bool empty() const { return workers_.empty() && tries_ahead_ == 0; }

  // Whether the first task of a parked class may find a place, in a slot or ahead of one. A yes is worth a try.
  bool MayFit(const scheduler::NextTask& next, const scheduler::ClassKey& key);
  // It was tried, and found none.
  void PassOver(scheduler::ClassId cls);
  void Taken(WorkerId worker, bool ahead);
  // Everybody in line was asked: nobody fits.
  void Clear();

 private:
  bool FitsAWorker(const scheduler::ClassKey& key) const;
  bool MayGoAhead(const scheduler::NextTask& next, const scheduler::ClassKey& key);

  Cluster& cluster_;
  Prefetch& prefetch_;
  absl::btree_set<WorkerId> workers_;  // changed, and have a free slot
  uint32_t tries_ahead_ = 0;           // left; one that succeeds is not counted
  absl::flat_hash_set<scheduler::ClassId> passed_over_;
};

}  // namespace muster::core
