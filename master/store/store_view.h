// A store that is looked at and not changed: by `check`, and as what backup, restore and salvage read from.
//
//   MUSTER_ASSIGN_OR_RETURN(const StoreView view, StoreView::Open("/var/lib/muster"));
//   if (view.beside_master()) ...  // one snapshot of a moving target
//
// Without a master it keeps one from starting meanwhile (a shared lock), and reads the write-ahead file that the last
// one left without taking it over. Beside a running master it reads one snapshot; until it ends, the master's
// write-ahead file is not begun anew and grows.
// Thread rule: as Database. Ownership: owns its connection and lock; both end with it.
// Errors: NOT_FOUND when there is no database; else as Database.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

// While it lives, no master starts in the directory; unless one is there already.
class StartLock {
 public:
  explicit StartLock(const std::string& directory);
  ~StartLock();
  StartLock(StartLock&& other) noexcept;
  StartLock& operator=(StartLock&&) = delete;

  bool beside_master() const { return beside_master_; }

 private:
  int descriptor_;  // -1: there is no lock file, so no master either
  bool beside_master_;
};

class StoreView {
 public:
  static absl::StatusOr<StoreView> Open(const std::string& directory);
  Database* database() const { return database_.get(); }
  bool beside_master() const { return lock_.beside_master(); }

 private:
  explicit StoreView(StartLock lock) : lock_(std::move(lock)) {}

  StartLock lock_;
  std::unique_ptr<Database> database_;
};

// How to look at a database that no master serves.
Database::Access LookingAlone(const std::string& path);

}  // namespace muster::store
