#include "master/core/task_table.h"

#include <limits>

#include "common/base/check.h"

namespace muster::core {
namespace {

bool Waits(TaskState state) { return state == TaskState::kPending || state == TaskState::kQueued; }

bool Spreads(const Task& task) { return task.spec().requirements.arrangement == Arrangement::kSpread; }

}  // namespace

AttemptPlace PlaceOf(const StateData& state) {
  if (const auto* at = std::get_if<Dispatched>(&state)) return {at->attempt, at->worker, at->incarnation};
  if (const auto* at = std::get_if<Running>(&state)) return {at->attempt, at->worker, at->incarnation};
  if (const auto* at = std::get_if<Validating>(&state)) return {at->attempt, at->worker, at->incarnation};
  if (const auto* at = std::get_if<Unknown>(&state)) return {at->attempt, at->worker, at->incarnation};
  return {};
}

bool WaitsForFence(const Task& task) {
  const auto* pending = std::get_if<Pending>(&task.state);
  return pending != nullptr && pending->reason == PendingReason::kWorkerLost &&
         task.spec().on_worker_loss == OnWorkerLoss::kRerunAfterFence;
}

bool WaitsForNeeds(const Task& task) {
  const auto* pending = std::get_if<Pending>(&task.state);
  return pending != nullptr && pending->reason == PendingReason::kDependencies;
}

bool IsAtGate(const Task& task) {
  const auto* pending = std::get_if<Pending>(&task.state);
  return pending != nullptr && pending->reason == PendingReason::kWorkflow;
}

absl::Time DueOf(const Task& task) {
  if (const auto* pending = std::get_if<Pending>(&task.state)) return pending->until;
  if (std::holds_alternative<Queued>(task.state)) return task.queued_since + task.spec().queue_timeout;
  if (const auto* unknown = std::get_if<Unknown>(&task.state)) return unknown->give_up;
  return absl::InfiniteFuture();
}

Task* TaskTable::Add(TaskId id, TaskGroupPtr group) {
  auto task = std::make_unique<Task>();
  task->id = id;
  task->group = std::move(group);
  Task* const added = task.get();
  MUSTER_CHECK(tasks_.Add(id, std::move(task)) != nullptr);
  if (!added->spec().name.empty()) by_name_[added->spec().name].insert(id);
  return added;
}

void TaskTable::Remove(TaskId id) {
  const Task* const task = Find(id);
  MUSTER_CHECK(task != nullptr);
  const std::string& name = task->spec().name;
  if (!name.empty()) {
    const auto named = by_name_.find(name);
    named->second.erase(id);
    if (named->second.empty()) by_name_.erase(named);
  }
  tasks_.Remove(id);
}

Task* TaskTable::Find(TaskId id) {
  const std::unique_ptr<Task>* const found = tasks_.Find(id);
  return found == nullptr ? nullptr : found->get();
}

const Task* TaskTable::Find(TaskId id) const { return const_cast<TaskTable*>(this)->Find(id); }

std::vector<TaskId> TaskTable::Newest(TaskId before, size_t limit) const {
  std::vector<TaskId> ids;
  const TaskId end = before ? before : TaskId(std::numeric_limits<uint64_t>::max());
  tasks_.VisitDown(end, [&](TaskId id, const auto&) {
    if (ids.size() == limit) return false;
    ids.push_back(id);
    return true;
  });
  return ids;
}

std::vector<TaskId> TaskTable::InRange(TaskRange range, size_t limit) const {
  std::vector<TaskId> ids;
  tasks_.VisitUp(range.first, [&](TaskId id, const auto&) {
    if (ids.size() == limit || id.value() - range.first.value() >= range.count) return false;
    ids.push_back(id);
    return true;
  });
  return ids;
}

uint64_t TaskTable::CountIn(TaskRange range, uint64_t by_state[16]) const {
  uint64_t count = 0;
  tasks_.VisitUp(range.first, [&](TaskId id, const std::unique_ptr<Task>& task) {
    if (id.value() - range.first.value() >= range.count) return false;
    ++by_state[static_cast<size_t>(task->state_now())];
    ++count;
    return true;
  });
  return count;
}

std::vector<TaskId> TaskTable::Named(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return {};
  return {found->second.rbegin(), found->second.rend()};
}

const absl::btree_set<TaskId>& TaskTable::On(WorkerId worker) const {
  static const auto& none = *new absl::btree_set<TaskId>();
  const auto found = by_worker_.find(worker);
  return found == by_worker_.end() ? none : found->second;
}

uint32_t TaskTable::Spreading(uint64_t fingerprint, WorkerId worker) const {
  const auto found = spread_.find({fingerprint, worker});
  return found == spread_.end() ? 0 : found->second;
}

void TaskTable::Enter(const Task& task) {
  const TaskState state = task.state_now();
  ++counts_[static_cast<size_t>(state)];
  if (Waits(state)) waiting_bytes_ += task.group->bytes_each;
  if (const AttemptPlace place = PlaceOf(task.state); place.worker) {
    by_worker_[place.worker].insert(task.id);
    if (Spreads(task)) ++spread_[{task.spec().fingerprint, place.worker}];
  }
}

void TaskTable::Leave(const Task& task) {
  const TaskState state = task.state_now();
  --counts_[static_cast<size_t>(state)];
  if (Waits(state)) waiting_bytes_ -= task.group->bytes_each;
  if (const AttemptPlace place = PlaceOf(task.state); place.worker) {
    const auto found = by_worker_.find(place.worker);
    found->second.erase(task.id);
    if (found->second.empty()) by_worker_.erase(found);
    if (!Spreads(task)) return;
    const auto of_kind = spread_.find({task.spec().fingerprint, place.worker});
    if (--of_kind->second == 0) spread_.erase(of_kind);
  }
}

}  // namespace muster::core
