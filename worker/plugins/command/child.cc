#include "worker/plugins/command/child.h"

#include <linux/keyctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// The child runs on the parent's memory: nothing may be instrumented there.
#define MUSTER_CHILD_CODE                                                                      \
  __attribute__((noinline)) __attribute__((no_sanitize("address"))) __attribute__((no_sanitize("thread"))) \
  __attribute__((no_sanitize("undefined")))

namespace muster::command {
namespace {

constexpr int kSignals = 64;
constexpr size_t kGuardBytes = 4096;

struct KernelSigaction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  uint64_t mask;
};

struct ChildState {
  const ChildPlan* plan;
  pid_t parent;
  uint64_t reset_signals;
  int join_directory;  // a v2 cgroup that clone could not put it into
  volatile int error;
  volatile ChildStep step;
};

MUSTER_CHILD_CODE void ResetSignals(uint64_t which) {
  KernelSigaction by_default;
  by_default.handler = SIG_DFL;
  by_default.flags = 0;
  by_default.restorer = nullptr;
  by_default.mask = 0;
  for (int number = 1; number <= kSignals; ++number) {
    if ((which >> (number - 1)) & 1) syscall(SYS_rt_sigaction, number, &by_default, nullptr, sizeof(uint64_t));
  }
}

MUSTER_CHILD_CODE bool Stop(ChildState* state, ChildStep step) {
  state->error = errno;
  state->step = step;
  return false;
}

MUSTER_CHILD_CODE bool PlaceDescriptors(const ChildPlan& plan) {
  if (syscall(SYS_dup3, plan.stdin_fd, 0, 0) < 0) return false;
  if (syscall(SYS_dup3, plan.stdout_fd, 1, 0) < 0) return false;
  if (syscall(SYS_dup3, plan.stderr_fd, 2, 0) < 0) return false;
  unsigned next = 3;
  for (const int fd : plan.more_fds) {
    if (fd < 0) break;
    // One that has its number already would be closed by the exec.
    const bool placed = fd == static_cast<int>(next) ? syscall(SYS_fcntl, fd, F_SETFD, 0) == 0 : syscall(SYS_dup3, fd, next, 0) >= 0;
    if (!placed) return false;
    ++next;
  }
  if (syscall(SYS_close_range, next, ~0U, 0U) == 0) return true;
  // Before Linux 5.9: ours are close-on-exec anyway; a library's may not be.
  for (long fd = next; fd < 65536; ++fd) syscall(SYS_close, fd);
  return true;
}

MUSTER_CHILD_CODE bool JoinCgroups(ChildState* state) {
  const ChildPlan& plan = *state->plan;
  if (state->join_directory >= 0) {
    const long fd = syscall(SYS_openat, state->join_directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || syscall(SYS_write, fd, "0", 1) != 1) return false;
  }
  for (const int fd : plan.join_fds) {
    if (fd >= 0 && syscall(SYS_write, fd, "0", 1) != 1) return false;
  }
  return true;
}

MUSTER_CHILD_CODE bool SetLimits(const ChildPlan& plan) {
  struct rlimit none;
  none.rlim_cur = 0;
  none.rlim_max = 0;
  syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, nullptr);
  for (size_t i = 0; i < plan.limit_count; ++i) {
    if (syscall(SYS_prlimit64, 0, plan.limits[i].resource, &plan.limits[i].value, nullptr) < 0) return false;
  }
  return true;
}

// The system calls themselves: those of the C library would change the other threads of the parent, too.
MUSTER_CHILD_CODE bool BecomeUser(const ChildPlan& plan) {
  if (plan.uid < 0) return true;
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);  // none of the worker's keys; where there are none it fails
  return syscall(SYS_setgroups, 0, nullptr) == 0 && syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid) == 0 &&
         syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) == 0;
}

MUSTER_CHILD_CODE bool Settle(ChildState* state) {
  const ChildPlan& plan = *state->plan;
  ResetSignals(state->reset_signals);
  if (!JoinCgroups(state)) return Stop(state, ChildStep::kJoinCgroup);
  if (syscall(SYS_setsid) < 0) return Stop(state, ChildStep::kSession);
  if (!SetLimits(plan)) return Stop(state, ChildStep::kLimits);
  if (!PlaceDescriptors(plan)) return Stop(state, ChildStep::kDescriptors);
  if (!BecomeUser(plan)) return Stop(state, ChildStep::kUser);
  // After the change of the user, which takes it back.
  syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // The parent may have died before the line above took effect.
  if (syscall(SYS_getppid) != state->parent) return Stop(state, ChildStep::kSession);
  syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_chdir, plan.directory) < 0) return Stop(state, ChildStep::kDirectory);
  return true;
}

// As execvpe does: a directory where it may not be run is remembered, the search goes on.
MUSTER_CHILD_CODE void Execute(ChildState* state) {
  const ChildPlan& plan = *state->plan;
  int found_error = ENOENT;
  for (const char* const* path = plan.candidates; *path != nullptr; ++path) {
    if (syscall(SYS_execve, *path, plan.argv, plan.environment) < 0 && errno == ENOEXEC) {
      plan.interpreter_argv[1] = const_cast<char*>(*path);
      syscall(SYS_execve, plan.interpreter_argv[0], plan.interpreter_argv, plan.environment);
    }
    if (errno != ENOENT && errno != ENOTDIR) found_error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  errno = found_error;
  Stop(state, ChildStep::kExec);
}

MUSTER_CHILD_CODE int ChildMain(void* argument) {
  auto* state = static_cast<ChildState*>(argument);
  if (Settle(state)) {
    uint64_t no_signals = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, sizeof(no_signals));
    Execute(state);
  }
  syscall(SYS_exit_group, 127);
  return 127;
}

