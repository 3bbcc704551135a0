// In which order workers that could take a task are asked: each policy is one number per worker, lowest first, ties by
// id. The balancer keeps workers sorted by it.
//
//   round_robin   the one whose last turn is longest ago
//   weighted      smooth weighted round robin in its stride form: each pick moves a worker's virtual time by 1/weight,
//                 starting half a step in, so that after any whole round each has had exactly its share
//   least_loaded  the lowest share of slots taken
//
// A policy remembers picks and nothing else. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "common/domain/worker_facts.h"

namespace muster::balancer {

enum class PolicyKind : uint8_t { kRoundRobin, kWeighted, kLeastLoaded };
std::string_view PolicyName(PolicyKind kind);  // "least_loaded"

class Policy {
 public:
  virtual ~Policy() = default;

  // The worker begins to take work: new, or back. It neither pays nor is owed for the time before.
  virtual void Enter(const WorkerFacts& worker) = 0;
  // It was given one task.
  virtual void Picked(const WorkerFacts& worker) = 0;
  // For a free slot.
  virtual uint64_t Rank(const WorkerFacts& worker) const = 0;
  // For being sent one ahead of a free slot.
  virtual uint64_t RankAhead(const WorkerFacts& worker) const = 0;
  // Whether the others are sent nothing ahead while this one, first in that order, can take no more. Sending ahead
  // fills no idle slot, so `weighted` can afford to keep to its shares here.
  virtual bool OthersWaitFor(const WorkerFacts& worker) const = 0;
};

std::unique_ptr<Policy> MakePolicy(PolicyKind kind);

}  // namespace muster::balancer
