#include "worker/execution/host_loop.h"

#include <algorithm>

namespace muster::execution {
namespace {

// What one stream may send in one pass: a reader that must not lose takes all there is (its window bounds it); one
// that may lose gets 32 MB/s at most and is told what it missed.
constexpr int kLosslessChunks = 32;
constexpr int kLossyChunks = 4;

}  // namespace

HostLoop::HostLoop(std::function<absl::Time()> now) : now_(std::move(now)), thread_([this] { Run(); }) {}

HostLoop::~HostLoop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.Signal();
  }
  thread_.join();
}

HostLoop::Timer HostLoop::At(absl::Time time, std::function<void()> action) {
  absl::MutexLock lock(&mutex_);
  const Timer timer(time, next_timer_++);
  timers_.emplace(timer, std::move(action));
  WakeFor(time);
  return timer;
}

void HostLoop::Cancel(const Timer& timer) {
  std::function<void()> last;  // destroyed without the lock
  absl::MutexLock lock(&mutex_);
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return;
  last = std::move(found->second);
  timers_.erase(found);
}

void HostLoop::Flush(std::shared_ptr<RunningAttempt> attempt, bool at_once) {
  const absl::Time now = now_();
  absl::MutexLock lock(&mutex_);
  dirty_.push_back(std::move(attempt));
  flush_time_ = std::min(flush_time_, at_once ? now : now + kLinger);
  WakeFor(flush_time_);
}

absl::Time HostLoop::NextDue() const {
  return timers_.empty() ? flush_time_ : std::min(flush_time_, timers_.begin()->first.first);
}

void HostLoop::WakeFor(absl::Time time) {
  if (time < sleeps_until_) {
    sleeps_until_ = time;  // one wake-up is enough
    wake_.Signal();
  }
}

void HostLoop::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      while (!stopping_ && NextDue() > now_()) {
        sleeps_until_ = NextDue();
        wake_.WaitWithTimeout(&mutex_, sleeps_until_ - now_());
      }
      sleeps_until_ = absl::InfinitePast();
      if (stopping_) return;
    }
    while (RunDueTimers()) {
    }
    FlushDue();
  }
}

bool HostLoop::RunDueTimers() {
  std::function<void()> action;
  {
    absl::MutexLock lock(&mutex_);
    if (timers_.empty() || timers_.begin()->first.first > now_()) return false;
    action = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
  }
  action();
  return true;
}

void HostLoop::FlushDue() {
  std::vector<std::shared_ptr<RunningAttempt>> dirty;
  {
    absl::MutexLock lock(&mutex_);
    if (flush_time_ > now_()) return;
    dirty.swap(dirty_);
    flush_time_ = absl::InfiniteFuture();
  }
  for (std::shared_ptr<RunningAttempt>& attempt : dirty) {
    const bool lossless = attempt->request().lossless;
    if (attempt->Flush(lossless ? kLosslessChunks : kLossyChunks)) Flush(std::move(attempt), lossless);
  }
}

}  // namespace muster::execution
