// Who follows which tasks: single ids in a hash map, long ranges in a list, so that a thousand readers of one task each
// and a reader of a batch of a million both cost little.
//
// Thread rule: the owner's lock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/domain/ids.h"

namespace muster::handler {

template <typename Who>
class RangeIndex {
 public:
  void Add(TaskRange range, Who* who) {
    if (range.count > kShort) {
      long_.push_back({range, who});
      return;
    }
    for (uint64_t i = 0; i < range.count; ++i) {
      auto& followers = single_[TaskId(range.first.value() + i)];
      if (std::find(followers.begin(), followers.end(), who) == followers.end()) followers.push_back(who);
    }
  }

  void Remove(TaskRange range, Who* who) {
    if (range.count > kShort) {
      const auto it = std::find_if(long_.begin(), long_.end(),
                                   [&](const Long& entry) { return entry.who == who && entry.range == range; });
      if (it != long_.end()) long_.erase(it);
      return;
    }
    for (uint64_t i = 0; i < range.count; ++i) {
      const auto it = single_.find(TaskId(range.first.value() + i));
      if (it == single_.end()) continue;
      std::erase(it->second, who);
      if (it->second.empty()) single_.erase(it);
    }
  }

  template <typename Function>
  void ForEach(TaskId task, Function function) const {
    const auto it = single_.find(task);
    if (it != single_.end()) {
      for (Who* who : it->second) function(who);
    }
    for (const Long& entry : long_) {
      if (task >= entry.range.first && task.value() - entry.range.first.value() < entry.range.count) function(entry.who);
    }
  }

  bool empty() const { return single_.empty() && long_.empty(); }

 private:
  static constexpr uint64_t kShort = 16;
  struct Long {
    TaskRange range;
    Who* who;
  };
  absl::flat_hash_map<TaskId, std::vector<Who*>> single_;
  std::vector<Long> long_;
};

}  // namespace muster::handler
