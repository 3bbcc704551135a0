// Cancelling: the wish is durable before it is answered; what waits ends at once, what is somewhere is asked to stop,
// and asked again at each session until the worker confirms or the attempt is decided otherwise.
//
// Thread rule: one thread. Cost: what is open in the ranges.
#pragma once

#include "master/core/cluster.h"
#include "master/core/dispatching.h"
#include "master/core/events.h"
#include "master/core/transitions.h"

namespace muster::core {

class Cancels {
 public:
  Cancels(Cluster* cluster, Transitions* transitions, Dispatching* dispatching)
      : cluster_(*cluster), transitions_(*transitions), dispatching_(*dispatching) {}

  void OnCancel(const Moment& turn, const CancelTasks& event);

 private:
  void Cancel(const Moment& turn, Task& task, const std::shared_ptr<const CancelWish>& wish);

  Cluster& cluster_;
  Transitions& transitions_;
  Dispatching& dispatching_;
};

}  // namespace muster::core
