#include "master/core/placing.h"

#include <utility>
#include <variant>
#include <vector>

#include "common/base/check.h"
#include "master/core/holds.h"

namespace muster::core {
namespace {

constexpr size_t kMaxPlacedPerRound = 4096;
constexpr absl::Duration kApartPause = absl::Seconds(1);

}  // namespace

void Placing::Round(const Moment& turn) {
  if (!cluster_.stopping) held_.Look(turn);
  Refresh(turn);
  unfinished_ = false;
  if (!cluster_.stopping) PlaceWhatFits(turn);
}

void Placing::PlaceWhatFits(const Moment& turn) {
  size_t looked_at = 0;
  while (const auto next = Next(turn)) {
    if (++looked_at > kMaxPlacedPerRound) {
      unfinished_ = true;
      return;
    }
    offers_.LooksAt(next->cls);
    PlaceNext(turn, *next);
    TakeChanges();  // room that was held for it
  }
  if (room_.has_free_slots()) cluster_.queues.WakeBlocked();
  room_.Clear();
  for (const WorkerId worker : std::exchange(freed_, {})) {
    const WorkerFacts& facts = cluster_.workers.facts(worker);
    if (facts.TakesWork() && facts.FreeSlots() > 0) prefetch_.FillFrom(turn, worker);
  }
}

std::optional<scheduler::NextTask> Placing::Next(const Moment& turn) {
  const auto lack_of = [&](TaskId task) { return LackOf(cluster_, *cluster_.tasks.Find(task), turn.now); };
  if (offers_.due()) offers_.Offer(lack_of);
  auto next = NextInLine();
  while (!next && offers_.Offer(lack_of)) next = NextInLine();
  return next;
}

std::optional<scheduler::NextTask> Placing::NextInLine() {
  if (room_.empty() && !held_.ready()) return cluster_.queues.Peek();
  return cluster_.queues.Peek([this](const scheduler::NextTask& next, const scheduler::ClassKey& key) {
    return (held_.ready() && held_.RoomFor(next.cls).has_value()) || room_.MayFit(next, key);
  });
}

void Placing::Refresh(const Moment& turn) {
  offers_.Begin(turn.now);
  const auto opened = cluster_.gates.TakeOpened(turn.now);
  for (const std::string& queue : opened) cluster_.queues.Unblock(queue);
  const auto freed = cluster_.keys.TakeFreed();
  for (const scheduler::ClassId cls : freed) cluster_.queues.Wake(cls);
  found_changes_ = !opened.empty() || !freed.empty() || !cluster_.touched.empty() || offers_revision_ != cluster_.offers_revision;
  TakeChanges();
  if (std::exchange(offers_revision_, cluster_.offers_revision) != cluster_.offers_revision) WakeThoseWhoAvoid();
}

void Placing::TakeChanges() {
  if (cluster_.touched.empty()) return;
  for (const WorkerId worker : std::exchange(cluster_.touched, {})) Changed(worker);
}

void Placing::Changed(WorkerId worker) {
  held_.Changed(worker);
  if (!cluster_.workers.Contains(worker)) {
    freed_.erase(worker);
    room_.Gone(worker);
    prefetch_.Forget(worker);
    return;
  }
  prefetch_.Promote(worker);
  cluster_.balancer.Changed(cluster_.workers.facts(worker));
  freed_.insert(worker);
  room_.Changed(worker);
}

// They may have to take the worker after all when the others are gone.
void Placing::WakeThoseWhoAvoid() {
  const std::vector<scheduler::ClassId> parked(cluster_.queues.parked().begin(), cluster_.queues.parked().end());
  for (const scheduler::ClassId cls : parked) {
    if (cluster_.queues.key(cls).avoid) cluster_.queues.Wake(cls);
  }
}

bool Placing::PassesLimits(const Moment& turn, const Task& task, scheduler::ClassId cls) {
  const TaskSpec& spec = task.spec();
  if (cluster_.gates.Look(spec.queue, turn.now) != scheduler::Gate::kOpen) {
    cluster_.gates.Hold(spec.queue, turn.now);
    cluster_.queues.Block(spec.queue);
    return false;
  }
  if (spec.limit > 0 && !cluster_.keys.MayStart(spec.limit_key, spec.limit)) {
    cluster_.keys.Hold(spec.limit_key, cls);
    cluster_.queues.Hold(cls);
    return false;
  }
  if (!LackOf(cluster_, task, turn.now).has_value()) return true;
  cluster_.resources.Wait(AskerOf(cluster_, task), turn.now);
  cluster_.queues.StandBy(cls);
  return false;
}

bool Placing::StartsNow(const Moment& turn, const Task& task) {
  const TaskSpec& spec = task.spec();
  if (spec.start_time > turn.now || cluster_.gates.Look(spec.queue, turn.now) != scheduler::Gate::kOpen) return false;
  if (spec.limit > 0 && !cluster_.keys.MayStart(spec.limit_key, spec.limit)) return false;
  if (spec.limit == 1 && cluster_.keys.First(spec.limit_key)) return false;  // others come first
  return !LackOf(cluster_, task, turn.now) && std::holds_alternative<balancer::Placed>(Choose(task));
}

void Placing::PlaceNext(const Moment& turn, const scheduler::NextTask& next) {
  Task& task = *cluster_.tasks.Find(next.task);
  if (!PassesLimits(turn, task, next.cls)) return;
  if (task.last_attempt >= kMaxAttemptNumber) {
    return transitions_.End(turn, task, TaskState::kCancelled, {"no attempt number is left", nullptr, EndReason::kCancelled});
  }
  const std::optional<WorkerId> held = held_.ready() ? held_.RoomFor(next.cls) : std::nullopt;
  const balancer::Placement placement = held ? balancer::Placed{*held} : Choose(task);
  if (const auto* placed = std::get_if<balancer::Placed>(&placement)) {
    if (StaysApart(turn, task, placed->worker)) return;
    if (!held) shadow_.Compare(turn, task, placed->worker, UnwantedBy(task));
    held_.Starts(next, placed->worker);
    auto reservation = cluster_.workers.Reserve(placed->worker, task.spec().requirements.resources);
    MUSTER_CHECK(reservation.has_value());
    return Send(turn, task, next, std::move(*reservation), false);
  }
  const bool waits = std::holds_alternative<balancer::NoCapacityNow>(placement);
  if (waits && prefetch_.Eligible(task) && SendAhead(turn, task, next)) return;
  Park(turn, task, next.cls, waits);
}

balancer::Placement Placing::Choose(const Task& task) {
  const TaskSpec& spec = task.spec();
  return cluster_.balancer.Choose(spec.requirements, task.avoid, spec.fingerprint, UnwantedBy(task));
}

std::function<bool(WorkerId)> Placing::UnwantedBy(const Task& task) const {
  if (task.losses < kLossesUntilApart) return nullptr;
  return [this](WorkerId worker) { return HasSuspect(worker); };
}

bool Placing::SendAhead(const Moment& turn, Task& task, const scheduler::NextTask& next) {
  const auto worker = prefetch_.Choose(turn, task, &cluster_.balancer);
  if (!worker.has_value()) return false;
  if (auto* const shadow = cluster_.balancer.shadow()) {
    shadow_.CompareAhead(turn, task, *worker, prefetch_.Choose(turn, task, shadow));
  }
  auto reservation = cluster_.workers.ReserveAhead(*worker, cluster_.config.prefetch_limit);
  if (!reservation.has_value()) return false;
  Send(turn, task, next, std::move(*reservation), true);
  return true;
}

void Placing::Park(const Moment& turn, const Task& task, scheduler::ClassId cls, bool waits) {
  cluster_.queues.Park(cls);
  room_.PassOver(cls);
  if (!task.spec().requirements.of_cluster.empty()) cluster_.resources.StepOut(AskerOf(cluster_, task));
  if (waits && !prefetch_.Eligible(task)) {
    prefetch_.Waits(turn, task, cls);
  } else {
    prefetch_.NoLongerWaits(cls);
  }
}

// Tasks that two workers died of keep away from one another: `worker` is one that has another of them only when
// there is no other with room.
bool Placing::StaysApart(const Moment& turn, Task& task, WorkerId worker) {
  if (task.losses < kLossesUntilApart || !HasSuspect(worker)) return false;
  transitions_.Pause(task, turn.now + kApartPause);
  return true;
}

bool Placing::HasSuspect(WorkerId worker) const {
  const auto link = cluster_.links.find(worker);
  return link != cluster_.links.end() && link->second.suspects > 0;
}

void Placing::Send(const Moment& turn, Task& task, const scheduler::NextTask& next, registry::Reservation reservation,
                   bool ahead) {
  const WorkerId worker = reservation.worker();
  offers_.Placed();
  cluster_.queues.Take(next.task);
  dispatching_.Send(turn, task, worker, ahead);
  reservation.Commit();
  if (ahead) prefetch_.Note(worker);
  cluster_.balancer.Picked(cluster_.workers.facts(worker), task.spec().fingerprint);
  room_.Taken(worker, ahead);
  if (next.parked && cluster_.config.prefetch_limit > 0) {
    WaitsInItsPlace(turn, task.spec().queue, next.cls);
  } else {
    prefetch_.NoLongerWaits(next.cls);
  }
}

void Placing::WaitsInItsPlace(const Moment& turn, const std::string& queue, scheduler::ClassId cls) {
  const std::optional<TaskId> first = cluster_.queues.FirstOf(cls, queue);
  if (!first.has_value()) return prefetch_.NoLongerWaits(cls);
  const Task& task = *cluster_.tasks.Find(*first);
  if (prefetch_.Eligible(task)) return prefetch_.NoLongerWaits(cls);
  prefetch_.Waits(turn, task, cls);
}

}  // namespace muster::core
