#include "worker/app/supervisor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>
#include <new>
#include <vector>

#include "worker/app/boot_clock.h"
#include "worker/app/lease_watch.h"

namespace muster::worker {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kLookEveryNs = kSecondNs / 4;
constexpr int64_t kLookCloselyEveryNs = kSecondNs / 20;  // while something runs that must not outlive the lease
constexpr int64_t kSweepPatienceNs = 30 * kSecondNs;

int64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * kSecondNs + now.tv_nsec;
}

timespec ToTimespec(int64_t ns) { return {ns / kSecondNs, ns % kSecondNs}; }

// The parent of a process, from /proc/PID/stat; 0: it has gone.
pid_t ParentOf(pid_t pid) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[512];
  const ssize_t size = read(fd, text, sizeof(text) - 1);
  close(fd);
  if (size <= 0) return 0;
  text[size] = '\0';
  // The name is in parentheses and may hold anything, those too.
  const char* after_name = strrchr(text, ')');
  pid_t parent = 0;
  char state = 0;
  if (after_name == nullptr || sscanf(after_name + 1, " %c %d", &state, &parent) != 2) return 0;
  return parent;
}

std::vector<pid_t> Children() {
  std::vector<pid_t> children;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return children;
  const pid_t self = getpid();
  while (const dirent* entry = readdir(proc)) {
    const pid_t pid = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    if (pid > 0 && ParentOf(pid) == self) children.push_back(pid);
  }
  closedir(proc);
  return children;
}

class Supervisor {
 public:
  Supervisor(pid_t server, const FencePage* page, const sigset_t& signals)
      : server_(server), page_(page), signals_(signals) {}

  int Run() {
    while (!server_ended_) {
      siginfo_t info{};
      const timespec wait = ToTimespec(page_->fenced_running.load() > 0 ? kLookCloselyEveryNs : kLookEveryNs);
      const int signal = sigtimedwait(&signals_, &info, &wait);
      if (signal > 0 && signal != SIGCHLD) kill(server_, signal);
      Reap();
      if (!server_ended_) LookAtLease();
    }
    const int killed = Sweep();
    return Verdict(killed);
  }

 private:
  void Reap() {
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (pid != server_) continue;
      server_ended_ = true;
      server_status_ = status;
    }
  }

  void LookAtLease() {
    const uint32_t fenced = page_->fenced_running.load();
    const bool must = watch_.MustKill(BootTimeNanoseconds(), page_->lease_until_ns.load(), fenced,
                                      page_->patience_ns.load());
    if (!must || fenced_) return;
    fenced_ = true;
    fprintf(stderr, "muster-worker: the lease has ended and the server (pid %d) did not stop %u attempts that must "
            "not run twice: killing it with all its tasks\n", server_, fenced);
    kill(server_, SIGKILL);
  }

  // Orphans become our children, so killing children until there are none reaches all.
  int Sweep() {
    int killed = 0;
    const int64_t until = MonotonicNs() + kSweepPatienceNs;
    while (true) {
      const std::vector<pid_t> children = Children();
      for (const pid_t child : children) {
        if (kill(child, SIGKILL) == 0) ++killed;
      }
      int status = 0;
      pid_t reaped = 0;
      bool any = false;
      while ((reaped = waitpid(-1, &status, WNOHANG)) > 0) any = true;
      if (reaped < 0 && errno == ECHILD) return killed;
      if (MonotonicNs() > until) {
        fprintf(stderr, "muster-worker: %zu processes of its tasks cannot be killed\n", children.size());
        return killed;
      }
      if (!any) {
        const timespec pause = ToTimespec(kSecondNs / 500);
        nanosleep(&pause, nullptr);
      }
    }
  }

  int Verdict(int killed) const {
    if (WIFEXITED(server_status_)) return WEXITSTATUS(server_status_);
    const int signal = WTERMSIG(server_status_);
    fprintf(stderr, "muster-worker: the server (pid %d) was killed by signal %d; killed %d processes of its tasks\n",
            server_, signal, killed);
    return 128 + signal;
  }

  const pid_t server_;
  const FencePage* const page_;
  const sigset_t signals_;
  bool server_ended_ = false;
  int server_status_ = 0;
  LeaseWatch watch_;
  bool fenced_ = false;
};

constexpr int kCouldNotStart = 125;

[[noreturn]] void BeServer(pid_t supervisor, const sigset_t& before, FencePage* page,
                           const std::function<int(FencePage*)>& server) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor) _exit(1);  // it died before the line above
  // A group of its own: Ctrl-C reaches it once, through the supervisor.
  setpgid(0, 0);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  exit(server(page));
}

}  // namespace

int Supervise(const std::function<int(FencePage*)>& server) {
  void* memory = mmap(nullptr, sizeof(FencePage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    fprintf(stderr, "muster-worker: no shared memory: %s\n", strerror(errno));
    return kCouldNotStart;
  }
  auto* page = new (memory) FencePage();
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    fprintf(stderr, "muster-worker: cannot become a subreaper: %s\n", strerror(errno));
    return kCouldNotStart;
  }
  sigset_t signals;
  sigset_t before;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  fflush(nullptr);  // else both processes write what was buffered
  const pid_t self = getpid();
  const pid_t child = fork();
  if (child < 0) {
    fprintf(stderr, "muster-worker: cannot start the server: %s\n", strerror(errno));
    return kCouldNotStart;
  }
  if (child == 0) BeServer(self, before, page, server);
  return Supervisor(child, page, signals).Run();
}

}  // namespace muster::worker
