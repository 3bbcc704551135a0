// The workers that are there, and the pools that list them for choosing: one pool for each (executor, needs, excludes) that
// was asked for.
//
//   pools.Changed(facts);                             // after every change of a worker: lists it anew where that matters
//   Pool& pool = pools.For(requirements);             // O(workers) when nobody asked for it before
//   for (auto& [rank, worker] : pools.OrderIn(pool, requirements.arrangement)) ...
//
// A worker is a member of each pool that its offer matches, and in order there, by the policy's rank, while it takes work.
// The policy is told of each worker that begins to. Of the pools, so many as are allowed are kept, those last used.
//
// Ownership: the facts stay the registry's, and the policy the balancer's. Thread rule: the balancer's. What a placement
// asks for is in this header, to be inlined there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "common/domain/task_spec.h"
#include "common/domain/worker_facts.h"
#include "master/balancer/load_rank.h"
#include "master/balancer/policy.h"
#include "master/balancer/pool.h"

namespace muster::balancer {

class PoolTable {
 public:
  PoolTable(Policy* policy, size_t most_pools) : most_pools_(most_pools), policy_(policy) {}

  // Another policy ranks from now on; it begins with the workers that take work now.
  void RankBy(Policy* policy);

  void Changed(const WorkerFacts& facts) {
    ListedWorker& worker = WorkerOf(facts);
    bool present = facts.state != WorkerState::kLost && facts.state != WorkerState::kNone;
    if (!present) {
      Leave(worker);
      return;
    }
    if (!worker.present || worker.offer_revision != facts.offer_revision) Rematch(worker);
    bool takes_work = facts.TakesWork();
    if (takes_work && !worker.takes_work) policy_->Enter(facts);
    worker.takes_work = takes_work;
    Relist(worker);
  }

  void Remove(WorkerId id);  // before its facts go

  // By id; those that are not present are gaps.
  const std::vector<ListedWorker>& workers() const { return workers_; }
  const WorkerFacts& FactsOf(WorkerId id) const { return *workers_[id.value()].facts; }
  bool IsPresent(WorkerId id) const { return id.value() < workers_.size() && workers_[id.value()].present; }

  Pool& For(const Requirements& requirements) {
    auto found = pools_by_key_.find(PoolKeyView{requirements.executor, requirements.needs, requirements.excludes});
    Pool& pool = found != pools_by_key_.end() ? *found->second : NewPool(requirements);
    pool.last_used = ++uses_;
    return pool;
  }

  // Workers with a free slot, in the order in which they are asked.
  const absl::btree_set<Ranked>& OrderIn(Pool& pool, Arrangement arrangement) {
    if (arrangement == Arrangement::kBalanced) return pool.ready;
    Pool::ByLoad& order = arrangement == Arrangement::kSpread ? pool.emptiest : pool.fullest;
    if (!order.kept) Keep(pool, &order);
    return order.workers;
  }

  bool IsListed(const absl::btree_set<Ranked>& in, Listed as, WorkerId id) const {
    if (id.value() >= workers_.size()) return false;
    const ListedWorker& worker = workers_[id.value()];
    return worker.listed == as && in.contains({worker.rank, id});
  }

  // Recomputes every pool and crashes where it differs.
  void CheckInvariants() const;

 private:
  ListedWorker& WorkerOf(const WorkerFacts& facts) {
    if (facts.id.value() >= workers_.size()) workers_.resize(facts.id.value() + 1);
    ListedWorker& worker = workers_[facts.id.value()];
    worker.facts = &facts;
    return worker;
  }

  static void ListIn(Pool& pool, const ListedWorker& worker) {
    const WorkerId id = worker.facts->id;
    if (worker.listed == Listed::kAhead) pool.ahead.insert({worker.rank, id});
    if (worker.listed != Listed::kReady) return;
    pool.ready.insert({worker.rank, id});
    if (pool.emptiest.kept) pool.emptiest.workers.insert({worker.load.emptiest, id});
    if (pool.fullest.kept) pool.fullest.workers.insert({worker.load.fullest, id});
  }

  static void UnlistIn(Pool& pool, const ListedWorker& worker) {
    const WorkerId id = worker.facts->id;
    if (worker.listed == Listed::kAhead) pool.ahead.erase({worker.rank, id});
    if (worker.listed != Listed::kReady) return;
    pool.ready.erase({worker.rank, id});
    if (pool.emptiest.kept) pool.emptiest.workers.erase({worker.load.emptiest, id});
    if (pool.fullest.kept) pool.fullest.workers.erase({worker.load.fullest, id});
  }

  LoadRank LoadRankOf(const WorkerFacts& facts) const {
    return loads_are_kept_ ? LoadRank{EmptiestFirst(facts), FullestFirst(facts)} : LoadRank{};
  }

  std::pair<Listed, uint64_t> PlaceOf(const WorkerFacts& facts) const {
    if (!facts.TakesWork() || facts.offer.capacity.slots == 0) return {Listed::kNo, 0};
    if (facts.FreeSlots() > 0) return {Listed::kReady, policy_->Rank(facts)};
    if (facts.Limited()) return {Listed::kNo, 0};
    return {Listed::kAhead, policy_->RankAhead(facts)};
  }

  void Relist(ListedWorker& worker) {
    auto place = PlaceOf(*worker.facts);
    const LoadRank load = LoadRankOf(*worker.facts);
    if (place.first == worker.listed && place.second == worker.rank && load == worker.load) return;
    for (Pool* pool : worker.pools) UnlistIn(*pool, worker);
    worker.listed = place.first;
    worker.rank = place.second;
    worker.load = load;
    for (Pool* pool : worker.pools) ListIn(*pool, worker);
  }

  void Rematch(ListedWorker& worker);
  static void AddIfMatching(Pool& pool, ListedWorker& worker);
  static void LeavePools(ListedWorker& worker);
  static void Leave(ListedWorker& worker);
  Pool& NewPool(const Requirements& requirements);
  void DropOldestPool();
  void Keep(Pool& pool, Pool::ByLoad* order);
  void CheckByLoad(const Pool& pool, const Pool::ByLoad& order, uint64_t LoadRank::*rank) const;

  const size_t most_pools_;
  Policy* policy_;
  bool loads_are_kept_ = false;  // some task was packed or spread
  std::vector<ListedWorker> workers_;  // by id
  std::vector<std::unique_ptr<Pool>> pools_;
  PoolMap<Pool*> pools_by_key_;
  uint64_t uses_ = 0;
};

}  // namespace muster::balancer
