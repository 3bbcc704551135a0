#include "master/core/invariants.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/base/check.h"

namespace muster::core {
namespace {

struct WorkflowSums {
  uint64_t open = 0;
  uint64_t at_gate = 0;
  uint64_t in_flight = 0;
  uint64_t queued = 0;
};

struct Sums {
  std::map<TaskId, WorkflowSums> of_workflow;
  std::map<std::string, uint64_t> of_key;        // running
  std::map<std::string, uint64_t> one_at_a_time;  // of those, with a limit of 1
  std::map<std::string, int64_t> of_cluster;       // taken
  std::map<std::string, std::pair<uint64_t, uint64_t>> of_queue;  // waiting, running
  uint64_t counts[16] = {};
  int64_t waiting_bytes = 0;
  uint64_t queued = 0;
  size_t task_dues = 0;
  size_t pauses = 0;
  std::map<TaskId, uint64_t> dependents;  // by group
  std::map<WorkerId, std::set<TaskId>> on;
  std::map<std::pair<uint64_t, WorkerId>, uint32_t> spread;  // by kind
  std::map<WorkerId, std::set<TaskId>> ahead;
  std::map<WorkerId, uint32_t> suspects;
  std::map<WorkerId, uint32_t> slots;  // of what holds room
};

void CheckQueued(const Cluster& cluster, const Task& task, Sums* sums) {
  const bool paused = cluster.paused.contains(task.id);
  const bool in_line = task.spec().limit == 1 && cluster.keys.First(task.spec().limit_key) != task.id;
  MUSTER_CHECK((paused || in_line) != cluster.queues.Contains(task.id));
  if (in_line) {
    MUSTER_CHECK(!paused);
  } else if (paused) {
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
  if (task.spec().requirements.arrangement == Arrangement::kSpread) ++sums->spread[{task.spec().fingerprint, place.worker}];
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

void CheckInWorkflow(const Cluster& cluster, const Task& task, Sums* sums) {
  MUSTER_CHECK(task.group->workflow || !IsAtGate(task));
  if (!task.group->workflow) return;
  const Workflow* const workflow = cluster.workflows.Find(task.group->workflow);
  MUSTER_CHECK(workflow != nullptr && task.group->node < workflow->spec->nodes.size());
  MUSTER_CHECK(workflow->gate.contains(task.id) == IsAtGate(task));
  WorkflowSums& of_workflow = sums->of_workflow[workflow->id];
  ++of_workflow.open;
  if (IsAtGate(task)) ++of_workflow.at_gate;
  if (!IsAtGate(task) && !WaitsForNeeds(task)) ++of_workflow.in_flight;
  if (task.state_now() == TaskState::kQueued) ++of_workflow.queued;
}

void CheckTask(const Cluster& cluster, const Task& task, Sums* sums) {
  const TaskState state = task.state_now();
  MUSTER_CHECK(state != TaskState::kNone && !IsTerminal(state));
  MUSTER_CHECK(task.id < cluster.next_id);
  MUSTER_CHECK(task.row_index() < task.group->row.count);
  ++sums->counts[static_cast<size_t>(state)];
  const bool waits = state == TaskState::kPending || state == TaskState::kQueued;
  auto& of_queue = sums->of_queue[task.spec().queue];
  ++(waits ? of_queue.first : of_queue.second);
  if (task.spec().limit > 0 && !waits) ++sums->of_key[task.spec().limit_key];
  if (task.spec().limit == 1 && !waits) ++sums->one_at_a_time[task.spec().limit_key];
  const auto* pending = std::get_if<Pending>(&task.state);
  if (pending != nullptr && pending->reason == PendingReason::kDependencies) {
    ++sums->dependents[task.group->row.first];
    MUSTER_CHECK(task.last_attempt == 0 && pending->until == absl::InfiniteFuture());
    MUSTER_CHECK(cluster.dependencies.Waits(task.group->row.first));
  }
  if (!waits || (pending != nullptr && pending->reason == PendingReason::kWorkerLost)) {
    for (const auto& [name, amount] : task.spec().requirements.of_cluster) sums->of_cluster[name] += amount;
  }
  CheckInWorkflow(cluster, task, sums);
  if (waits) sums->waiting_bytes += task.group->bytes_each;
  // Nothing of a cancelled task waits to be dispatched.
  MUSTER_CHECK(!(waits && task.cancel) || WaitsForFence(task));
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
  MUSTER_CHECK(cluster.held_room.contains(worker) != facts.held_because.empty());
  const auto link = cluster.links.find(worker);
  if (link == cluster.links.end()) return;
  const auto ahead = sums.ahead.find(worker);
  MUSTER_CHECK(link->second.prefetched.size() == (ahead == sums.ahead.end() ? 0 : ahead->second.size()));
  const auto suspects = sums.suspects.find(worker);
  MUSTER_CHECK(link->second.suspects == (suspects == sums.suspects.end() ? 0 : suspects->second));
  const bool open = link->second.state == WorkerLink::Session::kOpen;
  MUSTER_CHECK(open == cluster.workers.session_open(worker));
}

void CheckQueues(const Cluster& cluster, const Sums& sums) {
  cluster.gates.CheckInvariants();
  cluster.keys.CheckInvariants();
  cluster.resources.CheckInvariants();
  for (const auto& resource : cluster.resources.All()) {
    const auto taken = sums.of_cluster.find(resource.name);
    MUSTER_CHECK(resource.used == (taken == sums.of_cluster.end() ? 0 : taken->second));
  }
  for (const auto& key : sums.one_at_a_time) MUSTER_CHECK(key.second <= 1);
  for (const auto& key : sums.of_key) MUSTER_CHECK(cluster.keys.running(key.first) == key.second);
  for (const std::string& queue : cluster.gates.Queues()) {
    const auto found = sums.of_queue.find(queue);
    const auto counts = found == sums.of_queue.end() ? std::pair<uint64_t, uint64_t>() : found->second;
    MUSTER_CHECK(cluster.gates.waiting(queue) == counts.first);
    MUSTER_CHECK(cluster.gates.running(queue) == counts.second);
  }
  for (const auto& queue : sums.of_queue) {
    MUSTER_CHECK(cluster.gates.waiting(queue.first) == queue.second.first);
  }
}

void CheckSchedules(const Cluster& cluster) {
  size_t runs = 0, listed = 0;
  for (const auto& [name, schedule] : cluster.schedules.all()) {
    MUSTER_CHECK(name == schedule->name() && schedule->row.spec.paused == schedule->state.spec().paused);
    MUSTER_CHECK(schedule->listed_at == schedule->NextAt());
    if (schedule->listed_at != absl::InfiniteFuture()) ++listed;
    MUSTER_CHECK(schedule->running.size() == schedule->state.progress().running.size());
    for (const absl::Time due : schedule->state.progress().running) MUSTER_CHECK(schedule->running.contains(due));
    for (const auto& [due, run] : schedule->running) runs += cluster.schedules.by_task().contains(run.task) ? 1 : 0;
  }
  MUSTER_CHECK(listed == cluster.schedules.due_size() && runs == cluster.schedules.by_task().size());
  for (const auto& entry : cluster.schedules.by_task()) {
    MUSTER_CHECK(cluster.tasks.Find(entry.first) != nullptr || cluster.workflows.Find(entry.first) != nullptr);
  }
}

void CheckWorkflows(const Cluster& cluster, const Sums& sums) {
  size_t pending = 0, sharers = 0, value_bytes = 0;
  for (const auto& [id, workflow] : cluster.workflows.all()) {
    const auto found = sums.of_workflow.find(id);
    const WorkflowSums of_it = found == sums.of_workflow.end() ? WorkflowSums() : found->second;
    MUSTER_CHECK(workflow->open == of_it.open && workflow->gate.size() == of_it.at_gate && workflow->in_flight == of_it.in_flight);
    MUSTER_CHECK(workflow->queued == of_it.queued && workflow->unjudged.size() <= workflow->gate.size());
    MUSTER_CHECK(!HasEnded(workflow->state));
    value_bytes += workflow->values.bytes();
    if (workflow->state == WorkflowState::kPending) ++pending;
    if (workflow->state == WorkflowState::kRunning && of_it.at_gate > 0) ++sharers;
    uint64_t all = 0;
    for (const uint64_t count : workflow->counts.by_state) all += count;
    MUSTER_CHECK(workflow->broken.empty() ? all == workflow->layout.task_count() : all < workflow->layout.task_count());
  }
  MUSTER_CHECK(pending == cluster.workflows.pending().size() && sharers == cluster.workflows.sharers());
  MUSTER_CHECK(static_cast<int64_t>(value_bytes) == cluster.workflows.value_bytes());
}

}  // namespace

void CheckAgreement(const Cluster& cluster) {
  Sums sums;
  cluster.tasks.all().VisitUp(TaskId(), [&](TaskId id, const std::unique_ptr<Task>& task) {
    MUSTER_CHECK(id == task->id);
    CheckTask(cluster, *task, &sums);
    return true;
  });
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
  MUSTER_CHECK(sums.spread.size() == cluster.tasks.spread().size());
  for (const auto& [kind, count] : sums.spread) MUSTER_CHECK(cluster.tasks.Spreading(kind.first, kind.second) == count);
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
  CheckQueues(cluster, sums);
  CheckSchedules(cluster);
  CheckWorkflows(cluster, sums);
  uint64_t dependents = 0;
  for (const auto& group : sums.dependents) dependents += group.second;
  MUSTER_CHECK(cluster.dependencies.groups() == sums.dependents.size() && cluster.dependencies.waiting() == dependents);
  cluster.dependencies.CheckInvariants(cluster.open_in());
  cluster.workers.CheckInvariants();
  cluster.health.CheckInvariants();
  cluster.queues.CheckInvariants();
  if (cluster.touched.empty()) cluster.balancer.CheckInvariants();
}

}  // namespace muster::core
