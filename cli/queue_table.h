// Queues as rows, and one queue as a page for a person.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal.h"
#include "muster/v1/queue.pb.h"

namespace muster::cli {

inline constexpr size_t kQueueStateColumn = 6;

std::vector<std::string> QueueHeader(bool wide);
std::vector<std::string> QueueRow(const v1::Queue& queue, bool wide);
// PAUSED, HELD (at a limit), or OPEN.
std::string QueueState(const v1::Queue& queue);
Colour QueueColour(const v1::Queue& queue);
// "weight 3, at most 8 running, rate 2/s:10, priority -5": what is not as it is by default, and the weight.
std::string SettingsText(const v1::QueueSettings& settings);
std::string QueuePage(const v1::Queue& queue);

}  // namespace muster::cli
