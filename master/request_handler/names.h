// Which characters a word of a client may have: names, owners, labels, needs, environment names.
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace muster::handler {

bool IsName(std::string_view text, size_t longest);   // [A-Za-z0-9._-]+
bool IsOwner(std::string_view text);                  // printable, no space: user@host
bool IsLabelKey(std::string_view text);               // [A-Za-z0-9._/-]+
bool IsNeed(std::string_view text);                   // KEY or KEY=VALUE
bool IsEnvironmentName(std::string_view text);
bool IsFileName(std::string_view text);               // one path component

// The `reason` that goes with a change: stored, and repeated by every task that it holds up. Refused beyond kLongestReason
// bytes: cut, it would say something else.
absl::Status CheckReason(std::string_view reason);

}  // namespace muster::handler
