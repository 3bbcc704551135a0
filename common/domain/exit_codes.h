// Exit codes as people write them: "1,75,100-110".
//
// Thread rule: pure. A list is sorted and names each code once. Errors: INVALID_ARGUMENT, naming the part that is wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace muster {

inline constexpr int32_t kMostExitCode = 255;
inline constexpr int kMostExitCodes = 256;  // in a list

absl::StatusOr<std::vector<int32_t>> ParseExitCodes(const std::string& text);
std::string ExitCodesText(std::vector<int32_t> codes);

// The first code, by value, that both name.
std::optional<int32_t> CodeInBoth(const std::vector<int32_t>& one, const std::vector<int32_t>& other);

}  // namespace muster
