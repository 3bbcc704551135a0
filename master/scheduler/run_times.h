// How long commands of one kind run: a small window of run times per fingerprint, for the prefetch decision (the newest
// few, so that it follows a change quickly) and for estimates (all of them).
//
// Bounded: 4,096 fingerprints, the least recently noted is dropped; 63 run times each, the oldest is dropped: 2.1 MiB.
// Median is O(1) between two Notes.
// Pure. Thread rule: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace muster::scheduler {

class RunTimes {
 public:
  static constexpr size_t kMaxFingerprints = 4096;
  static constexpr size_t kWindow = 63;
  static constexpr size_t kRecent = 15;  // for the median
  static constexpr size_t kMinSamples = 3;

  void Note(uint64_t fingerprint, absl::Duration run_time);

  // Empty below kMinSamples.
  std::optional<absl::Duration> Median(uint64_t fingerprint) const;                     // of the newest kRecent
  std::optional<absl::Duration> Quantile(uint64_t fingerprint, double fraction) const;  // fraction in [0, 1]
  std::vector<absl::Duration> Samples(uint64_t fingerprint) const;                      // ascending; empty below kMinSamples
  size_t size() const { return samples_.size(); }

 private:
  struct Kind {
    uint64_t fingerprint = 0;
    std::array<int64_t, kWindow> micros{};
    uint32_t count = 0;  // noted in all; the ring's next place is count % kWindow
    mutable int64_t median_micros = -1;  // -1: not known since the last Note
  };

  const Kind* Find(uint64_t fingerprint) const;  // null below kMinSamples

  std::list<Kind> recent_;  // most recently noted first
  absl::flat_hash_map<uint64_t, std::list<Kind>::iterator> samples_;
};

// How many attempts may be sent ahead to a worker of so many slots: what it runs in `horizon`, at most `limit`.
uint32_t PrefetchAllowance(absl::Duration median, uint32_t slots, absl::Duration horizon, uint32_t limit);

}  // namespace muster::scheduler
