// How long commands of one kind run: a small window of run times per fingerprint, for the prefetch decision (the newest
// few, so that it follows a change quickly), for estimates and for stragglers (all of them), with what people want to
// see beside it. It outlives restarts: what changed is taken for the store now and then, and restored at a start.
//
// Bounded: 4,096 fingerprints, the least recently noted is dropped; of each 63 run times, the oldest is dropped, and
// four workers: 3.5 MiB in all. Median and Usual are O(1) between two Notes.
// Pure. Thread rule: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/domain/run_times.h"

namespace muster::scheduler {

class RunTimes {
 public:
  static constexpr size_t kMaxFingerprints = 4096;
  static constexpr size_t kWindow = 63;
  static constexpr size_t kRecent = 15;  // for the median
  static constexpr size_t kMinSamples = 3;
  static constexpr size_t kMinUsual = 10;  // for Usual
  static constexpr size_t kMaxPlaces = 4;
  static constexpr size_t kMaxCommand = 80;  // bytes of what it runs

  // A run that ended by itself.
  struct Run {
    uint64_t fingerprint = 0;
    absl::Duration time;
    std::string_view worker;
    bool failed = false;
    absl::Time ended;
  };
  // True: from now on it is known well enough to be shown, and wants a Describe.
  bool Note(const Run& run);
  void Describe(uint64_t fingerprint, std::string_view command);

  // Empty below kMinSamples.
  std::optional<absl::Duration> Median(uint64_t fingerprint) const;                     // of the newest kRecent
  std::optional<absl::Duration> Quantile(uint64_t fingerprint, double fraction) const;  // fraction in [0, 1]
  std::vector<absl::Duration> Samples(uint64_t fingerprint) const;                      // ascending; empty below kMinSamples
  // Empty below kMinUsual.
  std::optional<UsualRunTime> Usual(uint64_t fingerprint) const;

  // Where it ran, the most frequent first. Empty below kMinSamples. Valid until the next Note or Restore.
  std::span<const LearnedRunTimes::Place> Places(uint64_t fingerprint) const;

  // Those with kMinSamples, the most recently noted first.
  std::vector<LearnedRunTimes> Newest(size_t limit) const;
  size_t size() const { return samples_.size(); }

  // --- For the store.
  // Those with kMinSamples that were noted since they were taken last, the least recently noted first.
  std::vector<LearnedRunTimes> TakeChanged(size_t limit);
  // What was taken or restored, and dropped since.
  std::vector<uint64_t> TakeDropped();
  bool HasChanged() const { return changed_ > 0 || !dropped_.empty(); }
  // Before any Note; the least recently noted first.
  void Restore(const LearnedRunTimes& learned);

 private:
  struct Kind {
    uint64_t fingerprint = 0;
    std::array<int64_t, kWindow> micros{};
    uint32_t count = 0;  // noted in all; the ring's next place is count % kWindow
    mutable int64_t median_micros = -1;  // -1: not known since the last Note; so is
    mutable int64_t p90_micros = -1;
    bool changed = false;  // since it was taken
    bool stored = false;   // was ever taken
    uint64_t runs = 0;
    uint64_t failures = 0;
    absl::Time last;
    std::string command;
    std::vector<LearnedRunTimes::Place> places;

    size_t window() const { return count < kWindow ? count : kWindow; }
  };

  Kind& Touch(uint64_t fingerprint);
  const Kind* Find(uint64_t fingerprint) const;  // null below kMinSamples
  static void AddTime(int64_t micros, Kind* kind);
  static LearnedRunTimes Show(const Kind& kind);

  std::list<Kind> recent_;  // most recently noted first
  absl::flat_hash_map<uint64_t, std::list<Kind>::iterator> samples_;
  size_t changed_ = 0;  // kinds of recent_ that TakeChanged would take
  std::vector<uint64_t> dropped_;
};

// How many attempts may be sent ahead to a worker of so many slots: what it runs in `horizon`, at most `limit`.
uint32_t PrefetchAllowance(absl::Duration median, uint32_t slots, absl::Duration horizon, uint32_t limit);

// Whether an attempt that has run for `age` takes much longer than usual: twice the p90, and `floor` at least.
inline bool IsStraggling(absl::Duration age, const UsualRunTime& usual, absl::Duration floor) {
  return age > floor && age > 2 * usual.p90;
}

}  // namespace muster::scheduler
