#include "master/app/master_loop.h"

#include <pthread.h>

#include <algorithm>
#include <limits>
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

bool KeepsALease(const core::Event& event) {
  return std::holds_alternative<core::WorkerHeartbeat>(event) || std::holds_alternative<core::WorkerJoin>(event);
}

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
      mailbox_(std::numeric_limits<size_t>::max()),
      keeper_(options_.slow_commit, [this] { AnswerLeases(); }) {
  own_figures_.last_commit = store_->last_commit();
  last_commit_ = own_figures_.last_commit;
  AddFigureMetrics(metrics, [this] { return Figures(); });
  metrics->AddGaugeCallback("muster_mailbox_events", "Events that wait for the loop.", {},
                            [this] { return static_cast<double>(waiting_events_.load()); });
  metrics->AddGaugeCallback("muster_mailbox_bytes", "Bytes of the events that wait for the loop.", {},
                            [this] { return static_cast<double>(waiting_bytes_.load()); });
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
  {
    absl::MutexLock lock(&state_mutex_);
    abort_ = true;
  }
  mailbox_.Close();
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

bool MasterLoop::Enqueue(Item item, bool always) {
  const int64_t bytes = item.bytes;
  if (!always && (disk_full_.load(std::memory_order_relaxed) ||
                  waiting_events_.load(std::memory_order_relaxed) >= static_cast<int64_t>(options_.mailbox_events) ||
                  waiting_bytes_.load(std::memory_order_relaxed) + bytes > options_.mailbox_bytes)) {
    metrics_.refused_posts->Increment();
    return false;
  }
  waiting_events_.fetch_add(1, std::memory_order_relaxed);
  waiting_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (mailbox_.PostAlways(std::move(item))) return true;
  waiting_events_.fetch_sub(1, std::memory_order_relaxed);
  waiting_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

bool MasterLoop::Post(core::Event event) {
  if (std::holds_alternative<core::SubmitTasks>(event) && store_->LowOnRoom()) {
    metrics_.refused_low->Increment();
    return false;
  }
  const int64_t bytes = WeightBytes(event);
  return Enqueue({std::move(event), bytes}, false);
}

void MasterLoop::PostAlways(core::Event event) {
  const int64_t bytes = WeightBytes(event);
  Enqueue({std::move(event), bytes}, true);
}

bool MasterLoop::Inspect(Look look) { return Enqueue({std::move(look), kLookBytes}, false); }

absl::Status MasterLoop::Refusal() const {
  absl::MutexLock lock(&state_mutex_);
  if (stopped_ || stopping_) {
    return Refuse(absl::StatusCode::kUnavailable, "MASTER_STOPPING", "the master is stopping");
  }
  if (!store_trouble_.empty()) {
    return RefuseForNow("DISK_FULL", absl::StrCat("the master cannot write: ", store_trouble_), absl::Seconds(5));
  }
  if (const std::string shortage = store_->Shortage(); !shortage.empty()) {
    return RefuseForNow("DISK_FULL", absl::StrCat("the master has little room: ", shortage), absl::Seconds(5));
  }
  return RefuseForNow("MASTER_BUSY", "the master has more waiting than it can take", absl::Seconds(1));
}

bool MasterLoop::congested() const {
  return disk_full_.load(std::memory_order_relaxed) ||
         waiting_events_.load(std::memory_order_relaxed) > static_cast<int64_t>(options_.mailbox_events / 2) ||
         waiting_bytes_.load(std::memory_order_relaxed) > options_.mailbox_bytes / 2;
}

std::string MasterLoop::Unhealthy() const {
  const absl::Duration silent = clock_->Now() - absl::FromUnixNanos(last_beat_ns_.load());
  if (silent <= options_.stuck_after) return "";
  return absl::StrCat("the loop has not turned for ", absl::FormatDuration(absl::Trunc(silent, absl::Seconds(1))));
}

std::string MasterLoop::Unready() const {
  std::string stuck = Unhealthy();
  if (!stuck.empty()) return stuck;
  absl::MutexLock lock(&state_mutex_);
  if (stopped_ || stopping_) return "the master is stopping";
  if (!store_trouble_.empty()) return absl::StrCat("the store cannot write: ", store_trouble_);
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
  core_->Start(now_, &effects_);
  bool go_on = FinishTurn();
  NoteStarted();
  while (go_on) go_on = Turn();
  End();
}

bool MasterLoop::Turn() {
  TakeMail();
  {
    absl::MutexLock lock(&state_mutex_);
    if (abort_) return false;
  }
  const absl::Time began = clock_->Now();
  now_ = time_.Advance(began, planned_sleep_);
  ApplyLeasesFirst();
  ApplyMail();
  core_->Turn(now_, &effects_);
  const bool go_on = FinishTurn();
  metrics_.turn_seconds->Observe(Seconds(clock_->Now() - began));
  return go_on;
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
  if (next_mail_ == mail_.size()) {
    mail_.clear();
    next_mail_ = leases_seen_ = 0;
  }
  planned_sleep_ = SleepTime();
  mailbox_.Take(&mail_, planned_sleep_);
  Beat();
}

absl::Duration MasterLoop::SleepTime() const {
  if (next_mail_ < mail_.size() || !effects_.effects.empty()) return absl::ZeroDuration();
  const absl::Duration until_due = std::min(core_->NextDue(), activity_since_ + options_.activity_delay) - now_;
  return std::clamp(std::min(until_due, store_->MaintenancePause()), absl::ZeroDuration(), options_.longest_sleep);
}

void MasterLoop::ApplyLeasesFirst() {
  if (mail_.size() - next_mail_ <= options_.turn_events) return;
  for (leases_seen_ = std::max(leases_seen_, next_mail_); leases_seen_ < mail_.size(); ++leases_seen_) {
    Item& item = mail_[leases_seen_];
    const auto* event = std::get_if<core::Event>(&item.what);
    if (event != nullptr && KeepsALease(*event)) Apply(&item, &effects_);
  }
}

void MasterLoop::ApplyMail() {
  size_t events = 0;
  int64_t bytes = 0;
  while (next_mail_ < mail_.size() && events < options_.turn_events && bytes < options_.turn_bytes) {
    Item& item = mail_[next_mail_++];
    ++events;
    bytes += item.bytes;
    Apply(&item, &effects_);
  }
  if (events > 0) metrics_.turn_events->Observe(static_cast<double>(events));
}

void MasterLoop::Apply(Item* item, core::Effects* effects) {
  if (std::holds_alternative<std::monostate>(item->what)) return;
  waiting_events_.fetch_sub(1, std::memory_order_relaxed);
  waiting_bytes_.fetch_sub(item->bytes, std::memory_order_relaxed);
  if (auto* look = std::get_if<Look>(&item->what)) {
    looks_.push_back(std::move(*look));
  } else {
    auto& event = std::get<core::Event>(item->what);
    if (std::holds_alternative<core::StopMaster>(event)) {
      absl::MutexLock lock(&state_mutex_);
      stopping_ = true;
    }
    core_->Apply(std::move(event), now_, effects);
  }
  item->what = std::monostate();
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
  if (!CommitWithRetry()) return false;
  effects_.transaction = core::Transaction();
  activity_since_ = absl::InfiniteFuture();
  return true;
}

bool MasterLoop::CommitWithRetry() {
  const absl::StatusOr<CommitNumber> committed = CommitOrWait();
  if (absl::IsCancelled(committed.status())) return false;  // aborted
  if (!committed.ok()) {
    NoteStoreTrouble(committed.status().ToString());
    MUSTER_LOG(kError, "commit failed: the master exits", {{"error", committed.status().ToString()}});
    if (options_.on_fatal) options_.on_fatal(committed.status());
    return false;
  }
  MayDieAt("after_sync");
  last_commit_ = *committed;
  ++own_figures_.commits;
  committed_ = true;
  if (disk_full_) NoteStoreTrouble("");
  return true;
}

absl::StatusOr<CommitNumber> MasterLoop::CommitOrWait() {
  const LeaseKeeper::Opening opening(&keeper_);
  for (;;) {
    MayDieAt("before_sync");
    const absl::Time began = clock_->Now();
    absl::StatusOr<CommitNumber> committed = store_->Commit(effects_.transaction);
    metrics_.commit_seconds->Observe(Seconds(clock_->Now() - began));
    Beat();
    if (!absl::IsResourceExhausted(committed.status())) return committed;
    if (!WaitForRoom(committed.status())) return absl::CancelledError("aborted");
  }
}

bool MasterLoop::WaitForRoom(const absl::Status& why) {
  metrics_.disk_full_waits->Increment();
  if (!disk_full_) {
    MUSTER_LOG(kError, "disk full: commits wait", {{"error", why.ToString()}});
    NoteStoreTrouble(why.ToString());
  }
  absl::MutexLock lock(&state_mutex_);
  return !state_mutex_.AwaitWithTimeout(absl::Condition(&abort_), options_.full_disk_retry);
}

// Their answers rest on nothing that must be durable; whatever else they cause waits for a commit.
void MasterLoop::AnswerLeases() {
  mailbox_.Take(&mail_, absl::ZeroDuration());
  now_ = time_.Advance(clock_->Now(), absl::ZeroDuration());
  for (Item& item : mail_) {
    const auto* event = std::get_if<core::Event>(&item.what);
    if (event != nullptr && std::holds_alternative<core::WorkerHeartbeat>(*event)) Apply(&item, &meanwhile_);
  }
  mail_.erase(std::remove_if(mail_.begin(), mail_.end(),
                             [](const Item& item) { return std::holds_alternative<std::monostate>(item.what); }),
              mail_.end());
  next_mail_ = leases_seen_ = 0;
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

void MasterLoop::NoteStoreTrouble(std::string trouble) {
  absl::MutexLock lock(&state_mutex_);
  disk_full_ = !trouble.empty();
  started_ = true;
  store_trouble_ = std::move(trouble);
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
    for (; next_mail_ < mail_.size(); ++next_mail_) LingerOn(&mail_[next_mail_], &unanswered);
    effects_.transaction = core::Transaction();
    committed_ = false;
    Release();
    RunLooks();
    mail_.clear();
    next_mail_ = 0;
    planned_sleep_ = std::min(deadline - at, options_.longest_sleep);
    if (!unanswered.empty() && !mailbox_.Take(&mail_, planned_sleep_)) return;
  }
}

void MasterLoop::LingerOn(Item* item, absl::flat_hash_set<std::string>* unanswered) {
  if (auto* look = std::get_if<Look>(&item->what)) {
    looks_.push_back(std::move(*look));
    return;
  }
  auto* event = std::get_if<core::Event>(&item->what);
  if (event == nullptr || !std::holds_alternative<core::WorkerHeartbeat>(*event)) return;
  unanswered->erase(std::get<core::WorkerHeartbeat>(*event).name);
  core_->Apply(std::move(*event), now_, &effects_);
}

// Every accepted question is answered, also when the master stops; a turn that never became durable is not shown.
void MasterLoop::End() {
  bool in_order;
  {
    absl::MutexLock lock(&state_mutex_);
    in_order = !abort_ && store_trouble_.empty();
  }
  if (in_order) Linger();
  mailbox_.Close();
  mailbox_.Take(&mail_, absl::ZeroDuration());
  for (; in_order && next_mail_ < mail_.size(); ++next_mail_) {
    if (auto* look = std::get_if<Look>(&mail_[next_mail_].what)) looks_.push_back(std::move(*look));
  }
  if (in_order) RunLooks();
  mail_.clear();  // a question that is not asked dies here, and its asker is told
  looks_.clear();
  absl::MutexLock lock(&state_mutex_);
  stopped_ = in_order;
}

void MasterLoop::Publish() {
  ++own_figures_.turns;
  own_figures_.core = core_->counters();
  own_figures_.last_commit = last_commit_;
  if (now_ - workers_counted_ >= absl::Seconds(1)) {
    workers_counted_ = now_;
    std::fill(std::begin(own_figures_.worker_count), std::end(own_figures_.worker_count), size_t{0});
    for (const WorkerView& worker : core_->Workers()) {
      ++own_figures_.worker_count[static_cast<size_t>(worker.state) & 7];
    }
  }
  absl::MutexLock lock(&state_mutex_);
  figures_ = own_figures_;
}

void MasterLoop::Beat() { last_beat_ns_ = absl::ToUnixNanos(clock_->Now()); }

}  // namespace muster::master
