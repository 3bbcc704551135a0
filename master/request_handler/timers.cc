#include "master/request_handler/timers.h"

#include <chrono>
#include <memory>
#include <utility>

#include <grpcpp/alarm.h>

namespace muster::handler {

struct Timers::Delay {
  std::function<void()> job;
  grpc::Alarm alarm;
};

Timers::~Timers() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  for (Delay* delay : waiting_) delay->alarm.Cancel();
  mutex_.Await(absl::Condition(+[](size_t* running) { return *running == 0; }, &running_));
}

void Timers::After(absl::Duration wait, std::function<void()> job) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return;
  ++running_;
  auto* delay = new Delay{.job = std::move(job)};  // owned by its alarm, which always rings
  waiting_.insert(delay);
  delay->alarm.Set(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(wait),
                   [this, delay](bool) { Ring(delay); });
}

void Timers::Ring(Delay* delay) {
  {
    const std::unique_ptr<Delay> owned(delay);
    bool closed;
    {
      absl::MutexLock lock(&mutex_);
      waiting_.erase(delay);
      closed = closed_;
    }
    if (!closed) owned->job();
  }
  absl::MutexLock lock(&mutex_);
  --running_;
}

}  // namespace muster::handler
