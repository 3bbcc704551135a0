#include "master/core/invariants.h"

#include <map>
#include <set>

#include "common/base/check.h"

namespace muster::core {
namespace {

struct Sums {
  uint64_t counts[16] = {};
  int64_t waiting_bytes = 0;
  uint64_t queued = 0;
  size_t task_dues = 0;
  size_t pauses = 0;
  std::map<WorkerId, std::set<TaskId>> on;
  std::map<WorkerId, std::set<TaskId>> ahead;
  std::map<WorkerId, uint32_t> suspects;
  std::map<WorkerId, uint32_t> slots;  // of what holds room
};

void CheckQueued(const Cluster& cluster, const Task& task, Sums* sums) {
  const bool paused = cluster.paused.contains(task.id);
  MUSTER_CHECK(paused != cluster.queues.Contains(task.id));
  if (paused) {
    ++sums->pauses;
    MUSTER_CHECK(cluster.dues.Has(cluster.paused.at(task.id), DueKind::kPause, task.id.value()));
  } else {
    ++sums->queued;
  }
}

void CheckPlaced(const Cluster& cluster, const Task& task, Sums* sums) {
  const AttemptPlace place = PlaceOf(task.state);
  MUSTER_CHECK(cluster.workers.Contains(place.worker));
  MUSTER_CHECK(place.attempt.value() == task.last_attempt);
  // Another incarnation's attempts wait only until this one has said hello.
  const bool current = cluster.workers.incarnation(place.worker) == place.incarnation;
  MUSTER_CHECK(current || !cluster.workers.session_open(place.worker));
  MUSTER_CHECK(current || cluster.links.at(place.worker).proof_deadline != absl::InfiniteFuture() ||
               task.state_now() == TaskState::kUnknown);
  sums->on[place.worker].insert(task.id);
  const bool unknown = task.state_now() == TaskState::kUnknown;
  MUSTER_CHECK(!(unknown && task.holds_room));
  // Whoever is lost holds nothing but what must not run twice.
  if (cluster.workers.state(place.worker) == WorkerState::kLost) MUSTER_CHECK(unknown);
  if (task.holds_room) sums->slots[place.worker] += task.spec().requirements.resources.slots;
  if (task.runs_apart) ++sums->suspects[place.worker];
  if (const auto* sent = std::get_if<Dispatched>(&task.state); sent != nullptr && sent->prefetched) {
    sums->ahead[place.worker].insert(task.id);
    const auto& link = cluster.links.at(place.worker);
    MUSTER_CHECK(link.prefetched.at(task.dispatch_order) == task.id);
  }
}

void CheckTask(const Cluster& cluster, const Task& task, Sums* sums) {
  const TaskState state = task.state_now();
  MUSTER_CHECK(state != TaskState::kNone && !IsTerminal(state));
  MUSTER_CHECK(task.id < cluster.next_id);
  MUSTER_CHECK(task.row_index() < task.group->row.count);
  ++sums->counts[static_cast<size_t>(state)];
  const bool waits = state == TaskState::kPending || state == TaskState::kQueued;
  if (waits) sums->waiting_bytes += task.group->bytes_each;
  // Nothing of a cancelled task waits to be dispatched.
  MUSTER_CHECK(!(waits && task.cancel));
  MUSTER_CHECK(!(waits && task.holds_room));
  MUSTER_CHECK(task.failures < task.spec().retry.max_attempts || task.failures == 0);
  if (const absl::Time due = DueOf(task); due != absl::InfiniteFuture()) {
    ++sums->task_dues;
    MUSTER_CHECK(cluster.dues.Has(due, DueKind::kTask, task.id.value()));
  }
  if (state == TaskState::kQueued) {
    CheckQueued(cluster, task, sums);
  } else {
    MUSTER_CHECK(!cluster.queues.Contains(task.id) && !cluster.paused.contains(task.id));
  }
  if (PlaceOf(task.state).attempt) {
    CheckPlaced(cluster, task, sums);
  } else {
    MUSTER_CHECK(!task.holds_room && !task.runs_apart);
  }
}

void CheckWorker(const Cluster& cluster, WorkerId worker, const Sums& sums) {
  const WorkerFacts& facts = cluster.workers.facts(worker);
  const auto slots = sums.slots.find(worker);
  MUSTER_CHECK(facts.used.slots + facts.prefetched == (slots == sums.slots.end() ? 0 : slots->second));
  const auto link = cluster.links.find(worker);
  if (link == cluster.links.end()) return;
  const auto ahead = sums.ahead.find(worker);
  MUSTER_CHECK(link->second.prefetched.size() == (ahead == sums.ahead.end() ? 0 : ahead->second.size()));
  const auto suspects = sums.suspects.find(worker);
  MUSTER_CHECK(link->second.suspects == (suspects == sums.suspects.end() ? 0 : suspects->second));
  const bool open = link->second.state == WorkerLink::Session::kOpen;
  MUSTER_CHECK(open == cluster.workers.session_open(worker));
}

}  // namespace

void CheckAgreement(const Cluster& cluster) {
  Sums sums;
  for (const auto& entry : cluster.tasks.all()) {
    MUSTER_CHECK(entry.first == entry.second->id);
    CheckTask(cluster, *entry.second, &sums);
  }
  for (size_t state = 0; state < 16; ++state) {
    MUSTER_CHECK(sums.counts[state] == cluster.tasks.count(static_cast<TaskState>(state)));
  }
  MUSTER_CHECK(sums.waiting_bytes == cluster.tasks.waiting_bytes());
  MUSTER_CHECK(sums.queued == cluster.queues.size());
  MUSTER_CHECK(cluster.delay_floor.queued() == cluster.tasks.count(TaskState::kQueued));
  MUSTER_CHECK(sums.pauses == cluster.paused.size());
  MUSTER_CHECK(sums.on.size() == cluster.tasks.by_worker().size());
  size_t dues = sums.task_dues + sums.pauses;
  for (const auto& entry : cluster.tasks.by_worker()) {
    MUSTER_CHECK(std::set<TaskId>(entry.second.begin(), entry.second.end()) == sums.on.at(entry.first));
  }
  for (const auto& entry : cluster.links) {
    if (entry.second.retry_at != absl::InfiniteFuture()) ++dues;
    if (entry.second.drain_deadline != absl::InfiniteFuture()) ++dues;
    if (entry.second.proof_deadline != absl::InfiniteFuture()) ++dues;
  }
  MUSTER_CHECK(dues == cluster.dues.size());
  for (const WorkerId worker : cluster.workers.Ids()) CheckWorker(cluster, worker, sums);
  for (const TaskId id : cluster.retries_beyond_budget) {
    const Task* const task = cluster.tasks.Find(id);
    MUSTER_CHECK(task != nullptr && task->state_now() == TaskState::kPending);
  }
  cluster.workers.CheckInvariants();
  cluster.health.CheckInvariants();
  cluster.queues.CheckInvariants();
  if (cluster.touched.empty()) cluster.balancer.CheckInvariants();
}

}  // namespace muster::core
