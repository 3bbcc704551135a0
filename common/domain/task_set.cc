#include "common/domain/task_set.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace muster {
namespace {

// The id after the last one; ids are far from the end of their type, and a made-up range is cut there.
uint64_t EndOf(TaskRange range) {
  const uint64_t first = range.first.value();
  return first + std::min(range.count, std::numeric_limits<uint64_t>::max() - first);
}

}  // namespace

void TaskSet::Add(TaskRange range) {
  uint64_t first = range.first.value();
  uint64_t end = EndOf(range);
  if (first == end) return;
  auto it = ends_.upper_bound(first);
  if (it != ends_.begin() && std::prev(it)->second >= first) --it;
  while (it != ends_.end() && it->first <= end) {
    first = std::min(first, it->first);
    end = std::max(end, it->second);
    it = ends_.erase(it);
  }
  ends_.emplace(first, end);
}

bool TaskSet::Contains(TaskId id) const {
  const auto after = ends_.upper_bound(id.value());
  return after != ends_.begin() && std::prev(after)->second > id.value();
}

std::vector<TaskRange> TaskSet::Missing(TaskRange range) const {
  std::vector<TaskRange> missing;
  uint64_t first = range.first.value();
  const uint64_t end = EndOf(range);
  auto it = ends_.upper_bound(first);
  if (it != ends_.begin()) first = std::max(first, std::prev(it)->second);
  for (; first < end; ++it) {
    const uint64_t stop = it == ends_.end() ? end : std::min(end, it->first);
    if (stop > first) missing.push_back({TaskId(first), stop - first});
    if (it == ends_.end()) break;
    first = it->second;
  }
  return missing;
}

}  // namespace muster
