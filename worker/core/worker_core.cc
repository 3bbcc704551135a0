#include "worker/core/worker_core.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/planted_fault.h"
#include "worker/core/drain_plan.h"
#include "worker/core/former_attempts.h"
#include "worker/core/held_attempts.h"
#include "worker/core/lease.h"
#include "worker/core/session_order.h"
#include "worker/core/unstarted_report.h"

namespace muster::worker {
namespace {

constexpr char kDraining[] = "the worker is draining";

// Why the master may stop an attempt; anything else that a peer says is taken for a cancel.
EndReason StopReason(EndReason asked) {
  return asked == EndReason::kPreempted || asked == EndReason::kLost ? asked : EndReason::kCancelled;
}

}  // namespace

class WorkerCore::Impl {
 public:
  explicit Impl(WorkerCoreConfig config) : config_(config) { MUSTER_CHECK(config_.slots > 0); }

  void Apply(WorkerEvent event, absl::Time now, std::vector<WorkerEffect>* effects) {
    Begin(now, effects);
    std::visit([this](auto& known) { On(std::move(known)); }, event);
    Settle();
  }

  void Tick(absl::Time now, std::vector<WorkerEffect>* effects) {
    Begin(now, effects);
    Settle();
  }

  absl::Time NextDue() const {
    absl::Time due = absl::InfiniteFuture();
    if (HasUnfenced()) due = std::min(due, lease_.until());
    if (drain_ && !drained_) due = std::min(due, drain_->NextDue());
    return due;
  }

  WorkerCoreView View() const {
    WorkerCoreView view;
    view.running = held_.running() + former_.size() + static_cast<uint32_t>(direct_.size());
    view.fenced_running = held_.fenced_running() + former_.fenced();
    view.waiting = held_.waiting();
    view.used_slots = UsedSlots();
    view.unacknowledged = held_.finished();
    view.session_open = static_cast<bool>(stream_);
    view.draining = drain_.has_value();
    if (drain_) view.drain = drain_->View(held_.RunningKeys());
    view.refuses_because = drain_ ? kDraining : refusal_;
    return view;
  }

  bool IsCurrent(StreamId stream) const { return stream && stream == stream_; }

  std::optional<HeldPhase> PhaseOf(AttemptKey key) const {
    const Held* attempt = held_.Find(key);
    if (attempt == nullptr) return std::nullopt;
    return Phase(*attempt);
  }

  void CheckInvariants() const {
    held_.CheckInvariants();
    MUSTER_CHECK(UsedSlots() <= config_.slots);
    MUSTER_CHECK(held_.size() <= config_.max_held);
    for (const AttemptKey key : former_.Keys()) MUSTER_CHECK(held_.Find(key) == nullptr);
    if (drain_) MUSTER_CHECK(held_.waiting() == 0);
    if (now_ >= lease_.until()) MUSTER_CHECK(held_.fenced_waiting() == 0);
    MUSTER_CHECK(!drained_ || (drain_ && drain_->leaving()));
  }

 private:
  void Begin(absl::Time now, std::vector<WorkerEffect>* effects) {
    now_ = now;
    effects_ = effects;
    ActOnTime();
  }

  void Settle() {
    ActOnTime();  // the event may have brought the deadline
    StartWhatFits();
    SayWhenDrained();
    effects_ = nullptr;
  }

  template <typename Effect>
  void Emit(Effect effect) {
    effects_->emplace_back(std::move(effect));
  }

  static HeldPhase Phase(const Held& attempt) {
    if (std::holds_alternative<Held::Waiting>(attempt.state)) return HeldPhase::kAccepted;
    const auto* running = std::get_if<Held::Running>(&attempt.state);
    if (running == nullptr) return HeldPhase::kFinished;
    return running->validating ? HeldPhase::kValidating : HeldPhase::kRunning;
  }

  uint32_t UsedSlots() const {
    return held_.used_slots() + former_.used_slots() + static_cast<uint32_t>(direct_.size());
  }

  // --- Sessions

