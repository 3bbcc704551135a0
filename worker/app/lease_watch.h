// The supervisor's fence: whether the server must be killed because it did not end by itself, when the lease did, what
// must not run twice. So those attempts end though the server is stopped or stuck.
//
// Pure, and without anything that a process forked before its threads could not use. Thread rule: one thread.
// Units: nanoseconds of CLOCK_BOOTTIME.
#pragma once

#include <cstdint>

#include "common/base/planted_fault.h"

namespace muster::worker {

class LeaseWatch {
 public:
  // `fenced_running`: how many attempts run that must not outlive the lease. `patience_ns`: how long after the lease's
  // end the server may take. True: kill it now.
  bool MustKill(int64_t now_ns, int64_t lease_until_ns, uint32_t fenced_running, int64_t patience_ns) {
    // Mutant: the lease's end means nothing.
    if (Mutated("ignore_lease")) return false;
    if (fenced_running == 0 || now_ns <= lease_until_ns) {
      over_since_ns_ = 0;
      return false;
    }
    if (over_since_ns_ == 0) over_since_ns_ = now_ns;
    return now_ns - over_since_ns_ >= patience_ns;
  }

 private:
  int64_t over_since_ns_ = 0;  // 0: the lease holds, or nothing must end with it
};

}  // namespace muster::worker
