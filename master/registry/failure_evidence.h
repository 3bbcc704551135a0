// Whose fault a failure is: the worker's, when the same command works elsewhere; the command's, when it fails there too.
//
// Kept for each fingerprint: how the newest attempt ended on each of the 8 workers that ran it last, or since when one
// runs there. Most of the others decide; where they are even, the worker is blamed.
//   failed          the worker's when it succeeded elsewhere, or runs there for `outlives` by now; undecided while it
//                   only began to run elsewhere; else the command's
//   could not start the worker's when it started elsewhere, whatever came of it; else the command's: a missing program
//
// Bounded: 4,096 fingerprints, the least recently noted is dropped. Pure. Thread rule: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"

namespace muster::registry {

enum class AttemptResult : uint8_t { kSucceeded, kFailed, kCouldNotStart };
enum class Blame : uint8_t { kCommand, kUndecided, kWorker };

class FailureEvidence {
 public:
  static constexpr size_t kMaxFingerprints = 4096;
  static constexpr size_t kMaxWorkers = 8;  // per fingerprint

  explicit FailureEvidence(absl::Duration outlives) : outlives_(outlives) {}

  void NoteStarted(uint64_t fingerprint, WorkerId worker, absl::Time now);
  void NoteEnded(uint64_t fingerprint, WorkerId worker, AttemptResult result);
  // It ended for a reason that says nothing: cancelled, preempted.
  void NoteStopped(uint64_t fingerprint, WorkerId worker);
  // Nothing runs there any more. Costs O(fingerprints).
  void NoteGone(WorkerId worker);

  // Of a failure of this kind on that worker.
  Blame Whose(uint64_t fingerprint, WorkerId worker, AttemptResult failure, absl::Time now) const;

  size_t size() const { return known_.size(); }

 private:
  struct OnWorker {
    WorkerId worker;  // 0: the place is free
    bool ended = false;
    AttemptResult result = AttemptResult::kSucceeded;       // when it ended
    absl::Time running_since = absl::InfiniteFuture();      // the oldest that is under way, if known
  };
  struct Known {
    uint64_t fingerprint = 0;
    std::array<OnWorker, kMaxWorkers> workers;  // the last noted first
  };

  OnWorker& At(uint64_t fingerprint, WorkerId worker);

  const absl::Duration outlives_;
  std::list<Known> recent_;  // the last noted first
  absl::flat_hash_map<uint64_t, std::list<Known>::iterator> known_;
};

}  // namespace muster::registry
