// What a run says about a policy, in the figures that the field compares schedulers by.
// Source: D. Feitelson, "Metrics for Parallel Job Scheduling and Their Convergence" (bounded slowdown); R. Jain et al.,
// "A Quantitative Measure of Fairness" (the index).
// Thread rule: pure.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "master/simulate/cluster_run.h"
#include "master/simulate/trace.h"

namespace muster::simulate {

struct Spread {
  double mean = 0, p50 = 0, p90 = 0, p99 = 0, most = 0;
};

struct Figures {
  uint64_t jobs = 0;      // that ran
  uint64_t too_wide = 0;     // for every worker
  uint64_t not_started = 0;  // though one is wide enough: beyond the time that is simulated
  Spread wait;            // seconds
  // (wait + run time) / run time, where a run time below a second counts as a second; at least 1.
  Spread slowdown;
  absl::Duration makespan;
  double utilisation = 0;  // of all slots from the first arrival to the last end; 0..1
  // Of the mean slowdowns of each (queue, owner): 1 when all are slowed alike, 1/n when one bears it all.
  double fairness = 1;
};

Figures FiguresOf(const Trace& trace, const std::vector<uint32_t>& fleet, const Outcome& outcome);

}  // namespace muster::simulate
