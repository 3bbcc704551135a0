// Reads a table past pages that cannot be read: from both ends towards the damage, and between damages from the middle.
//
// Thread rule: as Database. Errors: what no damage explains.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/store/sqlite_database.h"
#include "master/store/store_tables.h"

namespace muster::store {

// Keys between rows that could be read; what lay there, if anything, is lost.
struct KeyGap {
  int64_t first = 0;
  int64_t last = 0;
};

// Calls `visit` for each row that can be read, in no order. Gaps are told for tables with a number key alone; for others
// one gap 0..0 says that something may be missing.
absl::StatusOr<std::vector<KeyGap>> ReadPastDamage(Database* database, const StoreTable& table,
                                                   const std::function<absl::Status(const Query&)>& visit);

}  // namespace muster::store
