// Time, injected. Within a run only monotonic time decides; it is told as an absl::Time that starts at the calendar
// time of the process's start and never jumps.
//
// Thread rule: any thread.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace muster::runtime {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;       // monotonic, anchored at start
  virtual absl::Time Calendar() const = 0;  // what the wall says; may jump
};

class SystemClock final : public Clock {
 public:
  SystemClock();
  absl::Time Now() const override;
  absl::Time Calendar() const override;

 private:
  absl::Time calendar_at_start_;
  int64_t monotonic_at_start_ns_;
};

}  // namespace muster::runtime
