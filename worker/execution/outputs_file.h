// The values that a command has written: lines NAME=VALUE in the file that MUSTER_OUTPUTS names to it.
//
// The last line of a name counts. Blank lines do not, nor do names that nobody declared, nor a carriage return at a
// line's end; a last line needs no newline. The file is the command's own: no link is followed, nothing is waited for,
// and no more of it is read than it may have.
// Thread rule: pure functions, but for the one file. Errors: INVALID_ARGUMENT, with words that go on after "its outputs: ".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/domain/named_value.h"

namespace muster::execution {

inline constexpr char kOutputsFile[] = ".muster-outputs";  // in the task's directory; made by the command, if at all
inline constexpr size_t kMostOutputsFileBytes = 64 * 1024;

// In the order of `declared`: those that were written.
absl::StatusOr<NamedValues> ParseOutputs(std::string_view text, const std::vector<std::string>& declared);

// Of an open task directory. No file: nothing was written.
absl::StatusOr<NamedValues> ReadOutputs(int task_directory, const std::vector<std::string>& declared);

}  // namespace muster::execution
