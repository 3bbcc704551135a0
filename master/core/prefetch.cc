#include "master/core/prefetch.h"

#include <algorithm>
#include <vector>

#include "master/balancer/filters.h"

namespace muster::core {
namespace {

constexpr size_t kMaxWaitingLookedAt = 32;
constexpr size_t kMaxWorkersLookedAt = 16;
constexpr size_t kMaxRecallsAtOnce = 256;

}  // namespace

bool Prefetch::Eligible(const Task& task) const {
  const TaskSpec& spec = task.spec();
  if (cluster_.config.prefetch_limit == 0 || spec.on_worker_loss != OnWorkerLoss::kRerun || task.avoid ||
      task.losses > 0 || !spec.requirements.OneSlotOnly()) {
    return false;
  }
  const auto median = cluster_.run_times.Median(spec.fingerprint);
  return median.has_value() && *median < cluster_.config.prefetch_median;
}

uint32_t Prefetch::Allowance(const Task& task, uint32_t slots) const {
  const auto median = cluster_.run_times.Median(task.spec().fingerprint);
  if (!median.has_value()) return 0;
  return scheduler::PrefetchAllowance(*median, slots, cluster_.config.prefetch_horizon,
                                      cluster_.config.prefetch_limit);
}

std::optional<WorkerId> Prefetch::Choose(const Moment& turn, const Task& task, balancer::Balancer* balancer) {
  const TaskSpec& spec = task.spec();
  const auto worker = balancer->ChooseAhead(spec.requirements, spec.fingerprint,
                                            [&](uint32_t slots) { return Allowance(task, slots); });
  if (!worker.has_value() || InTheWay(turn, task, *worker)) return std::nullopt;
  return worker;
}

absl::Time Prefetch::OrderOf(const Task& task) const {
  return task.queued_since - task.spec().priority * cluster_.config.aging_interval;
}

bool Prefetch::InTheWay(const Moment& turn, const Task& task, WorkerId worker) {
  const WorkerOffer& offer = cluster_.workers.facts(worker).offer;
  size_t looked_at = 0;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (!cluster_.queues.parked().contains(at->first)) {
      at = waiting_.erase(at);  // the class is gone, or was woken
      continue;
    }
    if (++looked_at > kMaxWaitingLookedAt) return true;
    const Waiting& waiting = at->second;
    const bool first = (waiting.queue != task.spec().queue || waiting.order <= OrderOf(task)) &&
                       cluster_.gates.Look(waiting.queue, turn.now) == scheduler::Gate::kOpen;
    if (first && balancer::CouldServe(offer, cluster_.queues.key(at->first).requirements)) return true;
    ++at;
  }
  return false;
}

void Prefetch::ForgetThoseThatAreGone() {
  absl::erase_if(waiting_, [this](const auto& entry) { return !cluster_.queues.parked().contains(entry.first); });
}

void Prefetch::Waits(const Moment& turn, const Task& task, scheduler::ClassId cls) {
  if (cluster_.config.prefetch_limit == 0) return;
  if (waiting_.size() > 2 * cluster_.queues.parked().size() + kMaxWaitingLookedAt) ForgetThoseThatAreGone();
  waiting_[cls] = {task.spec().queue, OrderOf(task)};
  size_t budget = kMaxRecallsAtOnce;
  size_t looked_at = 0;
  for (const WorkerId worker : ahead_) {
    if (budget == 0 || ++looked_at > kMaxWorkersLookedAt) return;
    const bool serves = balancer::CouldServe(cluster_.workers.facts(worker).offer, task.spec().requirements);
    if (serves) RecallBelow(turn, worker, task.spec().priority, &budget);
  }
}

void Prefetch::RecallBelow(const Moment& turn, WorkerId worker, int32_t priority, size_t* budget) {
  for (const auto& sent : cluster_.link(worker).prefetched) {
    if (*budget == 0) return;
    Task& task = *cluster_.tasks.Find(sent.second);
    if (task.wants_recall || task.spec().priority >= priority) continue;
    dispatching_.Recall(turn, task);
    --*budget;
  }
}

void Prefetch::FillFrom(const Moment& turn, WorkerId idle) {
  uint32_t slots = cluster_.workers.facts(idle).FreeSlots();
  size_t looked_at = 0;
  for (const WorkerId worker : ahead_) {
    if (slots == 0 || ++looked_at > kMaxWorkersLookedAt) return;
    const auto& prefetched = cluster_.link(worker).prefetched;
    // The newest first: they would wait longest.
    for (auto sent = prefetched.rbegin(); sent != prefetched.rend() && slots > 0; ++sent) {
      Task& task = *cluster_.tasks.Find(sent->second);
      if (task.wants_recall || !cluster_.balancer.CanServe(idle, task.spec().requirements, WorkerId())) continue;
      dispatching_.Recall(turn, task);
      --slots;
    }
  }
}

void Prefetch::Promote(WorkerId worker) {
  dispatching_.Promote(worker);
  if (cluster_.link(worker).prefetched.empty()) ahead_.erase(worker);
}

void Prefetch::Note(WorkerId worker) { ahead_.insert(worker); }

void Prefetch::Forget(WorkerId worker) { ahead_.erase(worker); }

}  // namespace muster::core
