#include "master/balancer/balancer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/domain/resources.h"
#include "master/balancer/load_rank.h"
#include "master/balancer/pool.h"

namespace muster::balancer {
namespace {

constexpr size_t kCandidatesAhead = 8;    // asked by ChooseAhead before it gives up: it is never needed, only quicker
constexpr size_t kMaxRememberedFits = 64;  // per pool
constexpr size_t kNamedWorkers = 3;       // in a reason

bool CouldFit(const WorkerFacts& worker, const ResourceAmounts& want) {
  return worker.offer.capacity.slots > 0 && Fits(worker.offer.capacity, ResourceAmounts{}, want);
}

bool FitsNow(const WorkerFacts& worker, const ResourceAmounts& want) {
  return Fits(worker.offer.capacity, worker.used, want);
}

using Unwanted = std::function<bool(WorkerId)>;
using Allowance = std::function<uint32_t(uint32_t)>;

}  // namespace

class Balancer::Impl {
 public:
  Impl(BalancerKind kind, FormerPlaces former, SpreadThere spread_there)
      : kind_(kind), former_(std::move(former)), policy_(MakePolicy(kind, former_)), spread_there_(std::move(spread_there)) {}

  void Use(BalancerKind kind) {
    kind_ = kind;
    policy_ = MakePolicy(kind, former_);
    for (const Entry& entry : entries_) {
      if (entry.takes_work) policy_->Enter(*entry.facts);
    }
    for (Entry& entry : entries_) {
      if (entry.present) Relist(entry);
    }
  }

  BalancerKind kind() const { return kind_; }
  const FormerPlaces& former() const { return former_; }
  const SpreadThere& spread_there() const { return spread_there_; }

  // Another one, to be told of all that this one knows.
  void Tell(Balancer* other) const {
    for (const Entry& entry : entries_) {
      if (entry.present) other->Changed(*entry.facts);
    }
  }

  void Changed(const WorkerFacts& facts) {
    Entry& entry = EntryOf(facts);
    bool present = facts.state != WorkerState::kLost && facts.state != WorkerState::kNone;
    if (!present) {
      Leave(entry);
      return;
    }
    if (!entry.present || entry.offer_revision != facts.offer_revision) Rematch(entry);
    bool takes_work = facts.TakesWork();
    if (takes_work && !entry.takes_work) policy_->Enter(facts);
    entry.takes_work = takes_work;
    Relist(entry);
  }

  void Picked(const WorkerFacts& facts, uint64_t fingerprint) {
    policy_->Picked(facts, fingerprint);
    Changed(facts);
  }

  void Failed(WorkerId id, uint64_t fingerprint) { policy_->Failed(id, fingerprint); }

  void Remove(WorkerId id) {
    if (id.value() >= entries_.size()) return;
    Leave(entries_[id.value()]);
    entries_[id.value()] = Entry{};
  }

  Placement Choose(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint, const Unwanted& unwanted) {
    Pool& pool = PoolFor(requirements);
    if (const WorkerId favourite = FavouriteWithRoom(pool, requirements, avoid, fingerprint, unwanted)) {
      return Placed{favourite};
    }
    const Found found = Search(OrderIn(pool, requirements.arrangement), requirements, avoid, fingerprint, unwanted);
    if (found.best) return Placed{found.best};
    if (found.first_unwanted) return Placed{found.first_unwanted};
    if (found.avoided_fits && !AnotherCould(pool, requirements.resources, avoid)) return Placed{avoid};
    if (found.avoided_fits || SomeCould(pool, requirements.resources)) return NoCapacityNow{};
    return Infeasible{WhyInfeasible(requirements)};
  }

  std::string Why(WorkerId id, uint64_t fingerprint) const { return policy_->Why(FactsOf(id), fingerprint); }

  std::optional<WorkerId> ChooseAhead(const Requirements& requirements, uint64_t fingerprint,
                                      const Allowance& allowance) {
    if (!requirements.OneSlotOnly()) return std::nullopt;
    const Pool& pool = PoolFor(requirements);
    const auto takes_more = [&](const WorkerFacts& facts) {
      ++looked_at_;
      return facts.prefetched < allowance(facts.offer.capacity.slots);
    };
    for (const WorkerId favourite : policy_->FavouritesFor(fingerprint)) {
      if (IsListed(pool.ahead, Listed::kAhead, favourite) && takes_more(FactsOf(favourite))) return favourite;
    }
    size_t asked = 0;
    for (const Ranked& candidate : pool.ahead) {
      if (asked++ == kCandidatesAhead) return std::nullopt;
      const WorkerFacts& facts = FactsOf(candidate.second);
      if (takes_more(facts)) return candidate.second;
      if (policy_->OthersWaitFor(facts)) return std::nullopt;
    }
    return std::nullopt;
  }

