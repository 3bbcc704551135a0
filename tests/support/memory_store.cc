#include "tests/support/memory_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "master/core/recovered_workflows.h"
#include "master/core/workflow_table.h"

namespace muster::testing {
namespace {

std::string About(TaskId task, const char* what) { return absl::StrCat("task ", task.value(), ": ", what); }

}  // namespace

std::string MemoryStore::Commit(const core::Transaction& transaction) {
  ++commits_;
  std::string wrong;
  const auto note = [&wrong](std::string what) {
    if (wrong.empty()) wrong = std::move(what);
  };
  for (const auto& row : transaction.specifications) note(AddSpecification(row));
  for (const auto& row : transaction.attempts) note(AddAttempt(row));
  for (const auto& row : transaction.attempt_ends) note(AddAttemptEnd(row));
  for (const auto& row : transaction.unknowns) {
    if (tasks_.count(row.key.task) == 0) note(About(row.key.task, "unknown without a specification"));
    tasks_[row.key.task].unknown = row;
  }
  for (const auto& row : transaction.cancels) {
    if (row.tasks.first.value() + row.tasks.count > next_id_.value()) note("a cancel reaches past given ids");
    for (auto at = tasks_.lower_bound(row.tasks.first);
         at != tasks_.end() && at->first.value() < row.tasks.first.value() + row.tasks.count; ++at) {
      if (!at->second.outcome && !at->second.cancel) at->second.cancel = row;
    }
  }
  for (const auto& row : transaction.outcomes) note(AddOutcome(row));
  for (const auto& row : transaction.notes) {
    if (const auto found = tasks_.find(row.key.task); found != tasks_.end()) found->second.notes.push_back(row);
  }
  for (const auto& row : transaction.worker_settings) worker_settings_[row.name] = row;
  for (const auto& row : transaction.queue_settings) {
    queue_settings_[row.name] = row;
    if (row.Empty()) queue_settings_.erase(row.name);
  }
  for (const auto& row : transaction.schedules.schedules) {
    schedules_[row.spec.name] = row;
    if (!row.removed) continue;
    schedules_.erase(row.spec.name);
    schedule_progress_.erase(row.spec.name);
  }
  for (const auto& row : transaction.workflows) note(AddWorkflow(row));
  for (const auto& row : transaction.workflow_parts) note(AddWorkflowPart(row));
  for (const auto& row : transaction.workflow_states) note(AddWorkflowState(row));
  for (const auto& row : transaction.schedules.progress) note(AddProgress(row));
  if (transaction.placement) placement_ = *transaction.placement;
  for (const uint64_t fingerprint : transaction.run_times.dropped) run_times_.erase(fingerprint);
  for (const auto& row : transaction.run_times.learned) run_times_[row.fingerprint] = row;
  for (const auto& row : transaction.executors) {
    if (!executors_.insert(row.name).second) note("executor " + row.name + " is offered for the first time again");
  }
  for (const auto& row : transaction.requests) {
    if (!request_index_.emplace(std::make_pair(row.owner, row.request_id), requests_.size()).second) {
      note("a second answer to request " + row.request_id);
    }
    requests_.push_back(row);
  }
  activity_.insert(activity_.end(), transaction.activity.begin(), transaction.activity.end());
  clean_end_ = transaction.clean_end;
  return wrong;
}

std::string MemoryStore::AddSpecification(const core::SpecificationRow& row) {
  if (row.first < next_id_) return About(row.first, "its id was given out before");
  if (row.rows && row.rows->size() != row.count) return About(row.first, "not as many rows as tasks");
  specifications_[row.first] = row;
  for (uint64_t index = 0; index < row.count; ++index) {
    tasks_[TaskId(row.first.value() + index)].first_of_specification = row.first;
  }
  next_id_ = TaskId(row.first.value() + row.count);
  return "";
}

std::string MemoryStore::AddWorkflow(const core::WorkflowRow& row) {
  if (tasks_.count(row.id) > 0) return About(row.id, "a workflow under an id that is a task's");
  const auto [known, is_new] = workflows_.try_emplace(row.id, core::RecoveredWorkflow{row, {}, {}, {}});
  if (is_new) return "";
  if (row.spec->nodes.size() <= known->second.row.spec->nodes.size()) return About(row.id, "a workflow again, without new nodes");
  known->second.row = row;
  return "";
}

std::string MemoryStore::AddWorkflowPart(const core::WorkflowPartRow& row) {
  const auto found = workflows_.find(row.workflow);
  if (found == workflows_.end()) return About(row.workflow, "a part of a workflow that is not there");
  for (const NodeTasks& made : row.tasks) {
    for (uint64_t i = 0; i < made.tasks.count; ++i) {
      if (tasks_.count(TaskId(made.tasks.first.value() + i)) == 0) return About(made.tasks.first, "a workflow's task without a specification");
    }
  }
  found->second.parts.push_back(row);
  return "";
}

std::string MemoryStore::AddWorkflowState(const core::WorkflowStateRow& row) {
  const auto found = workflows_.find(row.workflow);
  if (found == workflows_.end()) return About(row.workflow, "a state of a workflow that is not there");
  const WorkflowState before = found->second.state.workflow ? found->second.state.state : WorkflowState::kNone;
  found->second.state = row;
  if (before != row.state && !CanMove(before, row.state)) return About(row.workflow, "a workflow moved where it cannot");
  return "";
}

std::string MemoryStore::AddAttempt(const core::AttemptRow& row) {
  const auto found = tasks_.find(row.key.task);
  if (found == tasks_.end()) return About(row.key.task, "an attempt without a specification");
  StoredTask& task = found->second;
  if (task.outcome) return About(row.key.task, "an attempt after its outcome");
  if (!task.attempts.empty() && task.attempts.back().key.number >= row.key.number) {
    return About(row.key.task, "attempt numbers do not rise");
  }
  task.attempts.push_back(row);
  return "";
}

std::string MemoryStore::AddAttemptEnd(const core::AttemptEndRow& row) {
  const auto found = tasks_.find(row.key.task);
  if (found == tasks_.end()) return About(row.key.task, "an attempt's end without a specification");
  StoredTask& task = found->second;
  if (task.outcome) return About(row.key.task, "an attempt's end after its outcome");
  const bool known = std::any_of(task.attempts.begin(), task.attempts.end(),
                                 [&row](const core::AttemptRow& attempt) { return attempt.key == row.key; });
  if (!known) return About(row.key.task, "the end of an attempt that never was");
  if (!task.attempt_ends.empty() && task.attempt_ends.back().key.number >= row.key.number) {
    return About(row.key.task, "an attempt ended twice, or out of order");
  }
  if (row.report && row.report->key != row.key) return About(row.key.task, "an attempt ended by another's report");
  task.attempt_ends.push_back(row);
  return "";
}

std::string MemoryStore::AddOutcome(const core::OutcomeRow& row) {
  const auto found = tasks_.find(row.task);
  if (found == tasks_.end()) return About(row.task, "an outcome without a specification");
  if (found->second.outcome) return About(row.task, "a second outcome");
  if (!IsTerminal(row.state)) return About(row.task, "an outcome that is no end");
  const auto& attempts = found->second.attempts;
  if (row.report && (attempts.empty() || row.report->key != attempts.back().key || row.attempt != row.report->key.number)) {
    return About(row.task, "a superseded attempt's report decided it");
  }
  found->second.outcome = row;
  return "";
}

std::string MemoryStore::AddProgress(const core::ScheduleProgressRow& row) {
  if (schedules_.count(row.name) == 0) return "progress of schedule " + row.name + ", which is not there";
  for (const ScheduledRun& run : row.running) {
    if (tasks_.count(run.task) + workflows_.count(run.task) == 0) return "a run of schedule " + row.name + " without a task or workflow";
  }
  const auto found = schedule_progress_.find(row.name);
  if (found != schedule_progress_.end() && found->second.decided_until > row.decided_until) {
    return "what schedule " + row.name + " has decided goes back";
  }
  schedule_progress_[row.name] = row;
  return "";
}

const core::ScheduleProgressRow* MemoryStore::FindProgress(const std::string& schedule) const {
  const auto found = schedule_progress_.find(schedule);
  return found == schedule_progress_.end() ? nullptr : &found->second;
}

const MemoryStore::StoredTask* MemoryStore::Find(TaskId id) const {
  const auto found = tasks_.find(id);
  return found == tasks_.end() ? nullptr : &found->second;
}

std::vector<core::RangeEnds> MemoryStore::FindEnds(const std::vector<core::AskedRange>& ranges) const {
  std::vector<core::RangeEnds> found;
  for (const core::AskedRange& asked : ranges) {
    core::RangeEnds ends{asked, TaskId(), TaskState::kNone};
    for (uint64_t i = 0; i < asked.tasks.count && !ends.failed; ++i) {
      const TaskId id(asked.tasks.first.value() + i);
      const StoredTask* const task = Find(id);
      const TaskState state = task == nullptr ? TaskState::kUnknown
                              : task->outcome ? task->outcome->state
                                              : TaskState::kSucceeded;
      if (state == TaskState::kSucceeded) continue;
      ends.failed = id;
      ends.failed_as = state;
    }
    found.push_back(ends);
  }
  return found;
}

TaskRange MemoryStore::RangeOf(TaskId id) const {
  const core::SpecificationRow& row = specifications_.at(tasks_.at(id).first_of_specification);
  return {row.first, row.count};
}

const TaskSpec& MemoryStore::SpecOf(TaskId id) const {
  return *specifications_.at(tasks_.at(id).first_of_specification).spec;
}

const core::QueueSettingRow* MemoryStore::FindQueueSetting(const std::string& name) const {
  const auto found = queue_settings_.find(name);
  return found == queue_settings_.end() ? nullptr : &found->second;
}

const core::RequestRow* MemoryStore::FindRequest(const std::string& owner, const std::string& id) const {
  const auto found = request_index_.find({owner, id});
  return found == request_index_.end() ? nullptr : &requests_[found->second];
}

void MemoryStore::SkipIds(uint64_t count) {
  copied_below_ = next_id_;
  skipped_ids_.push_back({next_id_, count});
  next_id_ = TaskId(next_id_.value() + count);
}

core::RecoveredState MemoryStore::LoadOpen() {
  core::RecoveredState state;
  state.cluster_id = "memory";
  state.epoch = Epoch(++epoch_);
  state.last_commit = CommitNumber(commits_);
  state.next_id = next_id_;
  state.skipped_ids = skipped_ids_;
  state.copied_below = copied_below_;
  state.copied_attempts = kCopiedAttempts;
  state.last_end_clean = clean_end_;
  clean_end_ = false;
  TaskId last_specification;
  for (const auto& [id, task] : tasks_) {
    if (task.outcome) continue;
    if (task.first_of_specification != last_specification) {
      last_specification = task.first_of_specification;
      state.groups.push_back(core::MakeTaskGroup(specifications_.at(last_specification)));
    }
    core::RecoveredTask& recovered = state.tasks.emplace_back(id);
    if (task.attempts.empty() && !task.cancel) continue;  // nothing has happened to it
    recovered.AddHistory() = {task.attempts, task.attempt_ends, task.unknown, task.cancel};
  }
  for (const auto& [id, stored] : workflows_) {
    if (HasEnded(stored.state.state)) continue;
    core::RecoveredWorkflow& workflow = state.workflows.emplace_back(stored);
    for (const auto& [node, range] : core::CurrentTasks(*workflow.row.spec, workflow.parts)) {
      for (uint64_t i = 0; i < range.count; ++i) {
        const StoredTask& task = tasks_.at(TaskId(range.first.value() + i));
        if (!task.outcome) continue;
        workflow.ends.push_back({task.outcome->task, node, task.outcome->state, task.outcome->reason});
        if (task.outcome->report) workflow.ends.back().outputs = task.outcome->report->outputs;
        if (core::BrokeAtValue(task.outcome->state, task.outcome->reason)) workflow.ends.back().message = task.outcome->message;
      }
    }
  }
  core::AttachToWorkflows(&state);
  for (const auto& entry : worker_settings_) state.worker_settings.push_back(entry.second);
  for (const auto& entry : queue_settings_) state.queue_settings.push_back(entry.second);
  for (const auto& entry : schedules_) state.schedules.schedules.push_back(entry.second);
  for (const auto& entry : schedule_progress_) state.schedules.progress.push_back(entry.second);
  state.placement = placement_;
  for (const auto& entry : run_times_) state.run_times.push_back(entry.second);
  std::stable_sort(state.run_times.begin(), state.run_times.end(),
                   [](const LearnedRunTimes& a, const LearnedRunTimes& b) { return a.last < b.last; });
  for (const std::string& name : executors_) state.executors.push_back({name});
  return state;
}

}  // namespace muster::testing
