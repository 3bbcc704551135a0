// The tier without cgroups: looks through /proc for what descends from the main process.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include <cstdio>
#include <cstdlib>
#include <unordered_set>

#include "worker/plugins/command/descriptor.h"
#include "worker/plugins/command/process_tree.h"

namespace muster::command {
namespace {

constexpr int kKillRounds = 8;
constexpr size_t kMaxEnvironmentBytes = 4 * 1024 * 1024;

struct Process {
  pid_t pid = 0, parent = 0, group = 0, session = 0;
  char state = '?';
  unsigned long long start_ticks = 0;
};

std::string ReadProcFile(pid_t pid, const char* name, size_t limit) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
  Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[16 * 1024];
  while (file.valid() && text.size() < limit) {
    const ssize_t got = read(file.get(), buffer, sizeof(buffer));
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

bool ReadProcess(pid_t pid, Process* process) {
  const std::string stat = ReadProcFile(pid, "stat", 4096);
  const size_t name_end = stat.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return false;
  process->pid = pid;
  return sscanf(stat.c_str() + name_end + 1,
                " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &process->state,
                &process->parent, &process->group, &process->session, &process->start_ticks) == 5;
}

std::vector<Process> AllProcesses() {
  std::vector<Process> all;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return all;
  while (dirent* entry = readdir(proc)) {
    const pid_t pid = atoi(entry->d_name);
    Process process;
    if (pid > 1 && ReadProcess(pid, &process)) all.push_back(process);
  }
  closedir(proc);
  return all;
}

bool HasMark(pid_t pid, const std::string& mark) {
  const std::string environment = ReadProcFile(pid, "environ", kMaxEnvironmentBytes);
  for (size_t at = environment.find(mark); at != std::string::npos; at = environment.find(mark, at + 1)) {
    const size_t end = at + mark.size();
    const bool starts = at == 0 || environment[at - 1] == '\0';
    if (starts && (end >= environment.size() || environment[end] == '\0')) return true;
  }
  return false;
}

class WalkTree final : public ProcessTree {
 public:
  void SetMain(pid_t main, const std::string& mark) override {
    ProcessTree::SetMain(main, mark);
    Process process;
    if (ReadProcess(main, &process)) born_ticks_ = process.start_ticks;
  }
  void Signal(int number) override {
    for (const Process& process : Find()) Send(process, number);
  }
  bool Kill() override {
    // Each round may find what was forked during the one before.
    for (int round = 0; round < kKillRounds; ++round) {
      const std::vector<Process> found = Find();
      if (found.empty()) return true;
      for (const Process& process : found) Send(process, SIGKILL);
    }
    return false;
  }
  bool Empty() override { return Find().empty(); }
  std::vector<pid_t> Members() override {
    std::vector<pid_t> pids;
    for (const Process& process : Find()) pids.push_back(process.pid);
    return pids;
  }

 private:
  std::vector<Process> Find() {
    std::vector<Process> found;
    if (main_ <= 1) return found;
    const std::vector<Process> all = AllProcesses();
    std::unordered_set<pid_t> in;
    for (const Process& process : all) {
      if (process.pid != getpid() && Belongs(process)) in.insert(process.pid);
    }
    for (bool grew = true; grew;) {
      grew = false;
      for (const Process& process : all) {
        if (in.count(process.parent) != 0 && in.insert(process.pid).second) grew = true;
      }
    }
    for (const Process& process : all) {
      if (in.count(process.pid) != 0 && process.state != 'Z' && process.state != 'X') found.push_back(process);
    }
    return found;
  }

  bool Belongs(const Process& process) const {
    if (process.start_ticks < born_ticks_) return false;
    if (process.pid == main_ || process.group == main_ || process.session == main_) return true;
    return !mark_.empty() && HasMark(process.pid, mark_);
  }

  // Only that very process: its number may be another's by now.
  static void Send(const Process& process, int number) {
    Descriptor pidfd(static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0)));
    Process now;
    if (!ReadProcess(process.pid, &now) || now.start_ticks != process.start_ticks) return;
    if (pidfd.valid()) {
      syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0);
    } else {
      kill(process.pid, number);
    }
  }

  unsigned long long born_ticks_ = 0;
};

class WalkForest final : public ProcessForest {
 public:
  std::unique_ptr<ProcessTree> Take() override { return std::make_unique<WalkTree>(); }
  void GiveBack(std::unique_ptr<ProcessTree>) override {}
  const char* tier() const override { return "walk"; }
};

}  // namespace

std::unique_ptr<ProcessForest> MakeWalkForest() { return std::make_unique<WalkForest>(); }

int64_t ResidentBytes(const std::vector<pid_t>& pids) {
  static const long page_bytes = sysconf(_SC_PAGESIZE);
  int64_t pages = 0;
  for (const pid_t pid : pids) {
    long size = 0, resident = 0;
    if (sscanf(ReadProcFile(pid, "statm", 256).c_str(), "%ld %ld", &size, &resident) == 2) pages += resident;
  }
  return pages * page_bytes;
}

}  // namespace muster::command
