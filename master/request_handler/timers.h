// "In a while, do this": short delays of the services' own, on gRPC's threads.
//
// Thread rule: any thread; a job runs on one of gRPC's and must not block. Ownership: the destructor cuts
// the delays that run short and waits for the jobs that do, so what jobs use need only outlive this.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace muster::handler {

class Timers {
 public:
  Timers() = default;
  ~Timers();
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  void After(absl::Duration wait, std::function<void()> job) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Delay;
  void Ring(Delay* delay) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  absl::flat_hash_set<Delay*> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;  // waiting ones, and those whose job runs
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::handler
