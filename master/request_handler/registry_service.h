// The gRPC face that workers call: muster.v1.RegistryService, Join and Heartbeat. Checks what a worker says of
// itself, posts it, and answers when the turn is durable.
//
// Heartbeats are posted past the mailbox's bound, so that a flood of submits costs no lease; they are bounded here:
// one that waits per worker name, and `most_waiting` in all.
//
// Thread rule: any thread. Ownership: everything in `deps` must outlive the server that serves it.
// Errors: INVALID_ARGUMENT with the field; ALREADY_EXISTS from the core when the name is taken by a live worker;
// UNAVAILABLE while the heartbeat before still waits.
#pragma once

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/refusal_log.h"
#include "muster/v1/registry_service.grpc.pb.h"

namespace muster::handler {

struct RegistryDeps {
  core::EventSink* events = nullptr;
  PendingCalls* calls = nullptr;
  RefusalLog* refusals = nullptr;  // may be null
  // What a worker is told when it joins.
  std::string cluster_id;
  Epoch epoch;
  absl::Duration heartbeat;
  absl::Duration self_fence;
  absl::Duration kill_grace;
  size_t most_waiting = 40'000;
};

class RegistryService final : public v1::RegistryService::CallbackService {
 public:
  explicit RegistryService(RegistryDeps deps) : deps_(std::move(deps)) {}

  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context, const v1::JoinRequest* request,
                                 v1::JoinResponse* response) override;
  grpc::ServerUnaryReactor* Heartbeat(grpc::CallbackServerContext* context, const v1::HeartbeatRequest* request,
                                      v1::HeartbeatResponse* response) override;

 private:
  // Ends the call; a refusal is counted under the peer's host.
  void Answer(grpc::CallbackServerContext* context, grpc::ServerUnaryReactor* reactor, const absl::Status& status);
  absl::Status Enter(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void Leave(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

  const RegistryDeps deps_;
  absl::Mutex mutex_;
  absl::flat_hash_set<std::string> waiting_ ABSL_GUARDED_BY(mutex_);  // names whose call is not answered yet
};

// What a worker may say of itself. Errors: INVALID_ARGUMENT with every field that is wrong.
absl::Status CheckJoin(const v1::JoinRequest& request);
absl::Status CheckHeartbeat(const v1::HeartbeatRequest& request);

}  // namespace muster::handler
