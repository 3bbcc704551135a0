// One master per data directory: an flock on the file `lock`, which holds the owner's process id. It is a file of its
// own, so that SQL tools and backup programs still open the database.
//
// Thread rule: a value. The lock ends with the object, or with the process however it ends.
// Errors: FAILED_PRECONDITION when another master has it; INTERNAL when the file cannot be made.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace muster::store {

class DirectoryLock {
 public:
  static absl::StatusOr<DirectoryLock> Take(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  DirectoryLock& operator=(DirectoryLock&&) = delete;

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace muster::store
