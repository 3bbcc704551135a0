// Work that came to a cluster, real or made up: what arrived when, and how long it ran.
// Thread rule: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace muster::simulate {

struct Job {
  absl::Duration arrival;  // after the trace's begin
  absl::Duration run_time;
  uint32_t slots = 1;
  uint32_t kind = 0;       // index into Trace::kinds
};

// Jobs of one queue and owner are taken to run about equally long, as far as the scheduler learns from them.
struct Kind {
  std::string queue;
  std::string owner;
};

struct Trace {
  std::vector<Job> jobs;  // by arrival
  std::vector<Kind> kinds;
  // What it ran on, as far as it is known: slots of each worker.
  std::vector<uint32_t> fleet;
  // What was really waited, on average; none: not known.
  std::optional<absl::Duration> mean_wait;
  // Of which no run time is known, so that they are not in `jobs`.
  uint64_t left_out = 0;
};

// Sorts by arrival, and lets the first arrive at zero.
void Order(Trace* trace);

// Without what arrived more than `last` before the last arrival; what was really waited is then not known any more.
void KeepLast(absl::Duration last, Trace* trace);

}  // namespace muster::simulate
