#include "tests/support/simulation/simulated_machine.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/support/simulation/cluster_times.h"

namespace muster::simulation {
namespace {

constexpr absl::Duration kKilledWithin = absl::Milliseconds(30);
constexpr absl::Duration kLinger = absl::Milliseconds(5);

}  // namespace

SimulatedMachine::SimulatedMachine(Scene* scene, Promises* promises, MasterEdge* master, Options options)
    : scene_(*scene), promises_(*promises), master_(*master), options_(std::move(options)), wire_(scene) {}

std::string SimulatedMachine::Describe() const {
  if (core_ == nullptr) return absl::StrCat(options_.name, " is down");
  const worker::WorkerCoreView view = core_->View();
  return absl::StrCat(options_.name, frozen_ ? " is stopped" : "", ": ", view.running, " running, ", view.waiting,
                      " waiting, ", view.unacknowledged, " unacknowledged", view.draining ? ", draining" : "",
                      view.session_open ? "" : ", no session", joined_ ? "" : ", not joined");
}

// --- Processes and time

absl::Time SimulatedMachine::Local() const {
  return absl::UnixEpoch() + (scene_.now() - absl::UnixEpoch()) * options_.clock_rate;
}

void SimulatedMachine::ToServer(std::function<void()> what) {
  if (core_ == nullptr) return;
  if (!frozen_) return what();
  inbox_.push_back([life = life_, this, what = std::move(what)] {
    if (life == life_) what();
  });
}

void SimulatedMachine::Boot() {
  if (core_ != nullptr) return;
  ++life_;
  ++boots_;
  scene_.Trace(absl::StrCat(name(), " boots"));
  core_ = std::make_unique<worker::WorkerCore>(worker::WorkerCoreConfig{.slots = options_.slots, .max_held = 64});
  incarnation_ = Incarnation(scene_.Draw() | 1);
  address_ = scene_.Happens(0.7) ? name() : absl::StrCat(name(), ":", boots_);
  timer_ = absl::InfiniteFuture();
  refusing_ = draining_ = joined_ = call_open_ = false;
  drain_due_.reset();
  schedule_ = worker::CallSchedule();
  watch_ = worker::LeaseWatch();
  lease_ = worker::Lease();
  lease_until_ns_ = patience_ns_ = 0;
  fenced_running_ = 0;
  watching_ = supervisor_frozen_ = false;
  CallLater();
}

void SimulatedMachine::EndServer(std::string_view why) {
  if (core_ == nullptr) return;
  scene_.Trace(absl::StrCat(name(), " ends: ", std::string(why)));
  promises_.ProcessDied(name());
  for (const auto& [key, execution] : executions_) {
    // Nothing of it runs when the next incarnation joins.
    scene_.After(scene_.UpTo(kKilledWithin), [this, key = key] { promises_.Ends(key); });
  }
  executions_.clear();
  direct_.clear();
  for (const auto& [id, stream] : std::exchange(streams_, {})) {
    if (scene_.Happens(0.5)) stream->DropUnderWay(Way::kUp);
    CloseStream(stream, "the worker's process ended");
  }
  pending_ = {};
  pending_stream_ = nullptr;
  core_.reset();
  inbox_.clear();
  frozen_ = false;
  ++life_;
}

void SimulatedMachine::RebootLater() {
  const double back = scene_.Chance();
  scene_.After(absl::Seconds(back < 0.8 ? 0.3 + 2 * back : 14), [this] { Boot(); });
}

void SimulatedMachine::KillServer(std::string_view why) {
  if (core_ == nullptr) return;
  EndServer(why);
  RebootLater();
}

void SimulatedMachine::KillSupervisor() {
  if (core_ == nullptr) return;
  scene_.Count("supervisor killed");
  KillServer("its supervisor was killed");
}

void SimulatedMachine::FreezeServer(absl::Duration how_long) {
  if (core_ == nullptr || frozen_ || supervisor_frozen_) return;
  scene_.Count("worker stopped");
  scene_.Trace(absl::StrCat(name(), "'s server is stopped"));
  frozen_ = true;
  drain_due_.reset();
  scene_.After(how_long, [this, life = life_] {
    if (life == life_) Thaw();
  });
}

void SimulatedMachine::FreezeSupervisor(absl::Duration how_long) {
  if (core_ == nullptr || frozen_ || supervisor_frozen_) return;
  scene_.Count("supervisor stopped");
  supervisor_frozen_ = true;
  scene_.After(how_long, [this, life = life_] {
    if (life == life_) supervisor_frozen_ = false;
  });
}

void SimulatedMachine::Thaw() {
  supervisor_frozen_ = false;
  if (!frozen_) return;
  scene_.Trace(absl::StrCat(name(), "'s server goes on"));
  frozen_ = false;
  for (auto& what : std::exchange(inbox_, {})) ToServer(std::move(what));
}

void SimulatedMachine::Terminate(absl::Duration drain_timeout) {
  ToServer([this, drain_timeout] {
    if (draining_) return;
    scene_.Count("worker terminated");
    draining_ = true;
    schedule_.AskedToJoinAgain();  // the master is told at once
    CallLater();
    const absl::Time deadline = Local() + drain_timeout;
    drain_due_ = deadline + worker::WorkerCoreConfig().drain_give_up_after;
    Apply(worker::DrainRequested{.deadline = deadline, .leaving = true});
  });
}

void SimulatedMachine::SetRefusing(bool refusing) {
  ToServer([this, refusing] {
    refusing_ = refusing;
    Apply(worker::RefusalChanged{refusing ? "the disk is low" : ""});
  });
}

void SimulatedMachine::ExecuteDirectly() {
  ToServer([this] { Apply(worker::DirectRequested{++last_direct_, nullptr}); });
}

// --- The core

void SimulatedMachine::Apply(worker::WorkerEvent event) {
  const uint64_t life = life_;
  core_->Apply(std::move(event), Local(), &effects_);
  if (life == life_) Carry();
}

void SimulatedMachine::Carry() {
  core_->CheckInvariants();
  const worker::WorkerCoreView view = core_->View();
  fenced_running_ = view.fenced_running;
  WatchLease();
  flush_now_ = false;
  const uint64_t life = life_;
  for (worker::WorkerEffect& effect : std::exchange(effects_, {})) {
    std::visit([this](const auto& known) { Do(known); }, effect);
    if (life != life_) return;  // it has left
  }
  if (flush_now_ && view.waiting == 0) {
    FlushReports();
  } else if (pending_stream_ != nullptr && !std::exchange(flush_planned_, true)) {
    scene_.After(kLinger, [this, life] {
      flush_planned_ = false;
      if (life == life_) ToServer([this] { FlushReports(); });
    });
  }
  ArmTimer();
}

void SimulatedMachine::ArmTimer() {
  const absl::Time due = core_->NextDue();
  if (due == timer_) return;
  timer_ = due;
  if (due == absl::InfiniteFuture()) return;
  // A hair later, so that rounding never makes it come back a moment too early.
  scene_.After(ToWorld(due - Local()) + absl::Microseconds(1), [this, due, life = life_] {
    if (life != life_ || timer_ != due) return;
    ToServer([this] {
      timer_ = absl::InfiniteFuture();
      core_->Tick(Local(), &effects_);
      Carry();
    });
  });
}

// --- Commands

void SimulatedMachine::Do(const worker::StartExecution& effect) {
  const auto& work = *std::static_pointer_cast<const Work>(effect.work);
  executions_[effect.key] = {work.mode, work.kind, work.slots, scene_.now(), work.validated};
  CheckSlots();
  promises_.Begins(effect.key, work.mode, name());
  scene_.After(absl::Microseconds(200) + scene_.UpTo(absl::Milliseconds(2)), [this, key = effect.key, life = life_] {
    if (life != life_) return;
    ToServer([this, key] { Apply(worker::ExecutionStarted{key, Local()}); });
    RunToItsEnd(key);
  });
}

void SimulatedMachine::CheckSlots() {
  auto used = static_cast<uint32_t>(direct_.size());
  for (const auto& entry : executions_) used += entry.second.slots;
  promises_.Uses(name(), used, options_.slots);
}

void SimulatedMachine::RunToItsEnd(AttemptKey key) {
  const auto found = executions_.find(key);
  if (found == executions_.end()) return;
  const uint64_t kind = found->second.kind;
  const absl::Duration time =
      kind == kQuick ? absl::Milliseconds(1) + scene_.UpTo(absl::Milliseconds(4))
                     : absl::Milliseconds(5) + scene_.UpTo(absl::Seconds(scene_.Happens(0.1) ? 25 : 6));
  scene_.After(time, [this, key, kind, life = life_] {
    if (life != life_ || executions_.count(key) == 0) return;
    const double luck = scene_.Chance();
    if (kind == kDeadly) {
      scene_.Count("worker killed by a task");
      KillServer("a task killed it");
    } else if (luck < 0.75) {
      EndWork(key);
    } else if (luck < 0.9) {
      EndExecution(key, EndReason::kExited, 7, false);
    } else if (luck < 0.95) {
      EndExecution(key, EndReason::kTimeout, 0, false);
    } else {
      EndExecution(key, EndReason::kSignaled, 11, false);
    }
  });
}

// Well. One that is being stopped is validated no more.
void SimulatedMachine::EndWork(AttemptKey key) {
  Execution& execution = executions_.at(key);
  if (!execution.validated) return EndExecution(key, EndReason::kExited, 0, false);
  if (execution.stopping) return;
  execution.validating = true;
  ToServer([this, key] { Apply(worker::WorkEnded{key, Local()}); });
}

void SimulatedMachine::Do(const worker::StartValidation& effect) {
  const auto found = executions_.find(effect.key);
  if (found == executions_.end() || found->second.stopping) return;
  if (effect.before <= Local()) return EndExecution(effect.key, EndReason::kLost, 0, true);
  scene_.Count("validation started");
  const absl::Duration time = scene_.UpTo(scene_.Happens(0.1) ? absl::Seconds(12) : absl::Seconds(1));
  scene_.After(time, [this, key = effect.key, life = life_] {
    if (life != life_) return;
    const double luck = scene_.Chance();
    if (luck < 0.7) return EndExecution(key, EndReason::kExited, 0, false);
    EndExecution(key, luck < 0.95 ? EndReason::kValidationFailed : EndReason::kTimeout, 0, false);
  });
}

void SimulatedMachine::EndExecution(AttemptKey key, EndReason reason, int code, bool stopped) {
  const auto found = executions_.find(key);
  if (found == executions_.end()) return;
  auto report = std::make_shared<AttemptReport>();
  report->key = key;
  report->end.reason = reason;
  if (reason == EndReason::kExited) report->end.exit_code = code;
  if (reason == EndReason::kSignaled) report->end.signal = code;
  report->end.usage.wall_time = scene_.now() - found->second.began;
  report->started = true;
  report->stopped = stopped;
  executions_.erase(found);
  promises_.Ends(key);
  ToServer([this, report = std::move(report)] { Apply(worker::ExecutionEnded{report}); });
}

void SimulatedMachine::Do(const worker::StopExecution& effect) {
  const auto found = executions_.find(effect.key);
  if (found == executions_.end()) return;
  Execution& execution = found->second;
  if (execution.killed || (execution.stopping && !effect.by_force)) return;
  if (execution.validating) scene_.Count("stopped while it was validated");
  execution.stopping = true;
  execution.killed = effect.by_force;
  // Some take no notice of SIGTERM until the grace is over.
  const absl::Duration dies_within = effect.by_force       ? kKilledWithin
                                     : scene_.Happens(0.1) ? kKillGrace
                                                           : absl::Milliseconds(200);
  scene_.After(scene_.UpTo(dies_within), [this, key = effect.key, reason = effect.reason, life = life_] {
    if (life == life_) EndExecution(key, reason, 0, true);
  });
}

void SimulatedMachine::Do(const worker::StartDirect& effect) {
  scene_.Count("direct execution");
  direct_.insert(effect.direct);
  CheckSlots();
  scene_.After(scene_.UpTo(absl::Seconds(3)), [this, direct = effect.direct, life = life_] {
    if (life == life_) EndDirect(direct);
  });
}

void SimulatedMachine::Do(const worker::StopDirect& effect) {
  scene_.After(scene_.UpTo(absl::Milliseconds(200)), [this, direct = effect.direct, life = life_] {
    if (life == life_) EndDirect(direct);
  });
}

void SimulatedMachine::EndDirect(uint64_t direct) {
  if (direct_.erase(direct) == 0) return;
  ToServer([this, direct] { Apply(worker::DirectEnded{direct}); });
}

void SimulatedMachine::Do(const worker::ClusterChanged& effect) {
  scene_.Wrong(absl::StrCat(name(), " was told of cluster ", effect.to, " after ", effect.from));
}

void SimulatedMachine::Do(const worker::DrainFinished& effect) {
  scene_.Count(effect.unacknowledged == 0 ? "drained, exit 0" : "drained, exit 1");
  if (drain_due_ && Local() > *drain_due_) promises_.Left(name(), Local() - *drain_due_);
  KillServer("it has drained");
}

// --- The supervisor's fence

void SimulatedMachine::ExtendLease(worker::LeaseExtended lease) {
  lease_.Extend(lease.until, lease.cluster_id, lease.epoch);
  lease_until_ns_ = absl::ToUnixNanos(lease_.until());
  Apply(std::move(lease));
}

void SimulatedMachine::WatchLease() {
  if (fenced_running_ == 0 || std::exchange(watching_, true)) return;
  LookAtLease();
}

void SimulatedMachine::LookAtLease() {
  if (!supervisor_frozen_) {
    if (watch_.MustKill(absl::ToUnixNanos(Local()), lease_until_ns_, fenced_running_, patience_ns_)) {
      scene_.Count("fenced by the supervisor");
      return KillServer("the supervisor fenced it");
    }
    if (fenced_running_ == 0) {
      watching_ = false;
      return;
    }
  }
  const absl::Duration left = ToWorld(absl::FromUnixNanos(lease_until_ns_) - Local());
  const absl::Duration pause = absl::Milliseconds(10) + scene_.UpTo(absl::Milliseconds(40));
  scene_.After(std::max(left, absl::ZeroDuration()) + pause, [this, life = life_] {
    if (life == life_) LookAtLease();
  });
}

}  // namespace muster::simulation
