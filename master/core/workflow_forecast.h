// How long a running workflow is likely to take from now on, by what is known of the run times of tasks like its own.
//
// It is the longest of three: the longest way through what is open, with the median time of each task on it; what
// the open tasks take of slots, over the workflow's share of the cluster's (it shares them with the running workflows that
// also have more to start); and their time over max_parallel. Nothing fails, is planned, so what runs after a failure
// counts nothing. Tasks of which no run time is known count as the mean of those that are known.
//
// Unknown (empty) while it does not run, or is being stopped or cancelled; while the cluster has no slots; and when of more
// than half of the open tasks no run time is known (a run time is known from the third run on: scheduler/run_times.h).
//
// Cost: a look at all nodes at times, once in kFresh and in kFreshForEach of their number; between them O(1): what is open
// falls, and the ways whose beginnings have ended are passed over, each once.
// Thread rule: one thread. Source: R. L. Graham, "Bounds on multiprocessing timing anomalies", 1969.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace muster::core {

struct Cluster;
struct Workflow;

class WorkflowForecast {
 public:
  static constexpr absl::Duration kFresh = absl::Seconds(2);
  static constexpr absl::Duration kFreshForEach = absl::Microseconds(100);  // node

  std::optional<absl::Duration> TimeLeft(const Cluster& cluster, const Workflow& workflow, absl::Time now);

 private:
  struct Way {
    absl::Duration time;   // from the start of the node to the end of all that comes after it
    absl::Duration first;  // of the node itself
    uint32_t node = 0;
  };

  void Look(const Cluster& cluster, const Workflow& workflow);
  absl::Duration LongestWay(const Cluster& cluster, const Workflow& workflow, absl::Time now);

  // All of the last look.
  absl::Time looked_ = absl::InfinitePast();
  uint64_t open_ = 0;
  uint64_t known_ = 0;
  absl::Duration work_;       // of the open tasks together
  absl::Duration slot_work_;  // each as often as it takes slots
  std::vector<Way> ways_;     // the longest first
  size_t passed_ = 0;         // of them
};

}  // namespace muster::core
