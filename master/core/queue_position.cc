#include "master/core/queue_position.h"

#include <algorithm>
#include <cstddef>

namespace muster::core {
namespace {

constexpr size_t kMaxAhead = 10'000;  // tasks of the queue that are looked at
constexpr size_t kMaxClasses = 64;    // kinds of them that are asked whether they compete; beyond that they do
constexpr size_t kMaxAsked = 16;      // workers that could take it, for that question

// Those of its key that run before it, which come into the queue one after the other. False: there are more.
bool AddLine(const Cluster& cluster, const Task& task, QueuePosition* position) {
  const TaskSpec& spec = task.spec();
  if (spec.limit != 1) return true;
  return cluster.keys.VisitBefore(spec.limit_key, task.id, kMaxAhead, [&](TaskId id) {
    const Task& other = *cluster.tasks.Find(id);
    const bool waits_there = other.state_now() == TaskState::kQueued && other.spec().queue == spec.queue;
    if (!waits_there || cluster.queues.Contains(id)) return;
    ++position->ahead;
    ++position->competing;
  });
}

}  // namespace

bool Competition::Has(scheduler::ClassId cls) {
  const auto known = classes_.find(cls);
  if (known != classes_.end()) return known->second;
  return classes_.size() >= kMaxClasses || (classes_[cls] = Compete(cluster_.queues.key(cls)));
}

bool Competition::Compete(const scheduler::ClassKey& key) const {
  if (key.limit > 0 && !cluster_.keys.MayStart(key.limit_key, key.limit)) return false;
  const Requirements& other = key.requirements;
  if (!cluster_.resources.AreFree(other.of_cluster)) return false;
  if (other == requirements_) return true;
  const auto end = workers_.candidates.begin() + static_cast<std::ptrdiff_t>(std::min(kMaxAsked, workers_.candidates.size()));
  return std::any_of(workers_.candidates.begin(), end, [&](WorkerId worker) {
    return balancer::CouldServe(cluster_.workers.facts(worker).offer, other);
  });
}

QueuePosition PositionOf(const Cluster& cluster, const Task& task, Competition& competition, std::vector<TaskId>* before) {
  const TaskSpec& spec = task.spec();
  QueuePosition position;
  position.queue = spec.queue;
  position.queued = cluster.gates.waiting(spec.queue) + (task.id == kNotSubmitted ? 1 : 0);
  const scheduler::QueuePlace place{spec.queue, spec.priority, task.queued_since, task.id};
  position.more = !cluster.queues.VisitAhead(place, kMaxAhead, [&](const scheduler::TaskAhead& other) {
    const bool by_priority = other.priority > spec.priority;
    const bool competes = competition.Has(other.cls);
    ++position.ahead;
    position.ahead_by_priority += by_priority ? 1 : 0;
    position.competing += competes ? 1 : 0;
    position.competing_by_priority += competes && by_priority ? 1 : 0;
    if (competes) before->push_back(other.task);
  });
  if (!AddLine(cluster, task, &position)) position.more = true;
  return position;
}

}  // namespace muster::core
