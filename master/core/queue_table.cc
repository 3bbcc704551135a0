#include "master/core/queue_table.h"

#include <utility>

namespace muster::core {

const QueueSettings& QueueTable::SettingsOf(const std::string& queue) const {
  static const auto& defaults = *new QueueSettings();
  if (const auto found = touched_.find(queue); found != touched_.end() && found->second.by_hand.has_value()) {
    return *found->second.by_hand;
  }
  const auto configured = configured_.find(queue);
  return configured == configured_.end() ? defaults : configured->second;
}

const QueuePause& QueueTable::PauseOf(const std::string& queue) const {
  static const auto& none = *new QueuePause();
  const auto found = touched_.find(queue);
  return found == touched_.end() ? none : found->second.pause;
}

bool QueueTable::IsSetByHand(const std::string& queue) const {
  const auto found = touched_.find(queue);
  return found != touched_.end() && found->second.by_hand.has_value();
}

bool QueueTable::TakesAnother(const std::string& queue) const {
  return touched_.size() < kMostQueuesSet || touched_.count(queue) > 0;
}

void QueueTable::SetByHand(const std::string& queue, QueueSettings settings) {
  touched_[queue].by_hand = std::move(settings);
}

void QueueTable::Reset(const std::string& queue) {
  if (const auto found = touched_.find(queue); found != touched_.end()) found->second.by_hand.reset();
  ForgetEmpty(queue);
}

void QueueTable::SetPause(const std::string& queue, QueuePause pause) {
  touched_[queue].pause = std::move(pause);
  ForgetEmpty(queue);
}

std::vector<std::string> QueueTable::ForgetPast(absl::Time now) {
  std::vector<std::string> forgotten;
  for (auto it = touched_.begin(); it != touched_.end();) {
    if (!it->second.pause.holds(now)) it->second.pause = {};
    if (it->second.Empty()) {
      forgotten.push_back(it->first);
      it = touched_.erase(it);
    } else {
      ++it;
    }
  }
  return forgotten;
}

void QueueTable::ForgetEmpty(const std::string& queue) {
  if (const auto found = touched_.find(queue); found != touched_.end() && found->second.Empty()) touched_.erase(found);
}

QueueSettingRow QueueTable::RowOf(const std::string& queue) const {
  const auto found = touched_.find(queue);
  if (found == touched_.end()) return {queue, std::nullopt, {}};
  return {queue, found->second.by_hand, found->second.pause};
}

void QueueTable::Restore(const QueueSettingRow& row) {
  touched_[row.name] = {row.by_hand, row.pause};
  ForgetEmpty(row.name);
}

std::map<std::string, QueueSettings> QueueTable::All() const {
  std::map<std::string, QueueSettings> all = configured_;
  for (const auto& touched : touched_) all[touched.first] = SettingsOf(touched.first);
  return all;
}

}  // namespace muster::core
