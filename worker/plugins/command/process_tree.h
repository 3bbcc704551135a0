// All processes of one attempt, so that a kill reaches every one of them: also those that forked away, made a
// session of their own and ignore SIGTERM.
//
// Three tiers, the best that this machine lets us use (kill_tier forces one):
//   cgroup2  a cgroup of version 2 for each slot: born inside, killed by cgroup.kill, empty when `populated` is 0
//   freezer  a cgroup of version 1: frozen, every process of cgroup.procs killed, thawed, until it is empty
//   walk     no cgroup: session, process group, children, and a mark in the environment, searched in /proc until
//            nothing is found any more
// Thread rule: a tree is used by one thread at a time; the forest from any thread. Ownership: trees go back to the
// forest empty, which reuses their cgroups where it can; it must outlive them. Errors: what cannot be had falls to the next tier.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace muster::command {

class ProcessTree {
 public:
  virtual ~ProcessTree() = default;

  // How the main process gets in; -1 where there is nothing to do.
  virtual int BirthCgroupFd() const { return -1; }
  virtual int JoinFd() const { return -1; }

  // For every process: a signal, or SIGKILL until none is left. Kill says whether that is so now.
  virtual void Signal(int number) = 0;
  virtual bool Kill() = 0;
  virtual bool Empty() = 0;
  // Whether it may serve another attempt once it is empty.
  virtual bool Reusable() const { return true; }
  virtual std::vector<pid_t> Members() = 0;

  // The main process, and what of its environment marks its descendants ("NAME=VALUE").
  virtual void SetMain(pid_t main, const std::string& mark) {
    main_ = main;
    mark_ = mark;
  }

 protected:
  pid_t main_ = -1;
  std::string mark_;
};

class ProcessForest {
 public:
  virtual ~ProcessForest() = default;
  virtual std::unique_ptr<ProcessTree> Take() = 0;
  virtual void GiveBack(std::unique_ptr<ProcessTree> tree) = 0;
  virtual const char* tier() const = 0;
};

// `tier`: "auto", "cgroup2", "freezer" or "walk". Null, with the reason, when a tier that was asked for by name is not to
// be had; "auto" always finds one.
std::unique_ptr<ProcessForest> MakeProcessForest(const std::string& tier, std::string* error);
std::unique_ptr<ProcessForest> MakeCgroup2Forest(std::string* error);
std::unique_ptr<ProcessForest> MakeFreezerForest(std::string* error);
std::unique_ptr<ProcessForest> MakeWalkForest();

// Resident memory of these processes together, in bytes.
int64_t ResidentBytes(const std::vector<pid_t>& pids);

}  // namespace muster::command
