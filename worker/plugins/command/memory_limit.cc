#include "worker/plugins/command/memory_limit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <cstdlib>

namespace muster::command {
namespace {

Descriptor OpenAt(int directory, const char* name, int flags) {
  return Descriptor(openat(directory, name, flags | O_CLOEXEC));
}

// "key 17" among the lines of a file.
int64_t ReadKey(int fd, const char* key) {
  const std::string text = ReadSmallFile(fd);
  const size_t size = strlen(key);
  for (size_t at = 0; at < text.size();) {
    if (text.compare(at, size, key) == 0 && text[at + size] == ' ') return atoll(text.c_str() + at + size + 1);
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return 0;
}

int64_t ReadNumber(int fd) { return fd < 0 ? 0 : atoll(ReadSmallFile(fd).c_str()); }

class Version2Limit final : public MemoryLimit {
 public:
  explicit Version2Limit(int cgroup_fd)
      : directory_(openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        events_(OpenAt(directory_.get(), "memory.events", O_RDONLY)) {}

  bool Set(int64_t bytes) override {
    if (!events_.valid()) return false;
    WriteSmallFile(directory_.get(), "memory.swap.max", "0");
    WriteSmallFile(directory_.get(), "memory.oom.group", "1");
    kills_before_ = ReadKey(events_.get(), "oom_kill");
    return WriteSmallFile(directory_.get(), "memory.max", std::to_string(bytes).c_str());
  }
  void Lift() override { WriteSmallFile(directory_.get(), "memory.max", "max"); }
  int JoinFd() const override { return -1; }
  bool KilledSinceSet() override { return ReadKey(events_.get(), "oom_kill") > kills_before_; }
  int64_t PeakBytes() override { return 0; }  // memory.peak is the slot's, over all its attempts

 private:
  Descriptor directory_, events_;
  int64_t kills_before_ = 0;
};

class Version1Limit final : public MemoryLimit {
 public:
  explicit Version1Limit(const std::string& path)
      : directory_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        join_(OpenAt(directory_.get(), "cgroup.procs", O_WRONLY)),
        control_(OpenAt(directory_.get(), "memory.oom_control", O_RDONLY)),
        peak_(OpenAt(directory_.get(), "memory.max_usage_in_bytes", O_RDONLY)) {}

  bool Set(int64_t bytes) override {
    if (!join_.valid() || !control_.valid()) return false;
    WriteSmallFile(directory_.get(), "memory.force_empty", "0");
    WriteSmallFile(directory_.get(), "memory.max_usage_in_bytes", "0");
    kills_before_ = ReadKey(control_.get(), "oom_kill");
    const std::string text = std::to_string(bytes);
    if (!WriteSmallFile(directory_.get(), "memory.limit_in_bytes", text.c_str())) return false;
    WriteSmallFile(directory_.get(), "memory.memsw.limit_in_bytes", text.c_str());
    return true;
  }
  void Lift() override {
    WriteSmallFile(directory_.get(), "memory.memsw.limit_in_bytes", "-1");
    WriteSmallFile(directory_.get(), "memory.limit_in_bytes", "-1");
  }
  int JoinFd() const override { return join_.get(); }
  bool KilledSinceSet() override { return ReadKey(control_.get(), "oom_kill") > kills_before_; }
  int64_t PeakBytes() override { return ReadNumber(peak_.get()); }

 private:
  Descriptor directory_, join_, control_, peak_;
  int64_t kills_before_ = 0;
};

}  // namespace

std::unique_ptr<MemoryLimit> MemoryLimits::Take(int birth_cgroup_fd, int64_t bytes) {
  if (birth_cgroup_fd >= 0) {
    auto limit = std::make_unique<Version2Limit>(birth_cgroup_fd);
    if (limit->Set(bytes)) return limit;
  }
  std::unique_ptr<MemoryLimit> limit = MakeVersion1();
  if (limit != nullptr && !limit->Set(bytes)) return nullptr;
  return limit;
}

std::unique_ptr<MemoryLimit> MemoryLimits::MakeVersion1() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!idle_.empty()) {
    std::unique_ptr<MemoryLimit> limit = std::move(idle_.back());
    idle_.pop_back();
    return limit;
  }
  if (!looked_) {
    looked_ = true;
    std::string error;
    auto root = std::make_unique<CgroupRoot>();
    const std::string parent = OwnCgroupDirectory("memory");
    if (!parent.empty() && root->Make(parent, &error)) root_ = std::move(root);
  }
  if (root_ == nullptr) return nullptr;
  const std::string path = root_->path() + "/slot-" + std::to_string(made_++);
  if (mkdir(path.c_str(), 0755) < 0) return nullptr;
  return std::make_unique<Version1Limit>(path);
}

void MemoryLimits::GiveBack(std::unique_ptr<MemoryLimit> limit) {
  if (limit == nullptr) return;
  limit->Lift();
  if (limit->JoinFd() < 0) return;
  std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(limit));
}

}  // namespace muster::command
