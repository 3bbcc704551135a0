// Backup and restore. A backup is a directory with the database as one file and its mark; no master serves it by
// mistake. Restore makes a store of it that a master serves, raised past what the lost tail may have given out
// (raise.h), without tasks that it might run a second time against their promise (lost_tail.h).
//
//   auto backup = BackUpStore("/var/lib/muster", "/backup/monday");      // also while a master serves it
//   auto restored = RestoreStore("/backup/monday", "/var/lib/muster", absl::Now());
//
// The target appears whole or not at all: it is made beside its name, synced, verified, and renamed.
// Thread rule: any; they open connections of their own. Errors: ALREADY_EXISTS for a target that is not empty; NOT_FOUND
// without a store to copy; DATA_LOSS when it is damaged; FAILED_PRECONDITION for a store that a master serves, where
// that matters; RESOURCE_EXHAUSTED, INTERNAL when files cannot be written.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/store/raise.h"
#include "master/store/sqlite_database.h"
#include "master/store/store_check.h"

namespace muster::store {

struct CopyResult {
  CheckReport check;  // of the copy
  Raised raised;      // by a restore
  uint64_t lost_tasks = 0;  // that a restore ended: they may have run since, or run now
  int64_t bytes = 0;
};

// One snapshot; the master's commits do not wait for it. The master's write-ahead file grows until it is done.
absl::StatusOr<CopyResult> BackUpStore(const std::string& directory, const std::string& to);

// From a backup, or from any directory with a store that no master serves.
absl::StatusOr<CopyResult> RestoreStore(const std::string& from, const std::string& directory, absl::Time now);

// A directory that gets its name when it is whole; removed, if it never does.
class NewDirectory {
 public:
  static absl::StatusOr<NewDirectory> Make(const std::string& name);
  ~NewDirectory();
  NewDirectory(NewDirectory&& other) noexcept : name_(std::move(other.name_)), path_(std::move(other.path_)) {
    other.path_.clear();
  }
  NewDirectory& operator=(NewDirectory&&) = delete;

  const std::string& path() const { return path_; }
  absl::Status Finish();  // syncs it and gives it its name

 private:
  NewDirectory(std::string name, std::string path) : name_(std::move(name)), path_(std::move(path)) {}
  std::string name_;
  std::string path_;  // empty: finished
};

// The mark of a store that was just made, synced.
absl::Status WriteMarkOf(Database* database, const std::string& directory);

// DATA_LOSS with the first finding, when there is one.
absl::Status SoundOrFirst(const CheckReport& report);

}  // namespace muster::store
