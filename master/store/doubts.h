// Which tasks of a store that was put together from damaged parts cannot be trusted: rows of theirs disagree, the activity
// log speaks of rows that are not there, or their history lay where nothing could be read.
//
// Thread rule: as Database. Errors: as Database.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/ids.h"
#include "master/store/damaged_table.h"
#include "master/store/sqlite_database.h"
#include "master/store/store_tables.h"

namespace muster::store {

struct TableGap {
  const StoreTable* table = nullptr;
  KeyGap keys;
};

using DoubtfulTasks = std::map<TaskId, std::string>;  // with the reason

// Adds to `doubts`; raises `next_id` past every id that the activity log speaks of.
absl::Status FindDoubts(Database* store, const std::vector<TableGap>& gaps, DoubtfulTasks* doubts, TaskId* next_id);

// Whether the table's rows say what happened to a task; from rows of other tables nothing follows for it.
bool IsHistory(const StoreTable& table);

absl::StatusOr<bool> HasSpecification(Database* store, TaskId task);
absl::StatusOr<bool> HasOutcome(Database* store, TaskId task);

}  // namespace muster::store