  bool CanServe(WorkerId id, const Requirements& requirements, WorkerId avoid) {
    if (id.value() >= entries_.size() || !entries_[id.value()].present) return false;
    const WorkerFacts& facts = FactsOf(id);
    if (!facts.TakesWork() || facts.FreeSlots() == 0 || !FitsNow(facts, requirements.resources)) return false;
    if (!MatchesStatically(facts.offer, requirements)) return false;
    return id != avoid || !AnotherCould(PoolFor(requirements), requirements.resources, avoid);
  }

  std::vector<std::string> WhyInfeasible(const Requirements& requirements) const;
  std::vector<WorkerRejection> Explain(const Requirements& requirements, WorkerId avoid, size_t limit) const;
  Analysis Analyze(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint) const;
  uint64_t looked_at() const { return looked_at_; }
  uint64_t explained() const { return explained_; }
  void CheckInvariants() const;

 private:
  enum class Listed : uint8_t { kNo, kReady, kAhead };

  struct LoadRank {
    uint64_t emptiest = 0;
    uint64_t fullest = 0;

    friend bool operator==(const LoadRank&, const LoadRank&) = default;
  };

  struct Entry {
    const WorkerFacts* facts = nullptr;
    bool present = false;
    bool takes_work = false;
    uint64_t offer_revision = 0;
    std::vector<Pool*> pools;  // it is a member of
    Listed listed = Listed::kNo;
    uint64_t rank = 0;  // under which it is listed
    LoadRank load;      // the same, by load
  };

  Entry& EntryOf(const WorkerFacts& facts) {
    if (facts.id.value() >= entries_.size()) entries_.resize(facts.id.value() + 1);
    Entry& entry = entries_[facts.id.value()];
    entry.facts = &facts;
    return entry;
  }

  const WorkerFacts& FactsOf(WorkerId id) const { return *entries_[id.value()].facts; }

  struct Found {
    WorkerId best;
    WorkerId first_unwanted;
    bool avoided_fits = false;
  };

  // The first one that fits; for a task that is spread the one with the fewest of its kind, of those looked at.
  Found Search(const absl::btree_set<Ranked>& order, const Requirements& requirements, WorkerId avoid, uint64_t fingerprint,
               const Unwanted& unwanted) {
    Found found;
    uint32_t fewest = UINT32_MAX;
    size_t candidates = 0;
    for (const auto& [rank, worker] : order) {
      ++looked_at_;
      if (!FitsNow(FactsOf(worker), requirements.resources)) continue;
      if (worker == avoid) {
        found.avoided_fits = true;
      } else if (unwanted && unwanted(worker)) {
        if (!found.first_unwanted) found.first_unwanted = worker;
      } else {
        const uint32_t there = SpreadThereOf(requirements, fingerprint, worker);
        if (there < fewest) found.best = worker;
        fewest = std::min(fewest, there);
        if (there == 0 || ++candidates == kSpreadCandidates) break;
      }
    }
    return found;
  }

  // 0 for a task that is not spread: the first one in its order will do.
  uint32_t SpreadThereOf(const Requirements& requirements, uint64_t fingerprint, WorkerId worker) const {
    const bool counts = requirements.arrangement == Arrangement::kSpread && spread_there_ != nullptr;
    return counts ? spread_there_(fingerprint, worker) : 0;
  }

  // Workers with a free slot, in the order in which they are asked.
  const absl::btree_set<Ranked>& OrderIn(Pool& pool, Arrangement arrangement) {
    if (arrangement == Arrangement::kBalanced) return pool.ready;
    Pool::ByLoad& order = arrangement == Arrangement::kSpread ? pool.emptiest : pool.fullest;
    if (!order.kept) Keep(pool, &order);
    return order.workers;
  }

