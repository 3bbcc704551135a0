// A few threads for what may block: reads of the store, and waiting for the loop's answer to a question.
//
// Thread rule: Post from any thread; jobs run on the pool's. Full is an answer, not a wait. Ownership: Stop,
// or the destructor, runs what is queued (jobs hold calls that must be answered) and joins.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace muster::handler {

class ReadPool {
 public:
  ReadPool(size_t threads, size_t queue_limit);
  ~ReadPool();

  void Stop();
  // False: full or closed; the job was not taken.
  bool Post(std::function<void()> job) ABSL_LOCKS_EXCLUDED(mutex_);
  // For the next step of a stream, which is bounded otherwise. False: closed.
  bool PostAlways(std::function<void()> job) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || !jobs_.empty(); }

  const size_t queue_limit_;
  absl::Mutex mutex_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace muster::handler
