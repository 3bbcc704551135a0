// The classes that stand by, in lines by what they ask of the cluster as a whole: of each line how many tasks wait in it, and
// of each queue the heads of its lanes there, in the queue's order.
//
// A line is there while a task stands in it. Cost: O(log n) in the lines, and in the heads of one queue.
// Pure. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "master/scheduler/queue_directory.h"
#include "master/scheduler/stride_turns.h"
#include "master/scheduler/task_queues.h"

namespace muster::scheduler {

class StandbyLines {
 public:
  struct Line {
    uint64_t tasks = 0;
    absl::btree_map<QueueIndex, absl::btree_set<Head>> heads;  // none of them is empty
  };

  void Insert(const ClusterAmounts& amounts, QueueIndex queue, const Head& head) { lines_[amounts].heads[queue].insert(head); }
  void Erase(const ClusterAmounts& amounts, QueueIndex queue, const Head& head);
  // So many tasks more, or less, stand by for that. The line goes with its last one.
  void Count(const ClusterAmounts& amounts, int64_t tasks);

  // Null: nobody stands by for that.
  const Line* Find(const ClusterAmounts& amounts) const;
  const std::map<ClusterAmounts, Line>& lines() const { return lines_; }

 private:
  std::map<ClusterAmounts, Line> lines_;
};

}  // namespace muster::scheduler
