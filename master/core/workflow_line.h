// How many of a workflow's tasks stand in its queue at a time. The others that may start wait at its gate
// (workflow_table.h), so that who comes later, and who is narrow, waits behind a few tasks of each and not behind all.
//
// As few as keep the slots busy: as many as the cluster has slots between all workflows that have more to let go, and two of
// each at least. Whoever waits behind them waits for about one round of the slots, or for two tasks of each other workflow.
// Where tasks end so soon that the line runs dry within kQuick it doubles, up to kMost or twice the slots, since a turn
// of the master's loop must find as many as end in it; it is short again when it lasted longer. A line is filled when half
// of it is gone.
//
//   if (line.IsLow(queued)) { length = line.Refill(queued, WorkflowLine::LeastOf(slots, sharers), WorkflowLine::MostOf(slots), now); ... }
// Pure. Thread rule: one thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace muster::core {

class WorkflowLine {
 public:
  static constexpr uint64_t kLeast = 2;
  static constexpr uint64_t kMost = 256;
  static constexpr absl::Duration kQuick = absl::Milliseconds(100);

  // Of each of so many that share the slots.
  static uint64_t LeastOf(uint64_t slots, uint64_t sharers) {
    const uint64_t among = std::max<uint64_t>(sharers, 1);
    return std::max(kLeast, (slots + among - 1) / among);
  }
  static uint64_t MostOf(uint64_t slots) { return std::max(kMost, 2 * slots); }

  bool IsLow(uint64_t queued) const { return 2 * queued <= length_; }

  // So many may stand in line now; it is filled up to that.
  uint64_t Refill(uint64_t queued, uint64_t least, uint64_t most, absl::Time now) {
    if (now - filled_ > kQuick) {
      length_ = least;
    } else if (queued == 0) {
      length_ *= 2;
    }
    length_ = std::clamp(length_, least, most);
    filled_ = now;
    return length_;
  }

 private:
  uint64_t length_ = 0;
  absl::Time filled_ = absl::InfinitePast();
};

}  // namespace muster::core
