// The work that a cluster did, out of its activity log: what arrived when, and how long it ran.
// Thread rule: pure. Errors: INVALID_ARGUMENT with the line.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "master/simulate/trace.h"

namespace muster::cli {

// `text`: what `muster log -o jsonl` printed. Every task counts as one slot wide, since the log does not say; a task
// that ran more than once counts with all that it ran. What the log saw no end of is left out.
absl::StatusOr<simulate::Trace> ReadActivityTrace(std::string_view text);

}  // namespace muster::cli
