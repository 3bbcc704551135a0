// How full a worker is, as a number to sort by. Cost: a division. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/domain/worker_facts.h"

namespace muster::balancer {

// A task that is spread looks at so many workers that it fits on, the emptiest first: the cost of a placement is bounded.
inline constexpr size_t kSpreadCandidates = 64;

// The share of the worker's slots that `taken` is, in 2^-32. Equal shares have equal numbers, whatever the slots;
// different ones differ for all real sizes.
inline uint64_t ShareTaken(uint64_t taken, const WorkerFacts& worker) {
  const uint64_t slots = std::max<uint64_t>(1, worker.offer.capacity.slots);
  return (std::min<uint64_t>(taken, UINT32_MAX) << 32) / slots;
}

// For a worker with a free slot, lowest first.
inline uint64_t EmptiestFirst(const WorkerFacts& worker) { return ShareTaken(worker.used.slots, worker); }
// Of equally full ones the smaller, so that of empty ones the large stay free.
inline uint64_t FullestFirst(const WorkerFacts& worker) {
  constexpr uint64_t kWhole = uint64_t{1} << 32;
  constexpr uint64_t kMostSlots = (uint64_t{1} << 24) - 1;
  const uint64_t share = std::min(kWhole, EmptiestFirst(worker));
  return (kWhole - share) << 24 | std::min<uint64_t>(worker.offer.capacity.slots, kMostSlots);
}

}  // namespace muster::balancer