  void On(SessionOpening event) {
    SessionOrder::Verdict verdict = order_.Offer(event.cluster_id, event.epoch, event.session);
    if (!verdict.refused_because.empty()) {
      Emit(RejectSession{event.stream, std::move(verdict.refused_because)});
      return;
    }
    if (stream_) Emit(RejectSession{stream_, "a newer session took over"});
    stream_ = event.stream;
    if (!verdict.left_cluster.empty()) LetGoOf(std::move(verdict.left_cluster), std::move(event.cluster_id));
    SayHello();
  }

  void SayHello() {
    const std::vector<Held*> all = held_.All();
    SendHello hello{.stream = stream_};
    hello.held.reserve(all.size());
    for (const Held* attempt : all) hello.held.emplace_back(attempt->key, Phase(*attempt));
    Emit(std::move(hello));
    for (const Held* attempt : all) Repeat(*attempt);
  }

  // What the master may not have heard of it.
  void Repeat(const Held& attempt) {
    if (!stream_) return;
    if (const auto* running = std::get_if<Held::Running>(&attempt.state)) {
      if (running->started) Emit(SendStarted{stream_, attempt.key, *running->started});
      if (running->validating) Emit(SendValidating{stream_, attempt.key, *running->validating});
    } else if (const auto* finished = std::get_if<Held::Finished>(&attempt.state)) {
      Emit(SendResult{stream_, finished->report});
    }
  }

  // Names of another cluster's attempts may mean other work there: nothing of them is kept.
  void LetGoOf(std::string from, std::string to) {
    ClusterChanged change{.from = std::move(from), .to = std::move(to)};
    for (Held* attempt : held_.All()) {
      const AttemptKey key = attempt->key;
      if (std::holds_alternative<Held::Running>(attempt->state)) {
        former_.Add(*attempt);
        Emit(StopExecution{key, EndReason::kLost, absl::InfiniteDuration(), attempt->fenced()});
        ++change.stopped;
      } else if (std::holds_alternative<Held::Finished>(attempt->state)) {
        ++change.dropped_results;
      }
      held_.Remove(key);
    }
    if (drain_ && !drain_->leaving()) drain_.reset();  // it was the former master's wish
    Emit(std::move(change));
  }

  void On(SessionEnded event) {
    if (event.stream == stream_) stream_ = StreamId();
  }

  // --- Orders

  void On(Assigned event) {
    if (!IsCurrent(event.stream)) return;
    if (const Held* known = held_.Find(event.key)) return Repeat(*known);
    event.slots = std::max(event.slots, 1u);
    if (std::string reason = WhyNot(event); !reason.empty()) {
      Emit(SendRefusal{stream_, event.key, std::move(reason)});
      return;
    }
    held_.Accept({.key = event.key,
                  .slots = event.slots,
                  .on_worker_loss = event.on_worker_loss,
                  .state = Held::Waiting{std::move(event.work)}});
  }

  // Empty: it is taken.
  std::string WhyNot(const Assigned& event) const {
    if (drain_) return kDraining;
    if (!refusal_.empty()) return refusal_;
    if (event.slots > config_.slots) {
      return absl::StrCat("it takes ", event.slots, " slots, the worker has ", config_.slots);
    }
    if (held_.size() >= config_.max_held) {
      return absl::StrCat("the worker holds ", held_.size(), " attempts and results already");
    }
    if (former_.Contains(event.key)) return "another cluster's attempt of this name is still being stopped";
    if (event.on_worker_loss == OnWorkerLoss::kRerunAfterFence && now_ >= lease_.until()) {
      return "the worker's lease has expired";
    }
    return "";
  }

  void On(StopRequested event) {
    if (!IsCurrent(event.stream)) return;
    Held* attempt = held_.Find(event.key);
    if (attempt == nullptr) return;
    const EndReason reason = StopReason(event.reason);
    if (std::holds_alternative<Held::Running>(attempt->state)) {
      Emit(StopExecution{event.key, reason, event.kill_grace, false});
    } else if (std::holds_alternative<Held::Waiting>(attempt->state)) {
      Finish(attempt, UnstartedReport(event.key, reason, "stopped before it started", now_, true));
    }
  }

  void On(RecallRequested event) {
    if (!IsCurrent(event.stream)) return;
    const Held* attempt = held_.Find(event.key);
    if (attempt != nullptr && std::holds_alternative<Held::Waiting>(attempt->state)) GiveBack(event.key);
  }

