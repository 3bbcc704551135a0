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

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

inline constexpr int64_t kSchemaVersion = 1;

// The longest task id that fits into an attempt's key and an output's.
inline constexpr uint64_t kMaxTaskId = (uint64_t{1} << 46) - 1;

// Keys of the table `meta`.
inline constexpr std::string_view kMetaSchemaVersion = "schema_version";
inline constexpr std::string_view kMetaClusterId = "cluster_id";
inline constexpr std::string_view kMetaEpoch = "epoch";
inline constexpr std::string_view kMetaCleanEnd = "clean_end";  // the commit that was the last, or -1
inline constexpr std::string_view kMetaVersion = "muster_version";  // of the program that opened it last, for people
inline constexpr std::string_view kMetaOpenFloor = "open_floor";  // older tasks have ended, but for table open_exception

// Makes the tables of an empty store, migrates an older one. Within the caller's write transaction.
absl::Status PrepareSchema(Database* database);

absl::StatusOr<std::optional<std::string>> ReadMeta(Database* database, std::string_view key);
absl::StatusOr<int64_t> ReadMetaNumber(Database* database, std::string_view key);  // 0 when it is not there
absl::Status WriteMeta(Database* database, std::string_view key, std::string_view value);

}  // namespace muster::store
