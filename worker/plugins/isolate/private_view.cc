#include "worker/plugins/isolate/private_view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

// Of <sys/mount.h>, which cannot be had together with <linux/mount.h>.
extern "C" int mount(const char* source, const char* target, const char* type, unsigned long flags, const void* data);

namespace muster::isolate {
namespace {

constexpr unsigned long kNoSuid = 2, kNoDev = 4, kNoExec = 8, kRecursive = 16384, kPrivate = 1 << 18;
constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};
constexpr std::pair<const char*, const char*> kDeviceLinks[] = {
    {"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
    {"ptmx", "pts/ptmx"}};
constexpr char kNothing[] = "/dev/.nothing";  // what lies over a hidden file

// A copy of one place that is nowhere yet, and stays writable when the rest becomes read-only.
int Detach(const std::string& path) {
  return static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

bool Place(int detached, const std::string& path) {
  const bool placed = syscall(SYS_move_mount, detached, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) == 0;
  const int error = errno;
  close(detached);
  errno = error;
  return placed;
}

bool SetAttributes(int at, const char* path, unsigned flags, uint64_t attributes) {
  mount_attr change{};
  change.attr_set = attributes;
  return syscall(SYS_mount_setattr, at, path, flags, &change, sizeof(change)) == 0;
}

bool MakeReadOnly(const std::string& path) { return SetAttributes(AT_FDCWD, path.c_str(), 0, MOUNT_ATTR_RDONLY); }

bool MountTmpfs(const std::string& path, const std::string& options) {
  return mount("tmpfs", path.c_str(), "tmpfs", kNoSuid | kNoDev, options.c_str()) == 0;
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

bool LiesIn(const std::string& path, const std::string& directory) {
  return path == directory || path.rfind(directory + "/", 0) == 0;
}

bool MakePath(const std::string& path) {
  for (size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), 0755) < 0 && errno != EEXIST && !Exists(part)) return false;
  }
  return true;
}

bool MayEnter(const std::string& directory, const Plan& plan) {
  struct stat state {};
  if (stat(directory.c_str(), &state) < 0) return false;
  return plan.uid < 0 || (state.st_mode & S_IXOTH) != 0 ||
         (state.st_uid == static_cast<uid_t>(plan.uid) && (state.st_mode & S_IXUSR) != 0);
}

// What is covered for the worker's files to be out of sight: its work_dir, or what lies above it and the command's user
// cannot enter anyway, which would keep it from its own directory.
std::string Cover(const Plan& plan) {
  for (size_t at = plan.task_directory.find('/', 1); at != std::string::npos; at = plan.task_directory.find('/', at + 1)) {
    const std::string above = plan.task_directory.substr(0, at);
    if (LiesIn(above, plan.work_dir)) break;
    if (!MayEnter(above, plan)) return above;
  }
  return plan.work_dir;
}

bool CoverWorkDir(const Plan& plan, const std::string& cover, int task) {
  const bool in_tmp = LiesIn(cover, "/tmp") || LiesIn(cover, "/var/tmp");  // both are new
  if (!cover.empty() && !in_tmp && Exists(cover) && !MountTmpfs(cover, "mode=0755,size=64k")) return false;
  if (task < 0) return true;
  if (!MakePath(plan.task_directory) || !Place(task, plan.task_directory)) return false;
  return in_tmp || cover.empty() || MakeReadOnly(cover);
}

bool MakeDevices(const std::string& size, int (&devices)[std::size(kDevices)]) {
  if (!MountTmpfs("/dev", "mode=0755,size=64k")) return false;
  for (size_t i = 0; i < std::size(kDevices); ++i) {
    if (devices[i] < 0) continue;  // this machine has none
    const std::string path = std::string("/dev/") + kDevices[i];
    if (mknod(path.c_str(), S_IFREG | 0444, 0) < 0 || !Place(devices[i], path)) return false;
  }
  for (const auto& [name, target] : kDeviceLinks) {
    if (symlink(target, (std::string("/dev/") + name).c_str()) < 0) return false;
  }
  if (mkdir("/dev/shm", 0755) < 0 || !MountTmpfs("/dev/shm", "mode=1777," + size)) return false;
  // Without it there are no terminals, and nothing else is missing.
  if (mkdir("/dev/pts", 0755) == 0) {
    mount("devpts", "/dev/pts", "devpts", kNoSuid | kNoExec, "newinstance,ptmxmode=0666,mode=0620");
  }
  return mknod(kNothing, S_IFREG, 0) == 0 && chmod(kNothing, 0) == 0;
}

bool Hide(const std::string& path) {
  struct stat state {};
  if (stat(path.c_str(), &state) < 0) return true;  // it is out of sight
  if (S_ISDIR(state.st_mode)) return MountTmpfs(path, "mode=0000,size=4k") && MakeReadOnly(path);
  const int nothing = Detach(kNothing);
  if (nothing < 0) return false;
  return SetAttributes(nothing, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY) && Place(nothing, path);
}

}  // namespace

bool MakePrivateView(const Plan& plan) {
  if (mount("none", "/", nullptr, kRecursive | kPrivate, nullptr) < 0) return false;
  const std::string cover = Cover(plan);
  const int task = plan.task_directory.empty() ? -1 : Detach(plan.task_directory);
  if (task < 0 && !plan.task_directory.empty()) return false;
  int devices[std::size(kDevices)];
  for (size_t i = 0; i < std::size(kDevices); ++i) devices[i] = Detach(std::string("/dev/") + kDevices[i]);
  if (!SetAttributes(AT_FDCWD, "/", AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID)) return false;

  const std::string size = "size=" + std::to_string(plan.tmp_bytes);
  for (const char* path : {"/tmp", "/var/tmp"}) {
    if (Exists(path) && !MountTmpfs(path, "mode=1777," + size)) return false;
  }
  if (!MakeDevices(size, devices) || !CoverWorkDir(plan, cover, task)) return false;
  for (const std::string& path : plan.hidden) {
    if (!Hide(path)) return false;
  }
  if (!MakeReadOnly("/dev")) return false;
  return mount("proc", "/proc", "proc", kNoSuid | kNoDev | kNoExec, nullptr) == 0;
}

}  // namespace muster::isolate