  void Keep(Pool& pool, Pool::ByLoad* order) {
    if (!std::exchange(loads_are_kept_, true)) {
      for (Entry& entry : entries_) {
        if (entry.present) entry.load = LoadRankOf(*entry.facts);
      }
    }
    for (const WorkerId id : pool.members) UnlistIn(pool, entries_[id.value()]);
    order->kept = true;
    for (const WorkerId id : pool.members) ListIn(pool, entries_[id.value()]);
  }

  bool IsListed(const absl::btree_set<Ranked>& in, Listed as, WorkerId id) const {
    if (id.value() >= entries_.size()) return false;
    const Entry& entry = entries_[id.value()];
    return entry.listed == as && in.contains({entry.rank, id});
  }

  // 0: none of them takes it now.
  WorkerId FavouriteWithRoom(const Pool& pool, const Requirements& requirements, WorkerId avoid, uint64_t fingerprint,
                             const Unwanted& unwanted) {
    if (requirements.arrangement != Arrangement::kBalanced) return WorkerId();
    for (const WorkerId favourite : policy_->FavouritesFor(fingerprint)) {
      ++looked_at_;
      if (favourite == avoid || !IsListed(pool.ready, Listed::kReady, favourite)) continue;
      if (!FitsNow(FactsOf(favourite), requirements.resources) || (unwanted && unwanted(favourite))) continue;
      return favourite;
    }
    return WorkerId();
  }

  // --- Keeping the pools

  static void ListIn(Pool& pool, const Entry& entry) {
    const WorkerId id = entry.facts->id;
    if (entry.listed == Listed::kAhead) pool.ahead.insert({entry.rank, id});
    if (entry.listed != Listed::kReady) return;
    pool.ready.insert({entry.rank, id});
    if (pool.emptiest.kept) pool.emptiest.workers.insert({entry.load.emptiest, id});
    if (pool.fullest.kept) pool.fullest.workers.insert({entry.load.fullest, id});
  }

  static void UnlistIn(Pool& pool, const Entry& entry) {
    const WorkerId id = entry.facts->id;
    if (entry.listed == Listed::kAhead) pool.ahead.erase({entry.rank, id});
    if (entry.listed != Listed::kReady) return;
    pool.ready.erase({entry.rank, id});
    if (pool.emptiest.kept) pool.emptiest.workers.erase({entry.load.emptiest, id});
    if (pool.fullest.kept) pool.fullest.workers.erase({entry.load.fullest, id});
  }

