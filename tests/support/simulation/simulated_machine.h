// One worker's machine: a supervisor, a server with the real worker core, and the commands that run there.
//
// Real: the core (worker/core), when it calls the master next (worker/session/call_schedule.h), and when the supervisor
// fences (worker/app/lease_watch.h). Simulated: processes, time, and the edges between them. Each process can die, be
// stopped and go on (what was addressed to it waits meanwhile, and its old timers fire then). The machine's clock runs
// a little faster or slower than the others'.
// What dies with whom: the server's end ends every command and then the supervisor; so does the supervisor's. A new
// incarnation starts when nothing of its predecessor runs any more.
// Thread rule: one thread. Ownership: the scene, the promises, the wire and the master outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "master/core/effects.h"
#include "master/core/events.h"
#include "tests/support/simulation/promises.h"
#include "tests/support/simulation/scene.h"
#include "tests/support/simulation/wire.h"
#include "worker/app/lease_watch.h"
#include "worker/core/lease.h"
#include "worker/core/worker_core.h"
#include "worker/session/call_schedule.h"

namespace muster::simulation {

// What a machine knows of the master.
class MasterEdge {
 public:
  virtual ~MasterEdge() = default;
  virtual void OnHello(const StreamPtr& stream, core::SessionOpened hello) = 0;
  virtual void OnReports(const StreamPtr& stream, core::WorkerReports reports) = 0;
  virtual void OnStreamEnded(const StreamPtr& stream, std::string why) = 0;
  // False: nobody listens. The answer comes as the effect that the core made of it.
  virtual bool OnRegistryCall(core::Event call, std::function<void(core::Effect)> reply) = 0;
  // Of the one that answers, while it does.
  virtual const std::string& cluster_id() const = 0;
  virtual Epoch epoch() const = 0;
};

class SimulatedMachine {
 public:
  struct Options {
    std::string name;
    uint32_t slots = 1;
    double clock_rate = 1;  // of its clock against the world's
  };
  SimulatedMachine(Scene* scene, Promises* promises, MasterEdge* master, Options options);

  const std::string& name() const { return options_.name; }
  Wire& wire() { return wire_; }
  bool running() const { return core_ != nullptr; }
  std::string Describe() const;  // for a failing history

  // --- What happens to its processes.
  void Boot();
  void KillServer(std::string_view why);
  void KillSupervisor();
  void FreezeServer(absl::Duration how_long);
  void FreezeSupervisor(absl::Duration how_long);
  void Thaw();
  void Terminate(absl::Duration drain_timeout);  // SIGTERM
  void SetRefusing(bool refusing);
  void ExecuteDirectly();

  // --- What arrives from the master. False: nobody listens.
  bool OnSession(const StreamPtr& stream, const std::string& address, const std::string& cluster_id);
  void OnOrder(const StreamPtr& stream, const core::Effect& order);
  void OnStreamEnded(const StreamPtr& stream);
  void OnSilence(const StreamPtr& stream);  // of the connection: this end gives it up

 private:
  struct Execution {
    OnWorkerLoss mode = OnWorkerLoss::kRerun;
    uint64_t kind = 0;
    uint32_t slots = 1;
    absl::Time began;
    bool validated = false;   // a command follows that validates it
    bool validating = false;  // it runs, or is to
    bool stopping = false;
    bool killed = false;
  };
  struct Work {
    OnWorkerLoss mode;
    uint64_t kind;
    uint32_t slots;
    bool validated;
  };

  // --- Processes and time.
  absl::Time Local() const;
  absl::Duration ToWorld(absl::Duration local) const { return local / options_.clock_rate; }
  void ToServer(std::function<void()> what);  // now, or when it goes on; void if it has died by then
  void EndServer(std::string_view why);
  void RebootLater();

  // --- The core.
  void Apply(worker::WorkerEvent event);
  void Carry();
  void ArmTimer();
  void Do(const worker::SendHello& effect);
  void Do(const worker::RejectSession& effect);
  void Do(const worker::StartExecution& effect);
  void Do(const worker::StartValidation& effect);
  void Do(const worker::StopExecution& effect);
  void Do(const worker::SendStarted& effect);
  void Do(const worker::SendValidating& effect);
  void Do(const worker::SendResult& effect);
  void Do(const worker::SendGivenBack& effect);
  void Do(const worker::SendRefusal& effect);
  void Do(const worker::StartDirect& effect);
  void Do(const worker::StartDirectValidation&) {}
  void Do(const worker::StopDirect& effect);
  void Do(const worker::RefuseDirect&) { scene_.Count("direct execution refused"); }
  void Do(const worker::ClusterChanged& effect);
  void Do(const worker::Orphaned&) {}
  void Do(const worker::DrainFinished& effect);

  // --- Commands.
  void CheckSlots();
  void RunToItsEnd(AttemptKey key);
  void EndWork(AttemptKey key);
  void EndExecution(AttemptKey key, EndReason reason, int code, bool stopped);
  void EndDirect(uint64_t direct);

  // --- The session's edge.
  StreamPtr Find(worker::StreamId id) const;
  core::WorkerReports& Pending(worker::StreamId id);
  void FlushReports();
  void CloseStream(const StreamPtr& stream, std::string why);

  // --- The registry's edge.
  void CallMaster();
  core::Event NextCall() const;
  void Answered(uint64_t call, worker::LeaseExtended lease, bool joining, const core::Effect& answer);
  void NotAnswered(uint64_t call);
  void CallLater();
  void ExtendLease(worker::LeaseExtended lease);

  // --- The supervisor's edge.
  void WatchLease();
  void LookAtLease();

  Scene& scene_;
  Promises& promises_;
  MasterEdge& master_;
  const Options options_;
  Wire wire_;

  // Of one life of the server.
  uint64_t life_ = 0;  // what belongs to an earlier one is void
  uint64_t boots_ = 0;
  std::unique_ptr<worker::WorkerCore> core_;
  Incarnation incarnation_;
  std::string address_;
  std::vector<worker::WorkerEffect> effects_;
  absl::Time timer_ = absl::InfiniteFuture();
  bool frozen_ = false;
  std::vector<std::function<void()>> inbox_;  // while it is frozen
  std::map<AttemptKey, Execution> executions_;
  std::set<uint64_t> direct_;
  uint64_t last_direct_ = 0;
  bool refusing_ = false;
  std::optional<absl::Time> drain_due_;  // by then the server has left, on its own clock

  std::map<uint64_t, StreamPtr> streams_;
  uint64_t last_stream_ = 0;
  StreamPtr pending_stream_;
  core::WorkerReports pending_;
  bool flush_now_ = false;
  bool flush_planned_ = false;

  worker::CallSchedule schedule_;
  bool joined_ = false;
  bool draining_ = false;
  uint64_t call_ = 0;
  bool call_open_ = false;
  uint64_t call_plan_ = 0;

  // The supervisor's.
  bool supervisor_frozen_ = false;
  worker::LeaseWatch watch_;
  worker::Lease lease_;
  int64_t lease_until_ns_ = 0;
  int64_t patience_ns_ = 0;
  uint32_t fenced_running_ = 0;
  bool watching_ = false;
};

}  // namespace muster::simulation
