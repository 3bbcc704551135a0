// Whose turn it is among queues that share by weight: stride scheduling (Waldspurger and Weihl, 1995).
//
// Each queue has a virtual time that moves by 1/weight per task served; the one that is furthest behind is next. A queue
// that had nothing to offer, or found no room, is served at the current virtual time: what it did not use is gone.
//
// Cost: O(log n) in the queues in line. Pure. Thread rule: one thread. Ownership: a queue's Share is kept by the caller,
// and belongs to one queue of one StrideTurns.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/btree_set.h"

namespace muster::scheduler {

using QueueIndex = uint32_t;

class StrideTurns {
 public:
  // What a queue has: nothing, only tasks that found no room when they were looked at last, or others, too.
  enum class Offer : uint8_t { kNothing, kParked, kReady };

  struct Share {
    uint32_t weight = 1;
    uint64_t pass = 0;  // virtual time of its next task
    Offer offer = Offer::kNothing;
  };

  // By virtual time.
  using Line = absl::btree_set<std::pair<uint64_t, QueueIndex>>;

  static void SetWeight(Share* share, uint32_t weight) { share->weight = std::clamp<uint32_t>(weight, 1, kMaxWeight); }

  // From nothing to something: no credit for the time without tasks, and half a step in, so that whole rounds serve
  // whole shares.
  void Arrives(Share* share) const { share->pass = std::max(share->pass, virtual_time_ + kStep / share->weight / 2); }

  void SetOffer(QueueIndex queue, Share* share, Offer offer) {
    if (offer == share->offer) return;
    Unlist(queue, *share);
    share->offer = offer;
    List(queue, *share);
  }

  const Line& line() const { return line_; }    // of all that offer something
  const Line& ready() const { return ready_; }  // a part of it

  // A task of this queue, which is in line, was served.
  void Serve(QueueIndex queue, Share* share) {
    Unlist(queue, *share);
    virtual_time_ = std::max(virtual_time_, share->pass);
    share->pass = virtual_time_ + kStep / share->weight;
    List(queue, *share);
  }

  bool Agrees(QueueIndex queue, const Share& share) const {
    return (share.offer != Offer::kNothing) == line_.contains({share.pass, queue}) &&
           (share.offer == Offer::kReady) == ready_.contains({share.pass, queue});
  }

 private:
  // One task at weight 1: 2^40 of them fit into 64 bits.
  static constexpr uint64_t kStep = uint64_t{1} << 24;
  static constexpr uint32_t kMaxWeight = 1 << 16;

  void List(QueueIndex queue, const Share& share) {
    if (share.offer != Offer::kNothing) line_.insert({share.pass, queue});
    if (share.offer == Offer::kReady) ready_.insert({share.pass, queue});
  }
  void Unlist(QueueIndex queue, const Share& share) {
    if (share.offer != Offer::kNothing) line_.erase({share.pass, queue});
    if (share.offer == Offer::kReady) ready_.erase({share.pass, queue});
  }

  Line line_, ready_;
  uint64_t virtual_time_ = 0;  // of the task served last
};

}  // namespace muster::scheduler
