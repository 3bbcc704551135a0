#include "master/scheduler/queue_gates.h"

#include <algorithm>

#include "common/base/check.h"

namespace muster::scheduler {

void QueueGates::Set(const std::string& name, const QueueSettings& settings, const QueuePause& pause, absl::Time now) {
  Queue& queue = queues_[name];
  queue.max_running = settings.max_running;
  queue.burst = std::max<uint32_t>(settings.burst, 1);
  queue.interval = settings.start_rate > 0 ? absl::Seconds(1 / settings.start_rate) : absl::ZeroDuration();
  queue.clock = std::min(queue.clock, now + queue.interval * queue.burst);
  queue.paused_until = pause.until;
  if (queue.held_until.has_value()) HoldUntil(name, &queue, OpeningOf(queue, now));
  ForgetIdle(name);
}

void QueueGates::Restore(const std::string& name, const QueueSettings& settings, const QueuePause& pause,
                         absl::Time now) {
  Set(name, settings, pause, now);
  const auto found = queues_.find(name);
  if (found == queues_.end() || found->second.interval == absl::ZeroDuration()) return;
  found->second.clock = now + found->second.interval * found->second.burst;
}

void QueueGates::Move(const std::string& name, Load from, Load to) {
  if (from == to) return;
  Queue& queue = queues_[name];
  if (from != Load::kNone) {
    MUSTER_CHECK(Count(&queue, from) > 0);
    --Count(&queue, from);
  }
  if (to != Load::kNone) ++Count(&queue, to);
  const bool freed = from == Load::kRuns && queue.held_until == absl::InfiniteFuture();
  // A pause or a rate that holds it too is found when it is looked at.
  if (freed && !queue.Full()) HoldUntil(name, &queue, absl::InfinitePast());
  if (to == Load::kNone) ForgetIdle(name);
}

void QueueGates::Start(const std::string& name, absl::Time now) {
  const auto found = queues_.find(name);
  if (found == queues_.end() || found->second.interval == absl::ZeroDuration()) return;
  found->second.clock = std::max(found->second.clock, now) + found->second.interval;
}

void QueueGates::TakeBack(const std::string& name) {
  const auto found = queues_.find(name);
  if (found == queues_.end() || found->second.clock == absl::InfinitePast()) return;
  Queue& queue = found->second;
  queue.clock -= queue.interval;
  if (queue.held_until.has_value()) HoldUntil(name, &queue, absl::InfinitePast());  // it may be open sooner
}

Gate QueueGates::Look(const std::string& name, absl::Time now) const {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return Gate::kOpen;
  const Queue& queue = found->second;
  if (queue.paused_until > now) return Gate::kPaused;
  if (queue.Full()) return Gate::kFull;
  if (queue.interval > absl::ZeroDuration() && queue.RateOpensAt() > now) return Gate::kRate;
  return Gate::kOpen;
}

absl::Time QueueGates::OpensAt(const std::string& name, absl::Time now) const {
  const auto found = queues_.find(name);
  return found == queues_.end() ? now : OpeningOf(found->second, now);
}

absl::Time QueueGates::OpeningOf(const Queue& queue, absl::Time now) {
  if (queue.Full()) return absl::InfiniteFuture();  // when a place is freed
  absl::Time opens = std::max(now, queue.paused_until);
  if (queue.interval > absl::ZeroDuration()) opens = std::max(opens, queue.RateOpensAt());
  return opens;
}

void QueueGates::Hold(const std::string& name, absl::Time now) {
  Queue& queue = queues_[name];
  HoldUntil(name, &queue, OpeningOf(queue, now));
}

std::vector<std::string> QueueGates::TakeOpened(absl::Time now) {
  std::vector<std::string> opened;
  while (!held_.empty() && held_.begin()->first <= now) {
    opened.push_back(held_.begin()->second);
    held_.erase(held_.begin());
    queues_.at(opened.back()).held_until.reset();
    ForgetIdle(opened.back());
  }
  return opened;
}

uint64_t QueueGates::waiting(const std::string& name) const {
  const auto found = queues_.find(name);
  return found == queues_.end() ? 0 : found->second.waiting;
}

uint64_t QueueGates::running(const std::string& name) const {
  const auto found = queues_.find(name);
  return found == queues_.end() ? 0 : found->second.running;
}

std::vector<std::string> QueueGates::Queues() const {
  std::vector<std::string> names;
  names.reserve(queues_.size());
  for (const auto& queue : queues_) names.push_back(queue.first);
  return names;
}

void QueueGates::HoldUntil(const std::string& name, Queue* queue, absl::Time until) {
  if (queue->held_until.has_value()) held_.erase({*queue->held_until, name});
  queue->held_until = until;
  held_.insert({until, name});
}

uint64_t& QueueGates::Count(Queue* queue, Load load) {
  return load == Load::kRuns ? queue->running : queue->waiting;
}

void QueueGates::ForgetIdle(const std::string& name) {
  const auto found = queues_.find(name);
  if (found != queues_.end() && found->second.Forgettable()) queues_.erase(found);
}

void QueueGates::CheckInvariants() const {
  size_t held = 0;
  for (const auto& [name, queue] : queues_) {
    MUSTER_CHECK(!queue.Forgettable());
    if (!queue.held_until.has_value()) continue;
    ++held;
    MUSTER_CHECK(held_.contains({*queue.held_until, name}));
    // Nobody waits for a place that is there.
    MUSTER_CHECK(queue.held_until != absl::InfiniteFuture() || queue.Full() ||
                 queue.paused_until == absl::InfiniteFuture());
  }
  MUSTER_CHECK(held == held_.size());
}

}  // namespace muster::scheduler
