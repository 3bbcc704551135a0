#include "master/core/worker_events.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"

namespace muster::core {
namespace {

constexpr uint32_t kMaxSessionDoublings = 4;
constexpr size_t kMaxExecutors = 4096;  // names remembered for ever
constexpr absl::Duration kTableFullDelay = absl::Seconds(30);

}  // namespace

// --- What workers say

void WorkerEvents::OnJoin(const Moment& turn, WorkerJoin event) {
  const CallId call = event.call;
  registry::JoinRequest request{event.name, event.incarnation,      event.address, event.version,
                                std::move(event.offer), std::move(event.load), event.draining};
  registry::JoinOutcome outcome = cluster_.workers.Join(request, turn.now);
  if (std::holds_alternative<registry::TableFull>(outcome) && MakeRoomForAnother()) {
    outcome = cluster_.workers.Join(std::move(request), turn.now);
  }
  if (const auto* taken = std::get_if<registry::NameTaken>(&outcome)) {
    return turn.Emit(JoinAnswer{
        call, Refuse(absl::StatusCode::kAlreadyExists, "NAME_TAKEN",
                     absl::StrCat("worker ", event.name, " at ", taken->address, " heartbeats (",
                                  absl::FormatDuration(taken->heartbeat_age), " ago); the one at ", event.address,
                                  " needs another name"))});
  }
  if (const auto* full = std::get_if<registry::TableFull>(&outcome)) {
    return turn.Emit(JoinAnswer{
        call, RefuseForNow("TOO_MANY_WORKERS", absl::StrCat("there are ", full->max_workers, " workers already"),
                           kTableFullDelay)});
  }
  const auto& joined = std::get<registry::Joined>(outcome);
  const WorkerId worker = joined.id;
  if (joined.predecessor) {
    ExpectProof(turn, worker);
    cluster_.health.Restarted(worker);
  }
  turn.Emit(JoinAnswer{call, absl::OkStatus(), cluster_.last_session.Next()});  // it gets a new one
  turn.Log(activity::WorkerJoined{event.name, event.incarnation, event.address,
                                  cluster_.workers.facts(worker).offer.capacity.slots});
  GrantLease(turn, worker);
  NoteOffer(turn, worker);
  DropSession(turn, worker, "the worker joined anew");
  AskForSession(turn, worker);
  Settle(turn);
  turn.Emit(WorkerChanged{worker});
}

// A join may have been long under way, and its process be the dead one of the two. Only Hello proves which one lives;
// what another incarnation holds waits for it, and is lost to silence when none comes.
void WorkerEvents::ExpectProof(const Moment& turn, WorkerId worker) {
  if (cluster_.tasks.On(worker).empty() || cluster_.link(worker).proof_deadline != absl::InfiniteFuture()) return;
  SetProofDeadline(worker, turn.now + cluster_.config.lost_after);
}

void WorkerEvents::SetProofDeadline(WorkerId worker, absl::Time at) {
  WorkerLink& link = cluster_.link(worker);
  cluster_.dues.Unset(link.proof_deadline, DueKind::kProofDeadline, worker.value());
  link.proof_deadline = at;
  cluster_.dues.Set(at, DueKind::kProofDeadline, worker.value());
}

void WorkerEvents::OnProofDeadline(const Moment& turn, WorkerId worker) {
  cluster_.link(worker).proof_deadline = absl::InfiniteFuture();
  losses_.PredecessorSilent(turn, worker, cluster_.workers.incarnation(worker));
}

void WorkerEvents::OnHeartbeat(const Moment& turn, WorkerHeartbeat event) {
  const auto outcome = cluster_.workers.Heartbeat(event.name, event.incarnation, std::move(event.load),
                                                  std::move(event.offer), event.draining, turn.now);
  if (outcome.join_again) return turn.Emit(HeartbeatAnswer{event.call, true, Lease(), {}});
  turn.Emit(HeartbeatAnswer{event.call, false, Lease(), FirstValidSession(outcome.id)});
  GrantLease(turn, outcome.id);
  NoteService(outcome.id);
  if (outcome.offer_changed) {
    NoteOffer(turn, outcome.id);
    turn.Emit(WorkerChanged{outcome.id});
  }
  Settle(turn);
  const WorkerLink& link = cluster_.link(outcome.id);
  if (link.state == WorkerLink::Session::kNone && link.retry_at == absl::InfiniteFuture()) {
    AskForSession(turn, outcome.id);
  }
}

// A worker that was lost is heard of again before the end of its old session reaches it. What was under way on that
// session, and was given to others since, must not start under the new lease.
SessionNumber WorkerEvents::FirstValidSession(WorkerId worker) const {
  const auto found = cluster_.links.find(worker);
  const bool any = found != cluster_.links.end() && found->second.state != WorkerLink::Session::kNone;
  return any ? found->second.session : cluster_.last_session.Next();
}

absl::Duration WorkerEvents::Lease() const {
  return cluster_.stopping ? cluster_.config.shutdown_lease : cluster_.config.self_fence;
}

void WorkerEvents::GrantLease(const Moment& turn, WorkerId worker) {
  WorkerLink& link = cluster_.link(worker);
  link.fenced_by = std::max(link.fenced_by,
                            turn.now + Lease() + cluster_.config.kill_grace + cluster_.config.fence_margin);
}

void WorkerEvents::NoteOffer(const Moment& turn, WorkerId worker) {
  for (const ExecutorOffer& executor : cluster_.workers.facts(worker).offer.executors) {
    RememberExecutor(turn, executor.name);
  }
  cluster_.balancer.Changed(cluster_.workers.facts(worker));
  cluster_.touched.insert(worker);
  ++cluster_.offers_revision;
}

void WorkerEvents::RememberExecutor(const Moment& turn, const std::string& name) {
  const auto& known = cluster_.config.known_executors;
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  if (cluster_.offered_executors.size() >= kMaxExecutors && !cluster_.offered_executors.contains(name)) return;
  bool& stored = cluster_.offered_executors[name];
  if (stored) return;
  stored = true;
  turn.rows().executors.push_back({name});
}

// Names that are lost and hold nothing make room, the first known ones first.
bool WorkerEvents::MakeRoomForAnother() {
  for (const WorkerId worker : cluster_.workers.Ids()) {
    if (cluster_.workers.state(worker) != WorkerState::kLost || !cluster_.tasks.On(worker).empty()) continue;
    cluster_.balancer.Remove(worker);
    if (!cluster_.workers.Forget(worker)) continue;
    CancelSessionRetry(worker);
    SetDrainDeadline(worker, absl::InfiniteFuture());
    SetProofDeadline(worker, absl::InfiniteFuture());
    cluster_.links.erase(worker);
    cluster_.touched.insert(worker);  // that it is gone is a change, too
    return true;
  }
  return false;
}

// --- Sessions

void WorkerEvents::AskForSession(const Moment& turn, WorkerId worker) {
  CancelSessionRetry(worker);
  WorkerLink& link = cluster_.link(worker);
  cluster_.last_session = cluster_.last_session.Next();
  link.session = cluster_.last_session;
  link.state = WorkerLink::Session::kAsked;
  cluster_.workers.SetSession(worker, link.session);
  turn.Emit(OpenSession{worker, cluster_.NameOf(worker), cluster_.workers.address(worker), link.session});
}

void WorkerEvents::DropSession(const Moment& turn, WorkerId worker, const std::string& why) {
  CancelSessionRetry(worker);
  WorkerLink& link = cluster_.link(worker);
  if (link.state == WorkerLink::Session::kNone) return;
  link.state = WorkerLink::Session::kNone;
  cluster_.workers.CloseSession(worker, link.session);
  turn.Emit(CloseSession{worker, link.session, why});
}

void WorkerEvents::OnSessionOpened(const Moment& turn, const SessionOpened& event) {
  if (!cluster_.workers.Contains(event.worker)) {
    return turn.Emit(CloseSession{event.worker, event.session, "no such worker"});
  }
  WorkerLink& link = cluster_.link(event.worker);
  const bool expected = link.state == WorkerLink::Session::kAsked && link.session == event.session;
  if (!expected) return turn.Emit(CloseSession{event.worker, event.session, "a newer session was asked for"});
  if (!cluster_.workers.OpenSession(event.worker, event.session, event.incarnation)) {
    DropSession(turn, event.worker, "another process answered than the one that joined");
    RetrySessionLater(turn, event.worker);
    return Settle(turn);
  }
  link.state = WorkerLink::Session::kOpen;
  link.failures = 0;
  SetProofDeadline(event.worker, absl::InfiniteFuture());
  losses_.WorkerReplaced(turn, event.worker, event.incarnation);
  reports_.OnHello(turn, event.worker, event.held);
  // Told either way: it may have been told to drain by a master whose store is gone, or taken back while nobody was heard.
  SendDrainOrder(turn, event.worker, !cluster_.workers.draining_by_hand(event.worker));
  cluster_.touched.insert(event.worker);
  Settle(turn);
}

void WorkerEvents::OnSessionClosed(const Moment& turn, const SessionClosed& event) {
  const auto found = cluster_.links.find(event.worker);
  if (found == cluster_.links.end()) return;
  WorkerLink& link = found->second;
  if (link.state == WorkerLink::Session::kNone || link.session != event.session) return;
  link.state = WorkerLink::Session::kNone;
  cluster_.workers.CloseSession(event.worker, event.session);
  Settle(turn);
  RetrySessionLater(turn, event.worker);
}

void WorkerEvents::RetrySessionLater(const Moment& turn, WorkerId worker) {
  WorkerLink& link = cluster_.link(worker);
  const uint32_t doublings = std::min(link.failures, kMaxSessionDoublings);
  ++link.failures;
  CancelSessionRetry(worker);
  link.retry_at = turn.now + cluster_.config.session_retry * (1 << doublings);
  cluster_.dues.Set(link.retry_at, DueKind::kSessionRetry, worker.value());
}

void WorkerEvents::CancelSessionRetry(WorkerId worker) {
  WorkerLink& link = cluster_.link(worker);
  cluster_.dues.Unset(link.retry_at, DueKind::kSessionRetry, worker.value());
  link.retry_at = absl::InfiniteFuture();
}

void WorkerEvents::OnSessionRetryDue(const Moment& turn, WorkerId worker) {
  WorkerLink& link = cluster_.link(worker);
  link.retry_at = absl::InfiniteFuture();
  // A lost worker is asked again when it heartbeats again.
  if (link.state != WorkerLink::Session::kNone || cluster_.workers.state(worker) == WorkerState::kLost) return;
  AskForSession(turn, worker);
}

// --- Time

void WorkerEvents::Expire(const Moment& turn) {
  cluster_.workers.Expire(turn.now);
  Settle(turn);
}

void WorkerEvents::Settle(const Moment& turn) {
  for (auto changes = cluster_.workers.TakeChanges(); !changes.empty(); changes = cluster_.workers.TakeChanges()) {
    for (const registry::StateChange& change : changes) {
      NoteService(change.id);
      cluster_.balancer.Changed(cluster_.workers.facts(change.id));
      cluster_.touched.insert(change.id);
      ++cluster_.offers_revision;
      turn.Emit(WorkerChanged{change.id});
      if (change.to == WorkerState::kLost && change.from != WorkerState::kLost) {
        OnLost(turn, change.id, change.reason);
      } else {
        turn.Log(activity::WorkerStateChanged{cluster_.NameOf(change.id), change.to, change.reason});
      }
    }
  }
}

// Not every change of it shows in the state: a worker in quarantine for its failures that is told to drain stays so.
void WorkerEvents::NoteService(WorkerId worker) {
  cluster_.health.SetInService(worker, cluster_.workers.InService(worker));
}

void WorkerEvents::OnLost(const Moment& turn, WorkerId worker, const std::string& why) {
  turn.Log(activity::WorkerLost{cluster_.NameOf(worker), cluster_.workers.incarnation(worker), why});
  DropSession(turn, worker, "the worker is lost");
  losses_.WorkerSilent(turn, worker);
}

// --- What people say

void WorkerEvents::OnUpdate(const Moment& turn, const UpdateWorker& event) {
  if (AnswerUnknown(turn, event.call, event.name)) return;
  const WorkerId worker = cluster_.workers.Find(event.name);
  if (event.weight.has_value()) {
    cluster_.workers.SetWeight(worker, *event.weight);
    cluster_.balancer.Changed(cluster_.workers.facts(worker));
    SaveSetting(turn, worker);
  }
  AnswerWorker(turn, event.call, worker);
}

void WorkerEvents::OnDrain(const Moment& turn, const DrainWorker& event) {
  if (AnswerUnknown(turn, event.call, event.name)) return;
  const WorkerId worker = cluster_.workers.Find(event.name);
  cluster_.workers.SetDraining(worker, true, event.reason);
  SetDrainDeadline(worker, turn.now + std::max(absl::ZeroDuration(), event.deadline));
  cluster_.link(worker).drain_reason = event.reason;
  SaveSetting(turn, worker);
  SendDrainOrder(turn, worker, false);
  NoteService(worker);
  Settle(turn);
  AnswerWorker(turn, event.call, worker);
}

void WorkerEvents::OnQuarantine(const Moment& turn, const QuarantineWorker& event) {
  if (AnswerUnknown(turn, event.call, event.name)) return;
  const WorkerId worker = cluster_.workers.Find(event.name);
  cluster_.workers.SetQuarantined(worker, true, event.reason);
  dispatching_.RecallAhead(turn, worker);
  SaveSetting(turn, worker);
  NoteService(worker);
  Settle(turn);
  AnswerWorker(turn, event.call, worker);
}

void WorkerEvents::OnResume(const Moment& turn, const ResumeWorker& event) {
  if (AnswerUnknown(turn, event.call, event.name)) return;
  const WorkerId worker = cluster_.workers.Find(event.name);
  if (!event.drain_only) {
    cluster_.workers.SetQuarantined(worker, false, "");
    cluster_.health.Clear(worker);
    cluster_.workers.SetStanding(worker, {});
  }
  cluster_.workers.SetDraining(worker, false, "");
  SetDrainDeadline(worker, absl::InfiniteFuture());
  cluster_.link(worker).drain_reason.clear();
  SaveSetting(turn, worker);
  SendDrainOrder(turn, worker, true);
  NoteService(worker);
  Settle(turn);
  AnswerWorker(turn, event.call, worker);
}

void WorkerEvents::SendDrainOrder(const Moment& turn, WorkerId worker, bool resume) {
  const SessionNumber session = cluster_.OpenSessionOf(worker);
  if (!session) return;
  const absl::Time deadline = cluster_.link(worker).drain_deadline;
  turn.Emit(SendDrain{worker, session, std::max(absl::ZeroDuration(), deadline - turn.now), resume});
}

void WorkerEvents::SetDrainDeadline(WorkerId worker, absl::Time at) {
  WorkerLink& link = cluster_.link(worker);
  cluster_.dues.Unset(link.drain_deadline, DueKind::kDrainDeadline, worker.value());
  link.drain_deadline = at;
  cluster_.dues.Set(at, DueKind::kDrainDeadline, worker.value());
}

void WorkerEvents::OnDrainDeadline(const Moment& turn, WorkerId worker) {
  cluster_.link(worker).drain_deadline = absl::InfiniteFuture();
  for (const TaskId id : cluster_.tasks.On(worker)) {
    const Task& task = *cluster_.tasks.Find(id);
    if (task.state_now() != TaskState::kUnknown) dispatching_.Stop(turn, task, EndReason::kPreempted);
  }
}

void WorkerEvents::SaveSetting(const Moment& turn, WorkerId worker) {
  const bool quarantined = cluster_.workers.quarantined_by_hand(worker);
  turn.rows().worker_settings.push_back(
      {cluster_.NameOf(worker), cluster_.workers.set_weight(worker), cluster_.workers.draining_by_hand(worker),
       quarantined ? cluster_.workers.quarantine_reason(worker) : cluster_.link(worker).drain_reason, quarantined});
}

void WorkerEvents::AnswerWorker(const Moment& turn, CallId call, WorkerId worker) {
  turn.Emit(WorkerAnswer{call, absl::OkStatus(), cluster_.workers.View(worker)});
  turn.Emit(WorkerChanged{worker});
}

bool WorkerEvents::AnswerUnknown(const Moment& turn, CallId call, const std::string& name) {
  const WorkerId worker = cluster_.workers.Find(name);
  if (worker && cluster_.workers.state(worker) != WorkerState::kNone) return false;
  turn.Emit(WorkerAnswer{
      call, Refuse(absl::StatusCode::kNotFound, "NO_SUCH_WORKER", absl::StrCat("no worker is named ", name)), {}});
  return true;
}

}  // namespace muster::core
