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
#include "absl/time/clock.h"

namespace muster::execution {
namespace {

constexpr size_t kMaxEnvironmentBytes = 4 << 20;
constexpr absl::Duration kPause = absl::Milliseconds(5);

std::string Environment(const std::string& process) {
  std::string text;
  const int file = open((process + "/environ").c_str(), O_RDONLY | O_CLOEXEC);
  char buffer[16 * 1024];
  while (file >= 0 && text.size() < kMaxEnvironmentBytes) {
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

bool LiesIn(const std::string& process, const struct stat& attempts) {
  const std::string directory = TaskDirectory(Environment(process));
  const size_t slash = directory.rfind('/');
  if (directory.empty() || directory[0] != '/' || slash == 0) return false;
  struct stat parent {};
  if (stat(absl::StrCat(process, "/root", directory.substr(0, slash)).c_str(), &parent) < 0) return false;
  return parent.st_dev == attempts.st_dev && parent.st_ino == attempts.st_ino;
}

// Those that were found, each already sent SIGKILL.
std::vector<pid_t> KillOnce(const struct stat& attempts) {
  std::vector<pid_t> found;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return found;
  while (const dirent* entry = readdir(proc)) {
    const pid_t pid = atoi(entry->d_name);
    if (pid <= 1 || pid == getpid()) continue;
    // Opened before the look, so that the signal cannot reach another process that got the number since.
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (pidfd < 0) continue;
    if (LiesIn(absl::StrCat("/proc/", pid), attempts)) {
      syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
      found.push_back(pid);
    }
    close(pidfd);
  }
  closedir(proc);
  return found;
}

}  // namespace

absl::Status KillLeftovers(int attempts, absl::Duration patience) {
  struct stat state {};
  if (fstat(attempts, &state) < 0) return absl::FailedPreconditionError("the directory of attempts is gone");
  const absl::Time until = absl::Now() + patience;
  // Each look may find what was forked during the one before; a zombie has no environment any more.
  while (true) {
    const std::vector<pid_t> found = KillOnce(state);
    if (found.empty()) return absl::OkStatus();
    if (absl::Now() > until) {
      return absl::FailedPreconditionError(
          absl::StrCat("processes of an earlier run cannot be killed: ", absl::StrJoin(found, ", ")));
    }
    absl::SleepFor(kPause);
  }
}

}  // namespace muster::execution
