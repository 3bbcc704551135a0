// What choosing a worker needs to know of one. The registry keeps it true, the balancer ranks by it; neither knows the
// other.
//
// Thread rule: a value, changed by the registry alone. Its address is stable while the worker is there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "common/domain/ids.h"
#include "common/domain/task_spec.h"
#include "common/domain/worker.h"

namespace muster {

struct WorkerFacts {
  static constexpr uint32_t kNoLimit = UINT32_MAX;

  WorkerId id;
  std::string name;
  WorkerState state = WorkerState::kNone;
  std::string takes_nothing_because;  // empty: it takes new work
  std::string held_because;           // its room is held for one task; empty: it is anybody's
  WorkerOffer offer;
  uint64_t offer_revision = 0;  // one more with each change of `offer`
  uint32_t weight = 1;          // never 0; by default the slots
  ResourceAmounts used;         // by attempts in slots; over the capacity only after adoption or a smaller offer
  uint32_t prefetched = 0;      // one-slot attempts sent ahead; only where no slot is free
  // After failures: takes another attempt only while fewer slots are used, and nothing is sent ahead.
  uint32_t slot_limit = kNoLimit;
  std::string limited_because;  // empty: it is not, or is in quarantine
  bool on_trial = false;        // in quarantine, and takes an attempt to be tried

  bool TakesWork() const {
    if (state == WorkerState::kQuarantined) return on_trial;
    return InOrder() && held_because.empty();
  }
  // Nothing is in the way but, maybe, that its room is held.
  bool InOrder() const { return state == WorkerState::kActive && takes_nothing_because.empty(); }
  uint32_t FreeSlots() const {
    const uint32_t most = std::min(offer.capacity.slots, slot_limit);
    return most > used.slots ? most - used.slots : 0;
  }
  bool Limited() const { return slot_limit != kNoLimit; }
};

}  // namespace muster
