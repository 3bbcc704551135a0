#include "master/scheduler/key_limits.h"

#include <iterator>
#include <utility>

#include "common/base/check.h"

namespace muster::scheduler {

void KeyLimits::Start(const std::string& key) { ++keys_[key].running; }

void KeyLimits::Stop(const std::string& name) {
  Key& key = keys_[name];
  MUSTER_CHECK(key.running > 0);
  --key.running;
  freed_.insert(freed_.end(), key.held.begin(), key.held.end());
  key.held.clear();
  ForgetIdle(name);
}

uint64_t KeyLimits::running(const std::string& key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? 0 : found->second.running;
}

void KeyLimits::Hold(const std::string& key, ClassId cls) { keys_[key].held.insert(cls); }

std::vector<ClassId> KeyLimits::TakeFreed() { return std::exchange(freed_, {}); }

void KeyLimits::Join(const std::string& key, TaskId task) { keys_[key].line.insert(task); }

void KeyLimits::Take(const std::string& name, TaskId task) {
  Key& key = keys_[name];
  key.line.insert(task);
  // One that was dispatched before it keeps the key; after a restart that is the older one.
  if (!key.holder || task < key.holder) key.holder = task;
}

void KeyLimits::Leave(const std::string& name, TaskId task) {
  const auto found = keys_.find(name);
  if (found == keys_.end()) return;
  found->second.line.erase(task);
  if (found->second.holder == task) found->second.holder = TaskId();
  ForgetIdle(name);
}

TaskId KeyLimits::First(const std::string& name) const {
  const auto found = keys_.find(name);
  if (found == keys_.end() || found->second.line.empty()) return TaskId();
  return found->second.holder ? found->second.holder : *found->second.line.begin();
}

TaskId KeyLimits::SecondOldest(const std::string& name) const {
  const auto found = keys_.find(name);
  if (found == keys_.end() || found->second.line.size() < 2) return TaskId();
  return *std::next(found->second.line.begin());
}

bool KeyLimits::VisitBefore(const std::string& name, TaskId task, size_t limit,
                            const std::function<void(TaskId)>& visit) const {
  const auto found = keys_.find(name);
  if (found == keys_.end() || found->second.holder == task) return true;
  const Key& key = found->second;
  size_t shown = 0;
  if (key.holder) {
    if (limit == 0) return false;
    visit(key.holder);
    ++shown;
  }
  for (const TaskId other : key.line) {
    if (other >= task) break;
    if (other == key.holder) continue;
    if (shown++ == limit) return false;
    visit(other);
  }
  return true;
}

void KeyLimits::ForgetIdle(const std::string& name) {
  const auto found = keys_.find(name);
  if (found != keys_.end() && found->second.Forgettable()) keys_.erase(found);
}

void KeyLimits::CheckInvariants() const {
  for (const auto& entry : keys_) {
    const Key& key = entry.second;
    MUSTER_CHECK(!key.Forgettable());
    MUSTER_CHECK(!key.holder || key.line.contains(key.holder));
    // Only who runs is waited for.
    MUSTER_CHECK(key.held.empty() || key.running > 0);
  }
}

}  // namespace muster::scheduler
