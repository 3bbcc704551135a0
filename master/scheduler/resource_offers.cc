#include "master/scheduler/resource_offers.h"

#include <vector>

namespace muster::scheduler {

void ResourceOffers::Begin(absl::Time now) {
  resources_.Ripen(now);
  woken_.clear();
  due_ = true;
}

bool ResourceOffers::Offer(LackOf lack_of) {
  due_ = false;
  if (resources_.TakeChanged()) woken_.clear();
  std::vector<ClusterAmounts> fitting;
  queues_.VisitStandbys([&](const ClusterAmounts& amounts, uint64_t) {
    if (resources_.AreFree(amounts)) fitting.push_back(amounts);
  });
  bool woke = false;
  for (const ClusterAmounts& amounts : fitting) woke |= OfferTo(amounts, lack_of);
  return woke;
}

bool ResourceOffers::OfferTo(const ClusterAmounts& amounts, LackOf lack_of) {
  uint64_t left = resources_.TimesFree(amounts);
  bool woke = false;
  for (const NextTask& first : queues_.FirstOnStandby(amounts)) {
    if (left == 0) break;
    std::optional<ClassId> cls = first.cls;
    if (const auto lack = lack_of(first.task)) cls = OwnerOf(*lack, lack_of);
    if (!cls.has_value() || !woken_.insert(*cls).second) continue;
    queues_.Wake(*cls);
    woke = true;
    --left;
  }
  return woke;
}

std::optional<ClassId> ResourceOffers::OwnerOf(const ClusterResources::Lack& lack, LackOf lack_of) const {
  if (!lack.kept_for || lack_of(lack.kept_for).has_value()) return std::nullopt;
  return queues_.ClassOf(lack.kept_for);
}

}  // namespace muster::scheduler
