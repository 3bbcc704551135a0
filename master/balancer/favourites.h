// Where each kind of command went last: for the policy `locality`.
//
// Of each fingerprint the last few workers, the last one first. One that failed it is forgotten for that fingerprint:
// a worker that fails at once always has room, and would draw all of the kind to itself. A kind of which nothing is known,
// or no more, begins with where it ran in former times.
//
// Bounded: 4,096 fingerprints, the least recently placed goes; of each four workers: half a MiB in all. Pure; each call
// costs O(1). Thread rule: one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/domain/ids.h"

namespace muster::balancer {

// Workers that are asked before all others, in this order.
class Favourites {
 public:
  static constexpr size_t kMost = 4;

  void Add(WorkerId worker) {  // as the last one; no more when there are kMost
    if (count_ < kMost) workers_[count_++] = worker;
  }
  void PutFirst(WorkerId worker) {
    Remove(worker);
    if (count_ < kMost) ++count_;
    std::copy_backward(workers_.begin(), workers_.begin() + count_ - 1, workers_.begin() + count_);
    workers_[0] = worker;
  }
  void Remove(WorkerId worker) { count_ = static_cast<uint32_t>(std::remove(workers_.begin(), End(), worker) - workers_.begin()); }

  // Its place in the order; kMost: it is none of them.
  size_t PlaceOf(WorkerId worker) const {
    const auto place = static_cast<size_t>(std::find(begin(), end(), worker) - begin());
    return place < count_ ? place : kMost;
  }
  const WorkerId* begin() const { return workers_.data(); }
  const WorkerId* end() const { return workers_.data() + count_; }

 private:
  std::array<WorkerId, kMost>::iterator End() { return workers_.begin() + count_; }

  std::array<WorkerId, kMost> workers_;
  uint32_t count_ = 0;
};

// Where a kind of command ran in former times: before a start, before a changeover, or long ago. May name workers that
// are gone.
using FormerPlaces = std::function<Favourites(uint64_t fingerprint)>;

class FavouriteTable {
 public:
  static constexpr size_t kMaxFingerprints = 4096;

  explicit FavouriteTable(FormerPlaces former = nullptr) : former_(std::move(former)) {}

  Favourites Of(uint64_t fingerprint) const;
  void NotePlaced(uint64_t fingerprint, WorkerId worker);
  void NoteFailed(uint64_t fingerprint, WorkerId worker);

  size_t size() const { return known_.size(); }

 private:
  struct Known {
    uint64_t fingerprint = 0;
    Favourites workers;
  };

  Favourites Former(uint64_t fingerprint) const { return former_ ? former_(fingerprint) : Favourites(); }
  Favourites& Touch(uint64_t fingerprint);

  const FormerPlaces former_;
  std::list<Known> recent_;  // the last noted first
  absl::flat_hash_map<uint64_t, std::list<Known>::iterator> known_;
};

}  // namespace muster::balancer
