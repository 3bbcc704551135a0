#include "master/balancer/pool_table.h"

#include <algorithm>

#include "common/base/check.h"
#include "master/balancer/filters.h"

namespace muster::balancer {

void PoolTable::RankBy(Policy* policy) {
  policy_ = policy;
  for (const ListedWorker& worker : workers_) {
    if (worker.takes_work) policy_->Enter(*worker.facts);
  }
  for (ListedWorker& worker : workers_) {
    if (worker.present) Relist(worker);
  }
}

void PoolTable::Remove(WorkerId id) {
  if (id.value() >= workers_.size()) return;
  Leave(workers_[id.value()]);
  workers_[id.value()] = ListedWorker{};
}

void PoolTable::Rematch(ListedWorker& worker) {
  LeavePools(worker);
  worker.present = true;
  worker.offer_revision = worker.facts->offer_revision;
  for (const auto& pool : pools_) AddIfMatching(*pool, worker);
}

void PoolTable::AddIfMatching(Pool& pool, ListedWorker& worker) {
  if (!MatchesStatically(worker.facts->offer, pool.executor, pool.needs, pool.excludes)) return;
  pool.members.insert(worker.facts->id);
  worker.pools.push_back(&pool);
  ListIn(pool, worker);
}

void PoolTable::LeavePools(ListedWorker& worker) {
  for (Pool* pool : worker.pools) {
    UnlistIn(*pool, worker);
    pool->members.erase(worker.facts->id);
  }
  worker.pools.clear();
}

void PoolTable::Leave(ListedWorker& worker) {
  LeavePools(worker);
  worker.present = false;
  worker.takes_work = false;
  worker.listed = Listed::kNo;
  worker.rank = 0;
  worker.load = {};
}

Pool& PoolTable::NewPool(const Requirements& requirements) {
  if (pools_.size() >= most_pools_) DropOldestPool();
  pools_.push_back(std::make_unique<Pool>());
  Pool& pool = *pools_.back();
  pool.executor = requirements.executor;
  pool.needs = requirements.needs;
  pool.excludes = requirements.excludes;
  pools_by_key_.emplace(PoolKey{pool.executor, pool.needs, pool.excludes}, &pool);
  for (ListedWorker& worker : workers_) {
    if (worker.present) AddIfMatching(pool, worker);
  }
  return pool;
}

void PoolTable::DropOldestPool() {
  auto oldest = std::min_element(pools_.begin(), pools_.end(),
                                 [](const auto& a, const auto& b) { return a->last_used < b->last_used; });
  Pool* pool = oldest->get();
  for (WorkerId id : pool->members) {
    std::vector<Pool*>& pools = workers_[id.value()].pools;
    pools.erase(std::find(pools.begin(), pools.end(), pool));
  }
  pools_by_key_.erase(pools_by_key_.find(PoolKeyView{pool->executor, pool->needs, pool->excludes}));
  pools_.erase(oldest);
}

void PoolTable::Keep(Pool& pool, Pool::ByLoad* order) {
  if (!std::exchange(loads_are_kept_, true)) {
    for (ListedWorker& worker : workers_) {
      if (worker.present) worker.load = LoadRankOf(*worker.facts);
    }
  }
  for (const WorkerId id : pool.members) UnlistIn(pool, workers_[id.value()]);
  order->kept = true;
  for (const WorkerId id : pool.members) ListIn(pool, workers_[id.value()]);
}

void PoolTable::CheckInvariants() const {
  MUSTER_CHECK(pools_.size() == pools_by_key_.size() && pools_.size() <= most_pools_);
  for (const auto& pool : pools_) {
    size_t members = 0;
    size_t ready = 0;
    size_t ahead = 0;
    for (const ListedWorker& worker : workers_) {
      if (!worker.present || !MatchesStatically(worker.facts->offer, pool->executor, pool->needs, pool->excludes)) continue;
      ++members;
      MUSTER_CHECK(pool->members.contains(worker.facts->id));
      MUSTER_CHECK(std::count(worker.pools.begin(), worker.pools.end(), pool.get()) == 1);
      MUSTER_CHECK(PlaceOf(*worker.facts) == std::make_pair(worker.listed, worker.rank));
      if (worker.listed == Listed::kReady) ++ready;
      if (worker.listed == Listed::kAhead) ++ahead;
      MUSTER_CHECK(worker.listed != Listed::kReady || pool->ready.contains({worker.rank, worker.facts->id}));
      MUSTER_CHECK(worker.listed != Listed::kAhead || pool->ahead.contains({worker.rank, worker.facts->id}));
      MUSTER_CHECK(worker.load == LoadRankOf(*worker.facts));
    }
    MUSTER_CHECK(members == pool->members.size());
    MUSTER_CHECK(ready == pool->ready.size());
    MUSTER_CHECK(ahead == pool->ahead.size());
    CheckByLoad(*pool, pool->emptiest, &LoadRank::emptiest);
    CheckByLoad(*pool, pool->fullest, &LoadRank::fullest);
  }
}

void PoolTable::CheckByLoad(const Pool& pool, const Pool::ByLoad& order, uint64_t LoadRank::*rank) const {
  MUSTER_CHECK(order.workers.size() == (order.kept ? pool.ready.size() : 0));
  if (!order.kept) return;
  for (const auto& listed : pool.ready) {
    MUSTER_CHECK(order.workers.contains({workers_[listed.second.value()].load.*rank, listed.second}));
  }
}

}  // namespace muster::balancer
