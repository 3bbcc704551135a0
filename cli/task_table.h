// Tasks as rows, and one task as a page for a person.
// Thread rule: pure functions; `now` is for what is relative.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/output.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

std::vector<std::string> TaskHeader(bool wide);
std::vector<std::string> TaskRow(const v1::Task& task, bool wide, absl::Time now);
Colour StateColour(v1::TaskState state);
inline constexpr size_t kTaskStateColumn = 1;

// How long its newest attempt has run, or ran: "12s"; of a straggler with how many times its usual: "3m00s (4x usual)".
std::string RunTimeText(const v1::Task& task, absl::Time now);

// "3F", or "40/17" in a batch.
std::string TaskLabel(const v1::Task& task);

std::string TaskPage(const v1::Task& task, absl::Time now);
std::string BatchPage(const v1::Batch& batch, absl::Time now);

}  // namespace muster::cli
