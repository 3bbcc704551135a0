#include "worker/core/held_attempts.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace muster::worker {

void HeldAttempts::Accept(Held attempt) {
  attempt.arrival = ++arrivals_;
  const AttemptKey key = attempt.key;
  auto owned = std::make_unique<Held>(std::move(attempt));
  Held* const record = owned.get();
  MUSTER_CHECK(held_.emplace(key, std::move(owned)).second);
  waiting_.emplace(record->arrival, record);
  if (record->fenced()) ++fenced_waiting_;
}

Held* HeldAttempts::Find(AttemptKey key) {
  const auto it = held_.find(key);
  return it == held_.end() ? nullptr : it->second.get();
}

const Held* HeldAttempts::Find(AttemptKey key) const {
  const auto it = held_.find(key);
  return it == held_.end() ? nullptr : it->second.get();
}

Held* HeldAttempts::NextWaiting() { return waiting_.empty() ? nullptr : waiting_.begin()->second; }

void HeldAttempts::MoveToRunning(Held* attempt) {
  Uncount(*attempt);
  attempt->state = Held::Running{};
  ++running_;
  if (attempt->fenced()) ++fenced_running_;
  used_slots_ += attempt->slots;
}

void HeldAttempts::MoveToFinished(Held* attempt, AttemptReportPtr report) {
  Uncount(*attempt);
  attempt->state = Held::Finished{std::move(report)};
}

void HeldAttempts::Remove(AttemptKey key) {
  const auto it = held_.find(key);
  if (it == held_.end()) return;
  Uncount(*it->second);
  held_.erase(it);
}

std::vector<Held*> HeldAttempts::All() {
  std::vector<Held*> all;
  all.reserve(held_.size());
  for (const auto& [key, attempt] : held_) all.push_back(attempt.get());
  std::sort(all.begin(), all.end(), [](const Held* a, const Held* b) { return a->arrival < b->arrival; });
  return all;
}

std::vector<AttemptKey> HeldAttempts::RunningKeys() const {
  std::vector<std::pair<uint64_t, AttemptKey>> by_arrival;
  by_arrival.reserve(running_);
  for (const auto& [key, attempt] : held_) {
    if (std::holds_alternative<Held::Running>(attempt->state)) by_arrival.emplace_back(attempt->arrival, key);
  }
  std::sort(by_arrival.begin(), by_arrival.end());
  std::vector<AttemptKey> keys;
  keys.reserve(by_arrival.size());
  for (const auto& [arrival, key] : by_arrival) keys.push_back(key);
  return keys;
}

void HeldAttempts::Uncount(const Held& attempt) {
  if (std::holds_alternative<Held::Waiting>(attempt.state)) {
    waiting_.erase(attempt.arrival);
    if (attempt.fenced()) --fenced_waiting_;
  } else if (std::holds_alternative<Held::Running>(attempt.state)) {
    --running_;
    if (attempt.fenced()) --fenced_running_;
    used_slots_ -= attempt.slots;
  }
}

void HeldAttempts::CheckInvariants() const {
  uint32_t running = 0;
  uint32_t fenced_running = 0;
  uint32_t fenced_waiting = 0;
  uint32_t slots = 0;
  size_t waiting = 0;
  for (const auto& [key, attempt] : held_) {
    MUSTER_CHECK(attempt->key == key);
    MUSTER_CHECK(attempt->slots > 0);
    if (const auto* finished = std::get_if<Held::Finished>(&attempt->state)) {
      MUSTER_CHECK(finished->report != nullptr && finished->report->key == key);
    } else if (std::holds_alternative<Held::Running>(attempt->state)) {
      ++running;
      if (attempt->fenced()) ++fenced_running;
      slots += attempt->slots;
    } else {
      ++waiting;
      if (attempt->fenced()) ++fenced_waiting;
      const auto it = waiting_.find(attempt->arrival);
      MUSTER_CHECK(it != waiting_.end() && it->second == attempt.get());
    }
  }
  MUSTER_CHECK(waiting == waiting_.size());
  MUSTER_CHECK(running == running_);
  MUSTER_CHECK(fenced_running == fenced_running_);
  MUSTER_CHECK(fenced_waiting == fenced_waiting_);
  MUSTER_CHECK(slots == used_slots_);
}

}  // namespace muster::worker
