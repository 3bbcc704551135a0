// How the edges reach the core and one another without knowing one another: small interfaces that master/app wires.
//
//   request_handler, dispatcher ──EventSink, Inspector──▶ loop
//   loop ──EffectListener──▶ dispatcher, request_handler
//   request_handler ──OutputSource──▶ dispatcher ──OutputSink──▶ request_handler
//
// Thread rule: every function from any thread, unless said otherwise; none blocks on the network.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/refusal.h"
#include "common/domain/ids.h"
#include "master/core/cluster_core.h"
#include "master/core/effects.h"
#include "master/core/events.h"

namespace muster::core {

class EventSink {
 public:
  virtual ~EventSink() = default;
  // False: the mailbox is full or closed; nothing happened, the caller refuses.
  virtual bool Post(Event event) = 0;
  // For what must not be lost (results, session ends); its senders are bounded otherwise.
  virtual void PostAlways(Event event) = 0;
  // Why Post says no just now, for the caller: a refusal with a stable reason and a delay.
  virtual absl::Status Refusal() const {
    return RefuseForNow("MASTER_BUSY", "the master has more waiting than it can take", absl::Seconds(1));
  }
};

class Inspector {
 public:
  virtual ~Inspector() = default;
  // Runs `look` on the loop's thread between turns, where all that the core shows is durable. Keep it short and
  // bounded. `now` is the loop's time. False: the mailbox is full or closed, and `look` will not run.
  virtual bool Inspect(std::function<void(const ClusterCore& core, absl::Time now)> look) = 0;
};

// Effects of one durable turn, in order. Called on the loop's thread: hand over and return.
class EffectListener {
 public:
  virtual ~EffectListener() = default;
  virtual void OnEffects(const std::vector<Effect>& effects, CommitNumber commit) = 0;
};

enum class OutputStreamKind : uint8_t { kStdout = 1, kStderr = 2 };
inline constexpr OutputStreamKind kOutputStreams[] = {OutputStreamKind::kStdout, OutputStreamKind::kStderr};

// Live output, on the dispatcher's side. Ignored where the worker has no session; OutputSink tells when it is back.
class OutputSource {
 public:
  virtual ~OutputSource() = default;
  virtual void Subscribe(WorkerId worker, AttemptKey key, OutputStreamKind stream, int64_t offset, bool lossless) = 0;
  virtual void Acknowledge(WorkerId worker, AttemptKey key, OutputStreamKind stream, int64_t offset) = 0;
  virtual void Pause(WorkerId worker, AttemptKey key, OutputStreamKind stream) = 0;
  virtual void Detach(WorkerId worker, AttemptKey key, OutputStreamKind stream) = 0;
};

// Live output, on the readers' side. Called from gRPC's threads: hand over and return.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  virtual void OnOutput(AttemptKey key, OutputStreamKind stream, int64_t offset, std::string bytes,
                        int64_t skipped) = 0;
  // A session with the worker is open again: subscribe anew from where the readers are.
  virtual void OnWorkerReachable(WorkerId worker) = 0;
};

}  // namespace muster::core
