// Whose turn it is among queues that share by weight: stride scheduling (Waldspurger and Weihl, 1995).
//
// Each queue has a virtual time that moves by 1/weight per task served; the one that is furthest behind is next. A queue
// that had nothing to offer comes back at the current virtual time: what it did not use is gone.
//
// Cost: O(log n) in the queues in turn. Pure. Thread rule: one thread. Ownership: a queue's Share is kept by the caller,
// and belongs to one queue of one StrideTurns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/btree_set.h"
#include "common/base/check.h"

namespace muster::scheduler {

using QueueIndex = uint32_t;

class StrideTurns {
 public:
  struct Share {
    uint32_t weight = 1;
    uint64_t pass = 0;  // virtual time of its next task
    bool in_turn = false;
  };

  static void SetWeight(Share* share, uint32_t weight) { share->weight = std::clamp<uint32_t>(weight, 1, kMaxWeight); }

  // From nothing to something: no credit for the time without tasks, and half a step in, so that whole rounds serve
  // whole shares.
  void Arrives(Share* share) const { share->pass = std::max(share->pass, virtual_time_ + kStep / share->weight / 2); }

  // It is in turn while it has something to offer.
  void SetOffers(QueueIndex queue, Share* share, bool offers) {
    if (offers == share->in_turn) return;
    share->in_turn = offers;
    if (offers) {
      share->pass = std::max(share->pass, virtual_time_);
      turn_.insert({share->pass, queue});
    } else {
      turn_.erase({share->pass, queue});
    }
  }

  bool empty() const { return turn_.empty(); }
  size_t size() const { return turn_.size(); }
  QueueIndex next() const { return turn_.begin()->second; }  // not when empty

  // One task of the next queue was served.
  void Serve(Share* share) {
    MUSTER_CHECK(!turn_.empty() && turn_.begin()->first == share->pass);
    const QueueIndex queue = next();
    turn_.erase(turn_.begin());
    virtual_time_ = std::max(virtual_time_, share->pass);
    share->pass += kStep / share->weight;
    turn_.insert({share->pass, queue});
  }

  bool Agrees(QueueIndex queue, const Share& share) const {
    return share.in_turn == turn_.contains({share.pass, queue});
  }

 private:
  // One task at weight 1: 2^40 of them fit into 64 bits.
  static constexpr uint64_t kStep = uint64_t{1} << 24;
  static constexpr uint32_t kMaxWeight = 1 << 16;

  absl::btree_set<std::pair<uint64_t, QueueIndex>> turn_;  // by virtual time
  uint64_t virtual_time_ = 0;                              // of the task served last
};

}  // namespace muster::scheduler
