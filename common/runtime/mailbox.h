// A bounded queue from many threads to one loop. Full is an answer, not a wait.
//
//   Mailbox<Item> mailbox(65536);
//   if (!mailbox.Post(item)) refuse();                 // any thread
//   mailbox.Take(&items, deadline);                    // the loop: waits for the first, takes all there are
//
// PostAlways is for what was accepted before and must not be lost (results, session ends); it counts, and is not
// bounded by the limit: its senders are.
// Thread rule: Post and Close from any thread, Take from one.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace muster::runtime {

template <typename T>
class Mailbox {
 public:
  explicit Mailbox(size_t limit) : limit_(limit) {}

  // False when full or closed; `item` is then untouched.
  bool Post(T&& item) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (closed_ || items_.size() >= limit_) return false;
    items_.push_back(std::move(item));
    return true;
  }

  // False only when closed.
  bool PostAlways(T&& item) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (closed_) return false;
    items_.push_back(std::move(item));
    return true;
  }

  // Appends what there is to `items`, after waiting for something, Close, or the deadline. False: closed and empty.
  bool Take(std::vector<T>* items, absl::Duration wait) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &Mailbox::Ready), wait);
    if (items->empty()) {
      items->swap(items_);
    } else {
      for (T& item : items_) items->push_back(std::move(item));
      items_.clear();
    }
    return !closed_ || !items->empty();
  }

  void Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return items_.size();
  }

 private:
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || !items_.empty(); }

  const size_t limit_;
  mutable absl::Mutex mutex_;
  std::vector<T> items_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::runtime
