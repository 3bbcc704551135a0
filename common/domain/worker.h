// What a worker says of itself, and what the cluster makes of it.
//
// Thread rule: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"

namespace muster {

// Numbers are those of muster.v1.WorkerState.
enum class WorkerState : uint8_t { kNone = 0, kActive = 1, kSuspect = 2, kLost = 3, kDraining = 4, kQuarantined = 5 };

std::string_view WorkerStateName(WorkerState state);  // "ACTIVE"

struct ExecutorOffer {
  std::string name;
  std::string version;
  bool healthy = true;
  std::string reason;
  std::vector<std::string> capabilities;
  std::string parameter_schema;

  friend bool operator==(const ExecutorOffer&, const ExecutorOffer&) = default;
};

// Where a figure of a worker's capacity comes from. Numbers are those of muster.v1.CapacityOrigin.
enum class CapacityOrigin : uint8_t { kUnknown = 0, kConfigured = 1, kMachine = 2, kAffinity = 3, kCgroup = 4 };

struct CapacityOrigins {
  CapacityOrigin slots = CapacityOrigin::kUnknown;
  CapacityOrigin cpu = CapacityOrigin::kUnknown;
  CapacityOrigin memory = CapacityOrigin::kUnknown;
  CapacityOrigin disk = CapacityOrigin::kUnknown;

  friend bool operator==(const CapacityOrigins&, const CapacityOrigins&) = default;
};

struct WorkerOffer {
  ResourceAmounts capacity;  // slots, cpu, memory, disk, named
  CapacityOrigins origins;   // for people
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<ExecutorOffer> executors;
  std::vector<std::string> capabilities;

  friend bool operator==(const WorkerOffer&, const WorkerOffer&) = default;
};

struct WorkerLoad {
  double load_average = 0;
  int64_t free_memory_bytes = 0;
  int64_t free_disk_bytes = 0;
  uint32_t running = 0;
  std::string refuses_because;  // empty: it takes work
  std::string kill_tier;
  std::string isolation;  // the tiers it offers, and why no more: for people
};

// One worker as readers see it.
struct WorkerView {
  WorkerId id;
  std::string name;
  std::string address;
  std::string version;
  Incarnation incarnation;
  WorkerState state = WorkerState::kNone;
  std::string reason;
  WorkerOffer offer;
  WorkerLoad load;
  uint32_t weight = 0;
  ResourceAmounts used;
  uint32_t prefetched = 0;
  absl::Time join_time;
  absl::Time heartbeat_time;
  int64_t ended_count = 0;
  int64_t failed_count = 0;
};

}  // namespace muster
