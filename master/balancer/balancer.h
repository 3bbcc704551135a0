// Which worker: keeps the workers sorted for choosing, by policy, in one pool per (executor, needs, excludes) that is
// asked for.
//
//   balancer.Changed(table.facts(id));                       // after every change of a worker
//   Placement p = balancer.Choose(requirements, avoid, fingerprint);  // decides, changes nothing that decides
//   balancer.Picked(table.facts(id), fingerprint);           // it was reserved: counts for the policy
//
// A pool holds the workers whose offer matches (static filters), those that take work sorted by the policy's rank.
// So one placement looks at the policy's favourites for what the task runs (four at most), and then at the first worker
// that fits: O(log workers) where slots are what is short; where memory or named resources are, it walks past those that
// lack them. A change of load touches only the pools of that worker.
// A task that is packed or spread asks the workers in an order of its own, which a pool keeps once it was asked for; spread,
// it looks at 64 that it fits on at most.
// Pools are made when first asked for (O(workers)) and the 1,024 last used are kept.
//
// Ownership: the facts stay the registry's, and must stay at their address until Remove. A LOST worker counts as not
// there. Thread rule: one thread. Deterministic: nothing depends on the order of a hash map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/task_spec.h"
#include "common/domain/worker_facts.h"
#include "master/balancer/analysis.h"
#include "master/balancer/filters.h"
#include "master/balancer/placement.h"
#include "master/balancer/policy.h"

namespace muster::balancer {

struct WorkerRejection {
  WorkerId worker;
  std::string name;
  Rejection rejection;
};

// How many tasks of a kind are on a worker that are spread.
using SpreadThere = std::function<uint32_t(uint64_t fingerprint, WorkerId worker)>;

class Balancer {
 public:
  static constexpr size_t kMaxPools = 1024;

  explicit Balancer(BalancerKind kind, FormerPlaces former = nullptr, SpreadThere spread_there = nullptr);
  ~Balancer();
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  // Another policy decides from now on, and `shadow` runs beside it: a second balancer that is told all that this one is
  // told and decides nothing (empty: none, at no cost). Nothing is lost: a new policy begins with the workers that take
  // work now, and one that ran beside, or is to, goes on with what it knows. Costs O(workers).
  void Use(BalancerKind kind, std::optional<BalancerKind> shadow);
  BalancerKind kind() const;
  // To be asked what it would choose, and never to be told anything. Null: none.
  Balancer* shadow() { return shadow_.get(); }

  // The worker is there or has changed: state, offer, load, weight. Idempotent.
  void Changed(const WorkerFacts& worker);
  // It was given a task (in a slot or ahead) of this kind: the policy counts it. Includes Changed.
  void Picked(const WorkerFacts& worker, uint64_t fingerprint = 0);
  // A task of this kind failed there.
  void Failed(WorkerId worker, uint64_t fingerprint);
  void Remove(WorkerId worker);  // before its facts go

  // `avoid`: the worker that just failed the task, passed over as long as another one takes work and could fit it,
  // busy or not; 0: none.
  // `fingerprint`: what kind of command it runs; 0: one of its own.
  // `unwanted`: workers that are passed over as long as another one has room now; the first of them when none has.
  Placement Choose(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint = 0,
                   const std::function<bool(WorkerId)>& unwanted = nullptr);

  // A worker without a free slot to send a one-slot task ahead to. `allowance` says how many may be ahead on a worker
  // of so many slots. Only after Choose found NoCapacityNow.
  std::optional<WorkerId> ChooseAhead(const Requirements& requirements, uint64_t fingerprint,
                                      const std::function<uint32_t(uint32_t slots)>& allowance);

  // What spoke for the worker, in words, when asked before the room is taken: "has 0 of 4 slots taken".
  std::string Why(WorkerId worker, uint64_t fingerprint) const;

  // Whether Choose could place the task on this worker now: the question when a slot came free.
  bool CanServe(WorkerId worker, const Requirements& requirements, WorkerId avoid);

  // Why no worker that is there could ever take it; empty: some could. Costs O(workers).
  std::vector<std::string> WhyInfeasible(const Requirements& requirements) const;

  // Per worker that would not get it now, by id, which filter it failed. Costs O(workers).
  std::vector<WorkerRejection> Explain(const Requirements& requirements, WorkerId avoid, size_t limit) const;

  // What every worker says to it, and where Choose would place it. Costs O(workers); changes nothing.
  Analysis Analyze(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint = 0) const;

  // How often the workers were asked why: calls of WhyInfeasible; for tests.
  uint64_t explained() const;

  // How many candidates were looked at by Choose and ChooseAhead; for tests and metrics.
  uint64_t looked_at() const;

  // Recomputes every pool and crashes where it differs.
  void CheckInvariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  std::unique_ptr<Balancer> shadow_;
};

}  // namespace muster::balancer
