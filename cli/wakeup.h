// One bell for the main thread: whatever finishes elsewhere (a call, a stream's message, the reader of the input)
// rings it, and the main thread, which waits here alone, looks at everything it knows.
//
// Thread rule: Ring from any thread, Wait from one.
#pragma once

#include "absl/time/time.h"

namespace muster::cli {

class Interrupts;

class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void Ring();
  // For who polls more than this: readable when it was rung, until it is cleared.
  int fd() const { return fd_; }
  void Clear();
  enum class Cause { kRung, kInterrupt, kDeadline };
  // A signal is not taken, only seen.
  Cause Wait(absl::Time deadline, const Interrupts* interrupts);

 private:
  int fd_;
};

}  // namespace muster::cli
