// Fresh directories for attempts, 0700, below work_dir/attempts.
//
// Making and removing a directory is dear (ext4: a tenth of a millisecond), so one that was left as it was given is
// emptied, renamed, and given out again: every attempt still sees a path of its own that is gone afterwards. What
// takes long to remove is renamed at once and left to RemoveTrash.
// Removal goes by descriptors and never follows a link or enters another file system.
// Thread rule: any thread. Ownership: locks work_dir while it lives. Errors: an absl::Status that names the path.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace muster::execution {

class WorkDirectories {
 public:
  struct Lease {
    std::string path;  // empty: none
    std::string name;
    int fd = -1;
    ino_t inode = 0;
  };

  // Locks work_dir, ends and removes what a predecessor left, makes `ahead` directories. A predecessor that was killed
  // holds the lock until the kernel is done with it; one that lives is an error when `patience` ends. `others_enter`: the
  // directories may be given to other users, who pass through ours and see nothing.
  static absl::StatusOr<std::unique_ptr<WorkDirectories>> Open(const std::string& work_dir, uint32_t ahead,
                                                               absl::Duration patience = absl::Seconds(5),
                                                               bool others_enter = false);
  ~WorkDirectories();

  absl::StatusOr<Lease> Take();
  // True: there is something for RemoveTrash.
  bool GiveBack(Lease lease);
  void RemoveTrash();
  int64_t FreeBytes() const;

 private:
  WorkDirectories(std::string path, int directory) : path_(std::move(path)), directory_(directory) {}
  absl::StatusOr<Lease> Make();
  std::string NextName();
  bool Reusable(const Lease& lease) const;

  const std::string path_;
  const int directory_;

  absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string prefix_;
  size_t keep_ = 0;
  std::vector<Lease> ready_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> trash_ ABSL_GUARDED_BY(mutex_);
};

// Removes the contents of an open directory; `budget` counts entries down. False: the budget ran out, or something
// would not go.
bool RemoveContents(int directory, int* budget);
// Removes a whole tree, however deep.
bool RemoveTree(int parent, const std::string& name);

}  // namespace muster::execution
