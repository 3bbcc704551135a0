// A file that a person named, whole. What is no file (a directory, nothing at all) is one clear line, never an exception.
// Thread rule: a function. Errors: NOT_FOUND, "cannot read PATH: why".
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace muster::config {

absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace muster::config
