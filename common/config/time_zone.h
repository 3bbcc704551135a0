// Time zones by name ("Europe/Berlin"), from what the machine has: Debian's package tzdata.
//
// Only names of its index are looked up, so no name from outside becomes a path. "UTC" is always there.
// Thread rule: any thread. The index is read at the first call and each zone at its first; both are kept for as long as the
// process lives, so new rules are seen after a restart.
// Errors: INVALID_ARGUMENT, one line that names the nearest; FAILED_PRECONDITION: the machine has no zones.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace muster::config {

absl::StatusOr<absl::TimeZone> LoadZone(const std::string& name);

}  // namespace muster::config
