// After a failed sync nobody knows what of the file is on the disk and what only seems to be. So the verified contents
// are copied to a new file, that one is synced, and the two are swapped.
//
// Thread rule: at start, under the directory's lock, with no connection open. Errors: DATA_LOSS when the contents do
// not hold; RESOURCE_EXHAUSTED, INTERNAL when the copy fails: the old file is then untouched.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace muster::store {

absl::Status CopyStoreToNewFile(const std::string& directory);

absl::Status SyncFile(const std::string& path);

// So that a new name in it outlives a power loss.
absl::Status SyncDirectory(const std::string& directory);

}  // namespace muster::store
