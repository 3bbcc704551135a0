#include "master/balancer/balancer.h"

#include <algorithm>
#include <utility>

#include "common/domain/resources.h"
#include "master/balancer/infeasibility.h"
#include "master/balancer/load_rank.h"
#include "master/balancer/pool_table.h"

namespace muster::balancer {
namespace {

constexpr size_t kCandidatesAhead = 8;     // asked by ChooseAhead before it gives up: it is never needed, only quicker
constexpr size_t kMaxRememberedFits = 64;  // per pool

bool FitsNow(const WorkerFacts& worker, const ResourceAmounts& want) {
  return Fits(worker.offer.capacity, worker.used, want);
}

using Unwanted = std::function<bool(WorkerId)>;
using Allowance = std::function<uint32_t(uint32_t)>;

}  // namespace

class Balancer::Impl {
 public:
  Impl(BalancerKind kind, FormerPlaces former, SpreadThere spread_there)
      : kind_(kind), former_(std::move(former)), policy_(MakePolicy(kind, former_)),
        spread_there_(std::move(spread_there)), pools_(policy_.get(), kMaxPools) {}

  void Use(BalancerKind kind) {
    kind_ = kind;
    policy_ = MakePolicy(kind, former_);
    pools_.RankBy(policy_.get());
  }

  BalancerKind kind() const { return kind_; }
  const FormerPlaces& former() const { return former_; }
  const SpreadThere& spread_there() const { return spread_there_; }

  // Another one, to be told of all that this one knows.
  void Tell(Balancer* other) const {
    for (const ListedWorker& worker : pools_.workers()) {
      if (worker.present) other->Changed(*worker.facts);
    }
  }

  void Changed(const WorkerFacts& facts) { pools_.Changed(facts); }

  void Picked(const WorkerFacts& facts, uint64_t fingerprint) {
    policy_->Picked(facts, fingerprint);
    Changed(facts);
  }

  void Failed(WorkerId id, uint64_t fingerprint) { policy_->Failed(id, fingerprint); }

  void Remove(WorkerId id) { pools_.Remove(id); }

  Placement Choose(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint, const Unwanted& unwanted) {
    Pool& pool = pools_.For(requirements);
    if (const WorkerId favourite = FavouriteWithRoom(pool, requirements, avoid, fingerprint, unwanted)) {
      return Placed{favourite};
    }
    const Found found = Search(pools_.OrderIn(pool, requirements.arrangement), requirements, avoid, fingerprint, unwanted);
    if (found.best) return Placed{found.best};
    if (found.first_unwanted) return Placed{found.first_unwanted};
    if (found.avoided_fits && !AnotherCould(pool, requirements.resources, avoid)) return Placed{avoid};
    if (found.avoided_fits || SomeCould(pool, requirements.resources)) return NoCapacityNow{};
    return Infeasible{WhyInfeasible(requirements)};
  }

  std::string Why(WorkerId id, uint64_t fingerprint) const { return policy_->Why(pools_.FactsOf(id), fingerprint); }

  std::optional<WorkerId> ChooseAhead(const Requirements& requirements, uint64_t fingerprint,
                                      const Allowance& allowance) {
    if (!requirements.OneSlotOnly()) return std::nullopt;
    const Pool& pool = pools_.For(requirements);
    const auto takes_more = [&](const WorkerFacts& facts) {
      ++looked_at_;
      return facts.prefetched < allowance(facts.offer.capacity.slots);
    };
    for (const WorkerId favourite : policy_->FavouritesFor(fingerprint)) {
      if (pools_.IsListed(pool.ahead, Listed::kAhead, favourite) && takes_more(pools_.FactsOf(favourite))) return favourite;
    }
    size_t asked = 0;
    for (const Ranked& candidate : pool.ahead) {
      if (asked++ == kCandidatesAhead) return std::nullopt;
      const WorkerFacts& facts = pools_.FactsOf(candidate.second);
      if (takes_more(facts)) return candidate.second;
      if (policy_->OthersWaitFor(facts)) return std::nullopt;
    }
    return std::nullopt;
  }

