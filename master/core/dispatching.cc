#include "master/core/dispatching.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/planted_fault.h"

namespace muster::core {

void Dispatching::Send(const Moment& turn, Task& task, WorkerId worker, bool prefetched) {
  const SessionNumber session = cluster_.OpenSessionOf(worker);
  MUSTER_CHECK(session);
  const bool first = task.last_attempt == 0;
  if (task.id < cluster_.copied_below) task.last_attempt = std::max(task.last_attempt, cluster_.copied_attempts);
  MUSTER_CHECK(task.last_attempt < kMaxAttemptNumber);
  if (first) {
    cluster_.retry_budget.OnFirstAttempt();
    cluster_.delay_floor.OnStart(task.spec().priority, turn.now - task.queued_since, turn.now);
  }
  // Mutant: the number of an attempt that was never reported started is given out again.
  const bool reuse = Mutated("reuse_attempt_number") && task.last_attempt > 0 && !task.started;
  const AttemptKey key{task.id, AttemptNumber(reuse ? task.last_attempt : ++task.last_attempt)};
  const Incarnation incarnation = cluster_.workers.incarnation(worker);

  task.started = false;
  task.holds_room = true;
  task.dispatched = turn.now;
  task.dispatch_order = ++cluster_.dispatch_count;
  task.runs_apart = task.losses >= kLossesUntilApart;
  if (task.runs_apart) ++cluster_.link(worker).suspects;
  cluster_.gates.Start(task.spec().queue, turn.now);
  turn.rows().attempts.push_back({key, cluster_.NameOf(worker), incarnation, turn.now});
  transitions_.Move(turn, task, Dispatched{key.number, worker, incarnation, prefetched});

  ++cluster_.counters.dispatched;
  if (prefetched) ++cluster_.counters.prefetched;
  Assign assign;
  assign.worker = worker;
  assign.session = session;
  assign.key = key;
  assign.spec = task.group->row.spec;
  assign.rows = task.group->row.rows;
  assign.row_index = assign.rows ? task.row_index() : 0;
  assign.batch = task.group->row.batch;
  assign.batch_index = task.batch_index();
  assign.prefetched = prefetched;
  assign.run_timeout = task.spec().run_timeout;
  assign.workflow = task.group->workflow;
  if (assign.workflow) {
    const Workflow& workflow = *cluster_.workflows.Find(assign.workflow);
    assign.variables = VariablesOf(*workflow.spec, task.group->node, workflow.values);
  }
  turn.Emit(std::move(assign));
}

void Dispatching::Stop(const Moment& turn, const Task& task, EndReason reason) {
  const AttemptPlace place = PlaceOf(task.state);
  const SessionNumber session = cluster_.OpenSessionOf(place.worker);
  if (!session) return;
  turn.Emit(core::Stop{place.worker, session, {task.id, place.attempt}, reason, task.spec().kill_grace});
}

void Dispatching::StopStray(const Moment& turn, WorkerId worker, AttemptKey key) {
  if (const SessionNumber session = cluster_.OpenSessionOf(worker)) {
    turn.Emit(core::Stop{worker, session, key, EndReason::kLost});
  }
}

void Dispatching::Recall(const Moment& turn, Task& task) {
  const auto* sent = std::get_if<Dispatched>(&task.state);
  if (sent == nullptr || task.wants_recall) return;
  const SessionNumber session = cluster_.OpenSessionOf(sent->worker);
  if (!session) return;
  task.wants_recall = true;
  ++cluster_.counters.recalled;
  turn.Emit(core::Recall{sent->worker, session, {task.id, sent->attempt}});
}

void Dispatching::RecallAhead(const Moment& turn, WorkerId worker) {
  for (const auto& sent : cluster_.link(worker).prefetched) Recall(turn, *cluster_.tasks.Find(sent.second));
}

void Dispatching::Promote(WorkerId worker) {
  WorkerLink& link = cluster_.link(worker);
  const uint32_t ahead = cluster_.workers.facts(worker).prefetched;
  while (link.prefetched.size() > ahead) {
    Task* const task = cluster_.tasks.Find(link.prefetched.begin()->second);
    MUSTER_CHECK(task != nullptr);
    std::get<Dispatched>(task->state).prefetched = false;
    link.prefetched.erase(link.prefetched.begin());
  }
}

}  // namespace muster::core
