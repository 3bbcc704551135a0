#include "master/store/schema.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/domain/attempt.h"
#include "common/domain/task_state.h"
#include "master/store/row_checksum.h"

namespace muster::store {
namespace {

constexpr int64_t kApplicationId = 0x4D535452;  // "MSTR"

constexpr const char* kTables = R"sql(
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE specification (
  first INTEGER PRIMARY KEY, count INTEGER NOT NULL, batch INTEGER, first_index INTEGER, created INTEGER,
  retry_of INTEGER, name TEXT, queue TEXT, owner TEXT, payload BLOB NOT NULL, arguments BLOB,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE INDEX specification_by_name ON specification (name, first) WHERE name IS NOT NULL;
CREATE INDEX specification_by_batch ON specification (batch, first) WHERE batch IS NOT NULL;

CREATE TABLE attempt (
  key INTEGER PRIMARY KEY, worker TEXT NOT NULL, incarnation INTEGER NOT NULL, dispatched INTEGER,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);

CREATE TABLE attempt_end (
  key INTEGER PRIMARY KEY, reason INTEGER NOT NULL, used_attempt INTEGER NOT NULL, used_worker_loss INTEGER NOT NULL,
  ended INTEGER, retry_at INTEGER, message TEXT, report BLOB,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);

CREATE TABLE outcome (
  task INTEGER PRIMARY KEY, state INTEGER NOT NULL, attempt INTEGER NOT NULL, reason INTEGER NOT NULL,
  exit_code INTEGER NOT NULL, ended INTEGER, message TEXT, report BLOB,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE INDEX outcome_by_state ON outcome (state, task) WHERE state <> 7;

CREATE TABLE output (
  key INTEGER PRIMARY KEY, head BLOB NOT NULL, tail BLOB NOT NULL,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);

CREATE TABLE unknown_since (
  key INTEGER PRIMARY KEY, give_up INTEGER, commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);

CREATE TABLE request (
  owner TEXT NOT NULL, request_id TEXT NOT NULL, digest BLOB NOT NULL, tasks BLOB NOT NULL, batch INTEGER NOT NULL,
  time INTEGER, commit_number INTEGER NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (owner, request_id)) WITHOUT ROWID;

CREATE TABLE cancel (
  first INTEGER NOT NULL, count INTEGER NOT NULL, requested_by TEXT NOT NULL, reason TEXT NOT NULL, time INTEGER,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (first, count, commit_number)) WITHOUT ROWID;
CREATE INDEX cancel_range ON cancel (first, count) WHERE count > 1;
CREATE INDEX cancel_by_count ON cancel (count) WHERE count > 1;

CREATE TABLE worker_setting (
  name TEXT PRIMARY KEY, weight INTEGER NOT NULL, draining INTEGER NOT NULL, reason TEXT NOT NULL,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE executor (
  name TEXT PRIMARY KEY, commit_number INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE note (
  key INTEGER NOT NULL, note TEXT NOT NULL, time INTEGER, commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE INDEX note_by_key ON note (key);

CREATE TABLE activity (
  commit_number INTEGER PRIMARY KEY, time INTEGER NOT NULL, records BLOB NOT NULL, digest INTEGER NOT NULL,
  crc INTEGER NOT NULL);

CREATE TABLE open_exception (first INTEGER PRIMARY KEY, crc INTEGER NOT NULL);
)sql";

// Since version 2.
constexpr const char* kQueueSettingTable = R"sql(
CREATE TABLE queue_setting (
  name TEXT PRIMARY KEY, settings BLOB, paused_until INTEGER, pause_reason TEXT NOT NULL,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
)sql";

// Since version 3. The key is the fingerprint as people see it.
constexpr const char* kRunTimeTable = R"sql(
CREATE TABLE run_time (
  fingerprint TEXT PRIMARY KEY, command TEXT NOT NULL, runs INTEGER NOT NULL, failures INTEGER NOT NULL, last INTEGER,
  learned BLOB NOT NULL, commit_number INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;
)sql";

// Since version 4. `times` is for people; with a `zone` it is a cron line, with a `period` (in seconds) an interval that counts
// from `since`, with neither `since` itself is the time, and without that `times` names an event. `task` and `runs` are packed (schedule_rows.h).
constexpr const char* kScheduleTables = R"sql(
CREATE TABLE schedule (
  name TEXT PRIMARY KEY, times TEXT NOT NULL, zone TEXT, period INTEGER, since INTEGER, missed INTEGER NOT NULL,
  missed_limit INTEGER NOT NULL, overlap INTEGER NOT NULL, paused INTEGER NOT NULL, pause_reason TEXT NOT NULL,
  owner TEXT NOT NULL, created INTEGER, task BLOB, commit_number INTEGER NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE schedule_progress (
  name TEXT PRIMARY KEY, decided_until INTEGER, runs BLOB NOT NULL, commit_number INTEGER NOT NULL, crc INTEGER NOT NULL)
  WITHOUT ROWID;
)sql";

// Since version 4.
constexpr const char* kWorkflowTables = R"sql(
CREATE TABLE workflow (
  id INTEGER PRIMARY KEY, name TEXT, owner TEXT, created INTEGER, spec BLOB NOT NULL, commit_number INTEGER NOT NULL,
  crc INTEGER NOT NULL);
CREATE INDEX workflow_by_name ON workflow (name, id) WHERE name IS NOT NULL;

CREATE TABLE workflow_part (
  first INTEGER PRIMARY KEY, workflow INTEGER NOT NULL, created INTEGER, tasks BLOB NOT NULL,
  commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE INDEX workflow_part_by_workflow ON workflow_part (workflow, first);

CREATE TABLE workflow_state (
  workflow INTEGER PRIMARY KEY, state INTEGER NOT NULL, started INTEGER, ended INTEGER, cancelled_by TEXT NOT NULL,
  reason TEXT NOT NULL, tally BLOB NOT NULL, commit_number INTEGER NOT NULL, crc INTEGER NOT NULL);
CREATE INDEX open_workflow ON workflow_state (workflow) WHERE state < 3;
)sql";

// {id:X} is X as people type it, {time:X} a date, {state:X} and {reason:X} words.
constexpr const char* kViews = R"sql(
CREATE VIEW tasks AS
  SELECT {id:s.first} AS id, s.first AS task, coalesce({state:o.state}, 'OPEN') AS state, s.name AS name,
         coalesce(s.queue, 'default') AS queue, s.owner AS owner, NULL AS batch, NULL AS batch_index,
         {time:s.created} AS created, {time:o.ended} AS ended, o.exit_code AS exit_code, o.message AS message
    FROM specification s LEFT JOIN outcome o ON o.task = s.first WHERE s.batch IS NULL
  UNION ALL
  SELECT {id:m.task}, m.task, coalesce({state:o.state}, 'OPEN'), m.name, coalesce(m.queue, 'default'), m.owner,
         {id:m.batch}, m.place, {time:m.created}, {time:o.ended}, o.exit_code, o.message
    FROM (WITH RECURSIVE member (task, past, batch, place, name, queue, owner, created) AS (
            SELECT first, first + count, batch, first_index, name, queue, owner, created
              FROM specification WHERE batch IS NOT NULL
            UNION ALL
            SELECT task + 1, past, batch, place + 1, name, queue, owner, created FROM member WHERE task + 1 < past)
          SELECT * FROM member) m LEFT JOIN outcome o ON o.task = m.task;

CREATE VIEW attempts AS
  SELECT {id:(a.key >> 16)} AS id, a.key >> 16 AS task, a.key & 65535 AS number, a.worker AS worker,
         printf('%016x', a.incarnation) AS incarnation, {time:a.dispatched} AS dispatched,
         {time:coalesce(e.ended, o.ended)} AS ended, {reason:coalesce(e.reason, o.reason)} AS end_reason,
         coalesce(e.message, o.message) AS message
    FROM attempt a LEFT JOIN attempt_end e ON e.key = a.key
    LEFT JOIN outcome o ON o.task = a.key >> 16 AND o.attempt = a.key & 65535 AND e.key IS NULL;

CREATE VIEW outcomes AS
  SELECT {id:o.task} AS id, o.task AS task, {state:o.state} AS state, o.attempt AS attempt,
         {reason:o.reason} AS end_reason, o.exit_code AS exit_code, {time:o.ended} AS ended, o.message AS message
    FROM outcome o;
)sql";

// Crockford base 32 of a number, as common/base/id_text.h writes it.
std::string IdSql(std::string_view value) {
  std::string letters;
  for (int shift = 45; shift >= 0; shift -= 5) {
    absl::StrAppend(&letters, letters.empty() ? "" : " || ", "substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', ((",
                    absl::string_view(value.data(), value.size()), " >> ", shift, ") & 31) + 1, 1)");
  }
  return absl::StrCat("ltrim(", letters, ", '0')");
}

std::string TimeSql(std::string_view value) {
  const absl::string_view text(value.data(), value.size());
  return absl::StrCat("strftime('%Y-%m-%dT%H:%M:%SZ', (", text, ") / 1000000000, 'unixepoch')");
}

template <typename NameOf>
std::string WordSql(std::string_view value, int last, NameOf name_of) {
  std::string sql = absl::StrCat("CASE ", absl::string_view(value.data(), value.size()));
  for (int i = 1; i <= last; ++i) absl::StrAppend(&sql, " WHEN ", i, " THEN '", std::string(name_of(i)), "'");
  return sql + " END";
}

std::string ExpandWord(std::string_view kind, std::string_view value) {
  if (kind == "id") return IdSql(value);
  if (kind == "time") return TimeSql(value);
  if (kind == "state") {
    return WordSql(value, static_cast<int>(TaskState::kPoisoned),
                   [](int i) { return TaskStateName(static_cast<TaskState>(i)); });
  }
  return WordSql(value, static_cast<int>(EndReason::kValidationFailed),
                 [](int i) { return EndReasonName(static_cast<EndReason>(i)); });
}

std::string ExpandViews(std::string_view text) {
  std::string sql;
  while (true) {
    const size_t begin = text.find('{');
    if (begin == std::string_view::npos) return sql + std::string(text);
    const size_t end = text.find('}', begin);
    const std::string_view inner = text.substr(begin + 1, end - begin - 1);
    const size_t colon = inner.find(':');
    sql += std::string(text.substr(0, begin)) + ExpandWord(inner.substr(0, colon), inner.substr(colon + 1));
    text.remove_prefix(end + 1);
  }
}

absl::StatusOr<int64_t> TableCount(Database* database) {
  Query count(database, "SELECT count(*) FROM sqlite_master");
  const bool found = count.Next();
  MUSTER_RETURN_IF_ERROR(count.status());
  return found ? count.Int(0) : 0;
}

struct SchemaObject {
  std::string type;
  std::string name;
  std::string table;
  std::string sql;

  friend bool operator==(const SchemaObject&, const SchemaObject&) = default;
};

absl::StatusOr<std::vector<SchemaObject>> ReadSchema(Database* database) {
  std::vector<SchemaObject> objects;
  Query rows(database, "SELECT type, name, tbl_name, sql FROM sqlite_master");
  while (rows.Next()) {
    objects.push_back({std::string(rows.Bytes(0)), std::string(rows.Bytes(1)), std::string(rows.Bytes(2)),
                       std::string(rows.Bytes(3))});
  }
  MUSTER_RETURN_IF_ERROR(rows.status());
  return objects;
}

absl::StatusOr<std::vector<SchemaObject>> ReadExpectedSchema() {
  MUSTER_ASSIGN_OR_RETURN(auto fresh,
                          Database::Open(":memory:", {.access = Database::Access::kCopy, .create = true}));
  MUSTER_RETURN_IF_ERROR(CreateSchema(fresh.get()));
  return ReadSchema(fresh.get());
}

absl::Status Migrate(Database* database, int64_t version) {
  if (version < 2) MUSTER_RETURN_IF_ERROR(database->Execute(kQueueSettingTable));
  if (version < 3) MUSTER_RETURN_IF_ERROR(database->Execute(kRunTimeTable));
  if (version < 4) MUSTER_RETURN_IF_ERROR(database->Execute(kScheduleTables));
  if (version < 4) MUSTER_RETURN_IF_ERROR(database->Execute(kWorkflowTables));
  return WriteMeta(database, kMetaSchemaVersion, std::to_string(kSchemaVersion));
}

}  // namespace

absl::Status CreateSchema(Database* database) {
  const std::string application = absl::StrCat("PRAGMA application_id=", kApplicationId);
  MUSTER_RETURN_IF_ERROR(database->Execute(application.c_str()));
  MUSTER_RETURN_IF_ERROR(database->Execute(kTables));
  MUSTER_RETURN_IF_ERROR(database->Execute(kQueueSettingTable));
  MUSTER_RETURN_IF_ERROR(database->Execute(kRunTimeTable));
  MUSTER_RETURN_IF_ERROR(database->Execute(kScheduleTables));
  MUSTER_RETURN_IF_ERROR(database->Execute(kWorkflowTables));
  MUSTER_RETURN_IF_ERROR(database->Execute(ExpandViews(kViews).c_str()));
  return WriteMeta(database, kMetaSchemaVersion, std::to_string(kSchemaVersion));
}

absl::Status CheckSchema(Database* database, std::vector<std::string>* names) {
  static const absl::StatusOr<std::vector<SchemaObject>> expected = ReadExpectedSchema();
  MUSTER_RETURN_IF_ERROR(expected.status());
  MUSTER_ASSIGN_OR_RETURN(const std::vector<SchemaObject> there, ReadSchema(database));
  absl::Status first;
  for (const SchemaObject& object : *expected) {
    if (std::find(there.begin(), there.end(), object) != there.end()) continue;
    if (names != nullptr) names->push_back(object.name);
    if (!first.ok()) continue;
    first = absl::DataLossError(absl::StrCat("store ", database->path(), " is damaged: table sqlite_schema, row ",
                                             object.name, ": it is not as this version makes it"));
  }
  return first;
}

absl::Status PrepareSchema(Database* database) {
  MUSTER_ASSIGN_OR_RETURN(const int64_t table_count, TableCount(database));
  if (table_count == 0) return CreateSchema(database);
  MUSTER_ASSIGN_OR_RETURN(const bool has_meta, HasTable(database, "meta"));
  if (!has_meta) {
    return absl::FailedPreconditionError(
        absl::StrCat("store ", database->path(), " was made by another program: it has no table meta"));
  }
  MUSTER_ASSIGN_OR_RETURN(const int64_t version, ReadMetaNumber(database, kMetaSchemaVersion));
  if (version > kSchemaVersion) {
    return absl::FailedPreconditionError(absl::StrCat("store ", database->path(), " has schema version ", version,
                                                      ", and this muster-master knows ", kSchemaVersion,
                                                      " at most: start the newer version again"));
  }
  if (version < 1) {
    return absl::DataLossError(
        absl::StrCat("store ", database->path(), " is damaged: table meta, row schema_version: missing"));
  }
  if (version < kSchemaVersion) MUSTER_RETURN_IF_ERROR(Migrate(database, version));
  return CheckSchema(database);
}

absl::StatusOr<bool> HasTable(Database* database, std::string_view name) {
  Query table(database, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  table.Bind(1, name);
  const bool found = table.Next();
  MUSTER_RETURN_IF_ERROR(table.status());
  return found;
}

std::vector<std::string> TablesSince(int64_t version) {
  std::vector<std::string> tables;
  if (version < 2) tables.emplace_back("queue_setting");
  if (version < 3) tables.emplace_back("run_time");
  if (version < 4) {
    tables.insert(tables.end(), {"schedule", "schedule_progress", "workflow", "workflow_part", "workflow_state",  // and indexes
                                 "workflow_by_name", "workflow_part_by_workflow", "open_workflow"});
  }
  return tables;
}

absl::StatusOr<std::optional<std::string>> ReadMeta(Database* database, std::string_view key) {
  Query meta(database, "SELECT key, value, crc FROM meta WHERE key = ?", "meta");
  meta.Bind(1, key);
  if (meta.Next()) return std::string(meta.Bytes(1));
  MUSTER_RETURN_IF_ERROR(meta.status());
  return std::nullopt;
}

absl::StatusOr<int64_t> ReadMetaNumber(Database* database, std::string_view key) {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<std::string> text, ReadMeta(database, key));
  int64_t value = 0;
  if (!text.has_value()) return value;
  if (absl::SimpleAtoi(*text, &value)) return value;
  return absl::DataLossError(absl::StrCat("store ", database->path(), " is damaged: table meta, row ",
                                          absl::string_view(key.data(), key.size()), ": not a number"));
}

absl::Status WriteMeta(Database* database, std::string_view key, std::string_view value) {
  RowChecksum checksum;
  checksum.AddBytes(key);
  checksum.AddBytes(value);
  Query write(database, "INSERT OR REPLACE INTO meta (key, value, crc) VALUES (?, ?, ?)");
  write.Bind(1, key);
  write.Bind(2, value);
  write.Bind(3, static_cast<int64_t>(checksum.value()));
  return write.Run();
}

std::string FormatRanges(const std::vector<TaskRange>& ranges) {
  std::string text;
  for (const TaskRange& range : ranges) {
    absl::StrAppend(&text, text.empty() ? "" : ",", range.first.value(), "+", range.count);
  }
  return text;
}

std::optional<std::vector<TaskRange>> ParseRanges(std::string_view text) {
  std::vector<TaskRange> ranges;
  for (const absl::string_view part :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> numbers = absl::StrSplit(part, '+');
    uint64_t first = 0;
    uint64_t count = 0;
    if (!absl::SimpleAtoi(numbers.first, &first) || !absl::SimpleAtoi(numbers.second, &count)) return std::nullopt;
    ranges.push_back({TaskId(first), count});
  }
  return ranges;
}

bool IsAmong(TaskId task, const std::vector<TaskRange>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [task](const TaskRange& range) {
    return task >= range.first && task.value() - range.first.value() < range.count;
  });
}

}  // namespace muster::store
