#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <limits>

#include "worker/execution/work_directories.h"

namespace muster::execution {
namespace {

// Deeper ones are first moved up to the top, so that neither the stack nor the descriptors run out.
constexpr int kMaxDepth = 48;

class Remover {
 public:
  Remover(int top, dev_t device, int* budget) : top_(top), device_(device), budget_(budget) {}

  bool Contents(int directory, int depth) {
    fchmod(directory, 0700);  // what the command took away from itself
    const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* stream = copy < 0 ? nullptr : fdopendir(copy);
    if (stream == nullptr) return false;
    bool all = true;
    while (const dirent* entry = readdir(stream)) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      if (--*budget_ < 0 || !Entry(directory, entry->d_name, depth)) all = false;
      if (*budget_ < 0) break;
    }
    closedir(stream);
    return all;
  }

 private:
  bool Entry(int directory, const char* name, int depth) {
    if (unlinkat(directory, name, 0) == 0) return true;
    if (errno != EISDIR && errno != EPERM) return errno == ENOENT;
    if (unlinkat(directory, name, AT_REMOVEDIR) == 0) return true;
    if (depth >= kMaxDepth) return MoveUp(directory, name);
    const int child = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0 && errno == EACCES) return Unlock(directory, name) && Entry(directory, name, depth);
    if (child < 0) return false;
    struct stat state {};
    const bool ours = fstat(child, &state) == 0 && state.st_dev == device_;  // not a mount
    const bool empty = ours && Contents(child, depth + 1);
    close(child);
    return empty && unlinkat(directory, name, AT_REMOVEDIR) == 0;
  }

  // Once: a second refusal has another cause.
  bool Unlock(int directory, const char* name) {
    struct stat state {};
    if (fstatat(directory, name, &state, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(state.st_mode)) return false;
    return (state.st_mode & 0700) != 0700 && fchmodat(directory, name, 0700, 0) == 0;
  }

  bool MoveUp(int directory, const char* name) {
    static std::atomic<uint64_t> counter{0};
    const std::string top_name = ".muster-deep-" + std::to_string(counter++);
    renameat(directory, name, top_, top_name.c_str());
    return false;  // another pass takes it
  }

  const int top_;
  const dev_t device_;
  int* const budget_;
};

}  // namespace

bool RemoveContents(int directory, int* budget) {
  struct stat state {};
  if (fstat(directory, &state) < 0) return false;
  return Remover(directory, state.st_dev, budget).Contents(directory, 0);
}

bool RemoveTree(int parent, const std::string& name) {
  const int directory = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (directory < 0) return unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT;
  // A pass leaves what was too deep at the top; there are as many passes as there are layers.
  bool gone = false;
  for (int pass = 0; pass < 1000 && !gone; ++pass) {
    int budget = std::numeric_limits<int>::max();
    RemoveContents(directory, &budget);
    gone = unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT;
    if (!gone && errno != ENOTEMPTY && errno != EEXIST) break;
  }
  close(directory);
  return gone;
}

}  // namespace muster::execution
