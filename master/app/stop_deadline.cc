#include "master/app/stop_deadline.h"

#include <unistd.h>

#include <cstdio>

namespace muster::master {

StopDeadline::StopDeadline(absl::Duration limit)
    : thread_([this, limit] {
        if (done_.WaitForNotificationWithTimeout(limit)) return;
        std::fputs("muster-master: error: the shut-down took too long; the next start verifies the store\n", stderr);
        _exit(1);
      }) {}

StopDeadline::~StopDeadline() {
  done_.Notify();
  thread_.join();
}

}  // namespace muster::master
