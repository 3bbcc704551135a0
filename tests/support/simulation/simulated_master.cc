#include "tests/support/simulation/simulated_master.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/support/simulation/cluster_times.h"

namespace muster::simulation {
namespace {

constexpr absl::Duration kLongestSleep = absl::Seconds(1);  // as the loop's
constexpr absl::Duration kFullDiskRetry = absl::Milliseconds(200);
constexpr absl::Duration kAnswersLeasesEvery = absl::Milliseconds(250);  // while it is inside the store
constexpr size_t kMailboxEvents = 64;
constexpr absl::Duration kLingerAtStop = absl::Milliseconds(2500);

}  // namespace

SimulatedMaster::SimulatedMaster(Scene* scene, SimulatedDisk* disk, Promises* promises, core::CoreConfig config)
    : scene_(*scene), disk_(*disk), promises_(*promises), config_(std::move(config)) {
  clock_rate_ = 1 + 0.004 * (scene_.Chance() - 0.5);
}

void SimulatedMaster::Reach(std::vector<SimulatedMachine*> machines) {
  for (SimulatedMachine* const machine : machines) {
    machines_[machine->name()] = machine;
    machine->wire().on_silence = [this, machine](const StreamPtr& stream, Way end) {
      if (end == Way::kUp) {
        OnSilence(stream);
      } else {
        machine->OnSilence(stream);
      }
    };
  }
}

// --- The process

absl::Time SimulatedMaster::Calendar() const { return scene_.now() + calendar_ahead_; }

absl::Time SimulatedMaster::Clock() const { return calendar_at_start_ + (scene_.now() - started_) * clock_rate_; }

void SimulatedMaster::ToProcess(uint64_t life, std::function<void()> what) {
  if (core_ == nullptr || life != life_) return;
  if (!frozen_) return what();
  inbox_.push_back([this, life, what = std::move(what)] {
    if (core_ != nullptr && life == life_) what();
  });
}

void SimulatedMaster::Later(absl::Duration delay, std::function<void()> what) {
  scene_.After(delay, [this, life = life_, what = std::move(what)] { ToProcess(life, what); });
}

void SimulatedMaster::Start() {
  if (core_ != nullptr) return;
  ++life_;
  started_ = calm_since_ = scene_.now();
  calendar_at_start_ = Calendar();
  time_.emplace();
  planned_sleep_ = absl::ZeroDuration();
  frozen_ = turn_planned_ = committing_ = has_committed_ = disk_full_ = stopped_ = dies_in_next_commit_ = false;
  effects_ = meanwhile_ = {};
  core::RecoveredState state = disk_.store.LoadOpen();
  promises_.MasterStarts(state);
  scene_.Trace(absl::StrCat("the master starts: epoch ", state.epoch.value(), ", ", state.tasks.size(), " open"));
  core_ = std::make_unique<core::ClusterCore>(config_, std::move(state));
  now_ = time_->Advance(Clock(), absl::ZeroDuration());
  core_->Start(now_, &effects_);
  Commit();
}

void SimulatedMaster::Kill(std::string_view why) {
  if (core_ == nullptr) return;
  scene_.Trace(absl::StrCat("the master dies: ", std::string(why)));
  core_.reset();
  ++life_;
  mailbox_.clear();
  inbox_.clear();
  replies_.clear();
  last_heard_.clear();
  states_.clear();
  for (const auto& [worker, stream] : std::exchange(streams_, {})) {
    if (scene_.Happens(0.5)) stream->DropUnderWay(Way::kDown);
    EndStream(stream);
  }
  const absl::Duration down = absl::Milliseconds(300) + scene_.UpTo(absl::Seconds(scene_.Happens(0.1) ? 25 : 3));
  scene_.After(down, [this, life = life_] {
    if (life == life_) Start();
  });
}

void SimulatedMaster::Freeze(absl::Duration how_long) {
  if (core_ == nullptr || frozen_) return;
  scene_.Count(how_long > absl::Seconds(31) ? "master stopped for long" : "master stopped for a while");
  scene_.Trace("the master is stopped");
  frozen_ = true;
  scene_.After(how_long, [this, life = life_] {
    if (life == life_) Thaw();
  });
}

void SimulatedMaster::Thaw() {
  if (!frozen_) return;
  scene_.Trace("the master goes on");
  frozen_ = false;
  calm_since_ = absl::InfiniteFuture();
  for (auto& what : std::exchange(inbox_, {})) what();
}

void SimulatedMaster::Stop() {
  if (core_ == nullptr || stopped_) return;
  scene_.Count("master ended in order");
  ToProcess(life_, [this] { PostAlways(core::StopMaster{"maintenance", {}}); });
}

// --- The loop

bool SimulatedMaster::Post(core::Event event) {
  if (core_ == nullptr || frozen_ || stopped_) return false;
  if (disk_full_ || mailbox_.size() >= kMailboxEvents) {
    scene_.Count(disk_full_ ? "call refused: disk full" : "call refused: mailbox full");
    return false;
  }
  PostAlways(std::move(event));
  return true;
}

void SimulatedMaster::PostAlways(core::Event event) {
  mailbox_.push_back(std::move(event));
  PlanTurn();
}

void SimulatedMaster::PlanTurn() {
  if (committing_ || std::exchange(turn_planned_, true)) return;
  Later(scene_.UpTo(absl::Microseconds(300)), [this] { RunTurn(); });
}

void SimulatedMaster::RunTurn() {
  turn_planned_ = false;
  if (committing_) return;
  ++turns_;
  ++sleep_;
  now_ = time_->Advance(Clock(), planned_sleep_);
  if (time_->behind() > absl::ZeroDuration()) calm_since_ = absl::InfiniteFuture();
  if (time_->behind() == absl::ZeroDuration()) calm_since_ = std::min(calm_since_, scene_.now());
  if (time_->behind() > absl::Seconds(30)) scene_.Count("loop far behind the clock");
  for (core::Event& event : std::exchange(mailbox_, {})) {
    if (stopped_ && !std::holds_alternative<core::WorkerHeartbeat>(event)) continue;
    core_->Apply(std::move(event), now_, &effects_);
  }
  if (!stopped_) core_->Turn(now_, &effects_);
  core_->CheckInvariants();
  for (const core::Effect& effect : effects_.effects) {
    if (const auto* assign = std::get_if<core::Assign>(&effect)) promises_.Places(*assign, *core_);
  }
  if (stopped_) {
    effects_.transaction = core::Transaction();  // the clean end is written; nothing is committed any more
    return Release();
  }
  Commit();
}

void SimulatedMaster::Commit() {
  core_->CheckInvariants();
  if (!effects_.transaction.NeedsSync()) return Release();
  if (scene_.now() < disk_.full_until) {
    if (!std::exchange(disk_full_, true)) {
      scene_.Count("commit refused: disk full");
      Later(kAnswersLeasesEvery, [this, turn = turns_] { AnswerLeases(turn); });
    }
    committing_ = true;
    calm_since_ = absl::InfiniteFuture();
    return Later(kFullDiskRetry, [this] { Commit(); });
  }
  disk_full_ = false;
  ++commits_;
  if (DiesHere(Moment::kBeforeCommit) || (dies_in_next_commit_ && scene_.Happens(0.2))) {
    scene_.Count("master killed before a commit");
    return Kill("before a commit");
  }
  if (DiesHere(Moment::kSyncFails) || std::exchange(disk_.next_sync_fails, false)) {
    scene_.Count("sync failed");
    // Power may fail now, or may not: what the file system still had in memory may be there or not.
    if (deaths_.empty() && scene_.Happens(0.5)) NoteCommitted();
    return Kill("a sync failed");
  }
  committing_ = true;
  absl::Duration takes = scene_.UpTo(absl::Milliseconds(1));
  if (scene_.now() < disk_.slow_until) {
    scene_.Count("slow commit");
    calm_since_ = absl::InfiniteFuture();
    takes = disk_.slowness * (0.5 + 0.5 * scene_.Chance());
    Later(kAnswersLeasesEvery, [this, turn = turns_] { AnswerLeases(turn); });
  }
  Later(takes, [this] { FinishCommit(); });
}

bool SimulatedMaster::DiesHere(Moment moment) {
  const bool here = std::any_of(deaths_.begin(), deaths_.end(), [&](const Death& death) {
    return death.commit == commits_ && death.moment == moment;
  });
  if (here) ++deaths_met_;
  return here;
}

// As MasterLoop does: a worker that hears nothing during a long commit would fence its commands. What else a heartbeat
// causes waits for a commit of its own.
void SimulatedMaster::AnswerLeases(uint64_t turn) {
  if (!committing_ || turn != turns_) return;
  now_ = time_->Advance(Clock(), absl::ZeroDuration());
  std::vector<core::Event> others;
  for (core::Event& event : std::exchange(mailbox_, {})) {
    if (std::holds_alternative<core::WorkerHeartbeat>(event)) {
      core_->Apply(std::move(event), now_, &meanwhile_);
    } else {
      others.push_back(std::move(event));
    }
  }
  mailbox_ = std::move(others);
  for (core::Effect& effect : std::exchange(meanwhile_.effects, {})) {
    if (std::holds_alternative<core::HeartbeatAnswer>(effect)) {
      scene_.Count("heartbeat answered during a long commit");
      Carry(effect);
    } else {
      meanwhile_.effects.push_back(std::move(effect));
    }
  }
  Later(kAnswersLeasesEvery, [this, turn] { AnswerLeases(turn); });
}

void SimulatedMaster::NoteCommitted() {
  for (const auto& row : effects_.transaction.attempts) {
    digest_ = digest_ * 1099511628211u + row.key.task.value() * 64 + row.key.number.value();
  }
  for (const auto& row : effects_.transaction.outcomes) {
    digest_ = digest_ * 1099511628211u + row.task.value() * 64 + static_cast<uint64_t>(row.state);
  }
  if (std::string wrong = disk_.store.Commit(effects_.transaction); !wrong.empty()) scene_.Wrong(std::move(wrong));
  promises_.Committed(effects_.transaction);
}

void SimulatedMaster::FinishCommit() {
  committing_ = false;
  has_committed_ = true;
  NoteCommitted();
  effects_.transaction = core::Transaction();
  if (effects_by_commit_.size() < commits_) effects_by_commit_.resize(commits_);
  effects_by_commit_[commits_ - 1] = effects_.effects.size();
  Release();
}

// How many of the effects leave before it dies; more than there are: it lives.
size_t SimulatedMaster::LivesFor(size_t effects) {
  if (dies_in_next_commit_) return scene_.Pick(effects + 1);
  for (const Death& death : deaths_) {
    if (death.commit != commits_ || death.moment != Moment::kAfterCommit) continue;
    ++deaths_met_;
    return death.effects;
  }
  return effects + 1;
}

void SimulatedMaster::Release() {
  std::vector<core::Effect> effects = std::exchange(effects_.effects, {});
  size_t lives_for = effects.size() + 1;
  if (std::exchange(has_committed_, false)) lives_for = LivesFor(effects.size());
  for (size_t i = 0; i < effects.size(); ++i) {
    if (i == lives_for) break;
    promises_.Releases(effects[i]);
    Carry(effects[i]);
  }
  if (lives_for <= effects.size()) {
    scene_.Count("master killed after a commit");
    return Kill("after a commit, before some effect");
  }
  if (!meanwhile_.Empty()) effects_ = std::exchange(meanwhile_, {});
  Sleep();
}

void SimulatedMaster::Sleep() {
  planned_sleep_ = std::clamp(core_->NextDue() - now_, absl::ZeroDuration(), kLongestSleep);
  if (!effects_.effects.empty()) planned_sleep_ = absl::ZeroDuration();
  if (!mailbox_.empty() || !effects_.effects.empty()) return PlanTurn();
  Later(planned_sleep_ / clock_rate_ + absl::Microseconds(1), [this, sleep = sleep_] {
    if (sleep == sleep_) PlanTurn();
  });
}

// --- The edges

bool SimulatedMaster::OnRegistryCall(core::Event event, std::function<void(core::Effect)> reply) {
  if (core_ == nullptr) return false;
  const CallId call((uint64_t{1} << 63) | ++calls_);
  ToProcess(life_, [this, event = std::move(event), reply = std::move(reply), call]() mutable {
    replies_[call] = {std::move(reply), "", Incarnation(), scene_.now()};
    if (auto* join = std::get_if<core::WorkerJoin>(&event)) {
      join->call = call;
      replies_[call].name = join->name;
      replies_[call].incarnation = join->incarnation;
    } else {
      auto& beat = std::get<core::WorkerHeartbeat>(event);
      beat.call = call;
      replies_[call].name = beat.name;
      replies_[call].incarnation = beat.incarnation;
    }
    PostAlways(std::move(event));
  });
  return true;
}

void SimulatedMaster::Reply(CallId call, const core::Effect& answer) {
  const auto found = replies_.find(call);
  if (found == replies_.end()) return;
  const RegistryCall asked = std::move(found->second);
  replies_.erase(found);
  const auto* join = std::get_if<core::JoinAnswer>(&answer);
  const bool taken = join != nullptr ? join->status.ok() : !std::get<core::HeartbeatAnswer>(answer).join_again;
  if (taken) {
    absl::Time& heard = last_heard_[{asked.name, asked.incarnation}];
    heard = std::max(heard, asked.arrived);
  }
  asked.reply(answer);
}

void SimulatedMaster::OnHello(const StreamPtr& stream, core::SessionOpened hello) {
  ToProcess(stream->master_life, [this, stream, hello = std::move(hello)]() mutable {
    if (!stream->open_at_master) return;
    stream->greeted = true;
    PostAlways(std::move(hello));
  });
}

void SimulatedMaster::OnReports(const StreamPtr& stream, core::WorkerReports reports) {
  ToProcess(stream->master_life, [this, stream, reports = std::move(reports)]() mutable {
    if (!stream->open_at_master || !stream->greeted) return;
    PostAlways(std::move(reports));
  });
}

void SimulatedMaster::OnStreamEnded(const StreamPtr& stream, std::string why) {
  ToProcess(stream->master_life, [this, stream, why = std::move(why)] { TellClosed(stream, why); });
}

void SimulatedMaster::OnSilence(const StreamPtr& stream) {
  ToProcess(stream->master_life, [this, stream] {
    if (!stream->open_at_master) return;
        EndStream(stream);
    TellClosed(stream, "silence");
  });
}

void SimulatedMaster::TellClosed(const StreamPtr& stream, std::string why) {
  stream->open_at_master = false;
  if (std::exchange(stream->told, true)) return;
  if (const auto found = streams_.find(stream->worker); found != streams_.end() && found->second == stream) {
    streams_.erase(found);
  }
  PostAlways(core::SessionClosed{stream->worker, stream->session, std::move(why)});
}

void SimulatedMaster::EndStream(const StreamPtr& stream) {
  stream->open_at_master = false;
  stream->Send(Way::kDown, [stream] { stream->machine->OnStreamEnded(stream); });
}

void SimulatedMaster::OpenSession(const core::OpenSession& open) {
  promises_.AsksForSession(open);
  SimulatedMachine* const machine = machines_.at(open.name);
  const StreamPtr stream = machine->wire().Open();
  stream->machine = machine;
  stream->worker = open.worker;
  stream->epoch = core_->epoch();
  stream->session = open.session;
  stream->master_life = life_;
  if (const StreamPtr older = std::exchange(streams_[open.worker], stream); older != nullptr) EndStream(older);
  // The first packet may be lost and come again after seconds, when that master is long dead.
  absl::Duration dial = absl::Microseconds(200) + scene_.UpTo(absl::Milliseconds(4));
  if (scene_.Happens(0.03)) dial = scene_.UpTo(absl::Seconds(8));
  const bool fails = scene_.Happens(0.03);
  stream->SendAfter(Way::kDown, dial, [this, stream, fails, address = open.address, cluster = core_->cluster_id()] {
    if (!fails && stream->machine->OnSession(stream, address, cluster)) return;
    stream->Send(Way::kUp, [this, stream] { OnStreamEnded(stream, "connection refused"); });
  });
  Later(kHelloTimeout, [this, stream] {
    if (stream->greeted || !stream->open_at_master) return;
    scene_.Count("no hello in time");
    EndStream(stream);
    TellClosed(stream, "no Hello in time");
  });
}

void SimulatedMaster::CloseSession(const core::CloseSession& close) {
  promises_.DropsSession(close);
  const auto found = streams_.find(close.worker);
  if (found == streams_.end() || found->second->session != close.session) return;
  const StreamPtr stream = found->second;
  streams_.erase(found);
  EndStream(stream);
  // What has been read already is still posted for a moment.
  stream->open_at_master = stream->told = true;
  Later(absl::Milliseconds(5), [stream] { stream->open_at_master = false; });
}

void SimulatedMaster::SendOrder(WorkerId worker, SessionNumber session, const core::Effect& order) {
  if (std::holds_alternative<core::Assign>(order)) {
    if (const auto view = core_->FindWorker(worker)) promises_.Sends(view->name, LastHeard(*view), calm_since_);
  }
  const auto found = streams_.find(worker);
  if (found == streams_.end() || found->second->session != session) return;
  const StreamPtr stream = found->second;
  stream->Send(Way::kDown, [stream, order] { stream->machine->OnOrder(stream, order); });
}

void SimulatedMaster::Carry(const core::Effect& effect) {
  std::visit(
      [this, &effect](const auto& known) {
        using T = std::decay_t<decltype(known)>;
        if constexpr (std::is_same_v<T, core::OpenSession>) {
          OpenSession(known);
        } else if constexpr (std::is_same_v<T, core::CloseSession>) {
          CloseSession(known);
        } else if constexpr (std::is_same_v<T, core::Assign> || std::is_same_v<T, core::Stop> ||
                             std::is_same_v<T, core::Recall> || std::is_same_v<T, core::Acknowledge> ||
                             std::is_same_v<T, core::SendDrain>) {
          SendOrder(known.worker, known.session, effect);
        } else if constexpr (std::is_same_v<T, core::JoinAnswer> || std::is_same_v<T, core::HeartbeatAnswer>) {
          Reply(known.call, effect);
        } else if constexpr (std::is_same_v<T, core::WorkerChanged>) {
          NoteLost(known);
        } else if constexpr (std::is_same_v<T, core::FindEnds>) {
          FindEnds(known);
        } else if constexpr (std::is_same_v<T, core::Stopped>) {
          // It answers heartbeats for a moment more.
          stopped_ = true;
          Later(kLingerAtStop, [this] { Kill("it was told to end"); });
        } else {
          on_effect(effect);
        }
      },
      effect);
}

// Read after a while, as of then; and told after another one.
void SimulatedMaster::FindEnds(const core::FindEnds& find) {
  scene_.Count("asked how others ended");
  const absl::Duration takes = scene_.Happens(0.1) ? scene_.UpTo(absl::Seconds(3)) : scene_.UpTo(absl::Milliseconds(3));
  Later(takes / 2, [this, find, takes] {
    core::EndsFound found{disk_.store.FindEnds(find.ranges)};
    Later(takes / 2, [this, found = std::move(found)] { PostAlways(found); });
  });
}

absl::Time SimulatedMaster::LastHeard(const WorkerView& worker) const {
  const auto heard = last_heard_.find({worker.name, worker.incarnation});
  return heard == last_heard_.end() ? started_ : heard->second;
}

void SimulatedMaster::NoteLost(const core::WorkerChanged& changed) {
  const auto view = core_->FindWorker(changed.worker);
  if (!view) return;
  WorkerState& state = states_[view->name];
  if (std::exchange(state, view->state) == view->state || view->state != WorkerState::kLost) return;
  scene_.Count("worker LOST");
  promises_.Lost(view->name, LastHeard(*view), calm_since_);
}

}  // namespace muster::simulation
