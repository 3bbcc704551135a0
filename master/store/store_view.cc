#include "master/store/store_view.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace muster::store {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);  // with a master that opens or closes just now

bool HasContent(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 && file.st_size > 0;
}

}  // namespace

StartLock::StartLock(const std::string& directory)
    : descriptor_(open((directory + "/lock").c_str(), O_RDONLY | O_CLOEXEC)),
      beside_master_(descriptor_ >= 0 && flock(descriptor_, LOCK_SH | LOCK_NB) != 0) {}

StartLock::~StartLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

StartLock::StartLock(StartLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), beside_master_(other.beside_master_) {}

absl::StatusOr<StoreView> StoreView::Open(const std::string& directory) {
  const std::string path = directory + "/muster.db";
  if (access(path.c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("there is no store in ", directory, ": it has no muster.db"));
  }
  StoreView view{StartLock(directory)};
  const Database::Access access = view.beside_master() ? Database::Access::kLook : LookingAlone(path);
  MUSTER_ASSIGN_OR_RETURN(view.database_, Database::Open(path, {.access = access, .busy_timeout = kPatience}));
  // One snapshot for all that follows.
  MUSTER_RETURN_IF_ERROR(view.database_->Execute("BEGIN; SELECT count(*) FROM sqlite_master;"));
  return view;
}

Database::Access LookingAlone(const std::string& path) {
  return HasContent(path + "-wal") ? Database::Access::kLookAlone : Database::Access::kLookAtFile;
}

}  // namespace muster::store
