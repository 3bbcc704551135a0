// One DrainWorker call: the wish, and then what is left on that worker, for how long it may run on, and what went back
// to the queue, until nothing is left, or the worker is LOST: then how many attempts nobody can account for. A message
// for each change, and one at least every kRepeat.
//
// Thread rule: any thread. Ownership: by itself (server_stream.h); the ports must outlive the timers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
  void Look(const core::ClusterCore& core, absl::Time now);  // on the loop's thread
  // Of those that were there at the last look: which are open, but not there any more.
  std::vector<TaskId> Requeued(const core::ClusterCore& core, const std::vector<TaskId>& there) const;
  void TellOfLoss(const core::ClusterCore& core, const WorkerView& view);
  void Tell(const WorkerView& view, uint32_t remaining, const std::vector<TaskId>& requeued, absl::Time now);

  static constexpr absl::Duration kRepeat = absl::Seconds(5);
  static constexpr size_t kMostNamed = 100;

  const Ports ports_;
  const std::string worker_;
  absl::Duration deadline_ = absl::InfiniteDuration();
  // One poll at a time.
  absl::Time began_ = absl::InfinitePast();  // the loop's time
  absl::Time told_at_ = absl::InfinitePast();
  std::optional<uint32_t> told_;
  std::vector<TaskId> there_;
};

}  // namespace muster::handler
