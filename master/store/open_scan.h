// The specifications that still have open tasks, and those tasks, in the order of their ids. A start with a million of
// them spends most of its time on reading and parsing these rows, so they are read in slices by several threads, each
// on a connection of its own.
//
// Thread rule: at start, while nothing is written. Errors: DATA_LOSS naming file, table and row; as Database.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "master/core/recovered_state.h"

namespace muster::store {

struct OpenRows {
  std::vector<core::TaskGroupPtr> groups;
  std::vector<core::RecoveredTask> tasks;  // ids alone
};

// `exceptions`: first ids, ascending, all below `floor`; `past`: one more than the newest specification's first id.
absl::StatusOr<OpenRows> ScanOpen(const std::string& path, std::vector<int64_t> exceptions, int64_t floor,
                                  int64_t past);

}  // namespace muster::store
