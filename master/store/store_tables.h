// The store's tables as `check` and `salvage` walk them: each row by itself, whatever the others say.
//
// Thread rule: any. Ownership: StoreTables lives as long as the process.
#pragma once

#include <string>
#include <vector>

#include "common/domain/ids.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

struct StoreTable {
  struct Column {
    std::string name;
    std::string type;  // INTEGER, TEXT, BLOB
    bool required = false;
    bool is_key = false;
  };

  std::string name;
  std::vector<Column> columns;  // the last is the checksum
  bool has_commit = false;      // the column before the checksum is the commit
  bool has_number_key = false;  // its first column is its key, and a number
  std::string select;           // all of it
  std::string select_up;        // with a number key: from ?1 to ?2, low keys first; else all of it
  std::string select_down;      // the same, high keys first
  std::string insert;           // takes every column
  std::string erase;            // with a number key: from ?1 to ?2
};

// As CreateSchema makes them.
const std::vector<StoreTable>& StoreTables();

// What is wrong with the row by itself; empty when nothing is. The query is over all columns.
std::string WhyDamaged(const StoreTable& table, const Query& row);

// The first of the tasks that the row is of; 0 for none.
TaskId TaskOf(const StoreTable& table, const Query& row);
// The same by the row's key alone, for tables with one.
TaskId TaskOfKey(const StoreTable& table, int64_t key);

// "row 458753 (task 7, attempt 1)": the key as in the file, and the task as people type it.
std::string NameOfRow(const StoreTable& table, const Query& row);
std::string NameOfKey(const StoreTable& table, int64_t key);

}  // namespace muster::store
