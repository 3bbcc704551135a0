// A store's contents as lines: what two stores must have alike to be the same.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "master/store/store_tables.h"
#include "master/store/store_view.h"

namespace muster::store {

inline void DumpRows(Database* database, const std::string& name, const std::string& sql,
                     std::vector<std::string>* lines) {
  sqlite3_stmt* rows = nullptr;
  if (sqlite3_prepare_v2(database->handle(), sql.c_str(), -1, &rows, nullptr) != SQLITE_OK) {
    lines->push_back(absl::StrCat(name, ": ", sqlite3_errmsg(database->handle())));
    return;
  }
  int code = SQLITE_OK;
  while ((code = sqlite3_step(rows)) == SQLITE_ROW) {
    std::string line = name;
    for (int i = 0; i < sqlite3_column_count(rows); ++i) {
      const char* const bytes = static_cast<const char*>(sqlite3_column_blob(rows, i));
      absl::StrAppend(&line, "|", sqlite3_column_type(rows, i), ":",
                      absl::CHexEscape(absl::string_view(bytes == nullptr ? "" : bytes,
                                                         static_cast<size_t>(sqlite3_column_bytes(rows, i)))));
    }
    lines->push_back(line);
  }
  if (code != SQLITE_DONE) lines->push_back(absl::StrCat(name, ": ", sqlite3_errmsg(database->handle())));
  sqlite3_finalize(rows);
}

// Every table with the kind of each value, each view, and what the indexes find.
inline std::vector<std::string> DumpStore(const std::string& directory) {
  auto view = StoreView::Open(directory);
  if (!view.ok()) return {std::string(view.status().message())};
  std::vector<std::string> lines;
  for (const StoreTable& table : StoreTables()) DumpRows(view->database(), table.name, table.select, &lines);
  for (const char* const name : {"tasks", "attempts", "outcomes"}) {
    DumpRows(view->database(), name, absl::StrCat("SELECT * FROM ", name, " ORDER BY task"), &lines);
  }
  for (const char* const indexed :
       {"SELECT first FROM specification WHERE name IS NOT NULL ORDER BY name, first",
        "SELECT first FROM specification WHERE batch IS NOT NULL ORDER BY batch, first",
        "SELECT task FROM outcome WHERE state <> 7 ORDER BY state, task", "SELECT rowid FROM note ORDER BY key",
        "SELECT count, first FROM cancel WHERE count > 1 ORDER BY count"}) {
    DumpRows(view->database(), indexed, indexed, &lines);
  }
  return lines;
}

}  // namespace muster::store
