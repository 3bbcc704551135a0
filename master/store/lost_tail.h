// A store that ends earlier than its cluster did: what it is told before a master serves it, so that nothing which the
// lost tail decided is decided a second time.
//
// Thread rule: as Database. Errors: as Database; DATA_LOSS for rows that cannot be read.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "master/store/raise.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

absl::StatusOr<KnownEnd> ReadKnownEnd(Database* database);

// Epoch, ids and attempt numbers, in meta. In a transaction of its own.
absl::Status WriteRaised(Database* database, const Raised& raised);

// Open tasks that must not run twice (HOLD), or not beside a copy of themselves (RERUN_AFTER_FENCE), may have run since,
// or run now: they end LOST, and people decide. In one commit of the store's history; the number of tasks. RERUN tasks
// stay: they promise at least once.
absl::StatusOr<uint64_t> EndWhatMayHaveRun(Database* database, absl::Time now, const std::string& why);

}  // namespace muster::store
