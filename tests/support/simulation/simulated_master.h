// The master's process: the real core in a loop as MasterLoop has it, on virtual time, with edges that lose, delay and
// repeat, and a disk that fails.
//
// Real: the core, and the loop's sense of time (master/app/loop_time.h). Simulated: the loop itself (take all mail,
// apply, one turn, one commit, release), the dispatcher's sessions, the registry's calls, the clock (which takes the
// calendar's word only when the process starts, and runs a little faster or slower than the others').
// It can die anywhere: before a commit, in it, after it, between any two effects; it can be stopped and go on.
// Thread rule: one thread. Ownership: everything given outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"
#include "master/app/loop_time.h"
#include "master/core/cluster_core.h"
#include "tests/support/simulation/promises.h"
#include "tests/support/simulation/scene.h"
#include "tests/support/simulation/simulated_disk.h"
#include "tests/support/simulation/simulated_machine.h"

namespace muster::simulation {

// Where in a commit the process dies.
enum class Moment : uint8_t {
  kBeforeCommit,
  kSyncFails,    // the commit is not there, and everybody knows
  kAfterCommit,  // and before some effect: `effects` of them have left
};
struct Death {
  uint64_t commit = 0;  // the how-manieth of this history, from 1
  Moment moment = Moment::kBeforeCommit;
  size_t effects = 0;
};

class SimulatedMaster final : public MasterEdge {
 public:
  SimulatedMaster(Scene* scene, SimulatedDisk* disk, Promises* promises, core::CoreConfig config);

  void Reach(std::vector<SimulatedMachine*> machines);
  // What clients are told: SubmitAnswer, CancelAnswer, TaskChanged.
  std::function<void(const core::Effect&)> on_effect;

  // --- Processes and clocks.
  void Start();
  void Kill(std::string_view why);
  void KillInNextCommit() { dies_in_next_commit_ = true; }
  void Freeze(absl::Duration how_long);
  void Thaw();
  void Stop();  // in order
  void JumpCalendar(absl::Duration by) { calendar_ahead_ += by; }
  void PlanDeaths(std::vector<Death> deaths) { deaths_ = std::move(deaths); }
  void KillInNoCommit() { dies_in_next_commit_ = false; }

  // A call of a client; false: refused at the edge, or nobody listens.
  bool Post(core::Event event);

  // --- Reads.
  bool up() const { return core_ != nullptr; }
  bool idle() const { return core_ != nullptr && mailbox_.empty() && !committing_; }
  const core::ClusterCore* core() const { return core_.get(); }
  absl::Time Calendar() const;
  uint64_t turns() const { return turns_; }
  uint64_t commits() const { return commits_; }
  // How many effects the n-th commit released, from 1 on.
  const std::vector<size_t>& effects_by_commit() const { return effects_by_commit_; }
  size_t deaths_met() const { return deaths_met_; }  // of the planned ones
  uint64_t digest() const { return digest_; }  // of everything that became durable

  // --- MasterEdge
  void OnHello(const StreamPtr& stream, core::SessionOpened hello) override;
  void OnReports(const StreamPtr& stream, core::WorkerReports reports) override;
  void OnStreamEnded(const StreamPtr& stream, std::string why) override;
  bool OnRegistryCall(core::Event call, std::function<void(core::Effect)> reply) override;
  const std::string& cluster_id() const override { return core_->cluster_id(); }
  Epoch epoch() const override { return core_->epoch(); }
  void OnSilence(const StreamPtr& stream);

 private:
  // --- The process.
  absl::Time Clock() const;
  void ToProcess(uint64_t life, std::function<void()> what);  // now, or when it goes on; void if that life is over
  void Later(absl::Duration delay, std::function<void()> what);

  // --- The loop.
  void PostAlways(core::Event event);
  void PlanTurn();
  void RunTurn();
  void Commit();
  bool DiesHere(Moment moment);
  void AnswerLeases(uint64_t turn);
  void FinishCommit();
  void NoteCommitted();
  size_t LivesFor(size_t effects);
  void Release();
  void Sleep();

  // --- The edges.
  void Carry(const core::Effect& effect);
  void OpenSession(const core::OpenSession& open);
  void CloseSession(const core::CloseSession& close);
  void SendOrder(WorkerId worker, SessionNumber session, const core::Effect& order);
  void EndStream(const StreamPtr& stream);
  void TellClosed(const StreamPtr& stream, std::string why);
  void Reply(CallId call, const core::Effect& answer);
  void FindEnds(const core::FindEnds& find);
  void NoteLost(const core::WorkerChanged& changed);
  absl::Time LastHeard(const WorkerView& worker) const;

  Scene& scene_;
  SimulatedDisk& disk_;
  Promises& promises_;
  const core::CoreConfig config_;
  std::map<std::string, SimulatedMachine*> machines_;

  double clock_rate_ = 1;
  absl::Duration calendar_ahead_;
  std::vector<Death> deaths_;
  size_t deaths_met_ = 0;
  uint64_t turns_ = 0;
  uint64_t commits_ = 0;
  std::vector<size_t> effects_by_commit_;
  uint64_t digest_ = 0;

  // Of one life of the process.
  uint64_t life_ = 0;  // what belongs to an earlier one is void
  std::unique_ptr<core::ClusterCore> core_;
  std::optional<master::LoopTime> time_;
  absl::Time started_;            // by the world
  absl::Time calendar_at_start_;
  absl::Duration planned_sleep_;
  absl::Time calm_since_;         // it has not been stopped, nor its disk slow or full, since
  bool frozen_ = false;
  std::vector<std::function<void()>> inbox_;  // while it is frozen
  std::vector<core::Event> mailbox_;
  bool turn_planned_ = false;
  uint64_t sleep_ = 0;            // which one; a newer turn voids it
  bool committing_ = false;
  bool has_committed_ = false;    // in this turn
  bool disk_full_ = false;
  bool stopped_ = false;          // the core said so: it only answers heartbeats
  bool dies_in_next_commit_ = false;
  core::Effects effects_;
  core::Effects meanwhile_;       // of what was applied during a commit, for the next one
  uint64_t calls_ = 0;
  struct RegistryCall {
    std::function<void(core::Effect)> reply;
    std::string name;
    Incarnation incarnation;
    absl::Time arrived;
  };
  std::map<CallId, RegistryCall> replies_;
  absl::btree_map<WorkerId, StreamPtr> streams_;  // in an order: each ends after a random time
  absl::Time now_;                // of the turn, as the loop has it
  // Arrival of a process's last heartbeat or join that was not turned away.
  std::map<std::pair<std::string, Incarnation>, absl::Time> last_heard_;
  std::map<std::string, WorkerState> states_;
};

}  // namespace muster::simulation
