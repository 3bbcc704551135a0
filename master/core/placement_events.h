// The balancer being changed over, and its shadow set: checked, stored, and in force at once.
//
// Thread rule: one thread. Errors, in the answers: BAD_PLACEMENT; then nothing happened.
#pragma once

#include "master/core/cluster.h"
#include "master/core/events.h"

namespace muster::core {

class PlacementEvents {
 public:
  explicit PlacementEvents(Cluster* cluster) : cluster_(*cluster) {}

  // Once, after a start: puts in force what is configured and stored.
  void Start(const Moment& turn);
  void OnUpdate(const Moment& turn, const UpdatePlacement& event);

 private:
  // The balancer is as the table says.
  void PutInForce(const Moment& turn, const PlacementSettings& before);

  Cluster& cluster_;
};

}  // namespace muster::core
