// One turn's rows, made durable however long that takes.
//
// Disk full (RESOURCE_EXHAUSTED) is waited out: the same rows are tried again until there is room, and meanwhile the
// trouble is told to whoever asks. Any other failure is final. While it waits, in the store or for room, the lease
// keeper answers heartbeats.
//
// Thread rule: Commit on the loop's thread; Abort and what is asked from any. Ownership: what it is given must outlive
// it. Errors: CANCELLED after Abort; the store's, which is then told as the trouble for good.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/runtime/clock.h"
#include "master/app/lease_keeper.h"
#include "master/app/loop_metrics.h"
#include "master/core/transaction.h"
#include "master/store/store.h"

namespace muster::master {

class PatientCommit {
 public:
  struct Ports {
    store::Store* store = nullptr;
    const runtime::Clock* clock = nullptr;
    LeaseKeeper* keeper = nullptr;
    const LoopMetrics* metrics = nullptr;
    absl::Duration full_disk_retry;
    std::function<void()> tried;     // once more: the loop is alive
    std::function<void()> troubled;  // it cannot be done now
  };
  explicit PatientCommit(Ports ports) : ports_(std::move(ports)) {}

  absl::StatusOr<CommitNumber> Commit(const core::Transaction& transaction) ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the wait for room.
  void Abort() ABSL_LOCKS_EXCLUDED(mutex_);
  bool aborted() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing can be committed now; in words, or "". The first costs no lock.
  bool in_trouble() const { return in_trouble_.load(std::memory_order_relaxed); }
  std::string trouble() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::StatusOr<CommitNumber> CommitOrWait(const core::Transaction& transaction);
  bool WaitForRoom(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);  // false: aborted
  void NoteTrouble(std::string trouble) ABSL_LOCKS_EXCLUDED(mutex_);

  const Ports ports_;
  std::atomic<bool> in_trouble_{false};
  mutable absl::Mutex mutex_;
  std::string trouble_ ABSL_GUARDED_BY(mutex_);
  bool abort_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::master
