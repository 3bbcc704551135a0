// The master's side of all workers: opens and closes their sessions, and carries orders down and reports up.
//
//   loop ──OnEffects──▶ Dispatcher ──Add/Wake──▶ WorkerSession ══ stream ══ worker
//   EventSink, OutputSink ◀── Hello, reports, output ──┘
//
// One session per worker, the newest that the core asked for. What the core says to a session that is gone is dropped:
// the next Hello settles it. All orders of one turn to one worker leave in one message (bounds: session_queue.h).
//
// Thread rule: any thread; OnEffects hands over and returns. Ownership: the ports must outlive it; Shutdown waits
// until no reaction of any session runs any more.
// Errors: a worker that cannot be dialled is a SessionClosed event with the reason.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/channel.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/ids.h"
#include "master/core/ports.h"
#include "master/dispatcher/worker_session.h"

namespace muster::dispatcher {

using DialWorker = std::function<std::shared_ptr<grpc::Channel>(const std::string& worker, const std::string& address)>;

class Dispatcher final : public core::EffectListener, public core::OutputSource {
 public:
  // Each session gets a channel of its own from `dial`, closed with it.
  Dispatcher(SessionPorts ports, DialWorker dial);
  ~Dispatcher() override;

  // Ends every session without a word to the core, and waits for them: what waits is sent first, within `grace`.
  void Shutdown(absl::Duration grace = absl::Milliseconds(300)) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) override;

  void Subscribe(WorkerId worker, AttemptKey key, core::OutputStreamKind stream, int64_t offset,
                 bool lossless) override;
  void Acknowledge(WorkerId worker, AttemptKey key, core::OutputStreamKind stream, int64_t offset) override;
  void Pause(WorkerId worker, AttemptKey key, core::OutputStreamKind stream) override;
  void Detach(WorkerId worker, AttemptKey key, core::OutputStreamKind stream) override;

  size_t session_count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using SessionPtr = std::shared_ptr<WorkerSession>;

  void Open(const core::OpenSession& order) ABSL_LOCKS_EXCLUDED(mutex_);
  void Close(const core::CloseSession& order) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnEnded(WorkerId worker, SessionPtr session) ABSL_LOCKS_EXCLUDED(mutex_);
  void Bury() ABSL_LOCKS_EXCLUDED(mutex_);  // not on gRPC's threads
  SessionPtr Find(WorkerId worker) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Control(WorkerId worker, OutputOrder order);

  const SessionPorts ports_;
  const DialWorker dial_;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<WorkerId, SessionPtr> sessions_ ABSL_GUARDED_BY(mutex_);
  std::vector<SessionPtr> ended_ ABSL_GUARDED_BY(mutex_);  // until a thread of ours lets go of them
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;  // sessions before their `done`, replaced ones included
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::dispatcher
