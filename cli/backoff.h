// How long until the next try: doubling with full jitter, or what the server asked for with a little jitter on top.
// Many clients lose the same master at the same moment: each draws its own times, so that they do not all come back at
// once. A test gives the seed.
// Thread rule: one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/refusal.h"

namespace muster::cli {

class Backoff {
 public:
  Backoff(absl::Duration base, absl::Duration cap) : Backoff(base, cap, Seed()) {}
  Backoff(absl::Duration base, absl::Duration cap, uint64_t seed) : base_(base), cap_(cap), next_(base), random_(seed) {}

  absl::Duration Next(const absl::Status& status) {
    const double jitter = std::uniform_real_distribution<double>(0, 1)(random_);
    if (const std::optional<absl::Duration> asked = RetryAfterOf(status)) {
      return std::min(*asked, absl::Minutes(1)) * (1 + jitter / 4);
    }
    const absl::Duration delay = base_ / 2 + next_ * jitter;
    next_ = std::min(cap_, next_ * 2);
    return delay;
  }
  void Reset() { next_ = base_; }

 private:
  static uint64_t Seed() {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
  }

  absl::Duration base_, cap_, next_;
  std::mt19937_64 random_;
};

}  // namespace muster::cli
