// What this machine, or the container that the worker lives in, gives it.
// Thread rule: any thread; reads /proc and /sys.
#pragma once

#include <cstdint>
#include <string>

namespace muster::worker {

// Cores it may use: affinity and cgroup quota respected; at least 1.
uint32_t UsableCores();
// Memory it may use: the smaller of the machine's and the cgroup's.
int64_t UsableMemoryBytes();
// Free for us where the directory is, or will be when it is made. 0: not to be found out.
int64_t FreeDiskBytes(const std::string& directory);
double LoadAverage();  // one minute
std::string HostName();

}  // namespace muster::worker
