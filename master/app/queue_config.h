// The queues of the master's configuration: a list of maps, each a queue's name and what is set of it. And what the cluster
// has as a whole.
//
//   queues:
//     - name: nightly
//       weight: 3
//       max_running: 8
//       start_rate: 2        # a second
//       defaults: {priority: -10, retries: 2}
//   resources: {license.matlab: 2, api: 50}
//
// Thread rule: pure functions. Errors: one line that names the queue or resource, the key, and what would be valid.
#pragma once

#include <cstdint>
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

absl::StatusOr<std::map<std::string, int64_t>> ReadResources(const std::map<std::string, std::string>& resources);

}  // namespace muster::master
