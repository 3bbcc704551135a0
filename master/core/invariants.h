// Everything that two tables must agree on, computed anew. For tests: costs all there is.
#pragma once

#include "master/core/cluster.h"

namespace muster::core {

// Crashes where something does not hold.
void CheckAgreement(const Cluster& cluster);

}  // namespace muster::core
