// The host's clockwork: one thread that runs timers (deadlines, graces) and sends written output on, some
// milliseconds after it came, so that a short command has ended before a chunk of it leaves.
//
// Thread rule: any thread; actions and flushes run on the loop's thread without locks. Ownership: holds the attempts
// of pending flushes; timers hold what their action captures. Units: absl.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/execution/running_attempt.h"

namespace muster::execution {

class HostLoop {
 public:
  using Timer = std::pair<absl::Time, uint64_t>;  // {_, 0}: none
  static constexpr absl::Duration kLinger = absl::Milliseconds(8);

  explicit HostLoop(std::function<absl::Time()> now);
  ~HostLoop();

  Timer At(absl::Time time, std::function<void()> action) ABSL_LOCKS_EXCLUDED(mutex_);
  void Cancel(const Timer& timer) ABSL_LOCKS_EXCLUDED(mutex_);
  void Flush(std::shared_ptr<RunningAttempt> attempt, bool at_once) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run();
  bool RunDueTimers();
  void FlushDue();
  absl::Time NextDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeFor(absl::Time time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::function<absl::Time()> now_;

  absl::Mutex mutex_;
  absl::CondVar wake_;
  std::map<Timer, std::function<void()>> timers_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_timer_ ABSL_GUARDED_BY(mutex_) = 1;
  std::vector<std::shared_ptr<RunningAttempt>> dirty_ ABSL_GUARDED_BY(mutex_);
  absl::Time flush_time_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time sleeps_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace muster::execution
