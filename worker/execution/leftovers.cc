#include "worker/execution/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"

namespace muster::execution {
namespace {

constexpr size_t kMaxBytes = 4 << 20;
constexpr size_t kEnvironmentStart = 47;  // env_start of proc(5), counted from the state
constexpr absl::Duration kPause = absl::Milliseconds(5);

std::string Contents(const std::string& path) {
  std::string text;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char buffer[16 * 1024];
  while (file >= 0 && text.size() < kMaxBytes) {
    const ssize_t got = read(file, buffer, sizeof(buffer));
    if (got <= 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  if (file >= 0) close(file);
  return text;
}

std::string TaskDirectory(const std::string& environment) {
  constexpr std::string_view kName = "MUSTER_TASK_DIR=";
  for (size_t at = 0; at < environment.size();) {
    const size_t end = std::min(environment.find('\0', at), environment.size());
    const std::string_view variable = std::string_view(environment).substr(at, end - at);
    if (variable.substr(0, kName.size()) == kName) return std::string(variable.substr(kName.size()));
    at = end + 1;
  }
  return "";
}

// True between a process's exec and the moment the kernel has laid out its new environment. Until then that reads as
// empty, although the process may well be ours. What has no memory, a zombie or a part of the kernel, has no exe.
bool IsInExec(const std::string& process) {
  char target[1];
  if (readlink((process + "/exe").c_str(), target, sizeof(target)) < 0) return false;
  const std::string text = Contents(process + "/stat");
  const size_t name_end = text.rfind(')');  // the name before it may hold anything
  if (name_end == std::string::npos) return false;
  const std::vector<std::string> fields = absl::StrSplit(absl::ClippedSubstr(text, name_end + 2), ' ');
  return fields.size() > kEnvironmentStart && fields[kEnvironmentStart] == "0";
}

bool LiesIn(const std::string& directory, const std::string& process, const struct stat& attempts) {
  const size_t slash = directory.rfind('/');
  if (directory.empty() || directory[0] != '/' || slash == 0) return false;
  struct stat parent {};
  if (stat(absl::StrCat(process, "/root", directory.substr(0, slash)).c_str(), &parent) < 0) return false;
  return parent.st_dev == attempts.st_dev && parent.st_ino == attempts.st_ino;
}

struct Look {
  std::vector<pid_t> found;    // each already sent SIGKILL
  std::vector<pid_t> unknown;  // on their way through an exec: nobody can say yet
};

Look LookAndKill(const struct stat& attempts) {
  Look look;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return look;
  while (const dirent* entry = readdir(proc)) {
    const pid_t pid = atoi(entry->d_name);
    if (pid <= 1 || pid == getpid()) continue;
    // Opened before the look, so that the signal cannot reach another process that got the number since.
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (pidfd < 0) continue;
    const std::string process = absl::StrCat("/proc/", pid);
    const std::string environment = Contents(process + "/environ");
    if (LiesIn(TaskDirectory(environment), process, attempts)) {
      syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
      look.found.push_back(pid);
    } else if (environment.empty() && IsInExec(process)) {
      look.unknown.push_back(pid);
    }
    close(pidfd);
  }
  closedir(proc);
  return look;
}

}  // namespace

absl::Status KillLeftovers(int attempts, absl::Duration patience) {
  struct stat state {};
  if (fstat(attempts, &state) < 0) return absl::FailedPreconditionError("the directory of attempts is gone");
  const absl::Time until = absl::Now() + patience;
  // Each look may find what was forked during the one before; a zombie has no environment any more.
  while (true) {
    const Look look = LookAndKill(state);
    if (look.found.empty() && (look.unknown.empty() || absl::Now() > until)) return absl::OkStatus();
    if (absl::Now() > until) {
      return absl::FailedPreconditionError(
          absl::StrCat("processes of an earlier run cannot be killed: ", absl::StrJoin(look.found, ", ")));
    }
    absl::SleepFor(kPause);
  }
}

}  // namespace muster::execution
