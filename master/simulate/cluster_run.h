// What-if: a trace against the real master core on virtual time, with workers that only count their slots.
//
//   MUSTER_ASSIGN_OR_RETURN(Outcome outcome, RunTrace(trace, {.fleet = {4, 4}, .balancer = "round_robin"}));
//
// Every decision is the core's own, prefetch and recall included. What is left out: losses, retries, cancels, disks and
// wires, but for `turnaround`. Pure and deterministic. Thread rule: one thread. Cost: some microseconds a job.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "master/simulate/trace.h"

namespace muster::simulate {

struct RunOptions {
  std::vector<uint32_t> fleet;  // slots of each worker
  std::string balancer = "least_loaded";  // one of BalancerNames()
  absl::Duration turnaround;    // from a decision to the start that it causes: commit, wire, start of a process
};

struct Outcome {
  static constexpr absl::Duration kNever = absl::InfiniteDuration();

  std::vector<absl::Duration> waits;  // by job, from its arrival to its start; kNever: it never did
  absl::Duration makespan;            // from the first arrival to the last end
};

// Errors: INVALID_ARGUMENT for a fleet without a slot or an unknown balancer.
absl::StatusOr<Outcome> RunTrace(const Trace& trace, const RunOptions& options);

}  // namespace muster::simulate
