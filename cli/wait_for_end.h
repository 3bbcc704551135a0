// Watches tasks until all have ended; through restarts of the master, from a fresh snapshot each time.
//
// Thread rule: the client's thread. Memory: a few dozen bytes per task. Errors: the server's; DEADLINE_EXCEEDED when
// `deadline` passed; errors.h's Interrupted.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client.h"

namespace muster::cli {

struct EndOfTasks {
  std::vector<v1::StateCount> counts;
  int exit_code = 0;  // the highest
  int64_t task_count = 0;
};

struct WaitOptions {
  absl::Time deadline = absl::InfiniteFuture();
  // Told of each end, once.
  std::function<void(const v1::Task&)> ended;
  // Told about ten times a second while something changes.
  std::function<void(const EndOfTasks&)> progress;
};

// On DEADLINE_EXCEEDED `so_far`, when given, holds how far they came.
absl::StatusOr<EndOfTasks> WaitForEnd(Client& client, const std::vector<std::string>& selectors, const WaitOptions& options,
                                      EndOfTasks* so_far = nullptr);

}  // namespace muster::cli
