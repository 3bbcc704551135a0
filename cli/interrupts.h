// Ctrl-C as something to wait for rather than something that happens: SIGINT and SIGTERM arrive on a descriptor that
// the main thread polls together with everything else.
//
// Make it before the first gRPC call: threads inherit the mask, and a signal must not find one without it.
// Thread rule: the main thread. Ownership: the mask is put back when it goes.
#pragma once

#include <csignal>

#include "absl/time/time.h"

namespace muster::cli {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Readable when a signal waits.
  int fd() const { return fd_; }
  // The next signal, or 0.
  int Take();
  // As Take, after waiting for one until the deadline.
  int WaitFor(absl::Duration patience);

 private:
  int fd_;
  sigset_t before_;
};

// The mask that a child should start with: nothing blocked.
void UnblockAllSignals();

}  // namespace muster::cli
