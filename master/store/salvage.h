// Makes a store that a master serves of one that is damaged. What is damaged is set aside by task, into a file that
// people can read; nothing is guessed:
//   - a task whose specification is damaged is not served;
//   - a task of whose history something is damaged or missing ends LOST, unless its outcome is whole: what of it ran, and
//     how it ended, nobody knows;
//   - damaged output, notes and requests are set aside by themselves;
//   - when the end of the store is missing, it is treated as a restored copy (lost_tail.h).
// Ids and epochs are raised as by a restore.
//
// Thread rule: any. Errors: ALREADY_EXISTS for a target that is not empty; FAILED_PRECONDITION while a master serves
// the store; DATA_LOSS when not even the schema can be read; else as Database.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/store/raise.h"
#include "master/store/store_check.h"

namespace muster::store {

inline constexpr char kSetAsideName[] = "set-aside.jsonl";

struct SalvageResult {
  CheckReport check;  // of the new store
  Raised raised;
  std::map<std::string, uint64_t> kept_rows;       // by table
  std::map<std::string, uint64_t> set_aside_rows;  // by table
  std::map<TaskId, std::string> lost_tasks;        // served, and ended LOST: why
  std::map<TaskId, std::string> gone_tasks;        // not served: why
  uint64_t held_tasks = 0;                         // ended LOST because the end of the store is missing
  bool is_new_cluster = false;                     // its id could not be read
};

absl::StatusOr<SalvageResult> SalvageStore(const std::string& directory, const std::string& to, absl::Time now);

}  // namespace muster::store
