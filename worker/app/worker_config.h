// What can be configured of a worker: declared once, read from file, environment and flags.
//
// Thread rule: one thread, at start. Errors: one line each, naming the key.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/config.h"
#include "common/domain/worker.h"
#include "common/policy/policy.h"
#include "common/rpc/credentials.h"
#include "common/telemetry/log.h"
#include "worker/execution/execution_host.h"

namespace muster::worker {

// How commands are kept apart, and as whom they run. See docs/isolation.md.
struct IsolationConfig {
  std::string minimum;
  std::string user, users;
  int64_t max_processes = 0;
  int64_t max_open_files = 0;
  int64_t max_file_bytes = 0;
  int64_t tmp_bytes = 0;
  std::vector<std::string> hide;

  bool others() const { return !user.empty() || !users.empty(); }
};

struct WorkerConfig {
  std::string name;
  std::string master;
  std::string grpc_listen;
  std::string grpc_advertise;
  rpc::TlsFiles tls;
  std::string http_listen;
  std::string health_listen;
  int64_t slots = 0;
  double cpu = 0;
  int64_t memory_bytes = 0;
  int64_t disk_bytes = 0;
  CapacityOrigins origins;  // of the four
  std::map<std::string, std::string> labels;
  std::vector<std::string> capabilities;
  std::map<std::string, std::string> resources;
  std::vector<config::Entry> executors;
  IsolationConfig isolation;
  std::string work_dir;
  std::string policy_file;  // empty: none
  std::shared_ptr<const policy::Policy> policy;  // of that file; null: none
  absl::Duration drain_timeout;
  absl::Duration kill_grace;
  absl::Duration attach_grace;
  int64_t disk_low_water_bytes = 0;
  int64_t memory_low_water_bytes = 0;
  int64_t max_held = 0;
  telemetry::LogConfig log;
};

// `config` must outlive the schema.
void Declare(WorkerConfig* config, config::Schema* schema);

// Puts in what depends on this machine (name, capacity, work_dir, paths of the shipped executors) and checks the whole.
// `plugin_dir`: where the shipped executors lie.
absl::Status Complete(WorkerConfig* config, const std::string& plugin_dir);

// DIR/../lib/muster for the program's own DIR.
std::string ShippedPluginDir();

// What of a completed configuration concerns each part.
WorkerOffer FixedOffer(const WorkerConfig& config);  // without executors
execution::HostConfig MakeHostConfig(const WorkerConfig& config);

// The authority's own key, where `muster pki` keeps it, beside its certificate; empty: it is not there, as it should be.
std::string KeyOfAuthority(const WorkerConfig& config);

// host:port for the master to dial, from where the server really listens.
std::string AdvertisedAddress(const WorkerConfig& config, const std::string& listening);

}  // namespace muster::worker
