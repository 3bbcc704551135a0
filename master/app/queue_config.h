// The queues of the master's configuration: a list of maps, each a queue's name and what is set of it.
//
//   queues:
//     - name: nightly
//       weight: 3
//       max_running: 8
//       start_rate: 2        # a second
//       defaults: {priority: -10, retries: 2}
//
// Thread rule: pure functions. Errors: one line that names the queue, the key, and what would be valid.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/config.h"
#include "common/domain/queue_settings.h"

namespace muster::master {

// What an entry may hold; maps within it under dotted names.
std::vector<std::string> QueueFields();

absl::StatusOr<std::map<std::string, QueueSettings>> ReadQueues(const std::vector<config::Entry>& entries);

}  // namespace muster::master
