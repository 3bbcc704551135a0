// The loop's time: monotonic time without the stretches in which the master could not hear.
//
// A lease is lost after silence. When the loop itself stood still (a sync of ten seconds, a stopped process), silence
// proves nothing, so such a stretch counts for `tolerated` only. The difference is paid back by letting time go a
// twentieth faster afterwards, so that it meets the clock again without ever jumping. Not quicker than that: leases are
// given out while it catches up, and the configuration leaves a twentieth between the time in which a worker fences
// itself and the one after which it is called lost.
// Thread rule: the loop's thread.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace muster::master {

class LoopTime {
 public:
  explicit LoopTime(absl::Duration tolerated = absl::Seconds(1)) : tolerated_(tolerated) {}

  // `expected_wait` is how long the loop meant to sleep since the last call: that is no stall.
  absl::Time Advance(absl::Time clock_now, absl::Duration expected_wait) {
    if (last_clock_ != absl::InfinitePast()) {
      const absl::Duration passed = std::max(clock_now - last_clock_, absl::ZeroDuration());
      const absl::Duration stalled = passed - std::max(expected_wait, absl::ZeroDuration()) - tolerated_;
      if (stalled > absl::ZeroDuration()) {
        behind_ += stalled;
      } else {
        behind_ -= std::min(behind_, passed / 20);
      }
    }
    last_clock_ = std::max(clock_now, last_clock_);
    return last_clock_ - behind_;
  }

  absl::Duration behind() const { return behind_; }

 private:
  const absl::Duration tolerated_;
  absl::Time last_clock_ = absl::InfinitePast();
  absl::Duration behind_;
};

}  // namespace muster::master
