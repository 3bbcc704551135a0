// Writes into the log what the shadow would have done otherwise (docs/placement.md). The core limits how often.
//
// Thread rule: the loop's. Errors: none.
#pragma once

#include <vector>

#include "master/core/ports.h"

namespace muster::master {

class PlacementLog final : public core::EffectListener {
 public:
  void OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) override;
};

}  // namespace muster::master
