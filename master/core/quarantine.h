// Carries out what the workers' health asks for: who takes one attempt at a time, who is put aside, who is tried again.
//
// Reports feed the health (registry/worker_health.h) while a turn's events are applied; once a turn, before anything is
// placed, what it found becomes the registry's and the balancer's. What was sent ahead to such a worker is asked back.
// Thread rule: one thread.
#pragma once

#include "master/core/cluster.h"
#include "master/core/dispatching.h"

namespace muster::core {

class Quarantine {
 public:
  Quarantine(Cluster* cluster, Dispatching* dispatching) : cluster_(*cluster), dispatching_(*dispatching) {}

  void Judge(const Moment& turn);

 private:
  Cluster& cluster_;
  Dispatching& dispatching_;
};

}  // namespace muster::core
