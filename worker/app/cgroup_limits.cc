#include "worker/app/cgroup_limits.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "absl/strings/str_split.h"

namespace muster::worker {
namespace {

// "" when there is no such file.
std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "max" and "-1" are no limit.
double NumberIn(const std::string& text) { return std::max(0.0, std::atof(text.c_str())); }

class LimitSearch {
 public:
  explicit LimitSearch(const std::string& root) : mounts_(root + "/sys/fs/cgroup"), membership_(root + "/proc/self/cgroup") {}

  CgroupLimits Run() {
    std::ifstream file(membership_);
    for (std::string line; std::getline(file, line);) {
      const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));  // ID:CONTROLLERS:PATH
      if (parts.size() == 3) LookAt(parts[1], parts[2]);
    }
    return limits_;
  }

 private:
  void LookAt(const std::string& controllers, const std::string& path) {
    if (controllers.empty()) {
      for (const char* mount : {"", "/unified"}) Up(mounts_ + mount, path, [this](const std::string& at) { Unified(at); });
      return;
    }
    for (const std::string& controller : std::vector<std::string>(absl::StrSplit(controllers, ','))) {
      if (controller == "cpu") Up(mounts_ + "/cpu", path, [this](const std::string& at) { FirstVersionCpu(at); });
      if (controller == "memory") Up(mounts_ + "/memory", path, [this](const std::string& at) { FirstVersionMemory(at); });
    }
  }

  // In a container the path may not be there under the mount; the mount itself is, and comes last.
  template <typename Look>
  static void Up(const std::string& mount, std::string path, const Look& look) {
    while (true) {
      look(mount + path);
      if (path.empty()) return;
      const size_t slash = path.rfind('/');
      path.resize(slash == std::string::npos ? 0 : slash);
    }
  }

  void Unified(const std::string& at) {
    const std::vector<std::string> cpu = absl::StrSplit(FirstLine(at + "/cpu.max"), ' ');  // QUOTA PERIOD
    if (cpu.size() == 2) TakeQuota(NumberIn(cpu[0]), NumberIn(cpu[1]));
    TakeMemory(NumberIn(FirstLine(at + "/memory.max")));
  }
  void FirstVersionCpu(const std::string& at) {
    TakeQuota(NumberIn(FirstLine(at + "/cpu.cfs_quota_us")), NumberIn(FirstLine(at + "/cpu.cfs_period_us")));
  }
  void FirstVersionMemory(const std::string& at) { TakeMemory(NumberIn(FirstLine(at + "/memory.limit_in_bytes"))); }

  void TakeQuota(double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    limits_.cores = limits_.cores == 0 ? quota / period : std::min(limits_.cores, quota / period);
  }
  void TakeMemory(double bytes) {
    constexpr double kNoLimit = 9e18;  // version 1 writes the largest page-aligned number
    if (bytes < 1 || bytes > kNoLimit) return;
    const auto limit = static_cast<int64_t>(bytes);
    limits_.memory_bytes = limits_.memory_bytes == 0 ? limit : std::min(limits_.memory_bytes, limit);
  }

  const std::string mounts_;
  const std::string membership_;
  CgroupLimits limits_;
};

}  // namespace

CgroupLimits ReadCgroupLimits(const std::string& root) { return LimitSearch(root).Run(); }

}  // namespace muster::worker
