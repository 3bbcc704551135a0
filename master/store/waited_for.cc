#include "master/store/waited_for.h"

#include <algorithm>
#include <iterator>

#include "common/base/planted_fault.h"

namespace muster::store {

void WaitedFor::Load(const core::RecoveredState& state) {
  absl::MutexLock lock(&mutex_);
  for (const core::RecoveredWorkflow& workflow : state.workflows) {
    for (const core::WorkflowPartRow& part : workflow.parts) Keep(part);
  }
  auto task = state.tasks.begin();  // by id, as the groups are
  for (const core::TaskGroupPtr& group : state.groups) {
    const core::SpecificationRow& row = group->row;
    if (row.spec->dependencies.empty()) continue;
    const auto is_before = [](const core::RecoveredTask& open, TaskId id) { return open.id < id; };
    task = std::lower_bound(task, state.tasks.end(), row.first, is_before);
    const auto past = std::lower_bound(task, state.tasks.end(), TaskId(row.first.value() + row.count), is_before);
    Add({row.first, row.count}, static_cast<uint64_t>(past - task), row.spec);
    task = past;
  }
}

void WaitedFor::Accepting(const core::Transaction& transaction) {
  absl::MutexLock lock(&mutex_);
  for (const core::SpecificationRow& row : transaction.specifications) {
    if (!row.spec->dependencies.empty()) Add({row.first, row.count}, row.count, row.spec);
  }
  for (const core::WorkflowPartRow& part : transaction.workflow_parts) Keep(part);
  for (const core::WorkflowPartRow& part : transaction.reopened_parts) Keep(part);
}

void WaitedFor::Keep(const core::WorkflowPartRow& part) {
  const TaskRange last = part.tasks.back().tasks;
  const TaskId first = part.tasks.front().tasks.first;
  if (parts_.try_emplace(first, TaskId(last.first.value() + last.count)).second) of_workflow_[part.workflow].push_back(first);
}

void WaitedFor::Ended(const core::Transaction& transaction) {
  absl::MutexLock lock(&mutex_);
  for (const core::WorkflowStateRow& row : transaction.workflow_states) {
    if (!HasEnded(row.state)) continue;
    for (const TaskId first : of_workflow_[row.workflow]) parts_.erase(first);
    of_workflow_.erase(row.workflow);
  }
  if (waiters_.empty()) return;
  for (const core::OutcomeRow& row : transaction.outcomes) End(row.task);
}

void WaitedFor::Add(TaskRange group, uint64_t open, const TaskSpecPtr& spec) {
  if (open == 0 || !waiters_.try_emplace(group.first, Group{group.count, open, spec}).second) return;
  for (const Dependency& dependency : spec->dependencies) ++needed_[dependency.tasks.first];
}

void WaitedFor::End(TaskId task) {
  auto found = waiters_.upper_bound(task);
  if (found == waiters_.begin()) return;
  --found;
  if (task.value() - found->first.value() >= found->second.count || --found->second.open > 0) return;
  for (const Dependency& dependency : found->second.spec->dependencies) {
    const auto needed = needed_.find(dependency.tasks.first);
    if (--needed->second == 0) needed_.erase(needed);
  }
  waiters_.erase(found);
}

bool WaitedFor::HoldsLocked(TaskRange range) const {
  if (const auto part = parts_.upper_bound(range.first); part != parts_.begin() && range.first < std::prev(part)->second) return true;
  const auto held = needed_.lower_bound(range.first);
  return held != needed_.end() && !Mutated("purge_needed") && held->first.value() - range.first.value() < range.count;
}

bool WaitedFor::Holds(TaskRange range) const {
  absl::ReaderMutexLock lock(&mutex_);
  return HoldsLocked(range);
}

bool WaitedFor::HoldsAnyOf(const PurgeStep& step) const {
  absl::ReaderMutexLock lock(&mutex_);
  if (std::any_of(step.workflows.begin(), step.workflows.end(), [this](TaskId id) {
        mutex_.AssertReaderHeld();
        return of_workflow_.contains(id);
      })) {
    return true;
  }
  const auto holds = [this](const TaskRange& range) {
    mutex_.AssertReaderHeld();
    return HoldsLocked(range);
  };
  return (!needed_.empty() || !parts_.empty()) && (std::any_of(step.tasks.begin(), step.tasks.end(), holds) ||
                              std::any_of(step.specifications.begin(), step.specifications.end(), holds));
}

}  // namespace muster::store
