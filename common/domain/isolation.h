// How far a command is kept from its worker and from its neighbours, as far as the master must know: a tier is something
// that a worker offers, and that a task needs. docs/isolation.md has what each of them does.
//
// Thread rule: constants.
#pragma once

#include <string_view>

namespace muster {

// What an executor offers whose worker has probed the tier. Every worker has the tier plain, and nobody needs it by name.
inline constexpr std::string_view kIsolationPrefix = "isolation.";
inline constexpr char kLimitedCapability[] = "isolation.limited";
inline constexpr char kStrictCapability[] = "isolation.strict";

// "strict" of "isolation.strict"; empty: the name is of something else.
constexpr std::string_view TierOf(std::string_view name) {
  return name.substr(0, kIsolationPrefix.size()) == kIsolationPrefix ? name.substr(kIsolationPrefix.size()) : std::string_view();
}

}  // namespace muster
