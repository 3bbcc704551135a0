// Keeps what was learned of run times (scheduler/run_times.h) beyond the master's end: restores it at a start, and gives
// what changed to commits that are made anyway, every few seconds a bounded part, at the master's clean end all of it.
//
// It never causes a sync. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/time/time.h"
#include "master/core/cluster.h"

namespace muster::core {

class RunTimeWriter {
 public:
  static constexpr absl::Duration kBetween = absl::Seconds(10);
  static constexpr absl::Duration kBetweenParts = absl::Seconds(1);
  static constexpr size_t kPart = 256;  // fingerprints: some 200 KiB

  explicit RunTimeWriter(Cluster* cluster) : cluster_(*cluster) {}

  // The least recently seen first.
  void Restore(const std::vector<LearnedRunTimes>& rows);
  // After everything else of a turn.
  void OnTurn(const Moment& turn);

 private:
  Cluster& cluster_;
  absl::Time next_ = absl::InfinitePast();
};

}  // namespace muster::core
