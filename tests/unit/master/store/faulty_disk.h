// A disk that is full, or that fails to sync, when a test says so: SQLite's own file functions with two of them
// replaced. While it lives, databases are opened through it.
//
// Thread rule: one at a time; the switches from any thread.
#pragma once

#include <sqlite3.h>
#include <sys/stat.h>

#include <atomic>
#include <string>
#include <utility>

namespace muster::store {

class FaultyDisk {
 public:
  FaultyDisk() {
    real_ = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs shim;
    shim = *real_;
    shim.zName = "faulty";
    shim.pNext = nullptr;
    shim.xOpen = &FaultyDisk::Open;
    shim_ = &shim;
    sqlite3_vfs_register(shim_, 1);
  }
  ~FaultyDisk() {
    SetFull(false);
    SetFullWhileHeld("");
    SetSyncFails(false);
    sqlite3_vfs_register(real_, 1);
    sqlite3_vfs_unregister(shim_);
  }
  FaultyDisk(const FaultyDisk&) = delete;

  void SetFull(bool is_full) { main_is_full_ = wal_is_full_ = is_full; }
  // The database file alone: its write-ahead file finds room.
  void SetDatabaseFull() { main_is_full_ = true; }
  // As long as this file takes room. Before anything writes.
  void SetFullWhileHeld(std::string ballast) { ballast_ = std::move(ballast); }
  void SetSyncFails(bool fails) { sync_fails_ = fails; }
  int wal_syncs() const { return wal_syncs_; }  // that did not fail, since the program began

 private:
  // SQLite has other functions for each kind of file, so each is patched apart.
  struct Patched {
    const sqlite3_io_methods* original;
    sqlite3_io_methods methods;
  };

  static int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    const int code = real_->xOpen(real_, name, file, flags, out_flags);
    const bool is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    const bool is_main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    if (code != SQLITE_OK || !(is_wal || is_main)) return code;
    Patched& patched = is_wal ? wal_ : main_;
    patched.original = file->pMethods;
    patched.methods = *file->pMethods;
    patched.methods.xWrite = is_wal ? &FaultyDisk::WriteWal : &FaultyDisk::WriteMain;
    patched.methods.xSync = is_wal ? &FaultyDisk::SyncWal : &FaultyDisk::SyncMain;
    file->pMethods = &patched.methods;
    return code;
  }
  static int WriteMain(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    return main_is_full_ ? SQLITE_FULL : main_.original->xWrite(file, bytes, size, offset);
  }
  static int WriteWal(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    return wal_is_full_ || BallastIsHeld() ? SQLITE_FULL : wal_.original->xWrite(file, bytes, size, offset);
  }
  static bool BallastIsHeld() {
    struct stat file;
    return !ballast_.empty() && stat(ballast_.c_str(), &file) == 0 && file.st_size > 0;
  }
  static int SyncMain(sqlite3_file* file, int flags) {
    return sync_fails_ ? SQLITE_IOERR_FSYNC : main_.original->xSync(file, flags);
  }
  static int SyncWal(sqlite3_file* file, int flags) {
    if (sync_fails_) return SQLITE_IOERR_FSYNC;
    const int code = wal_.original->xSync(file, flags);
    if (code == SQLITE_OK) ++wal_syncs_;
    return code;
  }

  static inline sqlite3_vfs* real_ = nullptr;
  static inline sqlite3_vfs* shim_ = nullptr;
  static inline Patched main_{};
  static inline Patched wal_{};
  static inline std::atomic<bool> main_is_full_{false};
  static inline std::atomic<bool> wal_is_full_{false};
  static inline std::atomic<bool> sync_fails_{false};
  static inline std::string ballast_;
  static inline std::atomic<int> wal_syncs_{0};
};

}  // namespace muster::store
