#include "master/core/transitions.h"

#include <algorithm>

#include "common/base/check.h"

namespace muster::core {
namespace {

bool HoldsPlace(TaskState state) {
  return state == TaskState::kDispatched || state == TaskState::kRunning || state == TaskState::kValidating;
}

scheduler::Load LoadOf(TaskState state) {
  if (state == TaskState::kPending || state == TaskState::kQueued) return scheduler::Load::kWaits;
  return HoldsPlace(state) || state == TaskState::kUnknown ? scheduler::Load::kRuns : scheduler::Load::kNone;
}

// What it takes of the cluster as a whole is its own until its attempt has surely ended.
bool TakesOfCluster(const StateData& state) {
  const auto* pending = std::get_if<Pending>(&state);
  return LoadOf(StateOf(state)) == scheduler::Load::kRuns ||
         (pending != nullptr && pending->reason == PendingReason::kWorkerLost);
}

// Tasks of its key run one after the other.
bool OneAtATime(const Task& task) { return task.spec().limit == 1; }

AttemptNumber NamedAttempt(const Task& task) {
  if (const AttemptPlace place = PlaceOf(task.state); place.attempt) return place.attempt;
  return AttemptNumber(task.last_attempt);
}

int32_t CodeOf(const AttemptReportPtr& report) {
  if (!report) return 0;
  switch (report->end.reason) {
    case EndReason::kExited: return report->end.exit_code;
    case EndReason::kSignaled: return report->end.signal;
    case EndReason::kStartFailed: return report->end.start_errno;
    default: return 0;
  }
}

}  // namespace

TaskState Transitions::Admit(const Moment& turn, Task& task) {
  if (cluster_.dependencies.Waits(task.group->row.first)) {
    task.state = Pending{PendingReason::kDependencies, absl::InfiniteFuture(), turn.now};
  } else if (task.group->workflow) {
    task.state = Pending{PendingReason::kWorkflow, absl::InfiniteFuture(), turn.now};
  } else if (task.spec().start_time > turn.now) {
    task.state = Pending{PendingReason::kStartTime, task.spec().start_time, turn.now};
  } else {
    task.queued_since = turn.now;
    task.state = Queued{turn.now};
  }
  MUSTER_CHECK(CanMove(TaskState::kNone, task.state_now()));
  Count(task, TaskState::kNone, task.state_now());
  CountOfCluster(task, false);
  Enter(task);
  return task.state_now();
}

void Transitions::Restore(Task& task, StateData state) {
  task.state = std::move(state);
  Count(task, TaskState::kNone, task.state_now());
  CountOfCluster(task, false);
  if (task.last_attempt > 0) TakeKey(task);
  Enter(task);
}

void Transitions::Move(const Moment& turn, Task& task, StateData to, Cause cause) {
  const TaskState from = task.state_now();
  const AttemptPlace before = PlaceOf(task.state);
  MUSTER_CHECK(CanMove(from, StateOf(to)));
  Leave(task);
  if (HoldsPlace(from) && !HoldsPlace(StateOf(to))) ReturnRoom(task, before.worker);
  const bool took_of_cluster = TakesOfCluster(task.state);
  task.state = std::move(to);
  Count(task, from, task.state_now());
  CountOfCluster(task, took_of_cluster);
  LogMove(turn, task, cause);
  Tell(turn, task, before, cause);
  if (IsTerminal(task.state_now())) {
    WriteOutcome(turn, task, cause);
    cluster_.dependencies.OnEnd(task.id, {task.group->row.first, task.group->row.count}, task.state_now());
    cluster_.schedules.OnTaskEnd(task.id, task.state_now(), cause.reason, turn.now);
    cluster_.workflows.End(task, task.state_now(), cause.end_reason, cause.report.get(), cause.reason);
    ++cluster_.counters.ended_by_state[static_cast<size_t>(task.state_now())];
    LeaveKey(task);
    cluster_.tasks.Remove(task.id);
    return;
  }
  if (task.state_now() == TaskState::kDispatched) TakeKey(task);
  Enter(task);
}

void Transitions::End(const Moment& turn, Task& task, TaskState state, Cause cause) {
  Ended ended{state, NamedAttempt(task), cause.reason};
  Move(turn, task, std::move(ended), std::move(cause));
}

void Transitions::Requeue(const Moment& turn, Task& task, bool new_wait, Cause cause) {
  if (new_wait || task.queued_since == absl::InfinitePast()) task.queued_since = turn.now;
  Move(turn, task, Queued{task.queued_since}, std::move(cause));
}

void Transitions::Wait(const Moment& turn, Task& task, PendingReason reason, absl::Time until, Cause cause) {
  Move(turn, task, Pending{reason, until, turn.now}, std::move(cause));
}

void Transitions::Release(const Moment& turn, Task& task) {
  const bool is_next = task.group->workflow && !IsAtGate(task);
  if (!is_next && task.spec().start_time <= turn.now) return Requeue(turn, task, true, {});
  Leave(task);
  task.state = is_next ? Pending{PendingReason::kWorkflow, absl::InfiniteFuture(), turn.now}
                       : Pending{PendingReason::kStartTime, task.spec().start_time, turn.now};
  Enter(task);
}

void Transitions::CloseAttempt(const Moment& turn, const Task& task, AttemptClosing closing) {
  const AttemptPlace place = PlaceOf(task.state);
  MUSTER_CHECK(place.attempt);
  const AttemptKey key{task.id, place.attempt};
  turn.Log(activity::AttemptEnded{key, cluster_.NameOf(place.worker), closing.reason, CodeOf(closing.report),
                                  closing.message});
  turn.rows().attempt_ends.push_back({key, std::move(closing.report), closing.reason, closing.used_attempt,
                                      closing.used_worker_loss, turn.now, closing.retry_at,
                                      std::move(closing.message)});
}

void Transitions::HoldBackRetry(Task& task) {
  Leave(task);
  std::get<Pending>(task.state).until = absl::InfiniteFuture();
  Enter(task);
  cluster_.retries_beyond_budget.insert(task.id);
}

void Transitions::Pause(Task& task, absl::Time until) {
  MUSTER_CHECK(task.state_now() == TaskState::kQueued);
  TakeOutOfLine(task.id);
  cluster_.paused[task.id] = until;
  cluster_.dues.Set(until, DueKind::kPause, task.id.value());
}

void Transitions::Unpause(Task& task) {
  cluster_.paused.erase(task.id);
  Offer(task);
}

void Transitions::TakeRoom(Task& task, WorkerId worker) {
  if (task.holds_room) return;
  cluster_.workers.Adopt(worker, task.spec().requirements.resources);
  task.holds_room = true;
  task.runs_apart = task.losses >= kLossesUntilApart;
  if (task.runs_apart) ++cluster_.link(worker).suspects;
  cluster_.touched.insert(worker);
}

void Transitions::Enter(Task& task) {
  cluster_.tasks.Enter(task);
  cluster_.workflows.Enter(task);
  if (WaitsForNeeds(task)) cluster_.dependencies.Enter(task.group->row.first);
  cluster_.dues.Set(DueOf(task), DueKind::kTask, task.id.value());
  if (task.state_now() == TaskState::kQueued) {
    Offer(task);
    cluster_.delay_floor.Enter(task.spec().priority);
  } else if (const auto* sent = std::get_if<Dispatched>(&task.state); sent != nullptr && sent->prefetched) {
    cluster_.link(sent->worker).prefetched[task.dispatch_order] = task.id;
  }
}

void Transitions::Leave(Task& task) {
  cluster_.tasks.Leave(task);
  cluster_.workflows.Leave(task);
  cluster_.dues.Unset(DueOf(task), DueKind::kTask, task.id.value());
  switch (task.state_now()) {
    case TaskState::kQueued:
      cluster_.delay_floor.Leave(task.spec().priority);
      if (!task.spec().requirements.of_cluster.empty()) cluster_.resources.Leave(task.id);
      if (const auto pause = cluster_.paused.find(task.id); pause != cluster_.paused.end()) {
        cluster_.dues.Unset(pause->second, DueKind::kPause, task.id.value());
        cluster_.paused.erase(pause);
      } else {
        cluster_.queues.Remove(task.id);
      }
      break;
    case TaskState::kPending:
      cluster_.retries_beyond_budget.erase(task.id);
      if (WaitsForNeeds(task)) cluster_.dependencies.Leave(task.group->row.first);
      break;
    case TaskState::kDispatched:
      if (std::get<Dispatched>(task.state).prefetched) {
        cluster_.link(PlaceOf(task.state).worker).prefetched.erase(task.dispatch_order);
      }
      break;
    default: break;
  }
}

void Transitions::Count(const Task& task, TaskState from, TaskState to) {
  const TaskSpec& spec = task.spec();
  const scheduler::Load before = LoadOf(from);
  const scheduler::Load after = LoadOf(to);
  if (from == TaskState::kDispatched && to == TaskState::kQueued) cluster_.gates.TakeBack(spec.queue);
  cluster_.gates.Move(spec.queue, before, after);
  if (spec.limit == 0 || before == after) return;
  if (before == scheduler::Load::kRuns) cluster_.keys.Stop(spec.limit_key);
  if (after == scheduler::Load::kRuns) cluster_.keys.Start(spec.limit_key);
}

void Transitions::CountOfCluster(const Task& task, bool took) {
  const auto& amounts = task.spec().requirements.of_cluster;
  const bool takes = TakesOfCluster(task.state);
  if (amounts.empty() || took == takes) return;
  if (takes) {
    cluster_.resources.Start(task.id, amounts);
  } else {
    cluster_.resources.Stop(task.id, amounts);
  }
}

void Transitions::Offer(Task& task) {
  const TaskSpec& spec = task.spec();
  if (OneAtATime(task)) {
    cluster_.keys.Join(spec.limit_key, task.id);
    if (cluster_.keys.First(spec.limit_key) != task.id) return;
    // An older one, whose start time has come, goes before who was first until now.
    if (const TaskId before = cluster_.keys.SecondOldest(spec.limit_key)) TakeOutOfLine(before);
  }
  cluster_.queues.Add(task.id, spec.queue, spec.priority,
                      {spec.requirements, task.avoid, spec.limit_key, spec.limit}, task.queued_since);
}

void Transitions::TakeKey(const Task& task) {
  if (!OneAtATime(task)) return;
  const std::string& key = task.spec().limit_key;
  const TaskId before = cluster_.keys.First(key);
  cluster_.keys.Take(key, task.id);
  if (before && before != task.id) TakeOutOfLine(before);
}

// Its class may be gone with it, so it must not stand in line for what the cluster has under that.
void Transitions::TakeOutOfLine(TaskId task) {
  cluster_.resources.StepOut(task);
  cluster_.queues.Remove(task);
}

void Transitions::LeaveKey(const Task& task) {
  if (!OneAtATime(task)) return;
  const std::string& key = task.spec().limit_key;
  const bool was_first = cluster_.keys.First(key) == task.id;
  cluster_.keys.Leave(key, task.id);
  if (!was_first) return;
  Task* const next = cluster_.tasks.Find(cluster_.keys.First(key));
  if (next != nullptr && next->state_now() == TaskState::kQueued && !cluster_.paused.contains(next->id)) Offer(*next);
}

void Transitions::ReturnRoom(Task& task, WorkerId worker) {
  task.wants_recall = false;
  if (!task.holds_room) return;
  task.holds_room = false;
  cluster_.workers.Release(worker, task.spec().requirements.resources);
  cluster_.touched.insert(worker);
  if (task.runs_apart) --cluster_.link(worker).suspects;
  task.runs_apart = false;
}

void Transitions::Tell(const Moment& turn, const Task& task, const AttemptPlace& before, const Cause& cause) {
  const AttemptPlace place = PlaceOf(task.state);
  TaskChanged changed;
  changed.task = task.id;
  changed.state = task.state_now();
  changed.attempt = place.attempt ? place.attempt : NamedAttempt(task);
  changed.worker = place.worker ? place.worker : before.worker;
  changed.reason = cause.reason;
  changed.spec = task.group->row.spec;
  changed.batch = task.group->row.batch;
  changed.batch_index = task.batch_index();
  changed.report = cause.report;
  changed.end_reason = cause.end_reason;
  changed.time = turn.now;
  turn.Emit(std::move(changed));
}

void Transitions::LogMove(const Moment& turn, const Task& task, const Cause& cause) {
  const TaskState state = task.state_now();
  const AttemptPlace place = PlaceOf(task.state);
  const AttemptKey key{task.id, NamedAttempt(task)};
  if (IsTerminal(state)) {
    turn.Log(activity::TaskEnded{key, state, cause.end_reason, CodeOf(cause.report), cause.reason});
  } else if (state == TaskState::kDispatched) {
    turn.Log(activity::AttemptDispatched{key, cluster_.NameOf(place.worker)});
  } else if (state == TaskState::kRunning) {
    turn.Log(activity::AttemptStarted{key, cluster_.NameOf(place.worker)});
  } else {
    turn.Log(activity::TaskStateChanged{task.id, state, cause.reason});
  }
}

void Transitions::WriteOutcome(const Moment& turn, const Task& task, const Cause& cause) {
  const auto& ended = std::get<Ended>(task.state);
  turn.rows().outcomes.push_back(
      {task.id, ended.state, ended.attempt, cause.report, cause.end_reason, cause.reason, turn.now});
}

}  // namespace muster::core
