// What this machine, or the container that the worker lives in, gives it, and where each figure comes from.
// Thread rule: any thread; reads /proc and /sys.
#pragma once

#include <cstdint>
#include <string>

#include "common/domain/worker.h"

namespace muster::worker {

// Cores it may use: of the machine, of its affinity or of its cgroup's quota, whatever is least.
struct UsableCores {
  double cores = 1;
  CapacityOrigin origin = CapacityOrigin::kMachine;
};
UsableCores DetectCores();

// Memory it may use: the machine's or the cgroup's limit, whatever is less.
struct UsableMemory {
  int64_t bytes = 0;
  CapacityOrigin origin = CapacityOrigin::kMachine;
};
UsableMemory DetectMemory();

// Free for us where the directory is, or will be when it is made. 0: not to be found out.
int64_t FreeDiskBytes(const std::string& directory);

double LoadAverage();  // one minute
std::string HostName();

}  // namespace muster::worker
