#include "master/core/recovery.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/planted_fault.h"

namespace muster::core {
namespace {

// A stored deadline `full` after something began: never more than `full` away, never in the past.
absl::Time Rebase(absl::Time deadline, absl::Duration full, absl::Time now) {
  return std::clamp(deadline, now, now + full);
}

// When it could first have been queued. When those that it waited for had ended is not stored: then, as late as may be.
absl::Time ReadyTime(const Task& task, const TaskHistory& history, absl::Time now) {
  if (!task.spec().dependencies.empty()) return history.attempts.empty() ? now : history.attempts.front().dispatched;
  return std::max(task.group->row.created, task.spec().start_time);
}

bool UsedNothing(const AttemptEndRow& end) { return end.retry_at == absl::InfinitePast() && !end.report; }

}  // namespace

void Recovery::Restore(const Moment& turn, RecoveredState state) {
  cluster_.next_id = std::max(state.next_id, TaskId(1));
  cluster_.skipped_ids = state.skipped_ids;
  cluster_.copied_below = state.copied_below;
  cluster_.copied_attempts = state.copied_attempts.value();
  RestoreSettings(state);
  for (const RecoveredWorkflow& workflow : state.workflows) RestoreWorkflow(workflow);
  TaskGroupPtr group;
  auto next = state.groups.begin();
  for (const RecoveredTask& task : state.tasks) {  // by id, as the groups are
    for (; next != state.groups.end() && (*next)->row.first <= task.id; ++next) {
      MUSTER_CHECK(group == nullptr || group->row.first < (*next)->row.first);
      group = Settled(std::move(*next));
      cluster_.offered_executors.try_emplace(group->row.spec->requirements.executor, false);
    }
    MUSTER_CHECK(group != nullptr && task.id.value() - group->row.first.value() < group->row.count);
    RestoreTask(turn, task.id, group, task.history());
  }
  BreakWhatLacksTasks();
}

void Recovery::RestoreWorkflow(const RecoveredWorkflow& recovered) {
  Workflow& workflow = *cluster_.workflows.Add(recovered.row.id, recovered.row.spec);
  workflow.created = recovered.row.created;
  workflow.started = recovered.state.started;
  workflow.cancelled_by = recovered.state.cancelled_by;
  if (!workflow.cancelled_by.empty()) workflow.cancel_reason = recovered.state.reason;
  for (const WorkflowPartRow& part : recovered.parts) {
    const uint32_t before = workflow.layout.retries();
    workflow.layout.Add(part.tasks);
    // More tasks leave it its turn; a retry takes a new one.
    if (!workflow.arrival || workflow.layout.retries() > before) workflow.arrival = part.tasks.front().tasks.first;
  }
  cluster_.workflows.SetState(&workflow, recovered.state.state);
  // What its rule cancelled is known by what had failed before.
  for (const bool cancelled : {false, true}) {
    for (const RecoveredEnd& end : recovered.ends) {
      if ((end.state == TaskState::kCancelled && !BrokeAtValue(end.state, end.reason)) != cancelled) continue;
      cluster_.workflows.CountEnd(&workflow, end);
    }
    workflow.stopping = workflow.Stops();
  }
}

// Nobody knows how tasks ended that a salvage has left out: that it did not fail is not claimed.
void Recovery::BreakWhatLacksTasks() {
  for (const auto& entry : cluster_.workflows.all()) {
    Workflow& workflow = *entry.second;
    uint64_t known = 0;
    for (const uint64_t count : workflow.counts.by_state) known += count;
    const uint64_t made = workflow.layout.task_count();
    if (known < made) workflow.broken = absl::StrCat(made - known, " of its tasks were lost with damage to the store");
  }
}

TaskGroupPtr Recovery::Settled(TaskGroupPtr group) const {
  TaskSpecPtr spec = cluster_.Settled(group->row.spec);
  if (spec == group->row.spec) return group;
  auto settled = std::make_shared<TaskGroup>(*group);
  settled->row.spec = std::move(spec);
  return settled;
}

void Recovery::RestoreSettings(const RecoveredState& state) {
  for (const WorkerSettingRow& row : state.worker_settings) {
    const WorkerId worker = cluster_.workers.Intern(row.name);
    cluster_.workers.SetWeight(worker, row.weight);
    cluster_.workers.SetDraining(worker, row.draining, row.reason);
    cluster_.workers.SetQuarantined(worker, row.quarantined, row.reason);
    cluster_.link(worker).drain_reason = row.reason;
  }
  for (const ExecutorRow& row : state.executors) cluster_.offered_executors[row.name] = true;
}

void Recovery::RestoreTask(const Moment& turn, TaskId id, const TaskGroupPtr& group, const TaskHistory& history) {
  Task& task = *cluster_.tasks.Add(id, group);
  if (!history.attempts.empty()) task.last_attempt = history.attempts.back().key.number.value();
  for (const AttemptEndRow& end : history.attempt_ends) {
    if (end.used_attempt) ++task.failures;
    if (end.used_worker_loss) ++task.losses;
  }
  if (history.cancel.has_value()) {
    task.cancel = std::make_shared<const CancelWish>(CancelWish{history.cancel->by, history.cancel->reason});
  }
  transitions_.Restore(task, StateFrom(turn, task, history));
  const TaskState now = task.state_now();
  if (task.cancel && (now == TaskState::kPending || now == TaskState::kQueued) && !WaitsForFence(task)) {
    transitions_.End(turn, task, TaskState::kCancelled, {task.cancel->reason, nullptr, EndReason::kCancelled});
  }
}

StateData Recovery::StateFrom(const Moment& turn, Task& task, const TaskHistory& history) {
  const bool any_end = !history.attempt_ends.empty();
  if (!history.attempts.empty() &&
      (!any_end || history.attempt_ends.back().key.number < history.attempts.back().key.number)) {
    task.dispatched = std::min(history.attempts.back().dispatched, turn.now);
    task.queued_since = std::min(ReadyTime(task, history, turn.now), turn.now);
    return PlacedFrom(turn, history, history.attempts.back());
  }
  return WaitingFrom(turn, task, history);
}

StateData Recovery::PlacedFrom(const Moment& turn, const TaskHistory& history, const AttemptRow& current) {
  WorkerId worker = cluster_.workers.Find(current.worker);
  if (!worker || cluster_.workers.state(worker) == WorkerState::kNone) {
    worker = cluster_.workers.Expect(current.worker, current.incarnation, turn.now);
    // It may have been promised a long lease when the last master ended.
    cluster_.link(worker).fenced_by = turn.now + LongestFence();
  }
  if (history.unknown.has_value() && history.unknown->key == current.key) {
    // It may have turned up since, which is not stored: leave it the time to say so again.
    const absl::Time give_up = Rebase(history.unknown->give_up, cluster_.config.unknown_timeout, turn.now);
    return Unknown{current.key.number, worker, current.incarnation,
                   std::max(give_up, turn.now + cluster_.config.lost_after)};
  }
  return Dispatched{current.key.number, worker, current.incarnation, false};
}

StateData Recovery::WaitingFrom(const Moment& turn, Task& task, const TaskHistory& history) {
  const TaskSpec& spec = task.spec();
  if (history.attempt_ends.empty()) {
    if (WaitsForOthers(task)) return Pending{PendingReason::kDependencies, absl::InfiniteFuture(), std::min(turn.now, task.group->row.created)};
    if (task.group->workflow) return Pending{PendingReason::kWorkflow, absl::InfiniteFuture(), std::min(turn.now, task.group->row.created)};
    if (spec.start_time > turn.now) return Pending{PendingReason::kStartTime, spec.start_time, std::min(turn.now, task.group->row.created)};
    task.queued_since = std::min(turn.now, ReadyTime(task, history, turn.now));
    return Queued{task.queued_since};
  }
  const AttemptEndRow& last = history.attempt_ends.back();
  for (const AttemptRow& attempt : history.attempts) {
    if (attempt.key == last.key && last.used_attempt) task.avoid = cluster_.workers.Intern(attempt.worker);
  }
  if (!last.message.empty() && last.used_attempt) task.last_failure = std::make_unique<std::string>(last.message);
  // A place in the queue is kept over attempts that never were.
  task.queued_since = std::min(turn.now, ReadyTime(task, history, turn.now));
  for (const AttemptEndRow& end : history.attempt_ends) {
    if (!UsedNothing(end)) task.queued_since = std::min(turn.now, std::max(end.ended, end.retry_at));
  }
  if (last.retry_at == absl::InfinitePast()) return Queued{task.queued_since};
  if (last.used_attempt) {
    return Pending{PendingReason::kRetry, Rebase(last.retry_at, spec.retry.max_delay, turn.now),
                   std::min(turn.now, last.ended)};
  }
  // It waits for a fence. How much of that has passed only the calendar could say, which may have jumped: all of it
  // again.
  const absl::Duration left = std::clamp(last.retry_at - last.ended, absl::ZeroDuration(), LongestFence());
  return Pending{PendingReason::kWorkerLost, turn.now + left, std::min(turn.now, last.ended)};
}

// One of the group that has an attempt was released, and so was all of it. Of the others the store is asked anew: what an
// open task depends on is kept.
bool Recovery::WaitsForOthers(const Task& task) {
  const SpecificationRow& row = task.group->row;
  if (row.spec->dependencies.empty() || Mutated("forget_needs")) return false;
  if (judged_group_ == row.first) return judged_to_wait_;
  judged_group_ = row.first;
  judged_to_wait_ = cluster_.dependencies.Add({row.first, row.count}, row.spec, cluster_.open_in()) == Dependencies::Standing::kWaits;
  return judged_to_wait_;
}

absl::Duration Recovery::LongestFence() const {
  return cluster_.config.shutdown_lease + cluster_.config.kill_grace + cluster_.config.fence_margin;
}

}  // namespace muster::core
