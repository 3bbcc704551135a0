// What an earlier run of this worker left running, ended before anything new starts.
//
// A supervisor that is killed together with its server sweeps nothing, and without cgroups nobody knows the children of
// its commands any more. They still carry MUSTER_TASK_DIR, and that lies in this worker's directory.
// Thread rule: called once, while the directory is locked. Errors: FAILED_PRECONDITION when some would not go in time.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace muster::execution {

// Kills every process whose MUSTER_TASK_DIR lies directly below `attempts` (an open directory), as that process sees
// the path: a worker in a container next door may use the same name for another directory.
absl::Status KillLeftovers(int attempts, absl::Duration patience = absl::Seconds(10));

}  // namespace muster::execution
