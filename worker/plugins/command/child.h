// Starts one process with vfork semantics: clone3(CLONE_VM|CLONE_VFORK) on a stack of its own, so that the size of
// the caller's memory does not matter and the child is born inside its cgroup (a later write to cgroup.procs waits
// for a grace period of the kernel, milliseconds long).
//
// The caller prepares every byte; the child makes system calls alone. Its errno comes back through the memory that
// both share until the exec, which saves the pipe that fork would need.
// Thread rule: StartChild stops the calling thread until the exec. That thread must have every signal blocked, and
// must outlive the child: the parent-death signal is the thread's. Ownership: the plan's pointers and descriptors
// stay the caller's; the pidfd of the outcome becomes the caller's. Errors: an errno and the step it came from.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace muster::command {

struct ChildLimit {
  int resource = 0;  // RLIMIT_...
  rlimit value{};
};

struct ChildPlan {
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* const* candidates = nullptr;  // paths to try, null-terminated
  char** interpreter_argv = nullptr;        // "/bin/sh", (path), argv[1]...: for a file without a shebang
  const char* directory = nullptr;
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  int cgroup_fd = -1;        // directory of a v2 cgroup, or -1
  int join_fds[4] = {-1, -1, -1, -1};  // cgroup.procs of v1 cgroups, or -1
  int more_fds[2] = {-1, -1};  // become 3 and 4; or -1
  const ChildLimit* limits = nullptr;
  size_t limit_count = 0;
  int64_t uid = -1, gid = -1;  // -1: as this process; else it has no other groups
  uint64_t ignored_signals = 0;  // bit n-1: signal n; set to default in the child
};

enum class ChildStep : uint8_t { kClone, kJoinCgroup, kSession, kLimits, kDescriptors, kUser, kDirectory, kExec };
const char* ChildStepName(ChildStep step);

struct ChildOutcome {
  int error = 0;  // 0: it runs
  ChildStep step = ChildStep::kClone;
  pid_t pid = -1;
  int pidfd = -1;
};

// A stack with a guard page, one per spawning thread.
class ChildStack {
 public:
  ChildStack();
  ~ChildStack();
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  char* base() const { return base_; }
  static constexpr size_t kBytes = 64 * 1024;

 private:
  char* mapping_;
  char* base_;
};

ChildOutcome StartChild(const ChildPlan& plan, const ChildStack& stack);

// Which signals this process ignores now; exec would hand that on.
uint64_t IgnoredSignals();

// Every signal, also those the C library keeps for itself.
void BlockEverySignal();

}  // namespace muster::command
