// The queues by name: each is made when it is first named, and those that have neither tasks nor a weight of their own
// are forgotten, many at a time, so that made-up names do not pile up.
//
// Cost: O(log queues), and O(1) amortized for forgetting. Pure. Thread rule: one thread. An index and a reference are
// good until the queue is forgotten, which happens only in For, and never to one that has tasks.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "common/domain/ids.h"
#include "master/scheduler/class_table.h"
#include "master/scheduler/stride_turns.h"

namespace muster::scheduler {

// The first task of a lane, in the order of its queue.
struct Head {
  int64_t order;  // since - priority * aging interval
  TaskId task;
  LaneIndex lane;

  friend auto operator<=>(const Head&, const Head&) = default;
};

struct QueueEntry {
  std::string name;
  StrideTurns::Share share;
  bool weight_was_set = false;
  bool blocked = false;
  uint64_t size = 0;
  uint64_t served = 0;
  absl::btree_set<Head> ready;       // of lanes whose class is neither parked nor held
  absl::btree_set<Head> parked;      // of lanes whose class is parked
  absl::btree_set<LaneIndex> lanes;  // all of them

  StrideTurns::Offer Offers() const;
};

class QueueDirectory {
 public:
  // Makes it when it is not there.
  QueueIndex For(std::string_view name);
  std::optional<QueueIndex> Find(std::string_view name) const;
  QueueEntry& at(QueueIndex index) { return *queues_[index]; }
  const QueueEntry& at(QueueIndex index) const { return *queues_[index]; }
  const absl::btree_map<std::string, QueueIndex>& by_name() const { return by_name_; }

  void SetBlocked(QueueIndex index, bool blocked);
  const absl::btree_set<QueueIndex>& blocked() const { return blocked_; }

  void CheckInvariants() const;

 private:
  static constexpr size_t kMaxIdle = 1024;

  void DropIdle();

  absl::btree_map<std::string, QueueIndex> by_name_;
  std::vector<std::unique_ptr<QueueEntry>> queues_;  // null: free
  std::vector<QueueIndex> free_;
  absl::btree_set<QueueIndex> blocked_;
  size_t idle_check_at_ = kMaxIdle;
};

}  // namespace muster::scheduler
