#include "master/request_handler/conflation.h"

namespace muster::handler {

bool Conflation::Add(TaskNote note, uint64_t turn) {
  const TaskId id = note.id;
  const auto it = changes_.find(id);
  if (it != changes_.end()) {
    if (!it->second.note.terminal()) it->second = {std::move(note), turn};
    return true;
  }
  if (changes_.size() >= limit_ || order_.size() >= 2 * limit_) return false;
  changes_.emplace(id, Change{std::move(note), turn});
  order_.push_back(id);
  return true;
}

void Conflation::ShownIn(TaskId task, uint64_t turn) {
  const auto it = changes_.find(task);
  if (it != changes_.end() && it->second.turn <= turn) changes_.erase(it);
}

std::optional<TaskNote> Conflation::Next() {
  while (!order_.empty()) {
    const auto it = changes_.find(order_.front());
    order_.pop_front();
    if (it == changes_.end()) continue;
    TaskNote note = std::move(it->second.note);
    changes_.erase(it);
    return note;
  }
  return std::nullopt;
}

}  // namespace muster::handler
