#include "worker/execution/periodic.h"

#include <utility>

namespace muster::execution {

Periodic::Periodic(absl::Duration period, std::function<void()> action)
    : period_(period), action_(std::move(action)), thread_([this] { Run(); }) {}

Periodic::~Periodic() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Periodic::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

void Periodic::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(this, &Periodic::Ready), period_);
      if (stopping_) return;
      woken_ = false;
    }
    action_();
  }
}

}  // namespace muster::execution
