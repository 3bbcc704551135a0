// In which order workers that could take a task are asked: each policy is one number per worker, lowest first, ties by
// id. The balancer keeps workers sorted by it. Before these a policy may name favourites for a kind of command.
//
//   round_robin   the one whose last turn is longest ago
//   weighted      smooth weighted round robin in its stride form: each pick moves a worker's virtual time by 1/weight,
//                 starting half a step in, so that after any whole round each has had exactly its share
//   least_loaded  the lowest share of slots taken
//   locality      the workers that were given this fingerprint last, the last one first; else as least_loaded
//
// A policy remembers picks, and failures of what it picked, and nothing else. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/domain/balancer_kind.h"
#include "common/domain/worker_facts.h"
#include "master/balancer/favourites.h"

namespace muster::balancer {

class Policy {
 public:
  virtual ~Policy() = default;

  // The worker begins to take work: new, or back. It neither pays nor is owed for the time before.
  virtual void Enter(const WorkerFacts& worker) = 0;
  // It was given one task, which runs `fingerprint`; 0: a kind of its own.
  virtual void Picked(const WorkerFacts& worker, uint64_t fingerprint) = 0;
  // What it was given of this kind failed there.
  virtual void Failed(WorkerId, uint64_t /*fingerprint*/) {}

  // For a free slot.
  virtual uint64_t Rank(const WorkerFacts& worker) const = 0;
  // For being sent one ahead of a free slot.
  virtual uint64_t RankAhead(const WorkerFacts& worker) const = 0;
  // Whether the others are sent nothing ahead while this one, first in that order, can take no more. Sending ahead
  // fills no idle slot, so `weighted` can afford to keep to its shares here.
  virtual bool OthersWaitFor(const WorkerFacts& worker) const = 0;
  // Who comes before the order, for either, while he passes the filters and has room.
  virtual Favourites FavouritesFor(uint64_t /*fingerprint*/) const { return {}; }
  // What speaks for the worker, in words: "has 0 of 4 slots taken".
  virtual std::string Why(const WorkerFacts& worker, uint64_t fingerprint) const = 0;
};

std::unique_ptr<Policy> MakePolicy(BalancerKind kind, FormerPlaces former);

}  // namespace muster::balancer
