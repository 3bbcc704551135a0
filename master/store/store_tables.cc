#include "master/store/store_tables.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/check.h"
#include "common/base/id_text.h"
#include "common/base/status_macros.h"
#include "common/domain/task_state.h"
#include "master/store/activity_packing.h"
#include "master/store/row_reader.h"
#include "master/store/schedule_rows.h"
#include "master/store/schema.h"
#include "master/store/transaction_writer.h"
#include "master/store/workflow_rows.h"

namespace muster::store {
namespace {

void SayStatements(std::vector<std::string> keys, StoreTable* table) {
  table->has_number_key = keys.size() == 1 && table->columns.front().type == "INTEGER";
  if (keys.empty()) keys = {"rowid"};
  table->select_up = table->select_down = table->select;
  if (table->has_number_key) {
    const std::string range = absl::StrCat(" WHERE ", keys.front(), " >= ? AND ", keys.front(), " <= ?");
    table->select_up += range;
    table->erase = absl::StrCat("DELETE FROM ", table->name, range);
    table->select_down = table->select_up;
    absl::StrAppend(&table->select_up, " ORDER BY ", keys.front());
  }
  absl::StrAppend(&table->select_down, " ORDER BY ", absl::StrJoin(keys, " DESC, "), " DESC");
  std::string places = "?";
  for (size_t i = 1; i < table->columns.size(); ++i) places += ",?";
  table->insert = absl::StrCat("INSERT OR IGNORE INTO ", table->name, " VALUES (", places, ")");
}

absl::StatusOr<StoreTable> ReadTable(Database* database, const std::string& name) {
  StoreTable table{.name = name, .select = absl::StrCat("SELECT * FROM ", name)};
  Query columns(database, "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?) ORDER BY cid");
  columns.Bind(1, name);
  std::vector<std::string> keys;
  while (columns.Next()) {
    const bool is_key = columns.Int(3) != 0;
    if (is_key) keys.emplace_back(columns.Bytes(0));
    table.columns.push_back({std::string(columns.Bytes(0)), std::string(columns.Bytes(1)), columns.Int(2) != 0, is_key});
  }
  MUSTER_RETURN_IF_ERROR(columns.status());
  table.has_commit = table.columns.size() > 2 && table.columns[table.columns.size() - 2].name == "commit_number";
  SayStatements(keys, &table);
  return table;
}

absl::StatusOr<std::vector<StoreTable>> ReadTables() {
  MUSTER_ASSIGN_OR_RETURN(auto fresh,
                          Database::Open(":memory:", {.access = Database::Access::kCopy, .create = true}));
  MUSTER_RETURN_IF_ERROR(CreateSchema(fresh.get()));
  std::vector<StoreTable> tables;
  Query names(fresh.get(), "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  while (names.Next()) {
    MUSTER_ASSIGN_OR_RETURN(StoreTable table, ReadTable(fresh.get(), std::string(names.Bytes(0))));
    tables.push_back(std::move(table));
  }
  MUSTER_RETURN_IF_ERROR(names.status());
  return tables;
}

bool FitsType(const StoreTable::Column& column, int type) {
  if (type == SQLITE_NULL) return !column.required && !column.is_key;
  if (column.type == "INTEGER") return type == SQLITE_INTEGER;
  return type == (column.type == "TEXT" ? SQLITE_TEXT : SQLITE_BLOB);
}

bool CanBeRead(const StoreTable& table, const Query& row) {
  if (table.name == "specification") return SpecificationReader().Read(row).ok();
  if (table.name == "attempt_end") return ReadAttemptEnd(row).ok();
  if (table.name == "outcome") return ReadOutcome(row).ok() && IsTerminal(static_cast<TaskState>(row.Int(1)));
  if (table.name == "request") return ReadRequest(row).ok();
  if (table.name == "queue_setting") return ReadQueueSetting(row).ok();
  if (table.name == "run_time") return ReadRunTimes(row).ok();
  if (table.name == "schedule") return ReadSchedule(row).ok();
  if (table.name == "schedule_progress") return ReadScheduleProgress(row).ok();
  if (table.name == "workflow") return ReadWorkflow(row).ok();
  if (table.name == "workflow_part") return ReadWorkflowPart(row).ok();
  if (table.name == "workflow_state") return ReadWorkflowState(row).ok();
  if (table.name == "activity") return UnpackActivity(row.Bytes(2)).has_value();
  return true;
}

bool IsAnyOf(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "task 7", "task 7, attempt 1"; empty for keys that are none of a task.
std::string Subject(const StoreTable& table, int64_t key) {
  const TaskId task = TaskOfKey(table, key);
  if (!task) return "";
  std::string text = absl::StrCat("task ", IdToText(task.value()));
  if (IsAnyOf(table.name, {"specification", "outcome", "cancel", "open_exception"})) return text;
  const int64_t attempt = table.name == "output" ? key >> 1 : key;
  return absl::StrCat(text, ", attempt ", UnpackKey(attempt).number.value());
}

}  // namespace

const std::vector<StoreTable>& StoreTables() {
  static const std::vector<StoreTable>* const tables = [] {
    auto read = ReadTables();
    MUSTER_CHECK(read.ok());  // our own schema, in memory
    return new std::vector<StoreTable>(*std::move(read));
  }();
  return *tables;
}

std::string WhyDamaged(const StoreTable& table, const Query& row) {
  if (static_cast<size_t>(row.ColumnCount()) != table.columns.size()) return "it has other columns than its table";
  if (!row.ChecksumMatches()) return "its checksum does not match";
  // Text and blobs count alike in a checksum, and not in a comparison.
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (!FitsType(table.columns[i], row.Type(static_cast<int>(i)))) {
      return absl::StrCat("its ", table.columns[i].name, " is of another kind");
    }
  }
  return CanBeRead(table, row) ? "" : "its contents cannot be read";
}

TaskId TaskOfKey(const StoreTable& table, int64_t key) {
  if (key <= 0) return TaskId();
  if (IsAnyOf(table.name, {"specification", "outcome", "cancel", "open_exception"})) {
    return TaskId(static_cast<uint64_t>(key));
  }
  if (IsAnyOf(table.name, {"attempt", "attempt_end", "unknown_since", "note"})) return UnpackKey(key).task;
  if (table.name == "output") return UnpackKey(key >> 1).task;
  return TaskId();
}

TaskId TaskOf(const StoreTable& table, const Query& row) {
  return row.Type(0) == SQLITE_INTEGER ? TaskOfKey(table, row.Int(0)) : TaskId();
}

std::string NameOfKey(const StoreTable& table, int64_t key) {
  const std::string subject = Subject(table, key);
  return absl::StrCat("row ", key, subject.empty() ? "" : absl::StrCat(" (", subject, ")"));
}

std::string NameOfRow(const StoreTable& table, const Query& row) {
  if (row.Type(0) == SQLITE_INTEGER) return NameOfKey(table, row.Int(0));
  return absl::StrCat("row ", std::string(row.Bytes(0)));
}

}  // namespace muster::store
