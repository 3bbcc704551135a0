// A worker as the protocol has it, without processes: takes assignments, runs them for a while, reports, repeats what
// is not acknowledged, obeys only its newest session, kills what is fenced when its lease runs out.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "master/core/effects.h"
#include "master/core/events.h"

namespace muster::simulation {

class SimulatedWorker;

// Fingerprints that mean something here.
inline constexpr uint64_t kQuick = 1;   // short enough to be sent ahead
inline constexpr uint64_t kSlow = 2;
inline constexpr uint64_t kDeadly = 3;  // its worker's process dies of it

class WorkerPort {
 public:
  virtual ~WorkerPort() = default;
  virtual absl::Time Now() const = 0;
  virtual double Chance() = 0;  // in [0, 1)
  virtual void After(absl::Duration delay, std::function<void()> what) = 0;
  virtual void ToMaster(const SimulatedWorker& worker, core::Event event) = 0;  // on the open link, if any
  virtual void Executing(AttemptKey key, OnWorkerLoss mode, bool begins) = 0;
  virtual void Crash(SimulatedWorker& worker) = 0;
};

class SimulatedWorker {
 public:
  SimulatedWorker(WorkerPort* port, std::string name, uint32_t slots);

  // --- Life.
  void Boot(Incarnation incarnation);
  void Kill();  // with everything that runs there
  bool alive() const { return alive_; }
  bool connected = true;      // to the master's network
  bool link_open = false;     // its session's stream
  uint64_t link = 0;          // which one; one more with each
  WorkerId id;                // as the master names it in this life
  SessionNumber session;
  uint64_t obeyed_epoch = 0;  // whose session it is
  bool joined = false;
  bool moody = false;         // refuses now and then

  const std::string& name() const { return name_; }
  Incarnation incarnation() const { return incarnation_; }
  WorkerOffer Offer() const;
  std::string Describe() const;  // for a failing history

  // --- What the master says.
  core::SessionOpened Hello(WorkerId as, SessionNumber number);
  void RepeatResults();
  void OnAssign(const core::Assign& assign);
  void OnStop(const core::Stop& stop);
  void OnRecall(AttemptKey key);
  void OnAcknowledge(AttemptKey key) { finished_.erase(key); }
  void OnDrain(bool draining) { draining_ = draining; }
  void OnLease(absl::Time until);

 private:
  struct Run {
    OnWorkerLoss mode;
    uint64_t fingerprint = 0;
    bool running = false;
    bool stopping = false;
    EndReason stopped_for = EndReason::kNone;
  };

  void StartWaiting();
  void Finish(AttemptKey key, EndReason reason, int code, bool stopped);
  void Fence(uint64_t generation);
  core::WorkerReports Message() const;

  WorkerPort& port_;
  const std::string name_;
  const uint32_t slots_;
  bool alive_ = false;
  bool draining_ = false;
  Incarnation incarnation_;
  uint64_t boot_ = 0;  // what was planned in an earlier life of the process is void
  std::map<AttemptKey, Run> runs_;
  std::deque<AttemptKey> waiting_;
  uint32_t running_ = 0;
  std::map<AttemptKey, AttemptReportPtr> finished_;
  absl::Time lease_ = absl::InfinitePast();
};

}  // namespace muster::simulation
