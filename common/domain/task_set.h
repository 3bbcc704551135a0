// A set of task ids that holds neighbours as one range: ids are given out in runs, so a set of millions is a few entries.
//
// Pure. Thread rule: the owner's. Add and Contains take the logarithm of range_count().
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "common/domain/ids.h"

namespace muster {

class TaskSet {
 public:
  void Add(TaskRange range);
  void Add(TaskId id) { Add({id, 1}); }
  bool Contains(TaskId id) const;
  // The parts of `range` that are not in the set, in order.
  std::vector<TaskRange> Missing(TaskRange range) const;

  size_t range_count() const { return ends_.size(); }

 private:
  absl::btree_map<uint64_t, uint64_t> ends_;  // of each range: its first id, and the id after its last
};

}  // namespace muster
