// The real core among simulated workers, clients, wires and crashes, on virtual time. One seed is one history.
//
// What can go wrong: sessions break with messages in flight, workers are cut off or killed (and come back as a new
// incarnation, or late), workers refuse, the master is killed before or after a commit, results are repeated, clients
// repeat calls, cancel, drain. CheckInvariants() runs after every turn. Every promise that can be seen from outside is
// checked as it could be broken; `wrong()` names the first break.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "master/core/cluster_core.h"
#include "master/core/random.h"
#include "tests/support/simulation/simulated_worker.h"
#include "tests/support/memory_store.h"

namespace muster::simulation {

struct WorldOptions {
  uint64_t seed = 1;
  int workers = 3;
  int calls = 18;                                  // submits of clients
  absl::Duration troubled = absl::Seconds(25);     // faults happen until then
  absl::Duration patience = absl::Minutes(10);     // and everything has ended by then
};

class SimulatedWorld : private WorkerPort {
 public:
  explicit SimulatedWorld(WorldOptions options);
  ~SimulatedWorld();

  // Runs the whole history. Empty: every promise held.
  std::string Run();

  uint64_t steps() const { return steps_; }
  // Of everything that became durable: equal seeds give equal numbers.
  uint64_t digest() const { return digest_; }
  const testing::MemoryStore& store() const { return store_; }
  std::map<std::string, int> happened() const { return happened_; }

 private:
  struct Submission {
    core::SubmitTasks event;
    bool answered = false;
  };

  // --- WorkerPort: what a worker may do to the world.
  absl::Time Now() const override { return now_; }
  double Chance() override { return random_.Fraction(); }
  void After(absl::Duration delay, std::function<void()> what) override;
  void ToMaster(const SimulatedWorker& worker, core::Event event) override;
  void Executing(AttemptKey key, OnWorkerLoss mode, bool begins) override;
  void Crash(SimulatedWorker& worker) override;

  // --- The master.
  void StartMaster();
  void CrashMaster();
  void Post(core::Event event);
  void RunTurn();
  void Commit(core::Effects effects);
  void ArmTimer();
  void Release(const core::Effect& effect);
  void CheckEffect(const core::Effect& effect);

  // --- Wires. A link is one session's stream; what is under way on a broken one is lost.
  void Deliver(WorkerId worker, SessionNumber session, std::function<void(SimulatedWorker&)> what);
  void ConnectSession(const core::OpenSession& open);
  void BreakLink(SimulatedWorker& worker);
  void Beat(SimulatedWorker& worker);
  absl::Duration Latency();

  // --- Clients and accidents.
  void PlanClients();
  void PlanFaults();
  void SubmitCall(size_t index);
  TaskSpecPtr RandomSpec();
  void RandomFault();
  void CutOff(SimulatedWorker& worker, absl::Duration how_long);
  void EndTrouble();
  void Wrong(std::string what);
  bool AllEnded() const;

  SimulatedWorker* ByName(const std::string& name);

  const WorldOptions options_;
  core::Random random_;
  absl::Time now_;
  absl::Time trouble_ends_;
  uint64_t order_ = 0;
  std::map<std::pair<absl::Time, uint64_t>, std::function<void()>> agenda_;

  testing::MemoryStore store_;
  std::unique_ptr<core::ClusterCore> core_;
  uint64_t life_ = 0;  // of the master; what belongs to an earlier one is void
  std::vector<core::Event> mailbox_;
  bool turn_planned_ = false;
  bool crash_in_turn_ = false;
  absl::Time timer_ = absl::InfiniteFuture();

  std::vector<std::unique_ptr<SimulatedWorker>> workers_;
  absl::flat_hash_map<WorkerId, std::string> names_;  // of this life
  std::vector<Submission> submissions_;
  uint64_t calls_ = 0;
  std::map<CallId, std::pair<SimulatedWorker*, absl::Time>> beats_;  // who called, and when it was sent

  absl::flat_hash_set<AttemptKey> assigned_;
  absl::flat_hash_map<TaskId, int> executions_;
  absl::flat_hash_map<TaskId, int> executing_now_;
  std::map<std::string, int> happened_;
  uint64_t steps_ = 0;
  uint64_t digest_ = 0;
  std::string wrong_;
};

}  // namespace muster::simulation
