#include "worker/app/machine.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>

namespace muster::worker {
namespace {

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The unified hierarchy's path of this process, "" when there is none.
std::string CgroupPath() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("0::", 0) == 0) return "/sys/fs/cgroup" + line.substr(3);
  }
  return "";
}

// Calls `look` for the cgroup's own directory and each one above.
template <typename Look>
void UpTheCgroups(Look look) {
  for (std::string path = CgroupPath(); path.size() >= std::string("/sys/fs/cgroup").size();) {
    look(path);
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return;
    path.resize(slash);
  }
}

double QuotaCores() {
  double least = 0;
  const auto take = [&least](double quota, double period) {
    if (quota > 0 && period > 0) least = least == 0 ? quota / period : std::min(least, quota / period);
  };
  UpTheCgroups([&take](const std::string& path) {
    std::istringstream text(ReadLine(path + "/cpu.max"));
    double quota = 0;
    double period = 0;
    if (text >> quota >> period) take(quota, period);  // "max 100000" does not parse: no quota
  });
  const std::string v1 = "/sys/fs/cgroup/cpu/cpu.cfs_";
  take(atof(ReadLine(v1 + "quota_us").c_str()), atof(ReadLine(v1 + "period_us").c_str()));
  return least;
}

}  // namespace

uint32_t UsableCores() {
  double cores = std::max(1u, std::thread::hardware_concurrency());
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = std::max(1, CPU_COUNT(&set));
  if (const double quota = QuotaCores(); quota > 0) cores = std::min(cores, std::max(1.0, quota));
  return static_cast<uint32_t>(cores);
}

int64_t UsableMemoryBytes() {
  int64_t bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  const auto take = [&bytes](const std::string& path) {
    const int64_t limit = atoll(ReadLine(path).c_str());  // "max" is 0
    if (limit > 0) bytes = std::min(bytes, limit);
  };
  UpTheCgroups([&take](const std::string& path) { take(path + "/memory.max"); });
  take("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  return bytes;
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
