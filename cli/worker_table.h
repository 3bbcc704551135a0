// Workers as rows, and one worker as a page for a person.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/terminal.h"
#include "muster/v1/cluster.pb.h"

namespace muster::cli {

std::vector<std::string> WorkerHeader(bool wide);
std::vector<std::string> WorkerRow(const v1::Worker& worker, bool wide, absl::Time now);
Colour StateColour(v1::WorkerState state);
// Everything that keeps it from work, in words.
std::string WorkerReasons(const v1::Worker& worker);
inline constexpr size_t kWorkerStateColumn = 1;

std::string WorkerPage(const v1::Worker& worker, absl::Time now);

}  // namespace muster::cli
