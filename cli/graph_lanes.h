// A graph drawn beside a list, one line for each node, needs above:
//
//   ○     fetch    needs nothing
//   ├─●   left     the lane of fetch goes on: others need it, too
//   ● │   right    was the last that needs fetch, and stands where fetch stood
//   ●─┘   merge    needs right, above it, and left
//
// A lane leads down from a node until the last that needs it; │ between ─ is one that passes behind.
// Thread rule: pure. Cost: nodes times lanes, at most kMostLanes of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace muster::cli {

inline constexpr size_t kMostLanes = 12;

// `needs`: of each line the lines above that it needs, without doubles. Empty: it would take more than kMostLanes side by
// side. All texts have the same width in characters.
std::optional<std::vector<std::string>> DrawLanes(const std::vector<std::vector<uint32_t>>& needs);

}  // namespace muster::cli