  // Not heard without a session: then its absence from the next Hello says the same.
  void GiveBack(AttemptKey key) {
    held_.Remove(key);
    if (stream_) Emit(SendGivenBack{stream_, key});
  }

  void On(ResultAcknowledged event) {
    if (!IsCurrent(event.stream)) return;
    const Held* attempt = held_.Find(event.key);
    if (attempt != nullptr && std::holds_alternative<Held::Finished>(attempt->state)) held_.Remove(event.key);
  }

  // --- What the execution host says

  void On(ExecutionStarted event) {
    Held* attempt = held_.Find(event.key);
    auto* running = attempt == nullptr ? nullptr : std::get_if<Held::Running>(&attempt->state);
    if (running == nullptr || running->started) return;
    running->started = event.time;
    Repeat(*attempt);
  }

  // One that is being killed is validated no more: its end is on its way.
  void On(WorkEnded event) {
    Held* attempt = held_.Find(event.key);
    auto* running = attempt == nullptr ? nullptr : std::get_if<Held::Running>(&attempt->state);
    if (running == nullptr || running->validating || running->killed) return;
    if (!running->started) {
      running->started = event.time;
      if (stream_) Emit(SendStarted{stream_, event.key, event.time});
    }
    running->validating = event.time;
    if (stream_) Emit(SendValidating{stream_, event.key, event.time});
    Emit(StartValidation{event.key, StartBefore(*attempt)});
  }

  void On(ExecutionEnded event) {
    MUSTER_CHECK(event.report != nullptr);
    const AttemptKey key = event.report->key;
    if (former_.End(key)) {
      Emit(Orphaned{std::move(event.report)});
      return;
    }
    Held* attempt = held_.Find(key);
    if (attempt == nullptr || !std::holds_alternative<Held::Running>(attempt->state)) return;
    Finish(attempt, std::move(event.report));
  }

  void Finish(Held* attempt, AttemptReportPtr report) {
    held_.MoveToFinished(attempt, std::move(report));
    Repeat(*attempt);
    // Mutant: what was sent is forgotten before it is acknowledged.
    if (Mutated("forget_result") && stream_) held_.Remove(attempt->key);
  }

  void StartWhatFits() {
    while (Held* next = held_.NextWaiting()) {
      // In order: a wide one at the head is not starved by narrow ones behind it.
      if (UsedSlots() + next->slots > config_.slots) return;
      std::shared_ptr<const void> work = std::move(std::get<Held::Waiting>(next->state).work);
      held_.MoveToRunning(next);
      Emit(StartExecution{next->key, std::move(work), StartBefore(*next)});
    }
  }

  absl::Time StartBefore(const Held& attempt) const {
    return attempt.fenced() && !Mutated("ignore_lease") ? lease_.until() : absl::InfiniteFuture();
  }

  // --- A person's Execute

  void On(DirectRequested event) {
    std::string reason = drain_ ? std::string(kDraining) : refusal_;
    if (reason.empty() && (UsedSlots() >= config_.slots || held_.waiting() > 0)) {
      reason = absl::StrCat("all ", config_.slots, " slots are in use");
    }
    if (!reason.empty()) {
      Emit(RefuseDirect{event.direct, std::move(reason)});
    } else if (direct_.insert(event.direct).second) {
      Emit(StartDirect{event.direct, std::move(event.work)});
    }
  }

  void On(DirectWorkEnded event) {
    if (direct_.contains(event.direct)) Emit(StartDirectValidation{event.direct});
  }

  void On(DirectEnded event) { direct_.erase(event.direct); }

  // --- The lease

  void On(LeaseExtended event) {
    if (stream_ && order_.IsClosed(event.cluster_id, event.epoch, event.first_valid_session)) {
      Emit(RejectSession{stream_, "the master has closed this session"});
      stream_ = StreamId();
    }
    lease_.Extend(event.until, event.cluster_id, event.epoch);
    if (now_ < lease_.until()) fenced_killed_ = 0;
  }

  // Whether something is here that the end of the lease would end.
  bool HasUnfenced() const {
    if (held_.fenced_waiting() > 0) return true;
    return held_.fenced_running() > fenced_killed_;
  }

