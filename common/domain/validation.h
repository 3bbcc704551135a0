// What an attempt that has exited must stand to be a success: its code, its output, and a command that looks at both.
//
// Thread rule: a value. Units: absl.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace muster {

// What a worker offers that knows of validations; a task with one needs it, whether its submitter knows of it or not.
inline constexpr char kValidationCapability[] = "validation";

struct Validation {
  static constexpr absl::Duration kDefaultTimeout = absl::Seconds(60);

  std::vector<int32_t> accepted_exit_codes;  // empty: 0
  std::string output_pattern;                // common/base/output_pattern.h; empty: none
  std::string command;                       // a line for /bin/sh -c; empty: none
  absl::Duration timeout = kDefaultTimeout;  // of the command
};

}  // namespace muster
