// The worker's end of one dispatch session: turns messages into events for the loop, and what waits in its queue
// into messages. A thin reactor: which session is obeyed is the core's to say.
//
// At most kMostUnprocessed messages of a stream wait for the loop; then reading pauses until it has caught up, so
// that a master cannot fill a worker's memory.
// Thread rule: any thread. Ownership: shared by WorkerService and, until OnDone, by itself.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include <grpcpp/support/server_callback.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/outbox.h"
#include "common/runtime/clock.h"
#include "muster/v1/worker_service.pb.h"
#include "worker/session/attempt_work.h"
#include "worker/session/session_message.h"
#include "worker/session/session_queue.h"

namespace muster::worker {

class SessionReactor final : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>,
                             public std::enable_shared_from_this<SessionReactor> {
 public:
  struct Ports {
    Whereabouts here;
    absl::Duration drain_timeout;
    const runtime::Clock* clock = nullptr;
    MessageSink sink;
    std::function<void(StreamId)> done;  // last: nothing of the stream follows
  };

  SessionReactor(StreamId stream, const Ports* ports);
  void Begin();  // once, when a shared_ptr holds it

  SessionQueue& queue() { return queue_; }
  void Wake() { outbox_.Wake(); }
  // After what was said: the stream ends.
  void End(grpc::Status status) { outbox_.Finish(std::move(status)); }
  // The loop is done with one of its messages.
  void Processed() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr int kMostUnprocessed = 8;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override { outbox_.OnWriteDone(ok); }
  void OnCancel() override { outbox_.Abort(grpc::Status::CANCELLED); }
  void OnDone() override;

  bool Open(SessionMessage* message);
  void Take(SessionMessage* message);

  const StreamId stream_;
  const Ports* const ports_;
  SessionQueue queue_;
  v1::SessionRequest request_;  // one read at a time
  bool opened_ = false;         // reader's
  std::atomic<int> unprocessed_{0};
  absl::Mutex mutex_;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;  // no read may be started from outside any more
  rpc::Outbox<v1::SessionResponse> outbox_;
  std::shared_ptr<SessionReactor> self_;  // from Begin to OnDone
};

}  // namespace muster::worker
