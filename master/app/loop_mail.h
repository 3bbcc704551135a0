// What waits for the loop: events and questions, in the order in which they came, counted and weighed.
//
// Any thread adds; the loop takes what there is and handles it a turn's worth at a time, what is left over stays in
// front of what comes next. Heartbeats may be handled out of order: what keeps a worker alive must not wait behind a
// flood, or a sync.
//
// Thread rule: Post, Close, IsFull and the counts from any thread; the rest from the loop's, or from the lease keeper's
// while an Opening lives (lease_keeper.h). Bounds: IsFull answers, the one who posts decides.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/runtime/mailbox.h"
#include "master/core/events.h"

namespace muster::core {
class ClusterCore;
}  // namespace muster::core

namespace muster::master {

class LoopMail {
 public:
  using Look = std::function<void(const core::ClusterCore& core, absl::Time now)>;
  using Content = std::variant<std::monostate, core::Event, Look>;  // monostate: handled already
  using Handler = absl::FunctionRef<void(Content content)>;

  LoopMail(size_t most_events, int64_t most_bytes);

  // False: closed.
  bool Post(Content content, int64_t bytes);
  void Close() { mailbox_.Close(); }
  // With so many bytes more it would hold more than it should.
  bool IsFull(int64_t bytes) const;
  bool IsHalfFull() const;
  // In the mailbox, or taken and not handled.
  int64_t events() const { return events_.load(std::memory_order_relaxed); }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

  // Takes what has come, and waits while there is nothing. False: closed, and nothing is left.
  bool Take(absl::Duration wait);
  size_t left() const { return taken_.size() - next_; }  // taken and not handled
  // In order, until so many events or bytes are handled; how many were.
  size_t Handle(size_t most_events, int64_t most_bytes, Handler handle);
  void HandleAll(Handler handle);
  // Heartbeats and joins, wherever they stand.
  void HandleLeases(Handler handle);
  // Heartbeats alone, and takes them out.
  void TakeOutHeartbeats(Handler handle);
  // What is not handled dies: a question that is not asked tells its asker so.
  void Drop();

 private:
  struct Item {
    Content content;
    int64_t bytes = 0;
  };

  void HandleOne(Item* item, Handler handle);

  const int64_t most_events_;
  const int64_t most_bytes_;
  runtime::Mailbox<Item> mailbox_;
  std::atomic<int64_t> events_{0};
  std::atomic<int64_t> bytes_{0};

  std::vector<Item> taken_;  // not yet handled: from next_ on
  size_t next_ = 0;
  size_t searched_ = 0;      // before this there are no more leases
};

}  // namespace muster::master
