#include "worker/app/boot_clock.h"

#include <time.h>

#include "absl/time/clock.h"

namespace muster::worker {

int64_t BootTimeNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

BootClock::BootClock() : calendar_at_start_(absl::Now()), boot_at_start_ns_(BootTimeNanoseconds()) {}

absl::Time BootClock::Now() const {
  return calendar_at_start_ + absl::Nanoseconds(BootTimeNanoseconds() - boot_at_start_ns_);
}

absl::Time BootClock::Calendar() const { return absl::Now(); }

int64_t BootClock::ToBootTimeNanoseconds(absl::Time time) const {
  return boot_at_start_ns_ + absl::ToInt64Nanoseconds(time - calendar_at_start_);
}

}  // namespace muster::worker
