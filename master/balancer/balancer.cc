#include "master/balancer/balancer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/domain/resources.h"
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
  Impl(BalancerKind kind, FormerPlaces former) : policy_(MakePolicy(kind, std::move(former))) {}

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
    bool only_avoided_fits = false;
    WorkerId first_unwanted;
    for (const Ranked& candidate : pool.ready) {
      ++looked_at_;
      if (!FitsNow(FactsOf(candidate.second), requirements.resources)) continue;
      if (candidate.second == avoid) {
        only_avoided_fits = true;
      } else if (unwanted && unwanted(candidate.second)) {
        if (!first_unwanted) first_unwanted = candidate.second;
      } else {
        return Placed{candidate.second};
      }
    }
    if (first_unwanted) return Placed{first_unwanted};
    if (only_avoided_fits && !AnotherCould(pool, requirements.resources, avoid)) return Placed{avoid};
    if (only_avoided_fits || SomeCould(pool, requirements.resources)) return NoCapacityNow{};
    return Infeasible{WhyInfeasible(requirements)};
  }

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

  struct Entry {
    const WorkerFacts* facts = nullptr;
    bool present = false;
    bool takes_work = false;
    uint64_t offer_revision = 0;
    std::vector<Pool*> pools;  // it is a member of
    Listed listed = Listed::kNo;
    uint64_t rank = 0;  // under which it is listed
  };

  Entry& EntryOf(const WorkerFacts& facts) {
    if (facts.id.value() >= entries_.size()) entries_.resize(facts.id.value() + 1);
    Entry& entry = entries_[facts.id.value()];
    entry.facts = &facts;
    return entry;
  }

  const WorkerFacts& FactsOf(WorkerId id) const { return *entries_[id.value()].facts; }

  bool IsListed(const absl::btree_set<Ranked>& in, Listed as, WorkerId id) const {
    if (id.value() >= entries_.size()) return false;
    const Entry& entry = entries_[id.value()];
    return entry.listed == as && in.contains({entry.rank, id});
  }

  // 0: none of them takes it now.
  WorkerId FavouriteWithRoom(const Pool& pool, const Requirements& requirements, WorkerId avoid, uint64_t fingerprint,
                             const Unwanted& unwanted) {
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
    if (entry.listed == Listed::kReady) pool.ready.insert({entry.rank, entry.facts->id});
    if (entry.listed == Listed::kAhead) pool.ahead.insert({entry.rank, entry.facts->id});
  }

  static void UnlistIn(Pool& pool, const Entry& entry) {
    if (entry.listed == Listed::kReady) pool.ready.erase({entry.rank, entry.facts->id});
    if (entry.listed == Listed::kAhead) pool.ahead.erase({entry.rank, entry.facts->id});
  }

  std::pair<Listed, uint64_t> PlaceOf(const WorkerFacts& facts) const {
    if (!facts.TakesWork() || facts.offer.capacity.slots == 0) return {Listed::kNo, 0};
    if (facts.FreeSlots() > 0) return {Listed::kReady, policy_->Rank(facts)};
    if (facts.Limited()) return {Listed::kNo, 0};
    return {Listed::kAhead, policy_->RankAhead(facts)};
  }

  void Relist(Entry& entry) {
    auto place = PlaceOf(*entry.facts);
    if (place.first == entry.listed && place.second == entry.rank) return;
    for (Pool* pool : entry.pools) UnlistIn(*pool, entry);
    entry.listed = place.first;
    entry.rank = place.second;
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

  std::string NoExecutor(const std::string& executor) const;
  std::string NoRoom(const Requirements& requirements) const;

  std::unique_ptr<Policy> policy_;
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
      reasons.push_back(absl::StrCat("no worker has label ", NeedText(need)));
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
  for (const Need& need : requirements.needs) asked.push_back(absl::StrCat("label ", NeedText(need)));
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
    const bool ranked = entry.facts->TakesWork() && entry.facts->offer.capacity.slots > 0;
    analyst.LookAt(*entry.facts, {favourites.PlaceOf(entry.facts->id), ranked ? policy_->Rank(*entry.facts) : 0});
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
    }
    MUSTER_CHECK(members == pool->members.size());
    MUSTER_CHECK(ready == pool->ready.size());
    MUSTER_CHECK(ahead == pool->ahead.size());
  }
}

Balancer::Balancer(BalancerKind kind, FormerPlaces former) : impl_(std::make_unique<Impl>(kind, std::move(former))) {}
Balancer::~Balancer() = default;

void Balancer::Changed(const WorkerFacts& worker) { impl_->Changed(worker); }
void Balancer::Picked(const WorkerFacts& worker, uint64_t fingerprint) { impl_->Picked(worker, fingerprint); }
void Balancer::Failed(WorkerId worker, uint64_t fingerprint) { impl_->Failed(worker, fingerprint); }
void Balancer::Remove(WorkerId worker) { impl_->Remove(worker); }
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
void Balancer::CheckInvariants() const { impl_->CheckInvariants(); }

}  // namespace muster::balancer
