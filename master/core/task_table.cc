#include "master/core/task_table.h"

#include <algorithm>

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
  const bool is_new = tasks_.emplace_hint(tasks_.end(), id, std::move(task))->second.get() == added;
  MUSTER_CHECK(is_new);
  if (!added->spec().name.empty()) by_name_[added->spec().name].insert(id);
  return added;
}

void TaskTable::Remove(TaskId id) {
  const auto found = tasks_.find(id);
  MUSTER_CHECK(found != tasks_.end());
  const std::string& name = found->second->spec().name;
  if (!name.empty()) {
    const auto named = by_name_.find(name);
    named->second.erase(id);
    if (named->second.empty()) by_name_.erase(named);
  }
  tasks_.erase(found);
}

Task* TaskTable::Find(TaskId id) {
  const auto found = tasks_.find(id);
  return found == tasks_.end() ? nullptr : found->second.get();
}

const Task* TaskTable::Find(TaskId id) const { return const_cast<TaskTable*>(this)->Find(id); }

std::vector<TaskId> TaskTable::Newest(TaskId before, size_t limit) const {
  std::vector<TaskId> ids;
  auto at = before ? tasks_.lower_bound(before) : tasks_.end();
  while (at != tasks_.begin() && ids.size() < limit) ids.push_back((--at)->first);
  return ids;
}

std::vector<TaskId> TaskTable::InRange(TaskRange range, size_t limit) const {
  std::vector<TaskId> ids;
  for (auto at = tasks_.lower_bound(range.first); at != tasks_.end() && ids.size() < limit; ++at) {
    if (at->first.value() - range.first.value() >= range.count) break;
    ids.push_back(at->first);
  }
  return ids;
}

uint64_t TaskTable::CountIn(TaskRange range, uint64_t by_state[16]) const {
  uint64_t count = 0;
  for (auto at = tasks_.lower_bound(range.first); at != tasks_.end(); ++at) {
    if (at->first.value() - range.first.value() >= range.count) break;
    ++by_state[static_cast<size_t>(at->second->state_now())];
    ++count;
  }
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
