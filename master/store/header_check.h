// The first hundred bytes of the database file: those of them that never change once the store is made. SQLite trusts
// most of them; a flipped bit there can make it read, and write, another format.
// Source: the file format in SQLite's documentation (https://www.sqlite.org/fileformat2.html#the_database_header).
//
// Thread rule: any; also beside a running master. Errors: DATA_LOSS naming file and offset.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace muster::store {

// A file that is not there yet, or empty (all of it is in the write-ahead file), has nothing to check.
absl::Status CheckDatabaseHeader(const std::string& path);

// Writes the bytes that never change, as they must be. For copies of damaged stores.
absl::Status MendDatabaseHeader(const std::string& path);

}  // namespace muster::store
