#include "master/app/master_loop.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/planted_fault.h"
#include "common/base/refusal.h"
#include "common/telemetry/log.h"
#include "master/app/event_weight.h"
#include "master/app/threads.h"

namespace muster::master {
namespace {

// Activity of this many records is worth a commit of its own.
constexpr size_t kMostActivity = 16384;
constexpr int64_t kLookBytes = 256;

void TakeHeartbeatAnswers(std::vector<core::Effect>* from, std::vector<core::Effect>* answers) {
  std::vector<core::Effect> others;
  for (core::Effect& effect : *from) {
    (std::holds_alternative<core::HeartbeatAnswer>(effect) ? *answers : others).push_back(std::move(effect));
  }
  *from = std::move(others);
}

double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

}  // namespace

MasterLoop::MasterLoop(core::ClusterCore* core, store::Store* store, const runtime::Clock* clock,
                       telemetry::Metrics* metrics, LoopOptions options)
    : core_(core),
      store_(store),
      clock_(clock),
      options_(std::move(options)),
      metrics_(AddLoopMetrics(metrics)),
      mail_(options_.mailbox_events, options_.mailbox_bytes),
      keeper_(options_.slow_commit, [this] { AnswerLeases(); }),
      commit_({.store = store,
               .clock = clock,
               .keeper = &keeper_,
               .metrics = &metrics_,
               .full_disk_retry = options_.full_disk_retry,
               .tried = [this] { Beat(); },
               .troubled = [this] { NoteStarted(); }}) {
  own_figures_.last_commit = store_->last_commit();
  last_commit_ = own_figures_.last_commit;
  AddFigureMetrics(metrics, [this] { return Figures(); });
  metrics->AddGaugeCallback("muster_mailbox_events", "Events that wait for the loop.", {},
                            [this] { return static_cast<double>(mail_.events()); });
  metrics->AddGaugeCallback("muster_mailbox_bytes", "Bytes of the events that wait for the loop.", {},
                            [this] { return static_cast<double>(mail_.bytes()); });
}

MasterLoop::~MasterLoop() {
  Abort();
  Join();
}

void MasterLoop::Start() {
  Beat();
  thread_ = std::thread([this] { Run(); });
}

void MasterLoop::Abort() {
  commit_.Abort();
  mail_.Close();
}

void MasterLoop::Join() {
  if (thread_.joinable()) thread_.join();
}

void MasterLoop::WaitStarted() {
  absl::MutexLock lock(&state_mutex_);
  state_mutex_.Await(absl::Condition(&started_));
}

void MasterLoop::NoteStarted() {
  absl::MutexLock lock(&state_mutex_);
  started_ = true;
}

bool MasterLoop::WaitStopped(absl::Duration wait) {
  absl::MutexLock lock(&state_mutex_);
  return state_mutex_.AwaitWithTimeout(absl::Condition(&stopped_), wait);
}

// --- From any thread.

bool MasterLoop::Enqueue(LoopMail::Content content, int64_t bytes) {
  if (commit_.in_trouble() || mail_.IsFull(bytes)) {
    metrics_.refused_posts->Increment();
    return false;
  }
  return mail_.Post(std::move(content), bytes);
}

bool MasterLoop::Post(core::Event event) {
  if (std::holds_alternative<core::SubmitTasks>(event) && store_->LowOnRoom()) {
    metrics_.refused_low->Increment();
    return false;
  }
  const int64_t bytes = WeightBytes(event);
  return Enqueue(std::move(event), bytes);
}

void MasterLoop::PostAlways(core::Event event) {
  const int64_t bytes = WeightBytes(event);
  mail_.Post(std::move(event), bytes);
}

bool MasterLoop::Inspect(Look look) { return Enqueue(std::move(look), kLookBytes); }

absl::Status MasterLoop::Refusal() const {
  if (IsStopping()) return Refuse(absl::StatusCode::kUnavailable, "MASTER_STOPPING", "the master is stopping");
  if (const std::string trouble = commit_.trouble(); !trouble.empty()) {
    return RefuseForNow("DISK_FULL", absl::StrCat("the master cannot write: ", trouble), absl::Seconds(5));
  }
  if (const std::string shortage = store_->Shortage(); !shortage.empty()) {
    return RefuseForNow("DISK_FULL", absl::StrCat("the master has little room: ", shortage), absl::Seconds(5));
  }
  return RefuseForNow("MASTER_BUSY", "the master has more waiting than it can take", absl::Seconds(1));
}

bool MasterLoop::congested() const { return commit_.in_trouble() || mail_.IsHalfFull(); }

bool MasterLoop::IsStopping() const {
  absl::MutexLock lock(&state_mutex_);
  return stopped_ || stopping_;
}

std::string MasterLoop::Unhealthy() const {
  const absl::Duration silent = clock_->Now() - absl::FromUnixNanos(last_beat_ns_.load());
  if (silent <= options_.stuck_after) return "";
  return absl::StrCat("the loop has not turned for ", absl::FormatDuration(absl::Trunc(silent, absl::Seconds(1))));
}

std::string MasterLoop::Unready() const {
  std::string stuck = Unhealthy();
  if (!stuck.empty()) return stuck;
  if (IsStopping()) return "the master is stopping";
  if (const std::string trouble = commit_.trouble(); !trouble.empty()) {
    return absl::StrCat("the store cannot write: ", trouble);
  }
  if (const std::string damage = store_->Damage(); !damage.empty()) return absl::StrCat("damage was found: ", damage);
  if (store_->LowOnRoom()) return absl::StrCat("new tasks are refused: ", store_->Shortage());
  return "";
}

LoopFigures MasterLoop::Figures() const {
  absl::MutexLock lock(&state_mutex_);
  return figures_;
}

// --- The loop's thread.

void MasterLoop::Run() {
  pthread_setname_np(pthread_self(), kLoopThreadName);
  now_ = time_.Advance(clock_->Now(), absl::ZeroDuration());
  TellSurroundings();
  core_->Start(now_, &effects_);
  bool go_on = FinishTurn();
  NoteStarted();
  while (go_on) go_on = Turn();
  End();
}

bool MasterLoop::Turn() {
  TakeMail();
  if (commit_.aborted()) return false;
  const absl::Time began = clock_->Now();
  now_ = time_.Advance(began, planned_sleep_);
  TellSurroundings();
  ApplyLeasesFirst();
  ApplyMail();
  core_->Turn(now_, &effects_);
  const bool go_on = FinishTurn();
  metrics_.turn_seconds->Observe(Seconds(clock_->Now() - began));
  return go_on;
}

void MasterLoop::TellSurroundings() {
  core_->SetSurroundings({.calendar_ahead = clock_->Calendar() - now_, .low_on_room = store_->LowOnRoom()});
}

bool MasterLoop::FinishTurn() {
  // Mutant: everything is answered before it is durable.
  const bool stopped_early = Mutated("early_answer") && !Release();
  if (!CommitTurn()) return false;
  const bool go_on = Release() && !stopped_early;
  TakeMeanwhile();
  RunLooks();
  Publish();
  return go_on;
}

void MasterLoop::TakeMail() {
  planned_sleep_ = SleepTime();
  mail_.Take(planned_sleep_);
  Beat();
}

absl::Duration MasterLoop::SleepTime() const {
  if (mail_.left() > 0 || !effects_.effects.empty()) return absl::ZeroDuration();
  const absl::Duration until_due = std::min(core_->NextDue(), activity_since_ + options_.activity_delay) - now_;
  return std::clamp(std::min(until_due, store_->MaintenancePause()), absl::ZeroDuration(), options_.longest_sleep);
}

void MasterLoop::ApplyLeasesFirst() {
  if (mail_.left() <= options_.turn_events) return;
  mail_.HandleLeases([this](LoopMail::Content content) { Apply(std::move(content), &effects_); });
}

void MasterLoop::ApplyMail() {
  const size_t events = mail_.Handle(options_.turn_events, options_.turn_bytes,
                                     [this](LoopMail::Content content) { Apply(std::move(content), &effects_); });
  if (events > 0) metrics_.turn_events->Observe(static_cast<double>(events));
}

void MasterLoop::Apply(LoopMail::Content content, core::Effects* effects) {
  if (auto* look = std::get_if<Look>(&content)) {
    looks_.push_back(std::move(*look));
    return;
  }
  auto& event = std::get<core::Event>(content);
  if (std::holds_alternative<core::StopMaster>(event)) {
    absl::MutexLock lock(&state_mutex_);
    stopping_ = true;
  }
  core_->Apply(std::move(event), now_, effects);
}

bool MasterLoop::CommitTurn() {
  committed_ = false;
  const core::Transaction& transaction = effects_.transaction;
  const bool maintained = store_->WantsCommit();
  if (transaction.Empty() && !maintained) return true;
  activity_since_ = std::min(activity_since_, now_);
  const bool due = maintained || now_ >= activity_since_ + options_.activity_delay ||
                   transaction.activity.size() > kMostActivity;
  if (!transaction.NeedsSync() && !due) return true;
  if (!Commit()) return false;
  effects_.transaction = core::Transaction();
  activity_since_ = absl::InfiniteFuture();
  return true;
}

bool MasterLoop::Commit() {
  const absl::StatusOr<CommitNumber> committed = commit_.Commit(effects_.transaction);
  if (absl::IsCancelled(committed.status())) return false;  // aborted
  if (!committed.ok()) {
    if (options_.on_fatal) options_.on_fatal(committed.status());
    return false;
  }
  MayDieAt("after_sync");
  last_commit_ = *committed;
  ++own_figures_.commits;
  committed_ = true;
  return true;
}

// Their answers rest on nothing that must be durable; whatever else they cause waits for a commit.
void MasterLoop::AnswerLeases() {
  mail_.Take(absl::ZeroDuration());
  now_ = time_.Advance(clock_->Now(), absl::ZeroDuration());
  mail_.TakeOutHeartbeats([this](LoopMail::Content content) { Apply(std::move(content), &meanwhile_); });
  std::vector<core::Effect> answers;
  TakeHeartbeatAnswers(&effects_.effects, &answers);  // of this turn: they, too, would wait for the commit
  TakeHeartbeatAnswers(&meanwhile_.effects, &answers);
  if (answers.empty()) return;
  metrics_.bridged_heartbeats->Increment(static_cast<double>(answers.size()));
  for (core::EffectListener* listener : listeners_) listener->OnEffects(answers, last_commit_);
}

// After the release: the rows and effects of this turn are gone.
void MasterLoop::TakeMeanwhile() {
  if (!meanwhile_.Empty()) effects_ = std::exchange(meanwhile_, {});
}

bool MasterLoop::Release() {
  std::vector<core::Effect>& effects = effects_.effects;
  if (effects.empty() && !committed_) return true;
  for (core::EffectListener* listener : listeners_) listener->OnEffects(effects, last_commit_);
  MayDieAt("after_answer");
  const bool stopped = std::any_of(effects.begin(), effects.end(), [](const core::Effect& effect) {
    return std::holds_alternative<core::Stopped>(effect);
  });
  effects.clear();
  return !stopped;
}

void MasterLoop::RunLooks() {
  for (Look& look : looks_) look(*core_, now_);
  looks_.clear();
}

// The clean end is written: nothing is committed any more, so only what changes nothing durable is still answered.
void MasterLoop::Linger() {
  absl::flat_hash_set<std::string> unanswered;
  for (const WorkerView& worker : core_->Workers()) {
    if (worker.state != WorkerState::kLost && core_->AttemptsOn(worker.id) > 0) unanswered.insert(worker.name);
  }
  const absl::Time deadline = clock_->Now() + options_.linger;
  for (absl::Time at = clock_->Now(); at < deadline && !unanswered.empty(); at = clock_->Now()) {
    now_ = time_.Advance(at, planned_sleep_);
    mail_.HandleAll([&](LoopMail::Content content) { LingerOn(std::move(content), &unanswered); });
    effects_.transaction = core::Transaction();
    committed_ = false;
    Release();
    RunLooks();
    planned_sleep_ = std::min(deadline - at, options_.longest_sleep);
    if (!unanswered.empty() && !mail_.Take(planned_sleep_)) return;
  }
}

void MasterLoop::LingerOn(LoopMail::Content content, absl::flat_hash_set<std::string>* unanswered) {
  if (auto* look = std::get_if<Look>(&content)) {
    looks_.push_back(std::move(*look));
    return;
  }
  auto* event = std::get_if<core::Event>(&content);
  if (event == nullptr || !std::holds_alternative<core::WorkerHeartbeat>(*event)) return;
  unanswered->erase(std::get<core::WorkerHeartbeat>(*event).name);
  core_->Apply(std::move(*event), now_, &effects_);
}

// Every accepted question is answered, also when the master stops; a turn that never became durable is not shown.
void MasterLoop::End() {
  const bool in_order = !commit_.aborted() && !commit_.in_trouble();
  if (in_order) Linger();
  mail_.Close();
  mail_.Take(absl::ZeroDuration());
  if (in_order) {
    mail_.HandleAll([this](LoopMail::Content content) {
      if (auto* look = std::get_if<Look>(&content)) looks_.push_back(std::move(*look));
    });
    RunLooks();
  }
  mail_.Drop();
  looks_.clear();
  absl::MutexLock lock(&state_mutex_);
  stopped_ = in_order;
}

void MasterLoop::TellOfRoom() {
  const bool low = store_->LowOnRoom();
  if (low == told_low_) return;
  told_low_ = low;
  if (low) {
    MUSTER_LOG(kWarning, "little room: new tasks are refused", {{"why", store_->Shortage()}});
  } else {
    MUSTER_LOG(kInfo, "there is room again: new tasks are taken", {});
  }
}

void MasterLoop::Publish() {
  TellOfRoom();
  ++own_figures_.turns;
  own_figures_.core = core_->counters();
  own_figures_.last_commit = last_commit_;
  if (now_ - workers_counted_ >= absl::Seconds(1)) {
    workers_counted_ = now_;
    std::fill(std::begin(own_figures_.worker_count), std::end(own_figures_.worker_count), size_t{0});
    for (const WorkerView& worker : core_->Workers()) {
      ++own_figures_.worker_count[static_cast<size_t>(worker.state) & 7];
    }
    own_figures_.queues = FiguresOf(core_->Queues(now_));
    own_figures_.resources = std::make_shared<const std::vector<ClusterResourceView>>(core_->Resources());
  }
  absl::MutexLock lock(&state_mutex_);
  figures_ = own_figures_;
}

void MasterLoop::Beat() { last_beat_ns_ = absl::ToUnixNanos(clock_->Now()); }

}  // namespace muster::master
