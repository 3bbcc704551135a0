#include "master/scheduler/queue_directory.h"

#include <utility>

#include "common/base/check.h"

namespace muster::scheduler {

StrideTurns::Offer QueueEntry::Offers() const {
  if (blocked || (ready.empty() && parked.empty())) return StrideTurns::Offer::kNothing;
  return ready.empty() ? StrideTurns::Offer::kParked : StrideTurns::Offer::kReady;
}

QueueIndex QueueDirectory::For(std::string_view name_view) {
  std::string name(name_view);
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  if (by_name_.size() >= idle_check_at_) DropIdle();
  QueueIndex index;
  if (free_.empty()) {
    index = static_cast<QueueIndex>(queues_.size());
    queues_.push_back(nullptr);
  } else {
    index = free_.back();
    free_.pop_back();
  }
  queues_[index] = std::make_unique<QueueEntry>();
  queues_[index]->name = name;
  by_name_.emplace(std::move(name), index);
  return index;
}

std::optional<QueueIndex> QueueDirectory::Find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

void QueueDirectory::SetBlocked(QueueIndex index, bool blocked) {
  queues_[index]->blocked = blocked;
  if (blocked) {
    blocked_.insert(index);
  } else {
    blocked_.erase(index);
  }
}

void QueueDirectory::DropIdle() {
  for (auto named = by_name_.begin(); named != by_name_.end();) {
    const QueueEntry& queue = *queues_[named->second];
    if (queue.size > 0 || queue.weight_was_set) {
      ++named;
      continue;
    }
    queues_[named->second] = nullptr;
    blocked_.erase(named->second);
    free_.push_back(named->second);
    named = by_name_.erase(named);
  }
  idle_check_at_ = 2 * by_name_.size() + kMaxIdle;
}

void QueueDirectory::CheckInvariants() const {
  size_t blocked = 0;
  for (const auto& [name, index] : by_name_) {
    MUSTER_CHECK(queues_[index]->name == name);
    MUSTER_CHECK(queues_[index]->blocked == blocked_.contains(index));
    blocked += queues_[index]->blocked ? 1 : 0;
  }
  MUSTER_CHECK(blocked == blocked_.size());
  MUSTER_CHECK(by_name_.size() + free_.size() == queues_.size());
}

}  // namespace muster::scheduler
