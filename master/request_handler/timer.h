// Runs something once, later, on one of gRPC's threads.
//
// Thread rule: the owner's lock. Start again takes the place of what was waiting; Cancel and the destructor drop it,
// but what has begun to run goes on: it owns what it uses.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include <grpcpp/alarm.h>

#include "absl/time/time.h"

namespace muster::handler {

class Timer {
 public:
  void Start(absl::Duration delay, std::function<void()> job) {
    // A fresh alarm each time: one cannot be set again from, or while it runs, its own callback.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(delay),
                [job = std::move(job)](bool due) {
                  if (due) job();
                });
  }
  void Cancel() { alarm_.reset(); }

 private:
  std::unique_ptr<grpc::Alarm> alarm_;
};

}  // namespace muster::handler
