// The gRPC face of the queues: muster.v1.QueueService. Reads ask the loop (ask_loop.h) on a small pool of its own;
// changes are posted and answered when they are durable.
//
// Thread rule: any thread. Ownership: everything in `deps` must outlive it; it must outlive the server that serves it.
// Errors: refusals (common/base/refusal.h): BAD_NAME, BAD_MASK, BAD_QUEUE_SETTINGS, BAD_PAUSE, TOO_MANY_QUEUES.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/read_pool.h"
#include "master/request_handler/refusal_log.h"
#include "muster/v1/queue_service.grpc.pb.h"

namespace muster::handler {

struct QueueDeps {
  core::EventSink* events = nullptr;
  core::Inspector* inspector = nullptr;
  PendingCalls* calls = nullptr;
  RefusalLog* refusals = nullptr;  // may be null
  absl::Duration inspect_wait = absl::Seconds(10);
  size_t read_threads = 1;
  size_t read_queue = 256;
};

class QueueService final : public v1::QueueService::CallbackService {
 public:
  explicit QueueService(const QueueDeps& deps) : deps_(deps), pool_(deps.read_threads, deps.read_queue) {}

  using Context = grpc::CallbackServerContext;
  grpc::ServerUnaryReactor* ListQueues(Context* context, const v1::ListQueuesRequest* request,
                                       v1::ListQueuesResponse* response) override;
  grpc::ServerUnaryReactor* GetQueue(Context* context, const v1::GetQueueRequest* request,
                                     v1::GetQueueResponse* response) override;
  grpc::ServerUnaryReactor* UpdateQueue(Context* context, const v1::UpdateQueueRequest* request,
                                        v1::UpdateQueueResponse* response) override;
  grpc::ServerUnaryReactor* PauseQueue(Context* context, const v1::PauseQueueRequest* request,
                                       v1::PauseQueueResponse* response) override;
  grpc::ServerUnaryReactor* ResumeQueue(Context* context, const v1::ResumeQueueRequest* request,
                                        v1::ResumeQueueResponse* response) override;

 private:
  grpc::ServerUnaryReactor* Read(Context* context, std::function<absl::Status()> work);
  template <typename Event, typename Response>
  grpc::ServerUnaryReactor* Change(Context* context, Event event, Response* response);
  grpc::ServerUnaryReactor* Refused(Context* context, const absl::Status& status);
  // Ends the call; a refusal is counted under the peer's host.
  void Answer(Context* context, grpc::ServerUnaryReactor* reactor, const absl::Status& status);

  const QueueDeps deps_;
  ReadPool pool_;
};

}  // namespace muster::handler
