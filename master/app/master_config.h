// Everything that muster-master can be told, declared once (common/config): YAML, flags and environment.
//
// Thread rule: a value, filled at start. Errors: one line that names the key.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/config/config.h"
#include "common/policy/policy.h"
#include "common/rpc/credentials.h"
#include "common/telemetry/log.h"
#include "master/core/cluster_core.h"
#include "master/store/retention.h"

namespace muster::master {

struct MasterConfig {
  std::string grpc_listen;
  rpc::TlsFiles tls;
  std::string http_listen;
  bool http_events = true;
  std::string health_listen;  // empty: none
  std::string policy_file;    // empty: none
  std::shared_ptr<const policy::Policy> policy;  // of that file; null: none
  std::string store_path;
  int64_t ballast_bytes = 0;
  int64_t low_water_bytes = 0;
  store::RetentionConfig retention;
  int64_t message_bytes = 0;
  int64_t max_connections = 10'000;
  int64_t max_calls = 1000;    // of one connection
  int64_t max_streams = 4096;  // of all readers
  int64_t grpc_memory_bytes = int64_t{512} << 20;
  std::string shadow_balancer;
  std::string balancer;
  int64_t max_queued = 0;
  std::vector<config::Entry> queues;
  std::map<std::string, std::string> resources;  // of the cluster as a whole
  std::vector<std::string> known_executors;  // besides those that are shipped
  telemetry::LogConfig log;
  core::CoreConfig core;  // Finish fills it
};

// Declares every key, and the checks over several of them.
void Declare(MasterConfig* config, config::Schema* schema);

// The times that follow from others, and what the core needs; part of the schema's checks.
absl::Status Finish(MasterConfig* config);

// $XDG_STATE_HOME/muster/master, else ~/.local/state/muster/master, else ./muster-data.
std::string DefaultStorePath();

}  // namespace muster::master
