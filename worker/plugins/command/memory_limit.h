// A hard memory limit for one attempt through a cgroup's memory controller, of version 2 (in the slot's own cgroup)
// or of version 1 (in a cgroup of its own beside it). Where neither can be written, Take gives nothing and the run
// watches resident memory itself.
//
// The version 2 way has not run on real hardware with a delegated memory controller; docs/plugins.md says so.
// Thread rule: MemoryLimits from any thread, a limit by one thread at a time. Ownership: limits go back before the
// limits object ends. Units: bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/plugins/command/cgroup_dir.h"

namespace muster::command {

class MemoryLimit {
 public:
  virtual ~MemoryLimit() = default;
  virtual bool Set(int64_t bytes) = 0;
  virtual void Lift() = 0;
  virtual int JoinFd() const = 0;          // -1: the birth cgroup has it
  virtual bool KilledSinceSet() = 0;       // the kernel killed for this limit
  virtual int64_t PeakBytes() = 0;         // 0: not known
};

class MemoryLimits {
 public:
  // `birth_cgroup_fd` of the tree, or -1. Null: no controller can be written here.
  std::unique_ptr<MemoryLimit> Take(int birth_cgroup_fd, int64_t bytes);
  void GiveBack(std::unique_ptr<MemoryLimit> limit);

 private:
  std::unique_ptr<MemoryLimit> MakeVersion1();

  std::mutex mutex_;
  bool looked_ = false;
  std::unique_ptr<CgroupRoot> root_;                // of version 1
  int made_ = 0;
  std::vector<std::unique_ptr<MemoryLimit>> idle_;  // of version 1
};

}  // namespace muster::command