#if defined(__x86_64__) && defined(CLONE_INTO_CGROUP)
#define MUSTER_HAVE_CLONE3 1
MUSTER_CHILD_CODE long CloneInto(struct clone_args* arguments, ChildState* state) {
  long result = SYS_clone3;
  register int (*entry)(void*) __asm__("r12") = &ChildMain;
  register void* argument __asm__("r13") = state;
  // The child starts here with an empty stack of its own: it must not return through this frame.
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %%r13, %%rdi\n\t"
      "callq *%%r12\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(arguments), "S"(sizeof(*arguments)), "r"(entry), "r"(argument)
      : "rcx", "r11", "memory", "cc");
  return result;
}
#endif

// No clone3 here (an old kernel, a filter of system calls): the cgroup is joined through its file.
std::atomic<bool> clone3_refused{false};

long CloneOld(const ChildStack& stack, ChildState* state, int* pidfd) {
  state->reset_signals = ~uint64_t{0};
  state->join_directory = state->plan->cgroup_fd;
  const int pid = clone(&ChildMain, stack.base() + ChildStack::kBytes,
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, state, pidfd);
  return pid < 0 ? -errno : pid;
}

long Clone(const ChildPlan& plan, const ChildStack& stack, ChildState* state, int* pidfd) {
#ifdef MUSTER_HAVE_CLONE3
  if (!clone3_refused.load(std::memory_order_relaxed)) {
    struct clone_args arguments;
    std::memset(&arguments, 0, sizeof(arguments));
    arguments.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
    arguments.pidfd = reinterpret_cast<uint64_t>(pidfd);
    arguments.exit_signal = SIGCHLD;
    arguments.stack = reinterpret_cast<uint64_t>(stack.base());
    arguments.stack_size = ChildStack::kBytes;
    if (plan.cgroup_fd >= 0) {
      arguments.flags |= CLONE_INTO_CGROUP;
      arguments.cgroup = static_cast<uint64_t>(plan.cgroup_fd);
    }
    const long result = CloneInto(&arguments, state);
    if (result != -ENOSYS && result != -EPERM && result != -E2BIG) return result;
    clone3_refused.store(true, std::memory_order_relaxed);
  }
#endif
  return CloneOld(stack, state, pidfd);
}

}  // namespace

const char* ChildStepName(ChildStep step) {
  switch (step) {
    case ChildStep::kClone: return "clone";
    case ChildStep::kJoinCgroup: return "joining its cgroup";
    case ChildStep::kSession: return "making its session";
    case ChildStep::kLimits: return "setting its limits";
    case ChildStep::kDescriptors: return "placing its descriptors";
    case ChildStep::kUser: return "becoming its user";
    case ChildStep::kDirectory: return "entering its working directory";
    case ChildStep::kExec: return "exec";
  }
  return "?";
}

ChildStack::ChildStack() {
  void* mapping = mmap(nullptr, kBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  mapping_ = mapping == MAP_FAILED ? nullptr : static_cast<char*>(mapping);
  base_ = mapping_ == nullptr ? nullptr : mapping_ + kGuardBytes;
  if (mapping_ != nullptr) mprotect(mapping_, kGuardBytes, PROT_NONE);
}

ChildStack::~ChildStack() {
  if (mapping_ != nullptr) munmap(mapping_, kBytes + kGuardBytes);
}

ChildOutcome StartChild(const ChildPlan& plan, const ChildStack& stack) {
  ChildOutcome outcome;
  if (stack.base() == nullptr) {
    outcome.error = ENOMEM;
    return outcome;
  }
  ChildState state;
  state.plan = &plan;
  state.parent = getpid();
  state.reset_signals = plan.ignored_signals;
  state.join_directory = -1;
  state.error = 0;
  state.step = ChildStep::kClone;
  int pidfd = -1;
  const long pid = Clone(plan, stack, &state, &pidfd);
  if (pid < 0) {
    outcome.error = static_cast<int>(-pid);
    return outcome;
  }
  outcome.step = state.step;
  outcome.error = state.error;
  outcome.pid = static_cast<pid_t>(pid);
  outcome.pidfd = pidfd;
  if (outcome.error != 0) {
    siginfo_t info;
    while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) < 0 && errno == EINTR) {
    }
    close(pidfd);
    outcome.pidfd = -1;
  }
  return outcome;
}

uint64_t IgnoredSignals() {
  uint64_t ignored = 0;
  for (int number = 1; number <= kSignals; ++number) {
    KernelSigaction now{};
    if (syscall(SYS_rt_sigaction, number, nullptr, &now, sizeof(uint64_t)) == 0 && now.handler == SIG_IGN) {
      ignored |= uint64_t{1} << (number - 1);
    }
  }
  return ignored;
}

void BlockEverySignal() {
  uint64_t all = ~uint64_t{0};
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof(all));
}

}  // namespace muster::command
