// Live output, from the execution host to the session that the master reads it on.
//
// The master subscribes to a stream of an attempt; the host sends what there is from an offset on; the relay puts it
// into the session's queue. When that is full, pieces are let go: the host is asked again, from the first byte that
// was, as soon as there is room, so a slow link costs no memory. A lossless stream is bounded by its own window.
// When the session ends, everything is paused: the next one subscribes anew.
// Thread rule: OnOutput and OnLog from the host's threads, the rest from the loop. Ownership: the host must outlive it, or
// SetHost(nullptr) is called first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/ids.h"
#include "common/runtime/clock.h"
#include "worker/core/worker_core.h"
#include "worker/session/session_message.h"
#include "worker/session/session_queue.h"
#include "worker/session/session_reactor.h"

namespace muster::execution {
class ExecutionHost;
}  // namespace muster::execution

namespace muster::worker {

class OutputRelay {
 public:
  // `wake_loop`: Resume() has something to do.
  OutputRelay(const runtime::Clock* clock, std::function<void()> wake_loop);

  void SetHost(execution::ExecutionHost* host) { host_ = host; }
  // The session that is obeyed from now on; null: none.
  void SetSession(std::shared_ptr<SessionReactor> session);
  // While attempts wait for slots, output lingers and travels with results.
  void SetLinger(absl::Duration linger);

  void Apply(const OutputOrder& order, HeldPhase phase);
  void Started(AttemptKey key);  // the host has it now
  void Forget(AttemptKey key);
  // Asks again for what was let go. True: something still waits for room.
  bool Resume();

  void OnOutput(OutputPiece piece);
  void OnLog(LogLine line);
  int64_t relayed_bytes() const;

 private:
  struct Subscription {
    enum class State : uint8_t { kNotStarted, kLive, kLetGo };
    State state = State::kLive;
    int64_t next = 0;         // first byte that has not been queued
    bool lossless = false;
    bool resuming = false;    // pieces beyond `next` are from before
  };
  using StreamOf = std::pair<AttemptKey, plugin::Stream>;
  using Subscriptions = absl::btree_map<StreamOf, Subscription>;

  // Fits the piece to what was queued before. False: nothing of it is new.
  static bool Fit(OutputPiece* piece, Subscription* subscription);

  const runtime::Clock* const clock_;
  const std::function<void()> wake_loop_;
  execution::ExecutionHost* host_ = nullptr;
  mutable absl::Mutex mutex_;
  std::shared_ptr<SessionReactor> session_ ABSL_GUARDED_BY(mutex_);
  Subscriptions subscriptions_ ABSL_GUARDED_BY(mutex_);
  bool let_go_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration linger_ ABSL_GUARDED_BY(mutex_);
  int64_t relayed_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace muster::worker