  bool CanServe(WorkerId id, const Requirements& requirements, WorkerId avoid) {
    if (!pools_.IsPresent(id)) return false;
    const WorkerFacts& facts = pools_.FactsOf(id);
    if (!facts.TakesWork() || facts.FreeSlots() == 0 || !FitsNow(facts, requirements.resources)) return false;
    if (!MatchesStatically(facts.offer, requirements)) return false;
    return id != avoid || !AnotherCould(pools_.For(requirements), requirements.resources, avoid);
  }

  std::vector<std::string> WhyInfeasible(const Requirements& requirements) const {
    ++explained_;
    return WhyNoneCould(pools_.workers(), requirements);
  }

  std::vector<WorkerRejection> Explain(const Requirements& requirements, WorkerId avoid, size_t limit) const;
  Analysis Analyze(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint) const;
  uint64_t looked_at() const { return looked_at_; }
  uint64_t explained() const { return explained_; }
  void CheckInvariants() const { pools_.CheckInvariants(); }

 private:
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
      if (!FitsNow(pools_.FactsOf(worker), requirements.resources)) continue;
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

  // 0: none of them takes it now.
  WorkerId FavouriteWithRoom(const Pool& pool, const Requirements& requirements, WorkerId avoid, uint64_t fingerprint,
                             const Unwanted& unwanted) {
    if (requirements.arrangement != Arrangement::kBalanced) return WorkerId();
    for (const WorkerId favourite : policy_->FavouritesFor(fingerprint)) {
      ++looked_at_;
      if (favourite == avoid || !pools_.IsListed(pool.ready, Listed::kReady, favourite)) continue;
      if (!FitsNow(pools_.FactsOf(favourite), requirements.resources) || (unwanted && unwanted(favourite))) continue;
      return favourite;
    }
    return WorkerId();
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

  // --- Feasibility

  bool SomeCould(Pool& pool, const ResourceAmounts& want) const {
    auto known = pool.could_fit.find(want);
    if (known != pool.could_fit.end() && pool.members.contains(known->second) &&
        CouldFit(pools_.FactsOf(known->second), want)) {
      return true;
    }
    for (WorkerId id : pool.members) {
      if (!CouldFit(pools_.FactsOf(id), want)) continue;
      if (pool.could_fit.size() >= kMaxRememberedFits) pool.could_fit.clear();
      pool.could_fit[want] = id;
      return true;
    }
    return false;
  }

  bool AnotherCould(const Pool& pool, const ResourceAmounts& want, WorkerId avoid) const {
    return std::any_of(pool.members.begin(), pool.members.end(), [&](WorkerId id) {
      return id != avoid && pools_.FactsOf(id).TakesWork() && CouldFit(pools_.FactsOf(id), want);
    });
  }

  BalancerKind kind_;
  const FormerPlaces former_;
  std::unique_ptr<Policy> policy_;
  const SpreadThere spread_there_;
  PoolTable pools_;
  uint64_t looked_at_ = 0;
  mutable uint64_t explained_ = 0;
};

std::vector<WorkerRejection> Balancer::Impl::Explain(const Requirements& requirements, WorkerId avoid,
                                                     size_t limit) const {
  std::vector<WorkerRejection> rejections;
  for (const ListedWorker& worker : pools_.workers()) {
    if (rejections.size() >= limit) break;
    if (!worker.present) continue;
    if (auto rejection = FirstRejection(*worker.facts, requirements, avoid)) {
      rejections.push_back({.worker = worker.facts->id, .name = worker.facts->name, .rejection = std::move(*rejection)});
    }
  }
  return rejections;
}

Analysis Balancer::Impl::Analyze(const Requirements& requirements, WorkerId avoid, uint64_t fingerprint) const {
  Analyst analyst(requirements, avoid);
  const Favourites favourites = policy_->FavouritesFor(fingerprint);
  for (const ListedWorker& worker : pools_.workers()) {
    if (!worker.present) continue;
    analyst.LookAt(*worker.facts, PrecedenceOf(*worker.facts, requirements, fingerprint, favourites));
  }
  return analyst.Finish();
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
