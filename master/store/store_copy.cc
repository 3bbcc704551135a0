#include "master/store/store_copy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "master/store/lost_tail.h"
#include "master/store/recovery.h"
#include "master/store/schema.h"
#include "master/store/sqlite_database.h"
#include "master/store/store_mark.h"
#include "master/store/store_repair.h"
#include "master/store/store_view.h"

namespace muster::store {
namespace {

constexpr int kPagesPerStep = 1024;   // 4 MiB, and then a sync: the master's syncs must not queue behind one big one
constexpr char kPartial[] = ".partial";
constexpr char kRestored[] = "restored from a backup: it may have run since, or run now, and its mode forbids a second copy";

std::string DatabaseIn(const std::string& directory) { return directory + "/muster.db"; }

// Page by page, so that rows, their numbers and free pages are as they were.
absl::Status CopyPages(Database* from, const std::string& path) {
  MUSTER_ASSIGN_OR_RETURN(auto to, Database::Open(path, {.access = Database::Access::kCopy, .create = true}));
  MUSTER_RETURN_IF_ERROR(to->Execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF"));  // synced below
  sqlite3_backup* const backup = sqlite3_backup_init(to->handle(), "main", from->handle(), "main");
  if (backup == nullptr) return to->Error(sqlite3_errcode(to->handle()), "cannot be written");
  absl::Status synced;
  int code = SQLITE_OK;
  while (synced.ok() && (code = sqlite3_backup_step(backup, kPagesPerStep)) == SQLITE_OK) synced = SyncFile(path);
  sqlite3_backup_finish(backup);
  if (!synced.ok()) return synced;
  if (code != SQLITE_DONE) return to->Error(code, "cannot be copied");
  return absl::OkStatus();
}

// What a copy is told once it is there.
template <typename Change>
absl::Status FinishCopy(const std::string& directory, Change change) {
  {
    MUSTER_ASSIGN_OR_RETURN(auto database, Database::Open(DatabaseIn(directory), {.access = Database::Access::kCopy}));
    MUSTER_RETURN_IF_ERROR(change(database.get()));
    MUSTER_RETURN_IF_ERROR(WriteMarkOf(database.get(), directory));
  }
  return SyncFile(DatabaseIn(directory));
}

absl::StatusOr<CopyResult> Verified(const std::string& directory) {
  CopyResult result;
  MUSTER_ASSIGN_OR_RETURN(result.check, CheckStore(directory, {.most_findings = 1}));
  MUSTER_RETURN_IF_ERROR(SoundOrFirst(result.check));
  std::error_code error;
  result.bytes = static_cast<int64_t>(std::filesystem::file_size(DatabaseIn(directory), error));
  return result;
}

}  // namespace

absl::StatusOr<NewDirectory> NewDirectory::Make(const std::string& name) {
  std::error_code error;
  if (std::filesystem::exists(name, error) && !std::filesystem::is_empty(name, error)) {
    return absl::AlreadyExistsError(absl::StrCat(name, " is there already; nothing is overwritten: move it away, or "
                                                 "name another directory"));
  }
  std::filesystem::path path = std::filesystem::path(name).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // it ended with a slash
  const std::string partial = path.string() + kPartial;
  std::filesystem::remove_all(partial, error);  // of one that was broken off
  std::filesystem::create_directories(partial, error);
  if (error) return absl::InternalError(absl::StrCat("cannot make ", partial, ": ", error.message()));
  if (chmod(partial.c_str(), 0700) != 0) return absl::InternalError(absl::StrCat("cannot change ", partial));
  return NewDirectory(path.string(), partial);
}

NewDirectory::~NewDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

absl::Status NewDirectory::Finish() {
  MUSTER_RETURN_IF_ERROR(SyncDirectory(path_));
  // An empty directory of that name gives way.
  if (std::rename(path_.c_str(), name_.c_str()) != 0) {
    return absl::InternalError(absl::StrCat("cannot rename ", path_, " to ", name_, ": ", std::strerror(errno)));
  }
  path_.clear();
  const std::string parent = std::filesystem::absolute(name_).parent_path().string();
  return SyncDirectory(parent);
}

absl::Status WriteMarkOf(Database* database, const std::string& directory) {
  MUSTER_ASSIGN_OR_RETURN(const CommitPosition position, ReadPosition(database));
  MUSTER_ASSIGN_OR_RETURN(const int64_t epoch, ReadMetaNumber(database, kMetaEpoch));
  MUSTER_ASSIGN_OR_RETURN(StoreMark mark, StoreMark::Open(directory));
  mark.WriteBoth({static_cast<uint64_t>(position.number.value()), position.digest, epoch, false});
  return mark.Sync();
}

absl::Status SoundOrFirst(const CheckReport& report) {
  if (report.sound()) return absl::OkStatus();
  return absl::DataLossError(report.findings.front().Line());
}

absl::StatusOr<CopyResult> BackUpStore(const std::string& directory, const std::string& to) {
  MUSTER_ASSIGN_OR_RETURN(NewDirectory target, NewDirectory::Make(to));
  {
    MUSTER_ASSIGN_OR_RETURN(const StoreView view, StoreView::Open(directory));
    MUSTER_RETURN_IF_ERROR(CopyPages(view.database(), DatabaseIn(target.path())));
  }
  MUSTER_RETURN_IF_ERROR(FinishCopy(target.path(), [](Database* database) -> absl::Status {
    MUSTER_ASSIGN_OR_RETURN(const CommitPosition position, ReadPosition(database));
    return WriteMeta(database, kMetaBackup, std::to_string(position.number.value()));
  }));
  MUSTER_ASSIGN_OR_RETURN(CopyResult result, Verified(target.path()));
  MUSTER_RETURN_IF_ERROR(target.Finish());
  return result;
}

absl::StatusOr<CopyResult> RestoreStore(const std::string& from, const std::string& directory, absl::Time now) {
  MUSTER_ASSIGN_OR_RETURN(NewDirectory target, NewDirectory::Make(directory));
  MUSTER_ASSIGN_OR_RETURN(const CheckReport source, CheckStore(from, {.most_findings = 1}));
  MUSTER_RETURN_IF_ERROR(SoundOrFirst(source));
  {
    MUSTER_ASSIGN_OR_RETURN(const StoreView view, StoreView::Open(from));
    if (view.beside_master()) {
      return absl::FailedPreconditionError(absl::StrCat("a master serves ", from, ": back it up, and restore from that"));
    }
    MUSTER_RETURN_IF_ERROR(CopyPages(view.database(), DatabaseIn(target.path())));
  }
  Raised raised;
  uint64_t lost = 0;
  MUSTER_RETURN_IF_ERROR(FinishCopy(target.path(), [&](Database* database) -> absl::Status {
    MUSTER_ASSIGN_OR_RETURN(const KnownEnd known, ReadKnownEnd(database));
    raised = RaisePast(known, now);
    MUSTER_RETURN_IF_ERROR(database->Execute("DELETE FROM meta WHERE key = 'backup'"));
    MUSTER_RETURN_IF_ERROR(WriteRaised(database, raised));
    MUSTER_ASSIGN_OR_RETURN(lost, EndWhatMayHaveRun(database, now, kRestored));
    return absl::OkStatus();
  }));
  MUSTER_ASSIGN_OR_RETURN(CopyResult result, Verified(target.path()));
  result.raised = raised;
  result.lost_tasks = lost;
  MUSTER_RETURN_IF_ERROR(target.Finish());
  return result;
}

}  // namespace muster::store
