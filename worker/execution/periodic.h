// A thread that does something again and again, and at once when it is asked to.
//
// Thread rule: Wake from any thread. Ownership: joins at the end; what the action uses must outlive it.
#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace muster::execution {

class Periodic {
 public:
  Periodic(absl::Duration period, std::function<void()> action);
  ~Periodic();
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run();
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || woken_; }

  const absl::Duration period_;
  const std::function<void()> action_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace muster::execution
