// One DrainWorker call: the wish, and then what is left on that worker until nothing is.
//
// Thread rule: any thread. Ownership: by itself (server_stream.h); the ports must outlive the timers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/server_stream.h"
#include "master/request_handler/timers.h"
#include "muster/v1/cluster_service.pb.h"

namespace muster::handler {

class DrainStream final : public ServerStream<v1::DrainWorkerResponse> {
 public:
  struct Ports {
    core::EventSink* events;
    core::Inspector* inspector;
    PendingCalls* calls;
    Timers* timers;
    absl::Duration poll;
  };

  DrainStream(Ports ports, std::string worker) : ports_(ports), worker_(std::move(worker)) {}

  void Begin(absl::Duration deadline, std::string reason);

 private:
  std::shared_ptr<DrainStream> Self() { return std::static_pointer_cast<DrainStream>(shared_from_this()); }
  void Poll();
  void PollLater();
  void Look(const core::ClusterCore& core);  // on the loop's thread

  const Ports ports_;
  const std::string worker_;
  std::optional<uint32_t> told_;  // one poll at a time
};

}  // namespace muster::handler
