// The attempts that failed lately, newest tasks first: for grouping them by cause.
//
// A failed attempt used up one of its task's attempts: the command ended badly or could not start. What was stopped,
// refused, preempted or lost is not one. Bounded: it looks at the newest 50,000 rows of a table at most.
// Thread rule: any, on a connection of its own. Errors: as Database; DATA_LOSS for rows that cannot be read.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "master/store/sqlite_database.h"
#include "master/store/store.h"

namespace muster::store {

// Those that ended at `since` or later, `limit` at most.
absl::StatusOr<FailureScan> ScanFailures(Database* database, absl::Time since, size_t limit);

}  // namespace muster::store
