// The tables of the store, its views for people, and the way from an older version to this one. docs/storage.md is
// the same in words.
//
// Thread rule: at start, before any other connection. Errors: FAILED_PRECONDITION for a store of a newer version or
// of another program, DATA_LOSS for what is damaged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/ids.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

inline constexpr int64_t kSchemaVersion = 4;  // 2: queue_setting, 3: run_time, 4: schedule and workflow

// The longest task id that fits into an attempt's key and an output's.
inline constexpr uint64_t kMaxTaskId = (uint64_t{1} << 46) - 1;

// The column `draining` of worker_setting, added up: a program that knows no quarantine gives such a worker nothing,
// either.
inline constexpr int64_t kToldToDrain = 1;
inline constexpr int64_t kToldQuarantine = 2;

// Keys of the table `meta`.
inline constexpr std::string_view kMetaSchemaVersion = "schema_version";
inline constexpr std::string_view kMetaClusterId = "cluster_id";
inline constexpr std::string_view kMetaEpoch = "epoch";
inline constexpr std::string_view kMetaCleanEnd = "clean_end";  // the commit that was the last, or -1
inline constexpr std::string_view kMetaVersion = "muster_version";  // of the program that opened it last, for people
inline constexpr std::string_view kMetaOpenFloor = "open_floor";  // older tasks have ended, but for table open_exception

inline constexpr std::string_view kMetaNextId = "next_id";  // lower ids may have been given out, whatever the rows say
inline constexpr std::string_view kMetaSkippedIds = "skipped_ids";  // see FormatRanges: given out by a copy, if by any
inline constexpr std::string_view kMetaCopiedAttempts = "copied_attempts";  // "17+1024": of tasks below 17, up to 1024
inline constexpr std::string_view kMetaAgreesFrom = "agrees_from";  // in older commits salvage may have left gaps
inline constexpr std::string_view kMetaBackup = "backup";   // the commit that it ends with: no master serves a backup
inline constexpr std::string_view kMetaUsage = "usage";      // see Usage (retention.h): what is kept, in bytes
inline constexpr std::string_view kMetaPlacement = "placement";  // as people set it by hand: "balancer=locality shadow=none"
inline constexpr std::string_view kMetaPurging = "purging";  // ids whose specifications are gone, and whose rows follow

// Makes the tables of an empty store, migrates an older one. Within the caller's write transaction.
absl::Status PrepareSchema(Database* database);
// The tables, indexes and views of an empty store of this version.
absl::Status CreateSchema(Database* database);
// Whether every table, index and view is as CreateSchema makes it: a changed letter there changes what rows mean.
// DATA_LOSS naming the first that differs; in `names`, when given, all of them.
absl::Status CheckSchema(Database* database, std::vector<std::string>* names = nullptr);

absl::StatusOr<bool> HasTable(Database* database, std::string_view name);
// What a store of that version does not have yet.
std::vector<std::string> TablesSince(int64_t version);

absl::StatusOr<std::optional<std::string>> ReadMeta(Database* database, std::string_view key);
absl::StatusOr<int64_t> ReadMetaNumber(Database* database, std::string_view key);  // 0 when it is not there
absl::Status WriteMeta(Database* database, std::string_view key, std::string_view value);

// Ranges of ids in a value of meta: "17+3,400+16" is 17..19 and 400..415. Nothing for a text that is none.
std::string FormatRanges(const std::vector<TaskRange>& ranges);
std::optional<std::vector<TaskRange>> ParseRanges(std::string_view text);
bool IsAmong(TaskId task, const std::vector<TaskRange>& ranges);

}  // namespace muster::store
