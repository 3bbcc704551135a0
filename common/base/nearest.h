// The name that somebody who mistyped a word most likely meant, for "did you mean".
//
// Thread rule: pure. Cost: for each name the product of both lengths.
// Source: V. Levenshtein, 1966: how many letters are put in, taken out or changed.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace muster {

size_t EditDistance(std::string_view a, std::string_view b);

// Which of the names takes the fewest changes, of equals the first; empty: all take more than `most_changes`.
std::optional<size_t> NearestOf(std::string_view word, const std::vector<std::string_view>& names, size_t most_changes);

}  // namespace muster
