#include "common/base/nearest.h"

#include <algorithm>

namespace muster {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::optional<size_t> NearestOf(std::string_view word, const std::vector<std::string_view>& names, size_t most_changes) {
  std::optional<size_t> nearest;
  size_t least = most_changes + 1;
  for (size_t i = 0; i < names.size(); ++i) {
    const size_t distance = EditDistance(word, names[i]);
    if (distance >= least) continue;
    least = distance;
    nearest = i;
  }
  return nearest;
}

}  // namespace muster
