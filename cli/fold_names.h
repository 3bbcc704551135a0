// Many like names as one: "part-1", "part-2", ... as "part-*".
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

// Every run of digits is '*', but within a word: "sol2sanger_17" is "sol2sanger_*".
std::string FoldedName(std::string_view name);

// "fetch, part-* (1000), merge": names that fold to the same become one when they are `fewest` at least, where the first of
// them stands. What does not fit into `width` characters is counted: "and 7 more".
std::string FoldedList(const std::vector<std::string>& names, size_t fewest, size_t width);

}  // namespace muster::cli
