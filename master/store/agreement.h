// What the rows of different tables must say of each other: the meaning of core/transaction.h as questions to a store.
//
// Thread rule: as Database. Errors: as Database.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/domain/activity.h"
#include "master/store/sqlite_database.h"
#include "master/store/store_tables.h"

namespace muster::store {

struct AgreementRule {
  std::string table;  // whose rows break it
  std::string sql;    // their keys
  std::string what;
  bool spares_purging = false;  // does not hold for rows that follow their purged specification (retention.h)
};

const std::vector<AgreementRule>& AgreementRules();

// Calls `take` with the key of each row that breaks the rule, until it returns false.
absl::Status FindBreaches(Database* database, const AgreementRule& rule, const std::function<bool(int64_t key)>& take);

// What a record of the activity log says and no row does; empty when they agree. Tasks past retention have no rows, and
// are not asked for.
struct Disagreement {
  const StoreTable* table = nullptr;
  int64_t key = 0;
};
absl::StatusOr<std::vector<Disagreement>> MissingRows(Database* database, const std::vector<activity::Record>& records);

// By name, of StoreTables().
const StoreTable& TableNamed(std::string_view name);

}  // namespace muster::store
