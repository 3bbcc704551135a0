// Bounds on the processes and the cpu of one attempt: in the slot's own cgroup of version 2 where its controllers are
// there, else in cgroups of version 1 beside it, one for each controller.
//
// The version 2 way has not run on real hardware with delegated controllers; docs/isolation.md says so.
// Thread rule: BoundsTable from any thread, Bounds by one thread at a time. Ownership: bounds go back before the table
// ends, when nothing of the attempt is left. Errors: null, where it cannot be had.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/plugins/command/cgroup_dir.h"

namespace muster::command {

class Bounds {
 public:
  virtual ~Bounds() = default;
  // 0: none.
  virtual bool Set(int64_t processes, int64_t cpu_millis) = 0;
  virtual void Lift() = 0;
  // How the main process gets in, -1 where it is born inside.
  virtual int ProcessesJoinFd() const { return -1; }
  virtual int CpuJoinFd() const { return -1; }
};

class BoundsTable {
 public:
  // `birth_cgroup_fd` of the tree, or -1.
  std::unique_ptr<Bounds> Take(int birth_cgroup_fd, int64_t processes, int64_t cpu_millis);
  void GiveBack(std::unique_ptr<Bounds> bounds);

 private:
  std::unique_ptr<Bounds> MakeVersion1();

  std::mutex mutex_;
  bool looked_ = false;
  std::unique_ptr<CgroupRoot> processes_root_, cpu_root_;
  int made_ = 0;
  std::vector<std::unique_ptr<Bounds>> idle_;  // of version 1
};

}  // namespace muster::command
