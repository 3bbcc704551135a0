// The machine's edges to the master: the session that it serves, and the registry calls that it makes.
#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "tests/support/simulation/cluster_times.h"
#include "tests/support/simulation/simulated_machine.h"

namespace muster::simulation {
namespace {

constexpr absl::Duration kJoinCall = absl::Seconds(5);
constexpr absl::Duration kHeartbeatCall = absl::Seconds(2);  // twice the interval

core::HeldAttempt::Phase PhaseOf(worker::HeldPhase phase) {
  switch (phase) {
    case worker::HeldPhase::kAccepted: return core::HeldAttempt::Phase::kAccepted;
    case worker::HeldPhase::kRunning: return core::HeldAttempt::Phase::kRunning;
    case worker::HeldPhase::kFinished: return core::HeldAttempt::Phase::kFinished;
    case worker::HeldPhase::kValidating: return core::HeldAttempt::Phase::kValidating;
  }
  return core::HeldAttempt::Phase::kAccepted;
}

}  // namespace

// --- The session

bool SimulatedMachine::OnSession(const StreamPtr& stream, const std::string& address, const std::string& cluster_id) {
  if (core_ == nullptr || address != address_) return false;
  ToServer([this, stream, cluster_id] {
    stream->id = ++last_stream_;
    stream->server_life = life_;
    stream->open_at_worker = true;
    streams_[stream->id] = stream;
    Apply(worker::SessionOpening{worker::StreamId(stream->id), cluster_id, stream->epoch, stream->session});
  });
  return true;
}

void SimulatedMachine::OnStreamEnded(const StreamPtr& stream) {
  ToServer([this, stream] {
    if (stream->server_life != life_ || !stream->open_at_worker) return;
    stream->open_at_worker = false;
    streams_.erase(stream->id);
    Apply(worker::SessionEnded{worker::StreamId(stream->id)});
  });
}

void SimulatedMachine::OnSilence(const StreamPtr& stream) {
  ToServer([this, stream] {
    if (stream->server_life != life_ || !stream->open_at_worker) return;
    CloseStream(stream, "silence");
    streams_.erase(stream->id);
    Apply(worker::SessionEnded{worker::StreamId(stream->id)});
  });
}

void SimulatedMachine::OnOrder(const StreamPtr& stream, const core::Effect& order) {
  ToServer([this, stream, order] {
    if (stream->server_life != life_ || !stream->open_at_worker) return;
    const worker::StreamId id(stream->id);
    if (!core_->IsCurrent(id)) scene_.Count("order of an older session");
    if (const auto* assign = std::get_if<core::Assign>(&order)) {
      Apply(worker::Assigned{.stream = id,
                             .key = assign->key,
                             .slots = assign->spec->requirements.resources.slots,
                             .on_worker_loss = assign->spec->on_worker_loss,
                             .prefetched = assign->prefetched,
                             .work = std::make_shared<const Work>(
                                 Work{assign->spec->on_worker_loss, assign->spec->fingerprint,
                                      assign->spec->requirements.resources.slots,
                                      assign->spec->payload == kValidated})});
    } else if (const auto* stop = std::get_if<core::Stop>(&order)) {
      Apply(worker::StopRequested{id, stop->key, stop->reason, stop->kill_grace});
    } else if (const auto* recall = std::get_if<core::Recall>(&order)) {
      Apply(worker::RecallRequested{id, recall->key});
    } else if (const auto* ack = std::get_if<core::Acknowledge>(&order)) {
      Apply(worker::ResultAcknowledged{id, ack->key});
    } else if (const auto* drain = std::get_if<core::SendDrain>(&order)) {
      if (drain->resume) {
        Apply(worker::ResumeRequested{id});
      } else {
        Apply(worker::DrainRequested{.stream = id, .deadline = Local() + drain->deadline});
      }
    }
  });
}

StreamPtr SimulatedMachine::Find(worker::StreamId id) const {
  const auto found = streams_.find(id.value());
  return found == streams_.end() ? nullptr : found->second;
}

void SimulatedMachine::CloseStream(const StreamPtr& stream, std::string why) {
  stream->open_at_worker = false;
  stream->Send(Way::kUp, [this, stream, why = std::move(why)] { master_.OnStreamEnded(stream, why); });
}

void SimulatedMachine::Do(const worker::SendHello& effect) {
  FlushReports();
  const StreamPtr stream = Find(effect.stream);
  if (stream == nullptr) return;
  promises_.Obeys(name(), incarnation_, stream->epoch, stream->session);
  core::SessionOpened hello{stream->worker, stream->session, incarnation_, {}};
  for (const auto& [key, phase] : effect.held) {
    hello.held.push_back({key, PhaseOf(phase)});
    if (phase == worker::HeldPhase::kValidating) scene_.Count("held in validation at a hello");
  }
  stream->Send(Way::kUp, [this, stream, hello = std::move(hello)] { master_.OnHello(stream, hello); });
}

void SimulatedMachine::Do(const worker::RejectSession& effect) {
  scene_.Count("session not obeyed");
  const StreamPtr stream = Find(effect.stream);
  if (stream == nullptr) return;
  // The old one lives a moment longer: gRPC ends it in its own time.
  scene_.After(scene_.UpTo(absl::Milliseconds(20)), [this, stream, why = effect.reason, life = life_] {
    if (life != life_ || !stream->open_at_worker) return;
    streams_.erase(stream->id);
    CloseStream(stream, why);
  });
}

core::WorkerReports& SimulatedMachine::Pending(worker::StreamId id) {
  const StreamPtr stream = Find(id);
  if (stream != pending_stream_) FlushReports();
  pending_stream_ = stream;
  return pending_;
}

void SimulatedMachine::FlushReports() {
  const StreamPtr stream = std::exchange(pending_stream_, nullptr);
  core::WorkerReports reports = std::exchange(pending_, {});
  if (stream == nullptr || !stream->open_at_worker) return;
  reports.worker = stream->worker;
  reports.session = stream->session;
  stream->Send(Way::kUp, [this, stream, reports = std::move(reports)] { master_.OnReports(stream, reports); });
}

void SimulatedMachine::Do(const worker::SendStarted& effect) {
  Pending(effect.stream).started.push_back({effect.key, effect.time});
}

void SimulatedMachine::Do(const worker::SendValidating& effect) {
  Pending(effect.stream).validating.push_back({effect.key, effect.time});
  flush_now_ = true;
}

// A started report that is still here says nothing that the result does not.
void SimulatedMachine::Do(const worker::SendResult& effect) {
  core::WorkerReports& reports = Pending(effect.stream);
  std::erase_if(reports.started, [&effect](const auto& started) { return started.key == effect.report->key; });
  reports.results.push_back(effect.report);
  flush_now_ = true;
}

void SimulatedMachine::Do(const worker::SendGivenBack& effect) {
  scene_.Count("given back");
  Pending(effect.stream).given_back.push_back(effect.key);
  flush_now_ = true;
}

void SimulatedMachine::Do(const worker::SendRefusal& effect) {
  scene_.Count("refused by a worker");
  Pending(effect.stream).refused.push_back({effect.key, effect.reason});
  flush_now_ = true;
}

// --- The registry

void SimulatedMachine::CallLater() {
  if (call_open_) return;
  scene_.After(ToWorld(schedule_.wait()), [this, plan = ++call_plan_, life = life_] {
    if (life == life_ && plan == call_plan_) ToServer([this] { CallMaster(); });
  });
}

core::Event SimulatedMachine::NextCall() const {
  WorkerLoad load;
  if (refusing_) load.refuses_because = "the disk is low";
  if (joined_) {
    return core::WorkerHeartbeat{
        .name = options_.name, .incarnation = incarnation_, .load = std::move(load), .draining = draining_};
  }
  core::WorkerJoin join;
  join.name = options_.name;
  join.incarnation = incarnation_;
  join.address = address_;
  join.load = std::move(load);
  join.draining = draining_;
  join.offer.capacity.slots = options_.slots;
  join.offer.executors = {{"command", "1"}, {"noop", "1"}};
  if (options_.slots > 1) join.offer.labels = {{"big", "yes"}};
  return join;
}

void SimulatedMachine::CallMaster() {
  if (call_open_) return;
  call_open_ = true;
  const uint64_t call = ++call_;
  const bool joining = !joined_;
  const auto back = [this, life = life_](std::function<void()> what) {
    wire_.Call(Way::kDown, [this, life, what = std::move(what)] {
      if (life == life_) ToServer(what);
    });
  };
  if (scene_.traces()) {
    scene_.Trace(absl::StrCat(name(), joining ? " joins as " : " heartbeats as ", incarnation_.value() % 1000));
  }
  wire_.Call(Way::kUp, [this, back, call, sent = Local(), joining, event = NextCall()] {
    const bool listened = master_.OnRegistryCall(event, [this, back, call, sent, joining](core::Effect answer) {
      // The lease counts from when the call was sent.
      worker::LeaseExtended lease{.until = sent, .cluster_id = master_.cluster_id(), .epoch = master_.epoch()};
      back([this, call, lease = std::move(lease), joining, answer = std::move(answer)] {
        Answered(call, lease, joining, answer);
      });
    });
    if (!listened) back([this, call] { NotAnswered(call); });
  });
  scene_.After(ToWorld(joining ? kJoinCall : kHeartbeatCall), [this, call, life = life_] {
    if (life == life_) ToServer([this, call] { NotAnswered(call); });
  });
}

void SimulatedMachine::NotAnswered(uint64_t call) {
  if (!call_open_ || call != call_) return;
  call_open_ = false;
  schedule_.NotAnswered(joined_, scene_.Chance());
  CallLater();
}

void SimulatedMachine::Answered(uint64_t call, worker::LeaseExtended lease, bool joining, const core::Effect& answer) {
  if (!call_open_ || call != call_) return;  // too late, or for the second time
  const auto* join = std::get_if<core::JoinAnswer>(&answer);
  if (join != nullptr && !join->status.ok()) {
    scene_.Count(absl::StrCat("join refused: ", ReasonOf(join->status)));
    return NotAnswered(call);
  }
  call_open_ = false;
  if (joining) {
    joined_ = true;
    schedule_.Joined(kHeartbeat);
    patience_ns_ = absl::ToInt64Nanoseconds(kKillGrace / 2);
    CallLater();
    lease.until += kSelfFence;
    lease.first_valid_session = join->first_valid_session;
    return ExtendLease(std::move(lease));
  }
  const auto& beat = std::get<core::HeartbeatAnswer>(answer);
  if (beat.join_again) {
    scene_.Count("asked to join again");
    joined_ = false;
    schedule_.AskedToJoinAgain();
    return CallLater();
  }
  schedule_.Answered();
  CallLater();
  lease.until += beat.lease;
  lease.first_valid_session = beat.first_valid_session;
  ExtendLease(std::move(lease));
}

}  // namespace muster::simulation
