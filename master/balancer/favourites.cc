#include "master/balancer/favourites.h"

namespace muster::balancer {

Favourites FavouriteTable::Of(uint64_t fingerprint) const {
  const auto found = known_.find(fingerprint);
  return found == known_.end() ? Former(fingerprint) : found->second->workers;
}

void FavouriteTable::NotePlaced(uint64_t fingerprint, WorkerId worker) { Touch(fingerprint).PutFirst(worker); }

void FavouriteTable::NoteFailed(uint64_t fingerprint, WorkerId worker) { Touch(fingerprint).Remove(worker); }

Favourites& FavouriteTable::Touch(uint64_t fingerprint) {
  const auto found = known_.find(fingerprint);
  if (found != known_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return recent_.front().workers;
  }
  if (known_.size() >= kMaxFingerprints) {
    known_.erase(recent_.back().fingerprint);
    recent_.pop_back();
  }
  recent_.push_front(Known{.fingerprint = fingerprint, .workers = Former(fingerprint)});
  known_.emplace(fingerprint, recent_.begin());
  return recent_.front().workers;
}

}  // namespace muster::balancer
