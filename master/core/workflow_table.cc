#include "master/core/workflow_table.h"

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/id_text.h"
#include "master/core/cluster.h"

namespace muster::core {

bool WasSkipped(TaskState state, EndReason reason) { return state == TaskState::kCancelled && reason == EndReason::kNone; }

bool BrokeAtValue(TaskState state, EndReason reason) { return state == TaskState::kCancelled && reason == EndReason::kStartFailed; }

uint64_t MaxParallelOf(const CoreConfig& config, const Workflow& workflow) {
  return workflow.spec->max_parallel != 0 ? workflow.spec->max_parallel : static_cast<uint64_t>(config.workflows_max_parallel);
}

std::string WaitsForWorkflowWords(const Cluster& cluster, const Task& task) {
  const Workflow& workflow = *cluster.workflows.Find(task.group->workflow);
  const std::string name = absl::StrCat("workflow ", IdToText(workflow.id.value()),
                                        workflow.spec->name.empty() ? "" : absl::StrCat(" (", workflow.spec->name, ")"));
  if (workflow.state == WorkflowState::kPending) {
    return absl::StrCat(name, " waits for its turn: workflows.max_running is ", cluster.config.workflows_max_running);
  }
  const uint64_t most = MaxParallelOf(cluster.config, workflow);
  if (most == 0 || workflow.in_flight < most) {
    return absl::StrCat(name, " has its share of the queue: ", workflow.queued, " of its tasks ", workflow.queued == 1 ? "stands" : "stand",
                        " in line before this one");
  }
  return absl::StrCat(name, " runs at most ", most, most == 1 ? " task" : " tasks", " at once, and ", workflow.in_flight,
                      workflow.in_flight == 1 ? " is" : " are", " on the way");
}

Workflow* WorkflowTable::Add(TaskId id, WorkflowSpecPtr spec) {
  const auto [it, is_new] = workflows_.emplace(id, std::make_unique<Workflow>(id, std::move(spec)));
  MUSTER_CHECK(is_new);
  touched_.insert(id);
  return it->second.get();
}

void WorkflowTable::SetState(Workflow* workflow, WorkflowState state) {
  workflow->state = state;
  if (state == WorkflowState::kPending) {
    pending_.insert({workflow->arrival, workflow->id});
  } else {
    pending_.erase({workflow->arrival, workflow->id});
  }
  CountShare(workflow);
}

void WorkflowTable::Remove(TaskId id) {
  if (const Workflow* const workflow = Find(id); workflow != nullptr) {
    pending_.erase({workflow->arrival, id});
    value_bytes_ -= static_cast<int64_t>(workflow->values.bytes());
  }
  sharing_.erase(id);
  touched_.erase(id);
  workflows_.erase(id);
}

Workflow* WorkflowTable::Find(TaskId id) {
  const auto found = workflows_.find(id);
  return found == workflows_.end() ? nullptr : found->second.get();
}
const Workflow* WorkflowTable::Find(TaskId id) const { return const_cast<WorkflowTable*>(this)->Find(id); }

void WorkflowTable::Enter(const Task& task) {
  if (!task.group->workflow) return;
  Workflow& workflow = *Find(task.group->workflow);
  ++workflow.open;
  ++workflow.counts.by_state[static_cast<size_t>(task.state_now())];
  if (IsAtGate(task)) {
    workflow.gate.insert(task.id);
    const NodeValues* const values = workflow.spec->nodes[task.group->node].values.get();
    if (values != nullptr && values->HangsOnValues()) workflow.unjudged.insert(task.id);
    touched_.insert(workflow.id);
    CountShare(&workflow);
  } else if (!WaitsForNeeds(task)) {
    ++workflow.in_flight;
    if (task.state_now() == TaskState::kQueued) ++workflow.queued;
  }
}

void WorkflowTable::Leave(const Task& task) {
  if (!task.group->workflow) return;
  Workflow& workflow = *Find(task.group->workflow);
  --workflow.open;
  --workflow.counts.by_state[static_cast<size_t>(task.state_now())];
  if (IsAtGate(task)) {
    workflow.gate.erase(task.id);
    workflow.unjudged.erase(task.id);
    CountShare(&workflow);
  } else if (!WaitsForNeeds(task)) {
    --workflow.in_flight;
    if (task.state_now() != TaskState::kQueued) return;
    --workflow.queued;
    if (!workflow.gate.empty() && workflow.line.IsLow(workflow.queued)) touched_.insert(workflow.id);
  }
}

void WorkflowTable::CountShare(Workflow* workflow) {
  if (workflow->state == WorkflowState::kRunning && !workflow->gate.empty()) {
    sharing_.insert(workflow->id);
  } else {
    sharing_.erase(workflow->id);
  }
}

void WorkflowTable::End(const Task& task, TaskState state, EndReason reason, const AttemptReport* report, const std::string& why) {
  if (!task.group->workflow) return;
  RecoveredEnd end{task.id, task.group->node, state, reason};
  if (report != nullptr) end.outputs = report->outputs;
  if (BrokeAtValue(state, reason)) end.message = why;
  CountEnd(Find(task.group->workflow), end);
}

void WorkflowTable::CountEnd(Workflow* workflow, const RecoveredEnd& end) {
  WorkflowCounts& counts = workflow->counts;
  ++counts.by_state[static_cast<size_t>(end.state)];
  touched_.insert(workflow->id);
  if (WasSkipped(end.state, end.reason)) {
    ++counts.skipped;
    return;
  }
  const bool broke = BrokeAtValue(end.state, end.reason);
  if (broke) ++counts.broken;
  if (end.state == TaskState::kSucceeded) return KeepValues(workflow, end.node, end.outputs);
  if (workflow->spec->nodes[end.node].may_fail) return;
  // What its own rule or its own end cancelled is no failure of its own.
  if (end.state == TaskState::kCancelled && !broke && (workflow->stopping || !workflow->cancelled_by.empty())) return;
  if (++counts.failed > 1) return;
  counts.first_failed = end.task;
  counts.failed_as = end.state;
  counts.broke_at = end.message;
}

void WorkflowTable::KeepValues(Workflow* workflow, uint32_t node, const NamedValues& written) {
  value_bytes_ -= static_cast<int64_t>(workflow->values.bytes());
  workflow->values.Keep(*workflow->spec, node, written);
  value_bytes_ += static_cast<int64_t>(workflow->values.bytes());
}

absl::btree_set<TaskId> WorkflowTable::TakeTouched() { return std::exchange(touched_, {}); }

void WorkflowTable::TouchAll() {
  for (const auto& entry : workflows_) touched_.insert(entry.first);
}

}  // namespace muster::core
