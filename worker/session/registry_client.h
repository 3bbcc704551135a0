// Keeps the worker known to the master: joins, heartbeats with load and changed offers, joins again when asked to.
//
// One thread, on a connection of its own, so that no flood of output delays a heartbeat. The lease counts from the
// *sending* of the last answered call. Until the master answers, it tries again with growing, jittered delays; once
// joined, each interval.
// Thread rule: Start, Stop from the composition root; Poke and the readers from any thread. The ports are called on
// its own thread. Errors: a first join that is refused for good (the name is a live worker's, or the request is bad)
// ends it with `refused`; later refusals are retried, for results may wait here.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/worker.h"
#include "common/runtime/clock.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace muster::worker {

class RegistryClient {
 public:
  struct Options {
    std::string name;
    Incarnation incarnation;
    std::string address;  // that the master dials
    std::string version;
    std::shared_ptr<grpc::Channel> channel;
    std::string master;  // for messages
    const runtime::Clock* clock = nullptr;
    // How long a name may be taken at the first join: a predecessor's heartbeats must have had time to grow old.
    absl::Duration name_patience = absl::Seconds(7);
    // --- Ports.
    std::function<WorkerLoad()> load;  // asked before each call
    std::function<WorkerOffer()> offer;
    std::function<void(absl::Duration kill_grace)> times_told;  // at each join, before the first lease
    // Of a master of this cluster and epoch, to which older sessions than this are closed.
    std::function<void(absl::Time until, const std::string& cluster_id, Epoch epoch, SessionNumber first_valid_session)>
        lease_extended;
    std::function<void(absl::Status)> refused;
  };

  static std::unique_ptr<RegistryClient> Start(Options options);
  virtual ~RegistryClient() = default;

  // Heartbeat now: the offer or the wish to drain has changed.
  virtual void Poke() = 0;
  // From now on the master is told that this worker is about to stop.
  virtual void SetDraining() = 0;
  // Until an answered call has carried the wish, or the wait is over. True: the master knows.
  virtual bool WaitUntilDrainIsKnown(absl::Duration wait) = 0;
  virtual bool joined() const = 0;
  // Since the master last answered; zero while it does (master_silence.h).
  virtual absl::Duration silent_for() const = 0;
  virtual void Stop() = 0;
};

}  // namespace muster::worker
