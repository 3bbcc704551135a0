// As many of a database's pages as SQLite's quick_check can look at in the time that there is.
//
// By itself quick_check goes through a whole tree before it asks whether to go on, so that a start would take longer
// with every finished task. Here the file's reads are refused from a moment on, which ends it wherever it is.
// Thread rule: any; it opens a connection of its own, and may run beside other readers.
// Errors: DATA_LOSS what is damaged; as Database.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace muster::store {

// `enough` is asked before each page that is read; once it says yes, what was looked at was good.
absl::Status CheckPages(const std::string& path, std::function<bool()> enough);

}  // namespace muster::store
