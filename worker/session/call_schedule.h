// When a worker calls the master next: each interval while it is answered; at once when it is asked to join again;
// with growing delays while nobody answers.
//
// The delays are jittered: the workers of a master that was killed all lose their calls in the same moment, and must
// not all come back in the same moment either.
// Pure. Thread rule: one thread. Units: absl; `chance` is drawn by the caller, in [0, 1).
#pragma once

#include <algorithm>

#include "absl/time/time.h"
#include "common/base/planted_fault.h"

namespace muster::worker {

class CallSchedule {
 public:
  static constexpr absl::Duration kFirstRetry = absl::Milliseconds(100);
  static constexpr absl::Duration kLongestRetry = absl::Seconds(2);

  absl::Duration wait() const { return wait_; }
  absl::Duration interval() const { return interval_; }

  // A join was answered, with what the master wishes.
  void Joined(absl::Duration interval) {
    interval_ = interval;
    Answered();
  }
  void Answered() {
    wait_ = interval_;
    retry_ = kFirstRetry;
  }
  void AskedToJoinAgain() {
    Answered();
    wait_ = absl::ZeroDuration();
  }
  void NotAnswered(bool joined, double chance) {
    // Mutant: every worker comes back after the same delay.
    if (Mutated("no_jitter")) chance = 1;
    wait_ = std::min(retry_ * (0.5 + 0.5 * chance), joined ? interval_ : kLongestRetry);
    retry_ = std::min(retry_ * 2, kLongestRetry);
  }

 private:
  absl::Duration interval_ = absl::Seconds(2);
  absl::Duration wait_;
  absl::Duration retry_ = kFirstRetry;
};

}  // namespace muster::worker
