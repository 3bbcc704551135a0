// How long commands of one kind run: a small window of run times per fingerprint, for the prefetch decision and for
// estimates.
//
// Bounded: 4,096 fingerprints, the least recently noted is dropped; 15 run times each, the oldest is dropped.
// Pure. Thread rule: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace muster::scheduler {

class RunTimes {
 public:
  static constexpr size_t kMaxFingerprints = 4096;
  static constexpr size_t kWindow = 15;
  static constexpr size_t kMinSamples = 3;

  void Note(uint64_t fingerprint, absl::Duration run_time);

  // Empty below kMinSamples.
  std::optional<absl::Duration> Median(uint64_t fingerprint) const { return Quantile(fingerprint, 0.5); }
  std::optional<absl::Duration> Quantile(uint64_t fingerprint, double fraction) const;  // fraction in [0, 1]
  size_t size() const { return samples_.size(); }

 private:
  struct Samples {
    uint64_t fingerprint = 0;
    std::array<int64_t, kWindow> micros{};
    uint32_t count = 0;  // noted in all; the ring's next place is count % kWindow
  };

  std::list<Samples> recent_;  // most recently noted first
  absl::flat_hash_map<uint64_t, std::list<Samples>::iterator> samples_;
};

// How many attempts may be sent ahead to a worker of so many slots: what it runs in `horizon`, at most `limit`.
uint32_t PrefetchAllowance(absl::Duration median, uint32_t slots, absl::Duration horizon, uint32_t limit);

}  // namespace muster::scheduler
