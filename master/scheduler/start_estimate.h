// When a waiting task is likely to start, from what runs and waits before it and the run times that were learned.
//
// The model is small and self-contained: the core fills it in the loop, and the arithmetic is done elsewhere. It plays
// the future a few dozen times: each run time is drawn from those that were learned of its kind (for what runs already,
// from those longer than its age), the work ahead takes slots as they come free, and the quantiles of the start are
// the answer. Where kinds are unknown, those that are known stand for them; when most are unknown there is no answer.
//
// It does not foresee what is submitted later with a higher priority, failures, or workers that come and go.
// Pure: the same model and seed give the same answer. Thread rule: values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace muster::scheduler {

struct StartModel {
  struct Running {
    uint32_t kind = 0;
    uint32_t worker = 0;  // numbered from 0
    uint32_t slots = 1;
    absl::Duration age;
  };
  struct Waiting {
    uint32_t kind = 0;
    uint32_t slots = 1;
  };

  std::vector<std::vector<absl::Duration>> kinds;  // learned run times, ascending; empty: nothing was learned
  std::vector<uint32_t> free_slots;                // by worker
  std::vector<Running> running;
  std::vector<Waiting> ahead;  // as they come
  double ahead_factor = 1;     // each stands for so many
  uint32_t slots = 1;          // that the task asks for on one worker
};

struct StartEstimate {
  absl::Duration p50;
  absl::Duration p90;
};
// Costs about 1 ms for a thousand slots and tasks ahead, 50 ms at most for the 10,000 that the core counts.
std::optional<StartEstimate> EstimateStart(const StartModel& model, uint64_t seed);

}  // namespace muster::scheduler
