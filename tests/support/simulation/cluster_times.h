// The times of the simulated cluster: a third of the shipped ones, in the same proportions.
#pragma once

#include "absl/time/time.h"

namespace muster::simulation {

inline constexpr absl::Duration kHeartbeat = absl::Seconds(1);
inline constexpr absl::Duration kLostAfter = absl::Seconds(10);
inline constexpr absl::Duration kSelfFence = absl::Seconds(6);
inline constexpr absl::Duration kKillGrace = absl::Milliseconds(1500);
inline constexpr absl::Duration kFenceMargin = absl::Seconds(1);
inline constexpr absl::Duration kShutdownLease = absl::Seconds(20);
inline constexpr absl::Duration kHelloTimeout = absl::Seconds(5);

// Fingerprints that mean something to a simulated machine.
inline constexpr uint64_t kQuick = 1;   // short enough to be sent ahead
inline constexpr uint64_t kSlow = 2;
inline constexpr uint64_t kDeadly = 3;  // its worker's process dies of it
// The payload of a task that a command validates when its own has ended.
inline constexpr char kValidated[] = "a validated specification";

// Of the cluster as a whole.
inline constexpr char kLicence[] = "licence";
inline constexpr int64_t kLicences = 3;

}  // namespace muster::simulation
