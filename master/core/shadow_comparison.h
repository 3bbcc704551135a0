// What the shadow would have done: for each placement it is asked the question that the balancer has just answered, with
// the same filters over the same workers, which have had what the balancer gave them. So each difference is one of this
// moment, not of two histories.
//
// Counts; of those that differ it keeps a few with the reasons of both sides, the first ones and then one in a second,
// and emits PlacementDiffered for the log: at most one in ten seconds, with how many there were. Without a shadow it does
// nothing.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/time/time.h"
#include "master/core/cluster.h"

namespace muster::core {

class ShadowComparison {
 public:
  explicit ShadowComparison(Cluster* cluster) : cluster_(*cluster) {}

  // `chosen` is about to get the task: its room is not taken yet. `unwanted` as Choose had it. A task that is spread or
  // packed is placed alike by all, and is not counted.
  void Compare(const Moment& turn, const Task& task, WorkerId chosen, const std::function<bool(WorkerId)>& unwanted);
  // It is sent ahead there, and the shadow, which is there, would have sent it elsewhere, or nowhere yet.
  void CompareAhead(const Moment& turn, const Task& task, WorkerId chosen,
                    std::optional<WorkerId> shadow_choice);

 private:
  void Count(const Moment& turn, const Task& task, WorkerId chosen, WorkerId shadow_choice);

  ShadowDifference DifferenceOf(const Moment& turn, const Task& task, WorkerId chosen, WorkerId shadow_choice) const;

  Cluster& cluster_;
  absl::Time keep_again_ = absl::InfinitePast();
  absl::Time tell_again_ = absl::InfinitePast();
  uint64_t untold_ = 0;
};

}  // namespace muster::core
