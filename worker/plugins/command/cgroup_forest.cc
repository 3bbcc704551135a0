// The two tiers that have a cgroup per slot.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mutex>

#include "worker/plugins/command/cgroup_dir.h"
#include "worker/plugins/command/process_tree.h"

namespace muster::command {
namespace {

constexpr size_t kMaxIdle = 512;

Descriptor Open(const std::string& path, int flags) { return Descriptor(open(path.c_str(), flags | O_CLOEXEC)); }

class CgroupTree : public ProcessTree {
 public:
  explicit CgroupTree(const std::string& path)
      : path_(path), directory_(Open(path, O_RDONLY | O_DIRECTORY)), procs_(Open(path + "/cgroup.procs", O_RDONLY)) {}
  virtual bool valid() const { return directory_.valid() && procs_.valid(); }

  void Signal(int number) override {
    for (const pid_t pid : Members()) kill(pid, number);
  }
  bool Empty() override { return Members().empty(); }
  std::vector<pid_t> Members() override { return ReadPids(procs_.get()); }
  const std::string& path() const { return path_; }

 protected:
  const std::string path_;
  Descriptor directory_, procs_;
};

class Cgroup2Tree final : public CgroupTree {
 public:
  explicit Cgroup2Tree(const std::string& path)
      : CgroupTree(path), kill_(Open(path + "/cgroup.kill", O_WRONLY)), events_(Open(path + "/cgroup.events", O_RDONLY)) {}
  bool valid() const override { return CgroupTree::valid() && kill_.valid() && events_.valid(); }

  int BirthCgroupFd() const override { return directory_.get(); }
  bool Kill() override {
    if (Empty()) return true;
    killed_ = true;
    if (pwrite(kill_.get(), "1", 1, 0) != 1) Signal(SIGKILL);
    return Empty();
  }
  // A fork that began before a kill must not escape it, so the kernel compares two counts of kills; for a child that is
  // born into another cgroup (CLONE_INTO_CGROUP) some kernels compare the wrong one, and kill it for what was before.
  bool Reusable() const override { return !killed_; }
  bool Empty() override {
    char text[256];
    const ssize_t size = pread(events_.get(), text, sizeof(text) - 1, 0);
    if (size <= 0) return CgroupTree::Empty();
    text[size] = '\0';
    return strstr(text, "populated 0") != nullptr;
  }

 private:
  Descriptor kill_, events_;
  bool killed_ = false;
};

// Frozen, nobody can fork away between the look and the kill.
class FreezerTree final : public CgroupTree {
 public:
  explicit FreezerTree(const std::string& path)
      : CgroupTree(path), join_(Open(path + "/cgroup.procs", O_WRONLY)) {}
  bool valid() const override { return CgroupTree::valid() && join_.valid(); }

  int JoinFd() const override { return join_.get(); }
  // Version 1 shows an open file the list of its first read for as long as it is read again within a second.
  std::vector<pid_t> Members() override {
    const Descriptor procs(openat(directory_.get(), "cgroup.procs", O_RDONLY | O_CLOEXEC));
    return ReadPids(procs.get());
  }
  bool Kill() override {
    if (Empty()) return true;
    WriteSmallFile(directory_.get(), "freezer.state", "FROZEN");
    Signal(SIGKILL);
    WriteSmallFile(directory_.get(), "freezer.state", "THAWED");
    return Empty();
  }

 private:
  Descriptor join_;
};

template <typename Tree>
class CgroupForest final : public ProcessForest {
 public:
  explicit CgroupForest(const char* tier) : tier_(tier) {}

  bool Make(const std::string& parent, std::string* error) {
    if (parent.empty()) {
      *error = "no such hierarchy is mounted";
      return false;
    }
    if (!root_.Make(parent, error)) return false;
    // Where the parent hands them on; memory_limit.h and bounds.h use them then. One that is missing refuses a line whole.
    const Descriptor root = Open(root_.path(), O_RDONLY | O_DIRECTORY);
    for (const char* controller : {"+memory", "+pids", "+cpu"}) {
      WriteSmallFile(root.get(), "cgroup.subtree_control", controller);
    }
    std::unique_ptr<ProcessTree> first = MakeTree();
    if (first == nullptr) {
      *error = root_.path() + ": its files cannot be written";
      return false;
    }
    idle_.push_back(std::move(first));
    return true;
  }

  std::unique_ptr<ProcessTree> Take() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<ProcessTree> tree = std::move(idle_.back());
        idle_.pop_back();
        return tree;
      }
    }
    return MakeTree();
  }

  void GiveBack(std::unique_ptr<ProcessTree> tree) override {
    if (tree == nullptr) return;
    if (!tree->Reusable()) {
      rmdir(static_cast<Tree*>(tree.get())->path().c_str());
      return;
    }
    std::lock_guard<std::mutex> lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(tree));
  }

  const char* tier() const override { return tier_; }

 private:
  std::unique_ptr<ProcessTree> MakeTree() {
    int number;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      number = made_++;
    }
    const std::string path = root_.path() + "/slot-" + std::to_string(number);
    if (mkdir(path.c_str(), 0755) < 0) return nullptr;
    auto tree = std::make_unique<Tree>(path);
    if (!tree->valid()) return nullptr;
    return tree;
  }

  const char* const tier_;
  CgroupRoot root_;
  std::mutex mutex_;
  int made_ = 0;                                    // guarded by mutex_
  std::vector<std::unique_ptr<ProcessTree>> idle_;  // guarded by mutex_; closed before root_ is removed
};

template <typename Tree>
std::unique_ptr<ProcessForest> MakeForest(const char* tier, const std::string& parent, std::string* error) {
  auto forest = std::make_unique<CgroupForest<Tree>>(tier);
  if (!forest->Make(parent, error)) return nullptr;
  return forest;
}

}  // namespace

std::unique_ptr<ProcessForest> MakeCgroup2Forest(std::string* error) {
  return MakeForest<Cgroup2Tree>("cgroup2", HandOnControllers(OwnCgroupDirectory(""), OwnProcesses()), error);
}

std::unique_ptr<ProcessForest> MakeFreezerForest(std::string* error) {
  return MakeForest<FreezerTree>("freezer", OwnCgroupDirectory("freezer"), error);
}

std::unique_ptr<ProcessForest> MakeProcessForest(const std::string& tier, std::string* error) {
  std::unique_ptr<ProcessForest> forest;
  if (tier == "walk") return MakeWalkForest();
  if (tier == "auto" || tier == "cgroup2") forest = MakeCgroup2Forest(error);
  if (forest == nullptr && (tier == "auto" || tier == "freezer")) forest = MakeFreezerForest(error);
  if (forest != nullptr) return forest;
  if (tier == "auto") return MakeWalkForest();
  if (tier != "cgroup2" && tier != "freezer") *error = "unknown; it is auto, cgroup2, freezer or walk";
  return nullptr;
}

}  // namespace muster::command
