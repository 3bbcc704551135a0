// The state of a worker, from the few signs that decide it. The first that holds, in this order (semantics.md, "Workers"):
//   LOST         no heartbeat for lost_after; nothing else makes a worker lost
//   QUARANTINED  by hand, or by failure (worker_health.h): then on trial it takes one attempt
//   SUSPECT      no heartbeat for 3 intervals
//   DRAINING     by hand, or by its own wish
//   SUSPECT      no session
//   ACTIVE       and takes work, unless its load says why it does not
//
// Thread rule: values and pure functions.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "common/domain/worker.h"
#include "master/registry/standing.h"

namespace muster::registry {

struct WorkerSigns {
  // What it says itself.
  absl::Time heartbeat_time = absl::InfinitePast();
  WorkerLoad load;
  bool wants_to_drain = false;
  bool session_open = false;
  // What people say of it.
  bool draining = false;
  std::string draining_reason;
  bool quarantined = false;
  std::string quarantine_reason;
  // What its failures say.
  Standing standing;
};

struct WorkerCondition {
  WorkerState state = WorkerState::kNone;
  std::string takes_nothing_because;  // empty: it takes new work
  std::string limited_because;        // ACTIVE, but takes one attempt at a time
  bool on_trial = false;              // QUARANTINED, and takes an attempt to be tried
};

inline constexpr int kHeartbeatsUntilSuspect = 3;

// `heartbeat`: from one to the next.
WorkerCondition ConditionOf(const WorkerSigns& signs, absl::Duration heartbeat, absl::Duration lost_after, absl::Time now);

}  // namespace muster::registry
