#include "common/runtime/clock.h"

#include <time.h>

#include "absl/time/clock.h"

namespace muster::runtime {
namespace {

int64_t MonotonicNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

SystemClock::SystemClock() : calendar_at_start_(absl::Now()), monotonic_at_start_ns_(MonotonicNanoseconds()) {}

absl::Time SystemClock::Now() const {
  return calendar_at_start_ + absl::Nanoseconds(MonotonicNanoseconds() - monotonic_at_start_ns_);
}

absl::Time SystemClock::Calendar() const { return absl::Now(); }

}  // namespace muster::runtime
