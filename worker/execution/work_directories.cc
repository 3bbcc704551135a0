#include "worker/execution/work_directories.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "worker/execution/leftovers.h"

namespace muster::execution {
namespace {

constexpr int kInlineEntries = 64;  // more than that is removed in the background
constexpr absl::Duration kLockPause = absl::Milliseconds(10);

absl::Status Failure(const std::string& path, int error) {
  const std::string text = absl::StrCat(path, ": ", strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  return absl::FailedPreconditionError(text);
}

absl::Status MakeParents(const std::string& path) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0755) < 0 && errno != EEXIST) return Failure(part, errno);
  }
  return absl::OkStatus();
}

std::vector<std::string> Entries(int directory) {
  std::vector<std::string> names;
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy < 0 ? nullptr : fdopendir(copy);
  if (stream == nullptr) return names;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(stream);
  return names;
}

// Two entries are "." and "..".
bool IsEmpty(int directory) {
  char buffer[1024];
  if (lseek(directory, 0, SEEK_SET) < 0) return false;
  const ssize_t size = getdents64(directory, buffer, sizeof(buffer));
  if (size <= 0) return false;
  int entries = 0;
  for (ssize_t at = 0; at < size;) {
    dirent64 entry;
    memcpy(&entry, buffer + at, offsetof(dirent64, d_name));
    at += entry.d_reclen;
    ++entries;
  }
  return entries == 2;
}

// False: another process still holds it when patience ends.
bool LockWithin(absl::Duration patience, int directory) {
  const absl::Time until = absl::Now() + patience;
  while (flock(directory, LOCK_EX | LOCK_NB) < 0) {
    if (absl::Now() >= until) return false;
    absl::SleepFor(kLockPause);
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkDirectories>> WorkDirectories::Open(const std::string& work_dir, uint32_t ahead,
                                                                       absl::Duration patience, bool others_enter) {
  if (work_dir.empty() || work_dir[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("work_dir \"", work_dir, "\" is not an absolute path"));
  }
  const std::string path = work_dir + "/attempts";
  MUSTER_RETURN_IF_ERROR(MakeParents(work_dir));
  if (mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) return Failure(path, errno);
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return Failure(path, errno);
  std::unique_ptr<WorkDirectories> directories(new WorkDirectories(path, directory));
  if (!LockWithin(patience, directory)) {
    return absl::FailedPreconditionError(absl::StrCat("work_dir ", work_dir, " is in use by another worker"));
  }
  fchmod(directory, others_enter ? 0711 : 0700);
  MUSTER_RETURN_IF_ERROR(KillLeftovers(directory));
  for (const std::string& name : Entries(directory)) {
    if (!RemoveTree(directory, name)) return Failure(absl::StrCat(path, "/", name, " of an earlier run"), errno);
  }
  directories->prefix_ = absl::StrCat(absl::Hex(absl::ToUnixMicros(absl::Now())), "-");
  directories->keep_ = ahead;
  for (uint32_t i = 0; i < ahead; ++i) {
    MUSTER_ASSIGN_OR_RETURN(Lease lease, directories->Make());
    absl::MutexLock lock(&directories->mutex_);
    directories->ready_.push_back(std::move(lease));
  }
  return directories;
}

WorkDirectories::~WorkDirectories() {
  RemoveTrash();
  absl::MutexLock lock(&mutex_);
  for (const Lease& lease : ready_) {
    close(lease.fd);
    RemoveTree(directory_, lease.name);
  }
  close(directory_);
}

std::string WorkDirectories::NextName() {
  absl::MutexLock lock(&mutex_);
  return absl::StrCat(prefix_, next_++);
}

absl::StatusOr<WorkDirectories::Lease> WorkDirectories::Make() {
  Lease lease;
  lease.name = NextName();
  lease.path = absl::StrCat(path_, "/", lease.name);
  if (mkdirat(directory_, lease.name.c_str(), 0700) < 0) return Failure(lease.path, errno);
  lease.fd = openat(directory_, lease.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat state {};
  if (lease.fd < 0 || fstat(lease.fd, &state) < 0 || fchmod(lease.fd, 0700) < 0) {
    const int error = errno;
    if (lease.fd >= 0) close(lease.fd);
    unlinkat(directory_, lease.name.c_str(), AT_REMOVEDIR);
    return Failure(lease.path, error);
  }
  lease.inode = state.st_ino;
  return lease;
}

absl::StatusOr<WorkDirectories::Lease> WorkDirectories::Take() {
  {
    absl::MutexLock lock(&mutex_);
    if (!ready_.empty()) {
      Lease lease = std::move(ready_.back());
      ready_.pop_back();
      return lease;
    }
  }
  return Make();
}

bool WorkDirectories::Reusable(const Lease& lease) const {
  struct stat state {};
  if (fstatat(directory_, lease.name.c_str(), &state, AT_SYMLINK_NOFOLLOW) < 0) return false;
  return state.st_ino == lease.inode && state.st_mode == (S_IFDIR | 0700) && state.st_uid == geteuid();
}

bool WorkDirectories::GiveBack(Lease lease) {
  if (lease.path.empty()) return false;
  int budget = kInlineEntries;
  const bool clean = Reusable(lease) && (IsEmpty(lease.fd) || RemoveContents(lease.fd, &budget));
  const std::string name = NextName();
  const bool renamed = renameat(directory_, lease.name.c_str(), directory_, name.c_str()) == 0;
  lease.name = name;
  lease.path = absl::StrCat(path_, "/", name);
  absl::MutexLock lock(&mutex_);
  if (clean && renamed && ready_.size() < keep_) {
    ready_.push_back(std::move(lease));
    return false;
  }
  close(lease.fd);
  if (renamed) trash_.push_back(name);
  return renamed;
}

void WorkDirectories::RemoveTrash() {
  std::vector<std::string> trash;
  {
    absl::MutexLock lock(&mutex_);
    trash.swap(trash_);
  }
  for (const std::string& name : trash) RemoveTree(directory_, name);
}

int64_t WorkDirectories::FreeBytes() const {
  struct statvfs state {};
  if (fstatvfs(directory_, &state) < 0) return 0;
  return static_cast<int64_t>(state.f_bavail) * static_cast<int64_t>(state.f_frsize);
}

}  // namespace muster::execution
