// What a worker serves: the master's dispatch session, and Execute for a person on this machine.
//
// It owns the streams and hands what they say to the loop; the loop sends through it by the stream's number. A stream
// that has gone is skipped: what it did not say is said again by the next session.
// Thread rule: any thread. Ownership: must outlive the gRPC server that serves it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/runtime/clock.h"
#include "muster/v1/worker_service.grpc.pb.h"
#include "worker/session/attempt_work.h"
#include "worker/session/direct_reactor.h"
#include "worker/session/session_message.h"
#include "worker/session/session_reactor.h"

namespace muster::worker {

class WorkerService final : public v1::WorkerService::CallbackService {
 public:
  struct Options {
    Whereabouts here;
    Incarnation incarnation;
    absl::Duration drain_timeout = absl::Seconds(25);
    const runtime::Clock* clock = nullptr;
    MessageSink sink;
    DirectPorts direct;
    // Whether an executor of this name is there and well; a status that says why not.
    std::function<absl::Status(const std::string& executor)> check_executor;
  };
  explicit WorkerService(Options options);

  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      grpc::CallbackServerContext* context) override;
  grpc::ServerWriteReactor<v1::ExecuteResponse>* Execute(grpc::CallbackServerContext* context,
                                                         const v1::ExecuteRequest* request) override;

  // Null: it has gone.
  std::shared_ptr<SessionReactor> Find(StreamId stream) const ABSL_LOCKS_EXCLUDED(mutex_);
  DirectCalls& direct() { return direct_; }

  void SendHello(SendHello hello);
  void Reject(StreamId stream, const std::string& reason);
  // Ends every stream: the server is about to stop.
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr size_t kMostStreams = 16;

  absl::Status CheckDirect(const grpc::CallbackServerContext& context, const v1::ExecuteRequest& request) const;

  const Options options_;
  const SessionReactor::Ports ports_;
  DirectCalls direct_;
  mutable absl::Mutex mutex_;
  uint64_t streams_opened_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<StreamId, std::shared_ptr<SessionReactor>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::worker
