#include "master/core/placing.h"

#include <utility>
#include <variant>
#include <vector>

#include "common/base/check.h"

namespace muster::core {
namespace {

constexpr size_t kMaxPlacedPerRound = 4096;
constexpr absl::Duration kApartPause = absl::Seconds(1);

}  // namespace

void Placing::Round(const Moment& turn) {
  Refresh(turn);
  unfinished_ = false;
  if (cluster_.stopping) return;
  size_t looked_at = 0;
  while (const auto next = cluster_.queues.Peek()) {
    if (++looked_at > kMaxPlacedPerRound) {
      unfinished_ = true;
      return;
    }
    PlaceNext(turn, *next);
  }
  for (const WorkerId worker : std::exchange(freed_, {})) {
    const WorkerFacts& facts = cluster_.workers.facts(worker);
    if (facts.TakesWork() && facts.FreeSlots() > 0) prefetch_.FillFrom(turn, worker);
  }
}

void Placing::Refresh(const Moment& turn) {
  for (const std::string& queue : cluster_.gates.TakeOpened(turn.now)) cluster_.queues.Unblock(queue);
  for (const scheduler::ClassId cls : cluster_.keys.TakeFreed()) cluster_.queues.Wake(cls);
  const auto changed = std::exchange(cluster_.touched, {});
  for (const WorkerId worker : changed) {
    if (!cluster_.workers.Contains(worker)) {
      freed_.erase(worker);
      prefetch_.Forget(worker);
      continue;
    }
    prefetch_.Promote(worker);
    cluster_.balancer.Changed(cluster_.workers.facts(worker));
    freed_.insert(worker);
  }
  if (!changed.empty()) WakeClasses(changed);
}

void Placing::WakeClasses(const absl::btree_set<WorkerId>& changed) {
  // Who avoids a worker may have to take it after all when the others are gone.
  const bool others_changed = std::exchange(offers_revision_, cluster_.offers_revision) != cluster_.offers_revision;
  const std::vector<scheduler::ClassId> parked(cluster_.queues.parked().begin(), cluster_.queues.parked().end());
  for (const scheduler::ClassId cls : parked) {
    const scheduler::ClassKey& key = cluster_.queues.key(cls);
    bool wake = wait_to_be_sent_ahead_.contains(cls) || (key.avoid && others_changed);
    for (auto worker = changed.begin(); !wake && worker != changed.end(); ++worker) {
      wake = cluster_.balancer.CanServe(*worker, key.requirements, key.avoid);
    }
    if (!wake) continue;
    prefetch_.NoLongerWaits(cls);
    cluster_.queues.Wake(cls);
  }
  wait_to_be_sent_ahead_.clear();
}

bool Placing::PassesLimits(const Moment& turn, const Task& task, scheduler::ClassId cls) {
  const TaskSpec& spec = task.spec();
  if (cluster_.gates.Look(spec.queue, turn.now) != scheduler::Gate::kOpen) {
    cluster_.gates.Hold(spec.queue, turn.now);
    cluster_.queues.Block(spec.queue);
    return false;
  }
  if (spec.limit == 0 || cluster_.keys.MayStart(spec.limit_key, spec.limit)) return true;
  cluster_.keys.Hold(spec.limit_key, cls);
  cluster_.queues.Hold(cls);
  return false;
}

void Placing::PlaceNext(const Moment& turn, const scheduler::NextTask& next) {
  Task& task = *cluster_.tasks.Find(next.task);
  if (!PassesLimits(turn, task, next.cls)) return;
  if (task.last_attempt >= kMaxAttemptNumber) {
    return transitions_.End(turn, task, TaskState::kCancelled, {"no attempt number is left"});
  }
  const Requirements& requirements = task.spec().requirements;
  const balancer::Placement placement =
      task.losses < kLossesUntilApart
          ? cluster_.balancer.Choose(requirements, task.avoid)
          : cluster_.balancer.Choose(requirements, task.avoid, [this](WorkerId worker) { return HasSuspect(worker); });
  if (const auto* placed = std::get_if<balancer::Placed>(&placement)) {
    if (StaysApart(turn, task, placed->worker)) return;
    auto reservation = cluster_.workers.Reserve(placed->worker, requirements.resources);
    MUSTER_CHECK(reservation.has_value());
    return Send(turn, task, std::move(*reservation), false);
  }
  if (std::holds_alternative<balancer::NoCapacityNow>(placement)) {
    const bool eligible = prefetch_.Eligible(task);
    if (eligible) {
      if (const auto worker = prefetch_.Choose(turn, task)) {
        auto reservation = cluster_.workers.ReserveAhead(*worker, cluster_.config.prefetch_limit);
        if (reservation.has_value()) return Send(turn, task, std::move(*reservation), true);
      }
      wait_to_be_sent_ahead_.insert(next.cls);
    } else {
      prefetch_.Waits(turn, task, next.cls);
    }
  }
  cluster_.queues.Park(next.cls);
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

void Placing::Send(const Moment& turn, Task& task, registry::Reservation reservation, bool prefetched) {
  const WorkerId worker = reservation.worker();
  cluster_.queues.Pop();
  dispatching_.Send(turn, task, worker, prefetched);
  reservation.Commit();
  if (prefetched) prefetch_.Note(worker);
  cluster_.balancer.Picked(cluster_.workers.facts(worker));
}

}  // namespace muster::core
