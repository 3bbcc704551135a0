#include "master/store/sqlite_database.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "common/base/planted_fault.h"
#include "common/base/status_macros.h"
#include "master/store/row_checksum.h"

namespace muster::store {
namespace {

constexpr int kOperationsPerDeadlineCheck = 4096;

absl::string_view View(std::string_view text) { return absl::string_view(text.data(), text.size()); }

// SQLite says FULL for a write, but not for the index of the write-ahead file, nor when a quota is used up.
bool MeansNoRoom(int code, int system_errno) {
  if ((code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE) return true;
  return code == SQLITE_IOERR_WRITE && (system_errno == ENOSPC || system_errno == EDQUOT);
}

absl::StatusCode CodeFor(int code, int system_errno) {
  if (MeansNoRoom(code, system_errno)) return absl::StatusCode::kResourceExhausted;
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_INTERRUPT:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kInternal;
  }
}

// No file beside it is looked at, and none is made.
std::string ImmutableUri(const std::string& path) {
  return absl::StrCat("file:", absl::StrReplaceAll(path, {{"%", "%25"}, {"?", "%3f"}, {"#", "%23"}}), "?immutable=1");
}

const char* SettingsOf(Database::Access access) {
  switch (access) {
    case Database::Access::kServe:
      // The mutant: what was acknowledged is in the page cache alone.
      return Mutated("drop_sync") ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
                                  : "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;";
    case Database::Access::kCopy:
      return "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;";
    case Database::Access::kLookAlone:
      return "PRAGMA locking_mode=EXCLUSIVE;";  // the index of the write-ahead file stays in memory
    default:
      return "";
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, const Options& options) {
  const bool file_alone = options.access == Access::kLookAtFile;
  const int flags = SQLITE_OPEN_NOMUTEX | (file_alone ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE) |
                    (options.create ? SQLITE_OPEN_CREATE : 0);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(file_alone ? ImmutableUri(path).c_str() : path.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Database> database(new Database(path, handle));
  if (code != SQLITE_OK) return database->Error(code, "cannot open");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(absl::ToInt64Milliseconds(options.busy_timeout)));
  sqlite3_progress_handler(handle, kOperationsPerDeadlineCheck, &Database::CheckDeadline, database.get());
  // The connection that closes last would take the write-ahead file over and remove it.
  const bool looks = options.access >= Access::kLook;
  if (looks) sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  const std::string settings = absl::StrCat(
      SettingsOf(options.access), "PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY;"
      "PRAGMA cell_size_check=ON; PRAGMA cache_size=-", options.cache_kib, ";",
      options.query_only || looks ? "PRAGMA query_only=ON;" : "");
  MUSTER_RETURN_IF_ERROR(database->Execute(settings.c_str()));
  return database;
}

Database::~Database() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

absl::Status Database::Execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code, "cannot be used");
}

absl::StatusOr<sqlite3_stmt*> Database::Prepare(const char* sql) {
  auto [place, is_new] = statements_.try_emplace(sql, nullptr);
  if (!is_new) return place->second;
  const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &place->second, nullptr);
  if (code == SQLITE_OK) return place->second;
  statements_.erase(place);
  return Error(code, "cannot be read");
}

absl::Status Database::Error(int code, std::string_view what) const {
  const int system_errno = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  const absl::StatusCode status_code = CodeFor(code, system_errno);
  const absl::string_view saying = status_code == absl::StatusCode::kDataLoss ? "is damaged" : View(what);
  std::string text = absl::StrCat("store ", path_, " ", saying, ": ", sqlite3_errstr(code));
  const char* detail = handle_ == nullptr ? nullptr : sqlite3_errmsg(handle_);
  if (detail != nullptr && std::strcmp(detail, sqlite3_errstr(code)) != 0) absl::StrAppend(&text, " (", detail, ")");
  if (system_errno != 0 && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN)) {
    absl::StrAppend(&text, " [", std::strerror(system_errno), "]");
  }
  return absl::Status(status_code, text);
}

int Database::CheckDeadline(void* database) {
  const absl::Time deadline = static_cast<Database*>(database)->deadline_;
  return deadline != absl::InfiniteFuture() && absl::Now() > deadline ? 1 : 0;
}

Query::Query(Database* database, const char* sql, const char* table) : database_(database), table_(table) {
  absl::StatusOr<sqlite3_stmt*> statement = database->Prepare(sql);
  if (statement.ok()) {
    statement_ = *statement;
  } else {
    status_ = std::move(statement).status();
  }
}

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::Bind(int parameter, int64_t value) {
  if (statement_ != nullptr) sqlite3_bind_int64(statement_, parameter, value);
}

void Query::Bind(int parameter, std::string_view text) {
  if (statement_ == nullptr) return;
  sqlite3_bind_text64(statement_, parameter, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

void Query::Copy(int parameter, const Query& row, int column) {
  if (statement_ != nullptr) sqlite3_bind_value(statement_, parameter, sqlite3_column_value(row.statement_, column));
}

bool Query::Next() {
  if (!status_.ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) {
    if (table_ != nullptr && !ChecksumMatches()) status_ = Damaged("its checksum does not match");
    return status_.ok();
  }
  if (code != SQLITE_DONE) {
    status_ = database_->Error(code, "cannot be used");
    if (table_ != nullptr) {
      status_ = absl::Status(status_.code(), absl::StrCat(status_.message(), ", in table ", table_));
    }
  }
  return false;
}

absl::Status Query::Run() {
  while (Next()) {
  }
  return status_;
}

std::string_view Query::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

absl::Status Query::Damaged(std::string_view why) const {
  return absl::DataLossError(absl::StrCat("store ", database_->path(), " is damaged: table ",
                                          table_ == nullptr ? "?" : table_, ", row ", View(Bytes(0)), ": ",
                                          View(why)));
}

bool Query::ChecksumMatches() const {
  RowChecksum checksum;
  const int last = sqlite3_column_count(statement_) - 1;
  for (int column = 0; column < last; ++column) {
    switch (sqlite3_column_type(statement_, column)) {
      case SQLITE_INTEGER:
        checksum.AddInt(Int(column));
        break;
      case SQLITE_NULL:
        checksum.AddNull();
        break;
      default:
        checksum.AddBytes(Bytes(column));
    }
  }
  return static_cast<int64_t>(checksum.value()) == Int(last);
}

absl::StatusOr<std::unique_ptr<SqlTransaction>> SqlTransaction::Begin(Database* database, Kind kind) {
  Query begin(database, kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
  MUSTER_RETURN_IF_ERROR(begin.Run());
  return std::unique_ptr<SqlTransaction>(new SqlTransaction(database));
}

SqlTransaction::~SqlTransaction() {
  // After some errors SQLite has rolled back by itself.
  if (!open_ || sqlite3_get_autocommit(database_->handle()) != 0) return;
  database_->SetDeadline(absl::InfiniteFuture());
  (void)database_->Execute("ROLLBACK");
}

absl::Status SqlTransaction::Commit() {
  Query commit(database_, "COMMIT");
  MUSTER_RETURN_IF_ERROR(commit.Run());
  open_ = false;
  return absl::OkStatus();
}

}  // namespace muster::store
