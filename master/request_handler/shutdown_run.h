// The cluster's end, wished for by a client: admission stops, on request every worker drains, then the master stops.
// One per master; further calls join it and are told what was said so far. It goes on when its clients leave.
//
// Thread rule: any thread. Ownership: shared by the service and the timers' jobs; the ports must outlive the timers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "master/core/ports.h"
#include "master/request_handler/server_stream.h"
#include "master/request_handler/timers.h"
#include "muster/v1/cluster_service.pb.h"

namespace muster::handler {

// Begins the master's own end. `resume`: workers that were drained for it.
using StopRequest = std::function<void(std::string reason, std::vector<std::string> resume)>;

using ShutdownStream = ServerStream<v1::ShutdownResponse>;

class ShutdownRun final : public std::enable_shared_from_this<ShutdownRun> {
 public:
  struct Ports {
    core::EventSink* events;
    core::Inspector* inspector;
    Timers* timers;
    absl::Duration poll;
    StopRequest request_stop;
  };

  ShutdownRun(Ports ports, bool drain, absl::Duration deadline)
      : ports_(std::move(ports)), drain_(drain), deadline_(deadline) {}

  void Begin();
  void Join(std::shared_ptr<ShutdownStream> stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // Everything is said and durable.
  void OnStopped() ABSL_LOCKS_EXCLUDED(mutex_);
  void Cut(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Ask(void (ShutdownRun::*look)(const core::ClusterCore&));  // of the loop, until it takes the question
  void StartDrains(const core::ClusterCore& core);
  void Watch(const core::ClusterCore& core);
  void StopMaster();
  void Say(std::string message, bool done = false) ABSL_LOCKS_EXCLUDED(mutex_);

  const Ports ports_;
  const bool drain_;
  const absl::Duration deadline_;
  // The loop's looks alone touch these.
  std::map<std::string, uint32_t> remaining_;  // by worker
  std::vector<std::string> resume_;            // those that nobody had drained before

  absl::Mutex mutex_;
  std::vector<v1::ShutdownResponse> said_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<ShutdownStream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::handler
