// A thin face on SQLite: a connection with its prepared statements, and one run of a statement.
//
//   Query tasks(database, "SELECT task FROM outcome WHERE state = ?");
//   tasks.Bind(1, 7);
//   while (tasks.Next()) use(tasks.Int(0));
//   MUSTER_RETURN_IF_ERROR(tasks.status());
//
// A query that is told its table checks each row against the checksum in its last column.
// Thread rule: a connection and its queries belong to one thread at a time. Ownership: a query borrows its connection
// and its SQL text, which must be a literal: prepared statements are kept by its address.
// Errors: DATA_LOSS what is damaged, RESOURCE_EXHAUSTED no room, DEADLINE_EXCEEDED past the read's time,
// INTERNAL everything else; each names the file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace muster::store {

class Database {
 public:
  enum class Access {
    kServe,      // the master's own: WAL mode, each commit synced
    kCopy,       // a store that nobody serves: one file, no write-ahead file beside it
    kLook,       // beside a running master: reads, and changes nothing
    kLookAlone,  // without one, with the write-ahead file that the last one left; that file stays as it is
    kLookAtFile, // the database file alone; nothing is locked
  };
  struct Options {
    Access access = Access::kServe;
    bool create = false;
    bool query_only = false;
    int cache_kib = 4096;
    absl::Duration busy_timeout = absl::Seconds(1);
  };

  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, const Options& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  absl::Status Execute(const char* sql);  // statements without parameters or rows
  absl::StatusOr<sqlite3_stmt*> Prepare(const char* sql);  // kept until the end

  // Statements that run past this end with DEADLINE_EXCEEDED. Infinite: never.
  void SetDeadline(absl::Time deadline) { deadline_ = deadline; }

  absl::Status Error(int code, std::string_view what) const;
  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_; }

 private:
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  static int CheckDeadline(void* database);

  const std::string path_;
  sqlite3* const handle_;
  absl::Time deadline_ = absl::InfiniteFuture();
  absl::flat_hash_map<const char*, sqlite3_stmt*> statements_;
};

class Query {
 public:
  // `table` names what the rows are of; its last column is then the row's checksum.
  Query(Database* database, const char* sql, const char* table = nullptr);
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  void Bind(int parameter, int64_t value);
  void Bind(int parameter, std::string_view text);  // which outlives the query

  void Copy(int parameter, const Query& row, int column);  // the value as it is

  bool Next();          // false: the end, or an error
  absl::Status Run();   // for statements without rows

  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  bool IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::string_view Bytes(int column) const;  // valid until Next
  bool HasRow() const { return statement_ != nullptr && sqlite3_data_count(statement_) > 0; }  // good or damaged
  int ColumnCount() const { return sqlite3_column_count(statement_); }
  int Type(int column) const { return sqlite3_column_type(statement_, column); }  // SQLITE_INTEGER, ...

  const absl::Status& status() const { return status_; }
  // The last column against all before it.
  bool ChecksumMatches() const;
  // The current row cannot be understood: DATA_LOSS naming table and row.
  absl::Status Damaged(std::string_view why) const;

 private:
  Database* const database_;
  const char* const table_;
  sqlite3_stmt* statement_ = nullptr;
  absl::Status status_;
};

// BEGIN ... COMMIT or ROLLBACK: rolled back when it goes out of scope uncommitted.
class SqlTransaction {
 public:
  enum class Kind { kRead, kWrite };
  static absl::StatusOr<std::unique_ptr<SqlTransaction>> Begin(Database* database, Kind kind);
  ~SqlTransaction();
  absl::Status Commit();

 private:
  explicit SqlTransaction(Database* database) : database_(database) {}
  Database* const database_;
  bool open_ = true;
};

}  // namespace muster::store
