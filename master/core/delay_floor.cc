#include "master/core/delay_floor.h"

#include <algorithm>
#include <numeric>

namespace muster::core {
namespace {

constexpr absl::Duration kShortestInterval = absl::Milliseconds(50);
constexpr absl::Duration kLongestInterval = absl::Seconds(5);
constexpr double kNewestWeight = 0.3;  // of an interval's rate in the smoothed one
constexpr int kOfferedFor = 20;        // intervals
constexpr int kPatience = 4;           // targets without a start

}  // namespace

DelayFloor::DelayFloor(absl::Duration target)
    : target_(target), interval_(std::clamp(target / 4, kShortestInterval, kLongestInterval)) {
  shortest_.fill(absl::InfiniteDuration());
  started_.fill(absl::InfinitePast());
  offered_.fill(absl::InfinitePast());
  waits_since_.fill(absl::InfinitePast());
}

size_t DelayFloor::Level(int32_t priority) {
  return static_cast<size_t>(std::clamp(priority, kLowest, kLowest + static_cast<int32_t>(kLevels) - 1) - kLowest);
}

std::optional<int32_t> DelayFloor::floor() const {
  if (!floor_.has_value()) return std::nullopt;
  return static_cast<int32_t>(*floor_) + kLowest;
}

uint64_t DelayFloor::queued() const { return QueuedFrom(0); }

uint64_t DelayFloor::QueuedFrom(size_t level) const {
  return std::accumulate(queued_.begin() + static_cast<std::ptrdiff_t>(level), queued_.end(), uint64_t{0});
}

bool DelayFloor::IsOffered(size_t level, absl::Time now) const {
  return offered_[level] >= now - kOfferedFor * interval_;
}

void DelayFloor::OnOffer(int32_t priority, absl::Time now) {
  if (!on()) return;
  const size_t level = Level(priority);
  offered_[level] = now;
  if (queued_[level] == 0) waits_since_[level] = now;
}

bool DelayFloor::Refuses(int32_t priority, absl::Time now) const {
  const size_t level = Level(priority);
  if (!floor_.has_value() || level >= *floor_) return false;
  double room = Starts(target_);
  for (size_t higher = level + 1; higher < *floor_; ++higher) {
    if (IsOffered(higher, now)) room /= 2;
  }
  return static_cast<double>(QueuedFrom(level)) >= room;
}

// Half of the way, so that nobody sleeps past the moment; the caller adds jitter.
absl::Duration DelayFloor::RetryAfter(int32_t priority) const {
  if (starts_per_second_ <= 0) return interval_;
  const double too_many = static_cast<double>(QueuedFrom(Level(priority))) - Starts(target_);
  return std::clamp(absl::Seconds(too_many / starts_per_second_ / 2), interval_, kLongestInterval);
}

void DelayFloor::OnStart(int32_t priority, absl::Duration waited, absl::Time now) {
  if (!on()) return;
  OnTurn(now);  // what starts now belongs to the interval that begins
  const size_t level = Level(priority);
  shortest_[level] = std::min(shortest_[level], waited);
  started_[level] = now;
  ++starts_;
}

void DelayFloor::OnTurn(absl::Time now) {
  if (!on()) return;
  if (judged_ == absl::InfinitePast()) judged_ = now;
  if (now < judged_ + interval_) return;
  Judge(now);
  judged_ = now;
  starts_ = 0;
  shortest_.fill(absl::InfiniteDuration());
}

void DelayFloor::Judge(absl::Time now) {
  if (starts_ > 0 || queued() > 0) {
    const double rate = static_cast<double>(starts_) / absl::ToDoubleSeconds(now - judged_);
    starts_per_second_ += (starts_per_second_ > 0 ? kNewestWeight : 1) * (rate - starts_per_second_);
  }
  delay_ = ShortestFrom(0).value_or(delay_);
  const size_t lowest = LowestOffered(floor_.value_or(0), now);
  const std::optional<absl::Duration> of_taken = ShortestFrom(floor_.value_or(0));
  if ((of_taken.has_value() && *of_taken > target_) || Starves(lowest, now)) {
    Rise(now);
  } else if (floor_.has_value()) {
    Fall(now);
  }
}

std::optional<absl::Duration> DelayFloor::ShortestFrom(size_t from) const {
  const auto begin = shortest_.begin() + static_cast<std::ptrdiff_t>(from);
  const auto found = std::find_if(begin, shortest_.end(), [](absl::Duration d) { return d < absl::InfiniteDuration(); });
  if (found == shortest_.end()) return std::nullopt;
  return *found;
}

bool DelayFloor::Starves(size_t level, absl::Time now) const {
  return level < kLevels && starts_ > 0 && queued_[level] > 0 &&
         static_cast<double>(QueuedFrom(level)) > Starts(target_) &&
         std::max(started_[level], waits_since_[level]) < now - target_;
}

size_t DelayFloor::LowestOffered(size_t from, absl::Time now) const {
  while (from < kLevels && !IsOffered(from, now)) ++from;
  return from;
}

void DelayFloor::Rise(absl::Time now) {
  const size_t level = LowestOffered(floor_.value_or(0), now);
  if (level == kLevels) return;
  floor_ = level + 1;
  risen_ = now;
}

// Those that nobody offers any more are passed over.
void DelayFloor::Fall(absl::Time now) {
  size_t level = *floor_ - 1;
  while (level > 0 && !IsOffered(level, now)) --level;
  if (!IsOffered(level, now)) {
    floor_.reset();
  } else if (IsWell(level, now)) {
    while (level > 0 && !IsOffered(level - 1, now)) --level;
    if (level > 0) {
      floor_ = level;
    } else {
      floor_.reset();
    }
  }
}

bool DelayFloor::IsWell(size_t level, absl::Time now) const {
  return static_cast<double>(QueuedFrom(level)) <= Starts(target_ / 2) || shortest_[level] <= target_ / 2 ||
         std::max(started_[level], risen_) < now - kPatience * target_;
}

}  // namespace muster::core
