#include "tests/support/simulation/simulated_worker.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::simulation {
namespace {

constexpr absl::Duration kKillGrace = absl::Seconds(1);

}  // namespace

SimulatedWorker::SimulatedWorker(WorkerPort* port, std::string name, uint32_t slots)
    : port_(*port), name_(std::move(name)), slots_(slots) {}

void SimulatedWorker::Boot(Incarnation incarnation) {
  incarnation_ = incarnation;
  alive_ = true;
  joined = false;
  draining_ = false;
  ++boot_;
}

void SimulatedWorker::Kill() {
  for (const auto& [key, run] : runs_) {
    if (run.running) port_.Executing(key, run.mode, false);
  }
  alive_ = false;
  joined = false;
  runs_.clear();
  waiting_.clear();
  finished_.clear();
  running_ = 0;
  lease_ = absl::InfinitePast();
  ++boot_;
}

WorkerOffer SimulatedWorker::Offer() const {
  WorkerOffer offer;
  offer.capacity.slots = slots_;
  offer.executors = {{"command", "1"}, {"noop", "1"}};
  if (slots_ > 2) offer.labels = {{"big", "yes"}};
  return offer;
}

std::string SimulatedWorker::Describe() const {
  return absl::StrCat(running_, " running, ", waiting_.size(), " waiting, ", finished_.size(),
                      " unacknowledged", draining_ ? ", draining" : "");
}

core::WorkerReports SimulatedWorker::Message() const { return core::WorkerReports{id, session}; }

core::SessionOpened SimulatedWorker::Hello(WorkerId as, SessionNumber number) {
  id = as;
  session = number;
  core::SessionOpened hello{as, number, incarnation_, {}};
  for (const auto& [key, run] : runs_) {
    hello.held.push_back({key, run.running ? core::HeldAttempt::Phase::kRunning : core::HeldAttempt::Phase::kAccepted});
  }
  for (const auto& entry : finished_) hello.held.push_back({entry.first, core::HeldAttempt::Phase::kFinished});
  return hello;
}

void SimulatedWorker::RepeatResults() {
  core::WorkerReports message = Message();
  for (const auto& entry : finished_) message.results.push_back(entry.second);
  if (!message.results.empty()) port_.ToMaster(*this, std::move(message));
}

void SimulatedWorker::OnAssign(const core::Assign& assign) {
  if (draining_ || (moody && port_.Chance() < 0.2)) {
    core::WorkerReports message = Message();
    message.refused.push_back({assign.key, draining_ ? "draining" : "not in the mood"});
    return port_.ToMaster(*this, std::move(message));
  }
  runs_[assign.key] = Run{assign.spec->on_worker_loss, assign.spec->fingerprint};
  waiting_.push_back(assign.key);
  StartWaiting();
}

void SimulatedWorker::StartWaiting() {
  while (running_ < slots_ && !waiting_.empty()) {
    const AttemptKey key = waiting_.front();
    waiting_.pop_front();
    Run& run = runs_.at(key);
    run.running = true;
    ++running_;
    port_.Executing(key, run.mode, true);
    core::WorkerReports message = Message();
    message.started.push_back({key, port_.Now()});
    // Now and then the result is quicker than the word that it started.
    if (port_.Chance() < 0.8) port_.ToMaster(*this, std::move(message));
    const uint64_t kind = run.fingerprint;
    const absl::Duration time = kind == kQuick ? absl::Milliseconds(1 + 4 * port_.Chance())
                                               : absl::Milliseconds(5 + (port_.Chance() < 0.1 ? 25000 : 6000) * port_.Chance());
    port_.After(time, [this, key, kind, boot = boot_] {
      if (boot != boot_ || runs_.count(key) == 0) return;
      if (kind == kDeadly) return port_.Crash(*this);
      const double luck = port_.Chance();
      if (luck < 0.75) {
        Finish(key, EndReason::kExited, 0, false);
      } else if (luck < 0.9) {
        Finish(key, EndReason::kExited, 7, false);
      } else if (luck < 0.95) {
        Finish(key, EndReason::kTimeout, 0, false);
      } else {
        Finish(key, EndReason::kSignaled, 11, false);
      }
    });
  }
}

void SimulatedWorker::Finish(AttemptKey key, EndReason reason, int code, bool stopped) {
  const auto found = runs_.find(key);
  auto report = std::make_shared<AttemptReport>();
  report->key = key;
  report->end.reason = reason;
  report->end.exit_code = code;
  report->end.usage.wall_time = absl::Milliseconds(2);
  report->started = found->second.running;
  report->stopped = stopped;
  if (found->second.running) {
    port_.Executing(key, found->second.mode, false);
    --running_;
  } else {
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), key));
  }
  runs_.erase(found);
  finished_[key] = report;
  core::WorkerReports message = Message();
  message.results.push_back(std::move(report));
  // Some come twice.
  if (port_.Chance() < 0.05) port_.ToMaster(*this, message);
  port_.ToMaster(*this, std::move(message));
  StartWaiting();
}

void SimulatedWorker::OnStop(const core::Stop& stop) {
  const auto found = runs_.find(stop.key);
  if (found == runs_.end() || found->second.stopping) return;
  if (!found->second.running) return Finish(stop.key, stop.reason, 0, true);
  found->second.stopping = true;
  port_.After(absl::Milliseconds(200 * port_.Chance()), [this, key = stop.key, reason = stop.reason, boot = boot_] {
    if (boot == boot_ && runs_.count(key) > 0) Finish(key, reason, 0, true);
  });
}

void SimulatedWorker::OnRecall(AttemptKey key) {
  const auto found = runs_.find(key);
  if (found == runs_.end() || found->second.running) return;
  waiting_.erase(std::find(waiting_.begin(), waiting_.end(), key));
  runs_.erase(found);
  core::WorkerReports message = Message();
  message.given_back.push_back(key);
  port_.ToMaster(*this, std::move(message));
}

void SimulatedWorker::OnLease(absl::Time until) {
  lease_ = std::max(lease_, until);
  port_.After(lease_ - port_.Now() + kKillGrace, [this, boot = boot_] {
    if (boot == boot_) Fence(boot);
  });
}

// As late as it may: at the end of the grace.
void SimulatedWorker::Fence(uint64_t) {
  if (port_.Now() < lease_ + kKillGrace) return;
  std::vector<AttemptKey> fenced;
  for (const auto& [key, run] : runs_) {
    if (run.mode == OnWorkerLoss::kRerunAfterFence) fenced.push_back(key);
  }
  for (const AttemptKey& key : fenced) {
    if (runs_.count(key) > 0) Finish(key, EndReason::kLost, 0, true);
  }
}

}  // namespace muster::simulation
