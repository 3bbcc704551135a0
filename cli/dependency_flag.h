// --after SELECTOR[:success|failure|any],...: what a task waits for, as a person types it.
//
//   "build"  "4F:any"  "last"  "BATCH/17:failure"  "id:4F"  "name:success"   each with its own condition, success without
//
// Thread rule: the main thread. Errors: errors.h's UsageError, naming the flag; what `last` needs as RecentTasks.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/selectors.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

absl::Status AddDependencies(const std::string& text, v1::TaskSpec* spec);
// Replaces last and last-N, which only this machine knows.
absl::Status ResolveDependencies(const RecentTasks& recent, v1::TaskSpec* spec);

}  // namespace muster::cli
