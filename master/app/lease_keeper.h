// Answers heartbeats while the loop's thread is inside the store: a sync that takes seconds, a disk that is full. A
// worker that hears nothing would fence its commands, and be taken for lost, though nothing is wrong with it.
//
//   LeaseKeeper keeper(interval, [this] { AnswerLeases(); });
//   { const LeaseKeeper::Opening opening(&keeper); status = store->Commit(...); }
//
// While an Opening lives the loop's thread keeps its hands off its own state, and the keeper's thread may use it; the
// end of the Opening waits for the keeper to let go. A commit of the usual length costs two uncontended locks.
//
// Thread rule: Opening on the loop's thread; `answer` is called on the keeper's own, never at the same time as the loop
// works. Ownership: what `answer` uses must outlive the keeper.
#pragma once

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace muster::master {

class LeaseKeeper {
 public:
  // `answer` is called every `interval` once an Opening is that old.
  LeaseKeeper(absl::Duration interval, std::function<void()> answer);
  ~LeaseKeeper();

  class Opening {
   public:
    explicit Opening(LeaseKeeper* keeper) : keeper_(keeper) { keeper_->Set(true); }
    ~Opening() { keeper_->Set(false); }
    Opening(const Opening&) = delete;

   private:
    LeaseKeeper* const keeper_;
  };

 private:
  void Set(bool open) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const absl::Duration interval_;
  const std::function<void()> answer_;
  absl::Mutex mutex_;
  absl::CondVar stop_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  int rounds_open_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace muster::master
