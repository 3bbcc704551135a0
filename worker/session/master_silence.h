// Whether the master still answers this worker's calls. A cut that drops every packet, or a master that stands still,
// breaks no connection for a long time: only the answers that do not come tell of it.
//
// Silence begins to count after three intervals without an answer, as the master counts a worker's, and a second at
// least, which is the shortest patience of one call.
// Pure. Thread rule: one thread. Units: absl; times are of one clock that does not go back.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace muster::worker {

class MasterSilence {
 public:
  // A call was answered just now; the next is due in `interval`.
  void Heard(absl::Time now, absl::Duration interval) {
    heard_ = now;
    patience_ = std::max(kIntervals * interval, kLeast);
  }
  // Since the last answer; zero while it is no longer than is to be expected, and before the first.
  absl::Duration At(absl::Time now) const {
    const absl::Duration silent = now - heard_;
    return silent > patience_ ? silent : absl::ZeroDuration();
  }

 private:
  static constexpr int kIntervals = 3;
  static constexpr absl::Duration kLeast = absl::Seconds(1);

  absl::Time heard_ = absl::InfinitePast();
  absl::Duration patience_ = absl::InfiniteDuration();
};

}  // namespace muster::worker
