#include "master/core/workflow_events.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/id_text.h"
#include "common/base/planted_fault.h"
#include "common/base/refusal.h"
#include "common/domain/workflow_graph.h"
#include "master/core/workflow_words.h"

namespace muster::core {
namespace {

// The ids that the nodes will have, in their order; a batch has one for itself.
std::vector<NodeTasks> Number(const std::vector<NewNode>& nodes, TaskId next) {
  std::vector<NodeTasks> numbered;
  numbered.reserve(nodes.size());
  for (const NewNode& node : nodes) {
    NodeTasks& made = numbered.emplace_back();
    made.node = node.node;
    made.replaces = node.replaces;
    if (node.rows != nullptr) {
      made.batch = next;
      next = next.Next();
    }
    made.tasks = {next, node.rows == nullptr ? 1 : node.rows->size()};
    next = TaskId(next.value() + made.tasks.count);
  }
  return numbered;
}

// It runs when another has failed, or whatever becomes of that: a failure does not stop it.
bool IsForFailures(const TaskSpec& spec) {
  return std::any_of(spec.dependencies.begin(), spec.dependencies.end(), [](const Dependency& dependency) {
    return dependency.condition != DependencyCondition::kSuccess;
  });
}

// All that its nodes are now, as few ranges: the ids between, of batches, are nobody's.
std::vector<TaskRange> Joined(const WorkflowLayout& layout) {
  std::vector<TaskRange> all;
  for (uint32_t node = 0; node < layout.nodes(); ++node) all.insert(all.end(), layout.TasksOf(node).begin(), layout.TasksOf(node).end());
  std::sort(all.begin(), all.end(), [](const TaskRange& a, const TaskRange& b) { return a.first < b.first; });
  std::vector<TaskRange> joined;
  for (const TaskRange& range : all) {
    const bool follows = !joined.empty() && range.first.value() <= joined.back().first.value() + joined.back().count + 1;
    if (follows) {
      joined.back().count = range.first.value() + range.count - joined.back().first.value();
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

// Whether more tasks can be added to it: they would be stopped, or it has too many.
absl::Status CheckAddition(const Workflow& workflow, const AddToWorkflow& event) {
  if (!workflow.cancelled_by.empty()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_STOPS", "it is being cancelled, and takes no more tasks");
  }
  if (workflow.Stops()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_STOPS", absl::StrCat("it stops, and takes no more tasks: ", WhatFailed(workflow.counts)));
  }
  if (workflow.spec != event.before) {
    return RefuseForNow("WORKFLOW_CHANGED", "others have added tasks to it meanwhile; send the call again", absl::Milliseconds(100));
  }
  const uint64_t count = workflow.layout.task_count() + SizeOfNodes(event.nodes).count;
  if (count > kMostWorkflowTasks) {
    return RefuseField("BAD_WORKFLOW", "workflow.nodes", absl::StrCat("are ", count, " tasks with those that it has; at most ", kMostWorkflowTasks,
                                                                      ": make several workflows of it"));
  }
  return absl::OkStatus();
}

absl::Status NoSuchWorkflow(TaskId id) {
  return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_WORKFLOW", absl::StrCat("no open workflow ", IdToText(id.value())));
}

}  // namespace

bool WorkflowEvents::AnswerEarly(const Moment& turn, const RequestKey& request, bool id_is_taken,
                                 const std::vector<NewNode>& nodes, WorkflowAnswer* answer) {
  const CallSize size = SizeOfNodes(nodes);
  if (const auto before = admission_.FindRepeated(request, id_is_taken, size); before.has_value()) {
    answer->status = before->status();
    answer->repeated = before->ok();
    if (before->ok()) answer->id = (*before)->batch;
  } else {
    answer->status = admission_.CheckNew(turn, request, nodes, size);
    if (answer->status.ok()) return false;
    ++cluster_.counters.refused_submits;
  }
  turn.Emit(std::move(*answer));
  return true;
}

void WorkflowEvents::OnSubmit(const Moment& turn, SubmitWorkflow event) {
  WorkflowAnswer answer;
  answer.call = event.call;
  if (AnswerEarly(turn, event.request, event.id_is_taken, event.nodes, &answer)) return;
  const Workflow& workflow = Take(turn, std::move(event), &answer);
  answer.id = workflow.id;
  answer.workflow = ViewOf(workflow);
  turn.Emit(std::move(answer));
}

absl::StatusOr<TaskId> WorkflowEvents::Accept(const Moment& turn, SubmitWorkflow event) {
  if (absl::Status refused = admission_.CheckNew(turn, event.request, event.nodes, SizeOfNodes(event.nodes)); !refused.ok()) {
    ++cluster_.counters.refused_submits;
    return refused;
  }
  WorkflowAnswer nobody_asked;
  return Take(turn, std::move(event), &nobody_asked).id;
}

Workflow& WorkflowEvents::Take(const Moment& turn, SubmitWorkflow event, WorkflowAnswer* answer) {
  Workflow& workflow = *cluster_.workflows.Add(cluster_.next_id, std::move(event.workflow));
  cluster_.next_id = cluster_.next_id.Next();
  workflow.created = turn.now;
  workflow.arrival = cluster_.next_id;
  cluster_.workflows.SetState(&workflow, WorkflowState::kPending);
  turn.rows().workflows.push_back({workflow.id, workflow.spec, turn.now});
  const TaskRange tasks = AcceptNodes(turn, &workflow, std::move(event.nodes), answer);
  Set(turn, &workflow, WorkflowState::kPending, "");
  size_t none = 0;  // judging is the turn's
  StartThoseInTurn(turn, &none);
  admission_.Remember(turn, event.request, {event.request.digest, {tasks}, workflow.id, 0});
  return workflow;
}

void WorkflowEvents::OnAdd(const Moment& turn, AddToWorkflow event) {
  WorkflowAnswer answer;
  answer.call = event.call;
  if (AnswerEarly(turn, event.request, event.id_is_taken, event.nodes, &answer)) return;
  Workflow* const workflow = cluster_.workflows.Find(event.workflow);
  answer.status = workflow == nullptr ? NoSuchWorkflow(event.workflow) : CheckAddition(*workflow, event);
  if (!answer.status.ok()) return turn.Emit(std::move(answer));
  workflow->spec = std::move(event.after);
  workflow->layout.Grow(workflow->spec->nodes.size());
  turn.rows().workflows.push_back({workflow->id, workflow->spec, workflow->created});
  const TaskRange tasks = AcceptNodes(turn, workflow, std::move(event.nodes), &answer);
  cluster_.workflows.Touch(workflow->id);
  Answer(turn, event.request, *workflow, tasks, std::move(answer));
}

void WorkflowEvents::OnRetry(const Moment& turn, RetryWorkflow event) {
  WorkflowAnswer answer;
  answer.call = event.call;
  if (AnswerEarly(turn, event.request, event.id_is_taken, event.nodes, &answer)) return;
  if (cluster_.workflows.Find(event.workflow.id) != nullptr) {
    answer.status = Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_IS_OPEN",
                           "it has not ended; what failed can be tried again when it has");
    return turn.Emit(std::move(answer));
  }
  Workflow& workflow = *cluster_.workflows.Add(event.workflow.id, event.workflow.spec);
  workflow.created = event.workflow.created;
  workflow.arrival = cluster_.next_id;
  cluster_.workflows.SetState(&workflow, WorkflowState::kPending);
  for (WorkflowPartRow& part : event.parts) {
    workflow.layout.Add(part.tasks);
    turn.rows().reopened_parts.push_back(std::move(part));
  }
  for (const RecoveredEnd& end : event.kept) {
    ++workflow.counts.by_state[static_cast<size_t>(end.state)];
    if (WasSkipped(end.state, end.reason)) ++workflow.counts.skipped;
    if (end.state == TaskState::kSucceeded) cluster_.workflows.KeepValues(&workflow, end.node, end.outputs);
  }
  const TaskRange tasks = AcceptNodes(turn, &workflow, std::move(event.nodes), &answer);
  Set(turn, &workflow, WorkflowState::kPending, "");
  size_t none = 0;  // judging is the turn's
  StartThoseInTurn(turn, &none);
  Answer(turn, event.request, workflow, tasks, std::move(answer));
}

TaskRange WorkflowEvents::AcceptNodes(const Moment& turn, Workflow* workflow, std::vector<NewNode> nodes, WorkflowAnswer* answer) {
  WorkflowPartRow part{workflow->id, Number(nodes, cluster_.next_id), turn.now};
  workflow->layout.Add(part.tasks);
  SubmitAnswer ignored;
  for (size_t i = 0; i < nodes.size(); ++i) {
    NewNode& node = nodes[i];
    const NodeTasks& made = part.tasks[i];
    if (made.batch) cluster_.next_id = cluster_.next_id.Next();
    node.spec->dependencies = workflow->layout.DependenciesOf(*workflow->spec, node.node);
    SpecificationRow row;
    row.count = made.tasks.count;
    row.batch = made.batch;
    row.first_index = made.batch ? 1 : 0;
    row.rows = std::move(node.rows);
    if (made.replaces.size() == 1) row.retry_of = made.replaces.front();
    const std::string& queue = node.spec->queue;
    turn.Log(activity::TaskAccepted{made.tasks, made.batch, workflow->spec->owner, queue});
    row.spec = std::move(node.spec);
    admission_.Warn(*admission_.Accept(turn, std::move(row), &ignored, workflow->id, node.node), made.tasks.count,
                    &answer->warnings);
  }
  const TaskId first = part.tasks.front().tasks.first;
  turn.rows().workflow_parts.push_back(std::move(part));
  return {first, cluster_.next_id.value() - first.value()};
}

void WorkflowEvents::Answer(const Moment& turn, const RequestKey& request, const Workflow& workflow, TaskRange tasks,
                            WorkflowAnswer answer) {
  admission_.Remember(turn, request, {request.digest, {tasks}, workflow.id, 0});
  answer.id = workflow.id;
  answer.workflow = ViewOf(workflow);
  turn.Emit(std::move(answer));
}

void WorkflowEvents::OnCancel(const Moment& turn, const CancelWorkflow& event) {
  WorkflowAnswer answer;
  answer.call = event.call;
  Workflow* const workflow = cluster_.workflows.Find(event.workflow);
  if (workflow == nullptr) {
    answer.status = NoSuchWorkflow(event.workflow);
    return turn.Emit(std::move(answer));
  }
  if (workflow->cancelled_by.empty()) {
    workflow->cancelled_by = event.by.empty() ? "somebody" : event.by;
    workflow->cancel_reason = event.reason;
    Set(turn, workflow, workflow->state, workflow->cancel_reason);
  }
  CancelTasks cancel;
  cancel.by = event.by;
  cancel.reason = event.reason.empty() ? absl::StrCat("its workflow ", IdToText(workflow->id.value()), " was cancelled") : event.reason;
  cancel.tasks = Joined(workflow->layout);
  cancels_.OnCancel(turn, cancel);
  cluster_.workflows.Touch(workflow->id);
  answer.id = workflow->id;
  answer.workflow = ViewOf(*workflow);
  turn.Emit(std::move(answer));
}

void WorkflowEvents::OnTurn(const Moment& turn) {
  if (cluster_.workflows.all().empty()) return;
  if (slots_revision_ != cluster_.offers_revision) CountSlots();
  if (!cluster_.workflows.any_touched()) return;
  size_t left = kEndsATurn;
  for (const TaskId id : cluster_.workflows.TakeTouched()) {
    Workflow* const workflow = cluster_.workflows.Find(id);
    if (workflow == nullptr) continue;
    const bool stops = workflow->Stops();
    if (stops) Stop(turn, workflow, &left);
    if (!stops || workflow->next_to_stop == workflow->layout.nodes()) JudgeAndLetGo(turn, workflow, &left);
    EndIfDone(turn, workflow);
  }
  StartThoseInTurn(turn, &left);
}

// Those that came first; a bound of 0 is none.
void WorkflowEvents::StartThoseInTurn(const Moment& turn, size_t* left) {
  const auto most = static_cast<uint64_t>(cluster_.config.workflows_max_running);
  WorkflowTable& workflows = cluster_.workflows;
  while (!workflows.pending().empty() && (most == 0 || workflows.all().size() - workflows.pending().size() < most)) {
    Workflow& workflow = *workflows.Find(workflows.pending().begin()->second);
    workflow.started = turn.now;
    Set(turn, &workflow, WorkflowState::kRunning, workflow.cancel_reason);
    JudgeAndLetGo(turn, &workflow, left);
  }
}

uint64_t WorkflowEvents::WindowOf(const Workflow& workflow) const {
  if (workflow.state != WorkflowState::kRunning) return 0;
  const uint64_t asked = MaxParallelOf(cluster_.config, workflow);
  return asked != 0 ? asked : std::numeric_limits<uint32_t>::max();
}

uint64_t WorkflowEvents::LineOf(const Moment& turn, Workflow* workflow) const {
  const uint64_t slots = cluster_.workflows.slots();
  if (Mutated("workflow_line_unbounded")) return WorkflowLine::MostOf(slots);
  const uint64_t least = WorkflowLine::LeastOf(slots, cluster_.workflows.sharers());
  if (workflow->queued >= least && !workflow->line.IsLow(workflow->queued)) return 0;
  return workflow->line.Refill(workflow->queued, least, WorkflowLine::MostOf(slots), turn.now);
}

void WorkflowEvents::CountSlots() {
  slots_revision_ = cluster_.offers_revision;
  uint64_t slots = 0;
  for (const WorkerId worker : cluster_.workers.Ids()) {
    if (cluster_.workers.state(worker) != WorkerState::kLost) slots += cluster_.workers.facts(worker).offer.capacity.slots;
  }
  if (slots > cluster_.workflows.slots()) cluster_.workflows.TouchAll();
  cluster_.workflows.SetSlots(slots);
}

void WorkflowEvents::JudgeAndLetGo(const Moment& turn, Workflow* workflow, size_t* left) {
  if (workflow->state != WorkflowState::kRunning) return;
  while (!workflow->unjudged.empty() && *left > 0) JudgeTask(turn, workflow, *cluster_.tasks.Find(*workflow->unjudged.begin()), left);
  // What has just broken stops it first; what is left goes on in the next turn.
  const bool stops = workflow->Stops() && workflow->next_to_stop < workflow->layout.nodes();
  if (!workflow->unjudged.empty()) cluster_.workflows.Touch(workflow->id);
  if (workflow->unjudged.empty() && !stops) LetGo(turn, workflow);
}

void WorkflowEvents::JudgeTask(const Moment& turn, Workflow* workflow, Task& task, size_t* left) {
  const Judgement judgement = Judge(*workflow->spec, task.group->node, workflow->values);
  workflow->unjudged.erase(task.id);
  if (judgement.kind == Judgement::Kind::kStarts) return;
  const bool broken = judgement.kind == Judgement::Kind::kBroken;
  transitions_.End(turn, task, TaskState::kCancelled,
                   {absl::StrCat(broken ? kValueWords : "condition: ", judgement.reason), nullptr,
                    broken ? EndReason::kStartFailed : EndReason::kNone});
  --*left;
}

void WorkflowEvents::LetGo(const Moment& turn, Workflow* workflow) {
  const uint64_t window = WindowOf(*workflow) + (Mutated("workflow_place_too_many") ? 1 : 0);
  if (workflow->in_flight >= window || workflow->gate.empty()) return;
  const uint64_t line = LineOf(turn, workflow);
  while (workflow->in_flight < window && workflow->queued < line && !workflow->gate.empty()) {
    transitions_.Release(turn, *cluster_.tasks.Find(*workflow->gate.begin()));
  }
}

void WorkflowEvents::Stop(const Moment& turn, Workflow* workflow, size_t* left) {
  workflow->stopping = true;
  while (workflow->next_to_stop < workflow->layout.nodes() && *left > 0) {
    for (const TaskRange& tasks : workflow->layout.TasksOf(workflow->next_to_stop)) StopTasks(turn, workflow, tasks, left);
    if (*left > 0) ++workflow->next_to_stop;
  }
  if (workflow->next_to_stop < workflow->layout.nodes()) cluster_.workflows.Touch(workflow->id);
}

void WorkflowEvents::StopTasks(const Moment& turn, Workflow* workflow, TaskRange tasks, size_t* left) {
  const std::string reason = absl::StrCat("workflow: stopped, ", WhatFailed(workflow->counts));
  for (const TaskId id : cluster_.tasks.InRange(tasks, std::numeric_limits<size_t>::max())) {
    if (*left == 0) return;
    Task& task = *cluster_.tasks.Find(id);
    if (IsForFailures(task.spec())) continue;
    if (IsAtGate(task) || WaitsForNeeds(task) || (task.state_now() == TaskState::kQueued && task.last_attempt == 0)) {
      transitions_.End(turn, task, TaskState::kCancelled, {reason, nullptr, EndReason::kNone});
    } else if (workflow->spec->on_failure == FailureRule::kFailFast && task.cancel == nullptr) {
      cancels_.OnCancel(turn, CancelTasks{.tasks = {{id, 1}}, .by = "muster", .reason = reason});
    } else {
      continue;
    }
    --*left;
  }
}

void WorkflowEvents::EndIfDone(const Moment& turn, Workflow* workflow) {
  if (workflow->open > 0) return;
  WorkflowState state = WorkflowState::kSucceeded;
  if (workflow->counts.failed > 0 || !workflow->broken.empty()) state = WorkflowState::kFailed;
  if (!workflow->cancelled_by.empty() && workflow->counts.by_state[static_cast<size_t>(TaskState::kCancelled)] > workflow->counts.skipped + workflow->counts.broken) {
    state = WorkflowState::kCancelled;
  }
  Set(turn, workflow, state, ReasonOf(*workflow));
  cluster_.schedules.OnWorkflowEnd(workflow->id, state, ReasonOf(*workflow), turn.now);
  cluster_.workflows.Remove(workflow->id);
}

void WorkflowEvents::Set(const Moment& turn, Workflow* workflow, WorkflowState state, const std::string& reason) {
  MUSTER_CHECK(state == workflow->state || CanMove(workflow->state, state));
  const bool ends = HasEnded(state);
  cluster_.workflows.SetState(workflow, state);
  workflow->counts.retries = workflow->layout.retries();
  turn.rows().workflow_states.push_back({workflow->id, state, workflow->started, ends ? turn.now : absl::InfinitePast(),
                                         workflow->cancelled_by, reason, workflow->counts});
  turn.Log(activity::WorkflowStateChanged{workflow->id, state, reason});
}

}  // namespace muster::core
