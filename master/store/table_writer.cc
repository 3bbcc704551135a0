#include "master/store/table_writer.h"

#include "absl/strings/str_cat.h"

namespace muster::store {
namespace {

std::string InsertSql(std::string_view verb, std::string_view target, int columns, size_t rows) {
  std::string row = "(?";
  for (int i = 1; i < columns; ++i) row += ",?";
  row += ")";
  std::string sql = std::string(verb) + std::string(target) + " VALUES " + row;
  for (size_t i = 1; i < rows; ++i) absl::StrAppend(&sql, ",", row);
  return sql;
}

}  // namespace

TableWriter::TableWriter(std::string_view target, int columns, std::string_view verb)
    : columns_(columns),
      one_sql_(InsertSql(verb, target, columns, 1)),
      many_sql_(InsertSql(verb, target, columns, kRowsPerStatement)) {}

absl::Status TableWriter::Step(Database* database, sqlite3_stmt* statement) const {
  const int code = sqlite3_step(statement);
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement);
    return absl::OkStatus();
  }
  absl::Status error = database->Error(code, "cannot be written");
  sqlite3_reset(statement);
  return error;
}

}  // namespace muster::store
