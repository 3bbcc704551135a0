#include "worker/app/machine.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

#include "worker/app/cgroup_limits.h"

namespace muster::worker {

UsableCores DetectCores() {
  UsableCores usable;
  usable.cores = static_cast<double>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0 && CPU_COUNT(&set) < usable.cores) {
    usable = {static_cast<double>(CPU_COUNT(&set)), CapacityOrigin::kAffinity};
  }
  const double quota = ReadCgroupLimits("").cores;
  if (quota > 0 && quota < usable.cores) usable = {quota, CapacityOrigin::kCgroup};
  return usable;
}

UsableMemory DetectMemory() {
  UsableMemory usable;
  usable.bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  const int64_t limit = ReadCgroupLimits("").memory_bytes;
  if (limit > 0 && limit < usable.bytes) usable = {limit, CapacityOrigin::kCgroup};
  return usable;
}

int64_t FreeDiskBytes(const std::string& directory) {
  for (std::filesystem::path path = directory;; path = path.parent_path()) {
    std::error_code error;
    const std::filesystem::space_info space = std::filesystem::space(path, error);
    if (!error) return static_cast<int64_t>(std::min<uintmax_t>(space.available, INT64_MAX));
    if (path == path.parent_path()) return 0;
  }
}

double LoadAverage() {
  double average = 0;
  return getloadavg(&average, 1) == 1 ? average : 0;
}

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0') return "worker";
  return name;
}

}  // namespace muster::worker
