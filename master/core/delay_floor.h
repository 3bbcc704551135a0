// Which priorities a queue that is too slow still takes: a floor that rises while tasks start later than a target, and
// falls again when they do not. Under it, only so much is let in as the target allows.
//
//   floor.Enter(priority); floor.Leave(priority);   // each task that is queued, and that is no more
//   floor.OnStart(priority, waited, now);           // each first dispatch
//   floor.OnTurn(now);                              // judges each interval that has passed
//   floor.OnOffer(priority, now);                   // each submit, taken or not
//   if (floor.Refuses(priority, now)) ...           // with floor.RetryAfter(priority)
//
// Rising: an interval is late when even the best-off task of the lowest priority that is freely taken waited longer
// than the target: one that had to wait for a special worker proves nothing, a queue that stands does. So is one in which
// only higher priorities started, for a target's length, while more waits than that. Then the lowest priority that is
// offered falls under the floor, one more each interval, up to all of them.
//
// Under the floor a priority is taken while what is queued there and above is less than the target's worth of starts;
// each priority lower, half of that. So the workers never run dry, the wait stays near the target, and who is lower
// finds the door closed first.
//
// Falling: one priority each interval, when its queue is down to half a target's worth, or it starts within half of
// the target, or nothing of it has started for four targets (so that tasks which no worker can run keep nobody out).
//
// Source of the idea: Nichols and Jacobson, "Controlling Queue Delay" (2012): the minimum over an interval tells a
// standing queue from a burst. Theirs drops what waits; what we have accepted is never dropped, so we refuse arrivals.
// Pure. Thread rule: one thread. `now` never goes back. Cost: O(1), with the floor up O(priorities) an offer.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace muster::core {

class DelayFloor {
 public:
  // A target of zero: nothing is ever refused.
  explicit DelayFloor(absl::Duration target);

  void Enter(int32_t priority) { ++queued_[Level(priority)]; }
  void Leave(int32_t priority) { --queued_[Level(priority)]; }
  void OnStart(int32_t priority, absl::Duration waited, absl::Time now);
  void OnTurn(absl::Time now);
  void OnOffer(int32_t priority, absl::Time now);

  bool Refuses(int32_t priority, absl::Time now) const;
  // When its queue may be short enough again.
  absl::Duration RetryAfter(int32_t priority) const;

  // The lowest priority that is freely taken; empty: all are. One above the highest: none is.
  std::optional<int32_t> floor() const;
  absl::Duration target() const { return target_; }
  // The shortest wait, at the lowest priority that started, of the last interval that had starts.
  absl::Duration delay() const { return delay_; }
  uint64_t queued() const;

 private:
  static constexpr int kLowest = -100;
  static constexpr size_t kLevels = 201;

  static size_t Level(int32_t priority);
  bool on() const { return target_ > absl::ZeroDuration(); }
  bool IsOffered(size_t level, absl::Time now) const;
  uint64_t QueuedFrom(size_t level) const;
  // How many tasks start in that time.
  double Starts(absl::Duration within) const { return starts_per_second_ * absl::ToDoubleSeconds(within); }
  // The shortest wait at the lowest level from `from` up that had starts in this interval.
  std::optional<absl::Duration> ShortestFrom(size_t from) const;

  void Judge(absl::Time now);
  bool Starves(size_t level, absl::Time now) const;
  size_t LowestOffered(size_t from, absl::Time now) const;  // kLevels: none
  void Rise(absl::Time now);
  void Fall(absl::Time now);
  bool IsWell(size_t level, absl::Time now) const;

  const absl::Duration target_;
  const absl::Duration interval_;
  std::optional<size_t> floor_;  // a level; 0 is never one
  absl::Time risen_ = absl::InfinitePast();
  absl::Time judged_ = absl::InfinitePast();
  absl::Duration delay_;
  uint64_t starts_ = 0;          // of this interval
  double starts_per_second_ = 0;  // smoothed
  std::array<uint64_t, kLevels> queued_{};
  std::array<absl::Duration, kLevels> shortest_;  // wait of this interval's starts; infinite: none
  std::array<absl::Time, kLevels> started_;       // the last one
  std::array<absl::Time, kLevels> offered_;
  std::array<absl::Time, kLevels> waits_since_;   // the last offer that found nothing queued there
};

}  // namespace muster::core
