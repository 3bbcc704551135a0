// What a start reads: where the history stands, and everything that is open. The work depends on what is open, on how
// far the floor lags behind, and not on the history.
//
// Thread rule: at start, on the writer's connection. Errors: DATA_LOSS naming file, table and row.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/core/recovered_state.h"
#include "master/store/sqlite_database.h"
#include "master/store/transaction_writer.h"

namespace muster::store {

absl::StatusOr<CommitPosition> ReadPosition(Database* database);

// Fills next_id, and what a lost copy may have given out.
absl::Status ReadNextId(Database* database, core::RecoveredState* state);

// Ranges in a row of meta; none when it is not there.
absl::StatusOr<std::vector<TaskRange>> ReadRanges(Database* database, std::string_view key);

// What people set by hand of the placement, in a row of meta; nothing when it is not there.
absl::StatusOr<core::PlacementRow> ReadPlacement(Database* database);

// The digest of all rows up to this row of table activity, itself included: what store.mark holds.
uint64_t DigestAfter(const Query& activity);

inline constexpr int64_t kCommitsToVerify = 1000;

// After an end without a last word: the newest commits, and that none is missing among them.
absl::Status VerifyNewestCommits(Database* database, CommitPosition position);

// Fills all but what a start makes anew: cluster id, epoch, last commit.
absl::Status ReadOpenTasks(Database* database, core::RecoveredState* state);

}  // namespace muster::store
