#include "cli/wakeup.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "absl/time/clock.h"
#include "cli/interrupts.h"

namespace muster::cli {

Wakeup::Wakeup() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
Wakeup::~Wakeup() { close(fd_); }

void Wakeup::Ring() {
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = write(fd_, &one, sizeof(one));
}

void Wakeup::Clear() {
  uint64_t count;
  [[maybe_unused]] ssize_t got = read(fd_, &count, sizeof(count));
}

Wakeup::Cause Wakeup::Wait(absl::Time deadline, const Interrupts* interrupts) {
  pollfd waiting[2] = {{fd_, POLLIN, 0}, {interrupts != nullptr ? interrupts->fd() : -1, POLLIN, 0}};
  while (true) {
    const absl::Duration left = deadline - absl::Now();
    int milliseconds = -1;
    if (deadline != absl::InfiniteFuture()) {
      milliseconds = static_cast<int>(std::clamp<int64_t>(absl::ToInt64Milliseconds(left + absl::Microseconds(999)), 0, 3600000));
    }
    const int ready = poll(waiting, 2, milliseconds);
    if (ready < 0 && errno == EINTR) continue;
    if (waiting[1].revents != 0) return Cause::kInterrupt;
    if (waiting[0].revents != 0) {
      Clear();
      return Cause::kRung;
    }
    if (absl::Now() >= deadline) return Cause::kDeadline;
  }
}

}  // namespace muster::cli
