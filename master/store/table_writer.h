// Adds rows to one table, many with one prepared statement, each with its checksum in the last column.
//
//   TableWriter writer("note (key, note, crc)", 3);
//   writer.Insert(database, notes.size(), &digest, [&](size_t i, RowBinder& row) {
//     row.Int(notes[i].key); row.Text(notes[i].note);
//   });
//
// Thread rule: the writer's thread. Ownership: what a row is given must live until Insert returns, or lie in
// row.Scratch(). Errors: as Database.
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "master/store/packing.h"
#include "master/store/row_checksum.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

// What a commit's rows add up to, in order: the chain that store.mark is compared with.
class RunningDigest {
 public:
  explicit RunningDigest(uint64_t value = 0) : value_(value) {}
  void Add(uint64_t part) { value_ = (value_ ^ part) * 0x9E3779B97F4A7C15u + (value_ >> 29); }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_;
};

// One row being bound, left to right.
class RowBinder {
 public:
  RowBinder(sqlite3_stmt* statement, int first_parameter, std::string* scratch)
      : statement_(statement), parameter_(first_parameter), scratch_(scratch) {}

  void Int(int64_t value) {
    sqlite3_bind_int64(statement_, parameter_++, value);
    checksum_.AddInt(value);
  }
  void Unsigned(uint64_t value) { Int(static_cast<int64_t>(value)); }
  void Null() {
    sqlite3_bind_null(statement_, parameter_++);
    checksum_.AddNull();
  }
  void IntOrNull(int64_t value) { value == 0 ? Null() : Int(value); }
  void Text(std::string_view text) {
    sqlite3_bind_text64(statement_, parameter_++, text.data() == nullptr ? "" : text.data(), text.size(),
                        SQLITE_STATIC, SQLITE_UTF8);
    checksum_.AddBytes(text);
  }
  void TextOrNull(std::string_view text) { text.empty() ? Null() : Text(text); }
  void Blob(std::string_view blob) {
    sqlite3_bind_blob64(statement_, parameter_++, blob.data() == nullptr ? "" : blob.data(), blob.size(),
                        SQLITE_STATIC);
    checksum_.AddBytes(blob);
  }
  void BlobOrNull(std::string_view blob) { blob.empty() ? Null() : Blob(blob); }
  // Nanoseconds since 1970; NULL for the infinite past, which is how the domain says "none".
  void Time(absl::Time time) { time == absl::InfinitePast() ? Null() : Int(TimeToNumber(time)); }

  // An empty string that lives until the row is written. One per row.
  std::string& Scratch() {
    scratch_->clear();
    return *scratch_;
  }
  const std::string& scratch() const { return *scratch_; }

  uint32_t Finish() {
    const uint32_t crc = checksum_.value();
    sqlite3_bind_int64(statement_, parameter_++, crc);
    return crc;
  }

 private:
  sqlite3_stmt* const statement_;
  int parameter_;
  std::string* const scratch_;
  RowChecksum checksum_;
};

class TableWriter {
 public:
  static constexpr size_t kRowsPerStatement = 16;

  // "INSERT INTO " or "INSERT OR REPLACE INTO " goes before `target`: "table (column, ..., crc)".
  TableWriter(std::string_view target, int columns, std::string_view verb = "INSERT INTO ");

  // `bind(i, row)` binds every column but the last.
  template <typename Bind>
  absl::Status Insert(Database* database, size_t count, RunningDigest* digest, Bind bind) {
    size_t next = 0;
    while (next < count) {
      const size_t rows = count - next >= kRowsPerStatement ? kRowsPerStatement : 1;
      MUSTER_ASSIGN_OR_RETURN(sqlite3_stmt * statement,
                              database->Prepare(rows == 1 ? one_sql_.c_str() : many_sql_.c_str()));
      for (size_t i = 0; i < rows; ++i) {
        RowBinder row(statement, static_cast<int>(i) * columns_ + 1, &scratch_[i]);
        bind(next + i, row);
        digest->Add(row.Finish());
      }
      MUSTER_RETURN_IF_ERROR(Step(database, statement));
      next += rows;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Step(Database* database, sqlite3_stmt* statement) const;

  const int columns_;
  const std::string one_sql_;
  const std::string many_sql_;
  std::array<std::string, kRowsPerStatement> scratch_;
};

}  // namespace muster::store
