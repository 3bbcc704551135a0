// One call of WorkerService.Execute: a person runs something here without the master.
//
// The call takes a free slot or is refused; its output streams to the caller and is acknowledged to the host as it is
// written, so a slow reader slows the command and nothing piles up. When the caller leaves, the command is stopped.
// Thread rule: any thread. Ownership: shared by DirectCalls and, until OnDone, by itself.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/support/server_callback.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/attempt.h"
#include "common/rpc/outbox.h"
#include "muster/v1/worker_service.pb.h"
#include "worker/plugin_api/executor.h"
#include "worker/session/session_message.h"
#include "worker/session/session_queue.h"

namespace muster::worker {

struct DirectPorts {
  // The reader is done with everything below `offset`.
  std::function<void(AttemptKey, plugin::Stream, int64_t offset)> acknowledge;
  std::function<void(AttemptKey)> stop;
};

class DirectReactor final : public grpc::ServerWriteReactor<v1::ExecuteResponse>,
                            public std::enable_shared_from_this<DirectReactor> {
 public:
  DirectReactor(uint64_t direct, const DirectPorts* ports, std::function<void(uint64_t)> done);
  void Begin() { self_ = shared_from_this(); }

  void Started();
  void Output(OutputPiece piece);
  void Ended(const AttemptReport& report);
  void Refuse(const absl::Status& status);

 private:
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void Push(v1::ExecuteResponse response, plugin::Stream stream, int64_t end_offset);
  // What the report kept of a stream and was not sent before.
  void SendRest(AttemptKey key, plugin::Stream stream, const RetainedOutput& output);

  const uint64_t direct_;
  const DirectPorts* const ports_;
  const std::function<void(uint64_t)> done_;
  absl::Mutex mutex_;
  // What each message in the outbox, oldest first, lets the host forget; offset -1: nothing.
  std::deque<std::pair<plugin::Stream, int64_t>> sent_ ABSL_GUARDED_BY(mutex_);
  // The host's: how far each stream was sent. Its calls for one attempt come one after the other.
  absl::flat_hash_map<plugin::Stream, int64_t> next_;
  rpc::Outbox<v1::ExecuteResponse> outbox_;
  std::shared_ptr<DirectReactor> self_;  // from Begin to OnDone
};

// The direct calls that are open, by number.
class DirectCalls {
 public:
  explicit DirectCalls(DirectPorts ports) : ports_(std::move(ports)) {}

  // Null: there are too many.
  std::shared_ptr<DirectReactor> Open(uint64_t* direct) ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<DirectReactor> Find(uint64_t direct) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  static constexpr size_t kMostCalls = 256;

  const DirectPorts ports_;
  mutable absl::Mutex mutex_;
  uint64_t numbers_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<uint64_t, std::shared_ptr<DirectReactor>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::worker
