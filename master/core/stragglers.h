// Attempts that run for long: which have run the longest, and which run much longer than their command usually does.
//
// An attempt is a straggler when it has run for more than twice the p90 of its command's newest runs, of which at least
// ten must be known, and for more than config.straggler_floor. That is advice for people: nothing is done about it.
// Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/run_times.h"
#include "master/core/cluster.h"

namespace muster::core {

// What it is measured against; empty: it is no straggler.
std::optional<UsualRunTime> StragglerOf(const Cluster& cluster, const Task& task, absl::Time now);
// "runs for 3m, 4 times its usual 45s (p90 of 60 runs)"
std::string StragglerWords(absl::Duration age, const UsualRunTime& usual);

// Tasks of the attempts that have run for the longest, those first; ties by id. Looks at kMostLookedAt attempts, in the
// order of workers: some milliseconds then.
inline constexpr size_t kMostLookedAt = 32'768;
std::vector<TaskId> LongestRunning(const Cluster& cluster, size_t limit);

// Counts the stragglers, a part of the fleet with each turn, so that no turn waits for it.
class StragglerCount {
 public:
  static constexpr size_t kPerTurn = 256;  // attempts, and the rest of a worker's
  static constexpr absl::Duration kBetween = absl::Seconds(10);  // a look at each costs as much as a tenth of a placement

  explicit StragglerCount(Cluster* cluster) : cluster_(*cluster) {}

  // Sets counters.stragglers when it has seen all workers once more.
  void OnTurn(absl::Time now);

 private:
  Cluster& cluster_;
  std::vector<WorkerId> workers_;  // still to be looked at in this round
  uint64_t count_ = 0;             // so far in it
  absl::Time next_ = absl::InfinitePast();
};

}  // namespace muster::core
