#include "master/store/store_repair.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "master/store/sqlite_database.h"

namespace muster::store {
namespace {

absl::Status Failed(const std::string& path, const char* what) {
  return absl::InternalError(absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(errno)));
}

absl::Status Sync(const std::string& path, int flags) {
  const int descriptor = open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) return Failed(path, "open");
  const bool is_synced = fsync(descriptor) == 0;
  const absl::Status status = is_synced ? absl::OkStatus() : Failed(path, "sync");
  close(descriptor);
  return status;
}

absl::Status CopyVerified(const std::string& from, const std::string& to) {
  MUSTER_ASSIGN_OR_RETURN(auto database, Database::Open(from, {}));
  Query check(database.get(), "PRAGMA integrity_check(1)");
  const bool is_whole = check.Next() && check.Bytes(0) == "ok";
  MUSTER_RETURN_IF_ERROR(check.status());
  if (!is_whole) {
    return absl::DataLossError(absl::StrCat("store ", from, " is damaged: ", std::string(check.Bytes(0))));
  }
  MUSTER_RETURN_IF_ERROR(check.Run());
  Query copy(database.get(), "VACUUM INTO ?");
  copy.Bind(1, to);
  return copy.Run();
}

}  // namespace

absl::Status CopyStoreToNewFile(const std::string& directory) {
  const std::string old_path = directory + "/muster.db";
  const std::string new_path = directory + "/muster.db.new";
  unlink(new_path.c_str());
  MUSTER_RETURN_IF_ERROR(CopyVerified(old_path, new_path));
  // With its last connection SQLite has taken the write-ahead file over and removed it. One that stayed would be
  // applied to the new file.
  struct stat wal;
  if (stat((old_path + "-wal").c_str(), &wal) == 0 && wal.st_size > 0) {
    return absl::InternalError(
        absl::StrCat("store ", old_path, "-wal is still in use; close other programs and start again"));
  }
  MUSTER_RETURN_IF_ERROR(SyncFile(new_path));
  if (std::rename(new_path.c_str(), old_path.c_str()) != 0) return Failed(new_path, "rename");
  return SyncDirectory(directory);
}

absl::Status SyncFile(const std::string& path) { return Sync(path, O_RDWR); }

absl::Status SyncDirectory(const std::string& directory) { return Sync(directory, O_RDONLY | O_DIRECTORY); }

}  // namespace muster::store