  void Fence() {
    if (!HasUnfenced()) return;
    fenced_killed_ = 0;
    for (Held* attempt : held_.All()) {
      if (!attempt->fenced()) continue;
      if (std::holds_alternative<Held::Waiting>(attempt->state)) {
        GiveBack(attempt->key);
      } else if (auto* running = std::get_if<Held::Running>(&attempt->state)) {
        ++fenced_killed_;
        if (!std::exchange(running->killed, true)) Kill(attempt->key, EndReason::kLost);
      }
    }
  }

  void Kill(AttemptKey key, EndReason reason) { Emit(StopExecution{key, reason, absl::ZeroDuration(), true}); }

  // --- Refusing and draining

  void On(RefusalChanged event) { refusal_ = std::move(event.reason); }

  void On(DrainRequested event) {
    if (event.stream && !IsCurrent(event.stream)) return;
    if (drain_ && drain_->leaving()) {
      if (event.leaving) drain_->Hasten(event.deadline);
      return;
    }
    drain_.emplace(event.deadline, event.leaving, config_);
    for (const Held* attempt : held_.All()) {
      if (std::holds_alternative<Held::Waiting>(attempt->state)) GiveBack(attempt->key);
    }
  }

  void On(ResumeRequested event) {
    if (event.stream && !IsCurrent(event.stream)) return;
    if (drain_ && !drain_->leaving()) drain_.reset();
  }

  void Preempt(bool by_force) {
    for (Held* attempt : held_.All()) {
      auto* running = std::get_if<Held::Running>(&attempt->state);
      if (running == nullptr || running->killed) continue;
      running->killed = by_force;
      Emit(StopExecution{attempt->key, EndReason::kPreempted, absl::InfiniteDuration(), by_force});
    }
    if (by_force) {
      for (const AttemptKey key : former_.Keys()) Kill(key, EndReason::kLost);
    }
    for (const uint64_t direct : direct_) Emit(StopDirect{direct});
  }

  void ActOnTime() {
    // Mutant: the lease's end means nothing.
    if (now_ >= lease_.until() && !Mutated("ignore_lease")) Fence();
    if (!drain_) return;
    for (auto step = drain_->TakeStep(now_); step != DrainPlan::Step::kNone; step = drain_->TakeStep(now_)) {
      if (step == DrainPlan::Step::kStop) drain_->NoteStopped(held_.RunningKeys());
      Preempt(step == DrainPlan::Step::kForce);
    }
  }

  void SayWhenDrained() {
    const bool something_left = held_.size() + former_.size() + direct_.size() > 0;
    if (drained_ || !drain_ || !drain_->IsOver(now_, something_left)) return;
    drained_ = true;
    Emit(DrainFinished{static_cast<uint32_t>(held_.size())});
  }

  const WorkerCoreConfig config_;
  SessionOrder order_;
  StreamId stream_;  // of the session that is obeyed; 0: none is open
  HeldAttempts held_;
  FormerAttempts former_;
  absl::btree_set<uint64_t> direct_;
  Lease lease_;
  uint32_t fenced_killed_ = 0;  // since the lease ended
  std::string refusal_;
  std::optional<DrainPlan> drain_;
  bool drained_ = false;

  absl::Time now_ = absl::InfinitePast();
  std::vector<WorkerEffect>* effects_ = nullptr;  // while an event is applied
};

WorkerCore::WorkerCore(WorkerCoreConfig config) : impl_(std::make_unique<Impl>(config)) {}
WorkerCore::~WorkerCore() = default;

void WorkerCore::Apply(WorkerEvent event, absl::Time now, std::vector<WorkerEffect>* effects) {
  impl_->Apply(std::move(event), now, effects);
}
void WorkerCore::Tick(absl::Time now, std::vector<WorkerEffect>* effects) { impl_->Tick(now, effects); }
absl::Time WorkerCore::NextDue() const { return impl_->NextDue(); }
WorkerCoreView WorkerCore::View() const { return impl_->View(); }
bool WorkerCore::IsCurrent(StreamId stream) const { return impl_->IsCurrent(stream); }
std::optional<HeldPhase> WorkerCore::PhaseOf(AttemptKey key) const { return impl_->PhaseOf(key); }
void WorkerCore::CheckInvariants() const { impl_->CheckInvariants(); }

}  // namespace muster::worker
