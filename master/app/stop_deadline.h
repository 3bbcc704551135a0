// A shut-down ends: when it takes longer than its deadline, the process exits with 1 and says so.
//
// Thread rule: made and destroyed by main; has a thread of its own.
#pragma once

#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace muster::master {

class StopDeadline {
 public:
  explicit StopDeadline(absl::Duration limit);
  ~StopDeadline();

 private:
  absl::Notification done_;
  std::thread thread_;
};

}  // namespace muster::master