  // In the order that Choose asks in. Of one that takes no work it does not matter.
  Precedence PrecedenceOf(const WorkerFacts& facts, const Requirements& requirements, uint64_t fingerprint,
                          const Favourites& favourites) const {
    if (!facts.TakesWork() || facts.offer.capacity.slots == 0) return {};
    switch (requirements.arrangement) {
      case Arrangement::kSpread: return {SpreadThereOf(requirements, fingerprint, facts.id), EmptiestFirst(facts)};
      case Arrangement::kPack: return {0, FullestFirst(facts)};
      case Arrangement::kBalanced: break;
    }
    return {favourites.PlaceOf(facts.id), policy_->Rank(facts)};
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

  void Relist(Entry& entry) {
    auto place = PlaceOf(*entry.facts);
    const LoadRank load = LoadRankOf(*entry.facts);
    if (place.first == entry.listed && place.second == entry.rank && load == entry.load) return;
    for (Pool* pool : entry.pools) UnlistIn(*pool, entry);
    entry.listed = place.first;
    entry.rank = place.second;
    entry.load = load;
    for (Pool* pool : entry.pools) ListIn(*pool, entry);
  }

  void Rematch(Entry& entry) {
    LeavePools(entry);
    entry.present = true;
    entry.offer_revision = entry.facts->offer_revision;
    for (const auto& pool : pools_) AddIfMatching(*pool, entry);
  }

  static void AddIfMatching(Pool& pool, Entry& entry) {
    if (!MatchesStatically(entry.facts->offer, pool.executor, pool.needs, pool.excludes)) return;
    pool.members.insert(entry.facts->id);
    entry.pools.push_back(&pool);
    ListIn(pool, entry);
  }

  static void LeavePools(Entry& entry) {
    for (Pool* pool : entry.pools) {
      UnlistIn(*pool, entry);
      pool->members.erase(entry.facts->id);
    }
    entry.pools.clear();
  }

  static void Leave(Entry& entry) {
    LeavePools(entry);
    entry.present = false;
    entry.takes_work = false;
    entry.listed = Listed::kNo;
    entry.rank = 0;
    entry.load = {};
  }

  Pool& PoolFor(const Requirements& requirements) {
    auto found = pools_by_key_.find(PoolKeyView{requirements.executor, requirements.needs, requirements.excludes});
    Pool& pool = found != pools_by_key_.end() ? *found->second : NewPool(requirements);
    pool.last_used = ++uses_;
    return pool;
  }

  Pool& NewPool(const Requirements& requirements) {
    if (pools_.size() >= kMaxPools) DropOldestPool();
    pools_.push_back(std::make_unique<Pool>());
    Pool& pool = *pools_.back();
    pool.executor = requirements.executor;
    pool.needs = requirements.needs;
    pool.excludes = requirements.excludes;
    pools_by_key_.emplace(PoolKey{pool.executor, pool.needs, pool.excludes}, &pool);
    for (Entry& entry : entries_) {
      if (entry.present) AddIfMatching(pool, entry);
    }
    return pool;
  }

  void DropOldestPool() {
    auto oldest = std::min_element(pools_.begin(), pools_.end(),
                                   [](const auto& a, const auto& b) { return a->last_used < b->last_used; });
    Pool* pool = oldest->get();
    for (WorkerId id : pool->members) {
      std::vector<Pool*>& pools = entries_[id.value()].pools;
      pools.erase(std::find(pools.begin(), pools.end(), pool));
    }
    pools_by_key_.erase(pools_by_key_.find(PoolKeyView{pool->executor, pool->needs, pool->excludes}));
    pools_.erase(oldest);
  }

  // --- Feasibility

  bool SomeCould(Pool& pool, const ResourceAmounts& want) const {
    auto known = pool.could_fit.find(want);
    if (known != pool.could_fit.end() && pool.members.contains(known->second) &&
        CouldFit(FactsOf(known->second), want)) {
      return true;
    }
    for (WorkerId id : pool.members) {
      if (!CouldFit(FactsOf(id), want)) continue;
      if (pool.could_fit.size() >= kMaxRememberedFits) pool.could_fit.clear();
      pool.could_fit[want] = id;
      return true;
    }
    return false;
  }

  bool AnotherCould(const Pool& pool, const ResourceAmounts& want, WorkerId avoid) const {
    return std::any_of(pool.members.begin(), pool.members.end(), [&](WorkerId id) {
      return id != avoid && FactsOf(id).TakesWork() && CouldFit(FactsOf(id), want);
    });
  }

  template <typename Lacks>
  bool AllPresent(const Lacks& lacks) const {
    return std::all_of(entries_.begin(), entries_.end(),
                       [&](const Entry& entry) { return !entry.present || lacks(entry.facts->offer).has_value(); });
  }

  static void CheckByLoad(const std::vector<Entry>& entries, const Pool& pool, const Pool::ByLoad& order,
                          uint64_t LoadRank::*rank) {
    MUSTER_CHECK(order.workers.size() == (order.kept ? pool.ready.size() : 0));
    if (!order.kept) return;
    for (const auto& listed : pool.ready) {
      MUSTER_CHECK(order.workers.contains({entries[listed.second.value()].load.*rank, listed.second}));
    }
  }

  std::string NoExecutor(const std::string& executor) const;
  std::string NoRoom(const Requirements& requirements) const;

  BalancerKind kind_;
  const FormerPlaces former_;
  std::unique_ptr<Policy> policy_;
  const SpreadThere spread_there_;
  bool loads_are_kept_ = false;  // some task was packed or spread
  std::vector<Entry> entries_;  // by id
  std::vector<std::unique_ptr<Pool>> pools_;
  PoolMap<Pool*> pools_by_key_;
  uint64_t uses_ = 0;
  uint64_t looked_at_ = 0;
  mutable uint64_t explained_ = 0;
};

std::string Balancer::Impl::NoExecutor(const std::string& executor) const {
  std::vector<std::string> unhealthy;
  for (const Entry& entry : entries_) {
    if (!entry.present || unhealthy.size() >= kNamedWorkers) continue;
    for (const ExecutorOffer& offer : entry.facts->offer.executors) {
      if (offer.name != executor) continue;
      unhealthy.push_back(absl::StrCat(entry.facts->name, ": unhealthy", offer.reason.empty() ? "" : ": ", offer.reason));
      break;
    }
  }
  std::string text = absl::StrCat("no worker offers executor ", executor);
  if (!unhealthy.empty()) absl::StrAppend(&text, " (", absl::StrJoin(unhealthy, "; "), ")");
  return text;
}

std::string Balancer::Impl::NoRoom(const Requirements& requirements) const {
  std::vector<std::string> largest;
  for (const Entry& entry : entries_) {
    if (!entry.present || largest.size() >= kNamedWorkers) continue;
    if (!MatchesStatically(entry.facts->offer, requirements)) continue;
    largest.push_back(absl::StrCat(entry.facts->name, " ", NeverFits(entry.facts->offer, requirements.resources)
                                                               .value_or("has no slots")));
  }
  return absl::StrCat("no worker is large enough (", absl::StrJoin(largest, "; "), ")");
}

std::vector<std::string> Balancer::Impl::WhyInfeasible(const Requirements& requirements) const {
  ++explained_;
  auto present = [](const Entry& entry) { return entry.present; };
  if (std::none_of(entries_.begin(), entries_.end(), present)) return {"no worker has joined"};
  std::vector<std::string> reasons;
  if (AllPresent([&](const WorkerOffer& offer) { return LacksExecutor(offer, requirements.executor); })) {
    reasons.push_back(NoExecutor(requirements.executor));
  }
  for (const Need& need : requirements.needs) {
    if (AllPresent([&](const WorkerOffer& offer) { return LacksNeed(offer, need); })) {
      reasons.push_back(IsForValidation(need) ? "no worker validates: it takes one of this version or newer"
                                              : absl::StrCat("no worker has label ", NeedText(need)));
    }
  }
  for (const Need& excluded : requirements.excludes) {
    if (AllPresent([&](const WorkerOffer& offer) { return HasExcluded(offer, excluded); })) {
      reasons.push_back(absl::StrCat("every worker has label ", NeedText(excluded), ", which the task avoids"));
    }
  }
  if (!reasons.empty()) return reasons;
  bool some_match = false;
  for (const Entry& entry : entries_) {
    if (!entry.present || !MatchesStatically(entry.facts->offer, requirements)) continue;
    if (CouldFit(*entry.facts, requirements.resources)) return {};
    some_match = true;
  }
  if (some_match) return {NoRoom(requirements)};
  std::vector<std::string> asked = {absl::StrCat("executor ", requirements.executor)};
  for (const Need& need : requirements.needs) asked.push_back(AskedText(need));
  for (const Need& excluded : requirements.excludes) asked.push_back(absl::StrCat("no label ", NeedText(excluded)));
  return {absl::StrCat("no single worker has all of: ", absl::StrJoin(asked, ", "))};
}

std::vector<WorkerRejection> Balancer::Impl::Explain(const Requirements& requirements, WorkerId avoid,
                                                     size_t limit) const {
  std::vector<WorkerRejection> rejections;
  for (const Entry& entry : entries_) {
    if (rejections.size() >= limit) break;
    if (!entry.present) continue;
    if (auto rejection = FirstRejection(*entry.facts, requirements, avoid)) {
      rejections.push_back({.worker = entry.facts->id, .name = entry.facts->name, .rejection = std::move(*rejection)});
    }
  }
  return rejections;
}

Analysis Balancer::Impl::Analyze(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint) const {
  Analyst analyst(requirements, avoid);
  const Favourites favourites = policy_->FavouritesFor(fingerprint);
  for (const Entry& entry : entries_) {
    if (!entry.present) continue;
    analyst.LookAt(*entry.facts, PrecedenceOf(*entry.facts, requirements, fingerprint, favourites));
  }
  return analyst.Finish();
}

void Balancer::Impl::CheckInvariants() const {
  MUSTER_CHECK(pools_.size() == pools_by_key_.size() && pools_.size() <= kMaxPools);
  for (const auto& pool : pools_) {
    size_t members = 0;
    size_t ready = 0;
    size_t ahead = 0;
    for (const Entry& entry : entries_) {
      if (!entry.present || !MatchesStatically(entry.facts->offer, pool->executor, pool->needs, pool->excludes)) continue;
      ++members;
      MUSTER_CHECK(pool->members.contains(entry.facts->id));
      MUSTER_CHECK(std::count(entry.pools.begin(), entry.pools.end(), pool.get()) == 1);
      MUSTER_CHECK(PlaceOf(*entry.facts) == std::make_pair(entry.listed, entry.rank));
      if (entry.listed == Listed::kReady) ++ready;
      if (entry.listed == Listed::kAhead) ++ahead;
      MUSTER_CHECK(entry.listed != Listed::kReady || pool->ready.contains({entry.rank, entry.facts->id}));
      MUSTER_CHECK(entry.listed != Listed::kAhead || pool->ahead.contains({entry.rank, entry.facts->id}));
      MUSTER_CHECK(entry.load == LoadRankOf(*entry.facts));
    }
    MUSTER_CHECK(members == pool->members.size());
    MUSTER_CHECK(ready == pool->ready.size());
    MUSTER_CHECK(ahead == pool->ahead.size());
    CheckByLoad(entries_, *pool, pool->emptiest, &LoadRank::emptiest);
    CheckByLoad(entries_, *pool, pool->fullest, &LoadRank::fullest);
  }
}

Balancer::Balancer(BalancerKind kind, FormerPlaces former, SpreadThere spread_there)
    : impl_(std::make_unique<Impl>(kind, std::move(former), std::move(spread_there))) {}
Balancer::~Balancer() = default;

void Balancer::Use(BalancerKind kind, std::optional<BalancerKind> shadow) {
  if (shadow_ != nullptr && shadow_->kind() == kind) {
    std::swap(impl_, shadow_->impl_);
  } else if (kind != this->kind()) {
    impl_->Use(kind);
  }
  if (!shadow) {
    shadow_.reset();
  } else if (shadow_ == nullptr) {
    shadow_ = std::make_unique<Balancer>(*shadow, impl_->former(), impl_->spread_there());
    impl_->Tell(shadow_.get());
  } else if (shadow_->kind() != *shadow) {
    shadow_->impl_->Use(*shadow);
  }
}

BalancerKind Balancer::kind() const { return impl_->kind(); }

void Balancer::Changed(const WorkerFacts& worker) {
  impl_->Changed(worker);
  if (shadow_ != nullptr) shadow_->Changed(worker);
}
void Balancer::Picked(const WorkerFacts& worker, uint64_t fingerprint) {
  impl_->Picked(worker, fingerprint);
  if (shadow_ != nullptr) shadow_->Picked(worker, fingerprint);
}
void Balancer::Failed(WorkerId worker, uint64_t fingerprint) {
  impl_->Failed(worker, fingerprint);
  if (shadow_ != nullptr) shadow_->Failed(worker, fingerprint);
}
void Balancer::Remove(WorkerId worker) {
  impl_->Remove(worker);
  if (shadow_ != nullptr) shadow_->Remove(worker);
}
std::string Balancer::Why(WorkerId worker, uint64_t fingerprint) const { return impl_->Why(worker, fingerprint); }
Placement Balancer::Choose(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint,
                           const std::function<bool(WorkerId)>& unwanted) {
  return impl_->Choose(requirements, avoid, fingerprint, unwanted);
}
std::optional<WorkerId> Balancer::ChooseAhead(const Requirements& requirements, uint64_t fingerprint,
                                              const std::function<uint32_t(uint32_t)>& allowance) {
  return impl_->ChooseAhead(requirements, fingerprint, allowance);
}
bool Balancer::CanServe(WorkerId worker, const Requirements& requirements, WorkerId avoid) {
  return impl_->CanServe(worker, requirements, avoid);
}
std::vector<std::string> Balancer::WhyInfeasible(const Requirements& requirements) const {
  return impl_->WhyInfeasible(requirements);
}
std::vector<WorkerRejection> Balancer::Explain(const Requirements& requirements, WorkerId avoid, size_t limit) const {
  return impl_->Explain(requirements, avoid, limit);
}
Analysis Balancer::Analyze(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint) const {
  return impl_->Analyze(requirements, avoid, fingerprint);
}
uint64_t Balancer::explained() const { return impl_->explained(); }
uint64_t Balancer::looked_at() const { return impl_->looked_at(); }
void Balancer::CheckInvariants() const {
  impl_->CheckInvariants();
  if (shadow_ != nullptr) shadow_->CheckInvariants();
}

}  // namespace muster::balancer
