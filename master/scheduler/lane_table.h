// The tasks that are queued, in lanes: one for each queue, class and priority, each in the order of its queue.
//
// The order is what aging makes of priority and time of waiting (task_queues.h), a constant of each task; so the first of a
// lane is before all others of it, and a queue need only compare its lanes' heads.
//
// Pure. Thread rule: one thread. An index is good until its lane is dropped, a reference until another one is made.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/scheduler/class_table.h"
#include "master/scheduler/queue_directory.h"
#include "master/scheduler/stride_turns.h"
#include "master/scheduler/task_queues.h"

namespace muster::scheduler {

// Equal for all tasks of a lane but for `since`, so a lane is in the queue's order.
struct Waiting {
  int64_t since_nanos;
  TaskId task;

  friend auto operator<=>(const Waiting&, const Waiting&) = default;
};

// The tasks of one queue, class and priority, in order.
struct Lane {
  QueueIndex queue = 0;
  ClassId cls;
  int32_t priority = 0;
  absl::btree_set<Waiting> tasks;
};

class LaneTable {
 public:
  static constexpr int32_t kMaxPriority = 100;  // and as many below 0
  static int32_t PriorityOf(int32_t asked) { return std::clamp(asked, -kMaxPriority, kMaxPriority); }
  static int64_t SinceNanos(absl::Time since) { return std::clamp(absl::ToUnixNanos(since), -kMaxSinceNanos, kMaxSinceNanos); }

  explicit LaneTable(absl::Duration aging_interval)
      : aging_nanos_(absl::ToInt64Nanoseconds(
            std::clamp(aging_interval, absl::ZeroDuration(), absl::Hours(24 * 365)))) {}

  LaneIndex Make(QueueIndex queue, ClassId cls, int32_t priority);
  void Drop(LaneIndex index);  // it is empty
  Lane& at(LaneIndex index) { return lanes_[index]; }
  const Lane& at(LaneIndex index) const { return lanes_[index]; }
  size_t size() const { return lanes_.size() - free_.size(); }

  int64_t OrderOf(int32_t priority, int64_t since_nanos) const { return since_nanos - priority * aging_nanos_; }
  // Of a lane that is not empty.
  Head HeadOf(LaneIndex index) const {
    const Lane& lane = lanes_[index];
    const Waiting& first = *lane.tasks.begin();
    return Head{.order = OrderOf(lane.priority, first.since_nanos), .task = first.task, .lane = index};
  }

  // Shows each task of these lanes that is before `end`, lane by lane. False: there were more tasks than `limit`, or more
  // lanes, and the rest is not shown.
  template <typename Visit>
  bool VisitBefore(const absl::btree_set<LaneIndex>& lanes, const Head& end, size_t limit, const Visit& visit) const {
    size_t looked = 0;
    size_t shown = 0;
    for (LaneIndex index : lanes) {
      const Lane& lane = lanes_[index];
      if (looked++ == limit) return false;
      for (const Waiting& other : lane.tasks) {
        const int64_t order = OrderOf(lane.priority, other.since_nanos);
        if (order > end.order || (order == end.order && other.task >= end.task)) break;
        if (shown++ == limit) return false;
        visit(TaskAhead{.task = other.task, .cls = lane.cls, .priority = lane.priority});
      }
    }
    return true;
  }

 private:
  static constexpr int64_t kMaxSinceNanos = int64_t{1} << 62;

  const int64_t aging_nanos_;
  std::vector<Lane> lanes_;
  std::vector<LaneIndex> free_;
};

inline LaneIndex LaneTable::Make(QueueIndex queue, ClassId cls, int32_t priority) {
  LaneIndex index;
  if (free_.empty()) {
    index = static_cast<LaneIndex>(lanes_.size());
    lanes_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  lanes_[index] = Lane{.queue = queue, .cls = cls, .priority = priority};
  return index;
}

inline void LaneTable::Drop(LaneIndex index) {
  lanes_[index] = Lane{};
  free_.push_back(index);
}

}  // namespace muster::scheduler
