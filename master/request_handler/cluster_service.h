// The gRPC face of the cluster itself: muster.v1.ClusterService. Workers, drains, the summary, the activity log, and
// the master's end.
//
// Reads ask the loop (ask_loop.h) or the store on a small pool of its own; changes are posted and answered when they
// are durable. Streams tell what changes until they are done or Stop ends them.
//
// Thread rule: any thread; OnEffects on the loop's. Ownership: everything in `deps` must outlive it; it must outlive
// the server that serves it. Errors: refusals (common/base/refusal.h).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/read_pool.h"
#include "master/request_handler/refusal_log.h"
#include "master/request_handler/timers.h"
#include "master/store/store.h"
#include "muster/v1/cluster_service.grpc.pb.h"

namespace muster::handler {

class ActivityStream;
class ShutdownRun;
class StreamEnd;

struct ClusterDeps {
  core::EventSink* events = nullptr;
  core::Inspector* inspector = nullptr;
  store::Store* store = nullptr;
  PendingCalls* calls = nullptr;
  RefusalLog* refusals = nullptr;  // may be null
  absl::Time start_time;
  // Begins the master's own end; returns at once. The core's Stopped follows. `resume`: workers drained for it.
  std::function<void(std::string reason, std::vector<std::string> resume)> request_stop;
  absl::Duration inspect_wait = absl::Seconds(10);
  absl::Duration poll = absl::Milliseconds(100);  // of a drain's progress
  size_t read_threads = 2;
  size_t read_queue = 1024;
  size_t most_followers = 1024;
  size_t most_streams = 4096;  // drains and readers of the activity log
};

class ClusterService final : public v1::ClusterService::CallbackService, public core::EffectListener {
 public:
  explicit ClusterService(ClusterDeps deps);
  ~ClusterService() override;

  // Ends every stream; new ones end at once.
  void Stop(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  using Context = grpc::CallbackServerContext;
  grpc::ServerUnaryReactor* GetSummary(Context* context, const v1::GetSummaryRequest* request,
                                       v1::GetSummaryResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(Context* context, const v1::ListWorkersRequest* request,
                                        v1::ListWorkersResponse* response) override;
  grpc::ServerUnaryReactor* GetWorker(Context* context, const v1::GetWorkerRequest* request,
                                      v1::GetWorkerResponse* response) override;
  grpc::ServerUnaryReactor* UpdateWorker(Context* context, const v1::UpdateWorkerRequest* request,
                                         v1::UpdateWorkerResponse* response) override;
  grpc::ServerUnaryReactor* QuarantineWorker(Context* context, const v1::QuarantineWorkerRequest* request,
                                             v1::QuarantineWorkerResponse* response) override;
  grpc::ServerUnaryReactor* ResumeWorker(Context* context, const v1::ResumeWorkerRequest* request,
                                         v1::ResumeWorkerResponse* response) override;
  grpc::ServerWriteReactor<v1::DrainWorkerResponse>* DrainWorker(Context* context,
                                                                 const v1::DrainWorkerRequest* request) override;
  grpc::ServerWriteReactor<v1::ReadActivityResponse>* ReadActivity(Context* context,
                                                                   const v1::ReadActivityRequest* request) override;
  grpc::ServerUnaryReactor* ListFailures(Context* context, const v1::ListFailuresRequest* request,
                                         v1::ListFailuresResponse* response) override;
  grpc::ServerUnaryReactor* ListRunTimes(Context* context, const v1::ListRunTimesRequest* request,
                                         v1::ListRunTimesResponse* response) override;
  grpc::ServerUnaryReactor* GetPlacement(Context* context, const v1::GetPlacementRequest* request,
                                         v1::GetPlacementResponse* response) override;
  grpc::ServerUnaryReactor* UpdatePlacement(Context* context, const v1::UpdatePlacementRequest* request,
                                            v1::UpdatePlacementResponse* response) override;
  grpc::ServerUnaryReactor* PurgeTasks(Context* context, const v1::PurgeTasksRequest* request,
                                       v1::PurgeTasksResponse* response) override;
  grpc::ServerWriteReactor<v1::ShutdownResponse>* Shutdown(Context* context,
                                                           const v1::ShutdownRequest* request) override;

 private:
  // `work` runs on the pool; its status ends the call.
  grpc::ServerUnaryReactor* Read(Context* context, std::function<absl::Status()> work);
  // Posts a change; the core's answer to it goes to `fill`.
  template <typename CoreAnswer, typename Event>
  grpc::ServerUnaryReactor* Change(Context* context, Event event, std::function<void(const CoreAnswer&)> fill);
  template <typename Event, typename Response>
  grpc::ServerUnaryReactor* ChangeWorker(Context* context, Event event, Response* response);
  // Ends the call; a refusal is counted under the peer's host.
  void Answer(Context* context, grpc::ServerUnaryReactor* reactor, const absl::Status& status);
  void EndRefused(Context* context, StreamEnd* stream, const absl::Status& status);
  // So that Stop ends it too. False: there are too many, and it has ended.
  bool Track(Context* context, const std::shared_ptr<StreamEnd>& stream) ABSL_LOCKS_EXCLUDED(mutex_);

  const ClusterDeps deps_;
  Timers timers_;
  ReadPool pool_;

  absl::Mutex mutex_;
  absl::Status stopped_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<ActivityStream>> followers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<StreamEnd>> streams_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ShutdownRun> shutdown_ ABSL_GUARDED_BY(mutex_);
  CommitNumber commit_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::handler
