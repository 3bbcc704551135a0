// Ids as people type them: Crockford base 32 (no I, L, O, U; case does not matter; I and L read as 1, O as 0).
// Source: https://www.crockford.com/base32.html
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

// 0 is "0"; no leading zeros.
std::string IdToText(uint64_t value);

// Empty for text that is no id: wrong letters, empty, more than 64 bits.
std::optional<uint64_t> TextToId(std::string_view text);

}  // namespace muster
