// Reads SQLite's write-ahead file before SQLite does, and tells a torn last write from damage. SQLite takes the file as
// ending at its first bad frame; when a transaction that was synced later still lies whole behind that frame, the
// frame was damaged and not torn.
// Source: the WAL format in SQLite's documentation (https://www.sqlite.org/fileformat2.html).
//
// Thread rule: at start, before the database is opened. Errors: DATA_LOSS naming file and offset.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace muster::store {

struct WalFindings {
  uint64_t frames = 0;       // that belong to whole transactions
  uint64_t torn_frames = 0;  // of a last transaction that did not become whole
};

// A file that is not there, or has no valid header, has no frames.
absl::StatusOr<WalFindings> CheckWal(const std::string& path);

}  // namespace muster::store
