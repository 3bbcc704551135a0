#include "worker/plugins/command/bounds.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace muster::command {
namespace {

constexpr int64_t kPeriodMicros = 100'000;
constexpr int64_t kLeastQuotaMicros = 1000;  // the kernel's own
constexpr char kUnbounded[] = "max";

int64_t QuotaMicros(int64_t cpu_millis) { return std::max(kLeastQuotaMicros, cpu_millis * kPeriodMicros / 1000); }

std::string ProcessesText(int64_t processes) { return processes > 0 ? std::to_string(processes) : kUnbounded; }

Descriptor OpenDirectory(const std::string& path) {
  return Descriptor(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

class Version2Bounds final : public Bounds {
 public:
  explicit Version2Bounds(int cgroup_fd) : directory_(openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

  bool Set(int64_t processes, int64_t cpu_millis) override {
    std::string cpu = kUnbounded;
    if (cpu_millis > 0) cpu = std::to_string(QuotaMicros(cpu_millis)) + " " + std::to_string(kPeriodMicros);
    return WriteSmallFile(directory_.get(), "pids.max", ProcessesText(processes).c_str()) &&
           WriteSmallFile(directory_.get(), "cpu.max", cpu.c_str());
  }
  void Lift() override { Set(0, 0); }

 private:
  Descriptor directory_;
};

class Version1Bounds final : public Bounds {
 public:
  Version1Bounds(const std::string& processes, const std::string& cpu)
      : processes_(OpenDirectory(processes)),
        cpu_(OpenDirectory(cpu)),
        join_processes_(openat(processes_.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC)),
        join_cpu_(openat(cpu_.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC)) {}

  bool Set(int64_t processes, int64_t cpu_millis) override {
    const std::string quota = cpu_millis > 0 ? std::to_string(QuotaMicros(cpu_millis)) : "-1";
    bounds_cpu_ = cpu_millis > 0;
    return join_processes_.valid() && join_cpu_.valid() &&
           WriteSmallFile(processes_.get(), "pids.max", ProcessesText(processes).c_str()) &&
           WriteSmallFile(cpu_.get(), "cpu.cfs_quota_us", quota.c_str());
  }
  void Lift() override { Set(0, 0); }
  int ProcessesJoinFd() const override { return join_processes_.get(); }
  int CpuJoinFd() const override { return bounds_cpu_ ? join_cpu_.get() : -1; }

 private:
  Descriptor processes_, cpu_, join_processes_, join_cpu_;
  bool bounds_cpu_ = false;  // who asks for none is spared the join, which waits for the kernel
};

std::unique_ptr<CgroupRoot> MakeRoot(const std::string& controller) {
  const std::string parent = OwnCgroupDirectory(controller);
  auto root = std::make_unique<CgroupRoot>();
  std::string error;
  return !parent.empty() && root->Make(parent, &error) ? std::move(root) : nullptr;
}

}  // namespace

std::unique_ptr<Bounds> BoundsTable::Take(int birth_cgroup_fd, int64_t processes, int64_t cpu_millis) {
  if (birth_cgroup_fd >= 0 && faccessat(birth_cgroup_fd, "pids.max", W_OK, 0) == 0) {
    auto bounds = std::make_unique<Version2Bounds>(birth_cgroup_fd);
    if (bounds->Set(processes, cpu_millis)) return bounds;
  }
  std::unique_ptr<Bounds> bounds = MakeVersion1();
  if (bounds != nullptr && !bounds->Set(processes, cpu_millis)) return nullptr;
  return bounds;
}

std::unique_ptr<Bounds> BoundsTable::MakeVersion1() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!idle_.empty()) {
    std::unique_ptr<Bounds> bounds = std::move(idle_.back());
    idle_.pop_back();
    return bounds;
  }
  if (!std::exchange(looked_, true)) {
    processes_root_ = MakeRoot("pids");
    cpu_root_ = MakeRoot("cpu");
  }
  if (processes_root_ == nullptr || cpu_root_ == nullptr) return nullptr;
  const std::string name = "/slot-" + std::to_string(made_++);
  const std::string processes = processes_root_->path() + name, cpu = cpu_root_->path() + name;
  if (mkdir(processes.c_str(), 0755) < 0 || mkdir(cpu.c_str(), 0755) < 0) return nullptr;
  return std::make_unique<Version1Bounds>(processes, cpu);
}

void BoundsTable::GiveBack(std::unique_ptr<Bounds> bounds) {
  if (bounds == nullptr) return;
  bounds->Lift();
  if (bounds->ProcessesJoinFd() < 0) return;
  std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(bounds));
}

}  // namespace muster::command
