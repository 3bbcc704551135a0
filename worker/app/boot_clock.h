// The worker's time: it goes on while the machine sleeps, because the master's does and a lease ends by it.
// Thread rule: any thread.
#pragma once

#include <cstdint>

#include "common/runtime/clock.h"

namespace muster::worker {

// CLOCK_BOOTTIME.
int64_t BootTimeNanoseconds();

class BootClock final : public runtime::Clock {
 public:
  BootClock();
  absl::Time Now() const override;
  absl::Time Calendar() const override;
  // The same moment as Now() tells it, on CLOCK_BOOTTIME.
  int64_t ToBootTimeNanoseconds(absl::Time time) const;

 private:
  absl::Time calendar_at_start_;
  int64_t boot_at_start_ns_;
};

}  // namespace muster::worker
