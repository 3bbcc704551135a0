// Traces of real machines in the Standard Workload Format of the Parallel Workloads Archive.
// Source: https://www.cs.huji.ac.il/labs/parallel/workload/swf.html
// Thread rule: pure.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "master/simulate/trace.h"

namespace muster::simulate {

// A processor is a slot; all of the machine's (MaxProcs) are one worker, since a task runs on one. Errors:
// INVALID_ARGUMENT with the line.
absl::StatusOr<Trace> ReadSwf(std::string_view text);

}  // namespace muster::simulate
