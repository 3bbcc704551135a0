#include "master/scheduler/run_times.h"

#include <algorithm>

namespace muster::scheduler {

void RunTimes::Note(uint64_t fingerprint, absl::Duration run_time) {
  auto found = samples_.find(fingerprint);
  if (found != samples_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
  } else {
    if (samples_.size() >= kMaxFingerprints) {
      samples_.erase(recent_.back().fingerprint);
      recent_.pop_back();
    }
    recent_.push_front(Kind{.fingerprint = fingerprint});
    samples_.emplace(fingerprint, recent_.begin());
  }
  Kind& samples = recent_.front();
  samples.median_micros = -1;
  samples.micros[samples.count % kWindow] = std::max<int64_t>(0, absl::ToInt64Microseconds(run_time));
  // Keeps its place in the ring when it would overflow.
  samples.count = samples.count + 1 < 2 * kWindow ? samples.count + 1 : kWindow;
}

const RunTimes::Kind* RunTimes::Find(uint64_t fingerprint) const {
  const auto found = samples_.find(fingerprint);
  return found == samples_.end() || found->second->count < kMinSamples ? nullptr : &*found->second;
}

std::optional<absl::Duration> RunTimes::Median(uint64_t fingerprint) const {
  const Kind* const kind = Find(fingerprint);
  if (kind == nullptr) return std::nullopt;
  if (kind->median_micros < 0) {
    std::array<int64_t, kRecent> newest{};
    const size_t count = std::min<size_t>(kind->count, kRecent);
    for (size_t i = 0; i < count; ++i) newest[i] = kind->micros[(kind->count - 1 - i) % kWindow];
    const auto middle = newest.begin() + static_cast<std::ptrdiff_t>(count / 2);
    std::nth_element(newest.begin(), middle, newest.begin() + static_cast<std::ptrdiff_t>(count));
    kind->median_micros = *middle;
  }
  return absl::Microseconds(kind->median_micros);
}

std::optional<absl::Duration> RunTimes::Quantile(uint64_t fingerprint, double fraction) const {
  const std::vector<absl::Duration> sorted = Samples(fingerprint);
  if (sorted.empty()) return std::nullopt;
  const double last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(std::clamp(fraction, 0.0, 1.0) * last + 0.5)];
}

std::vector<absl::Duration> RunTimes::Samples(uint64_t fingerprint) const {
  std::vector<absl::Duration> sorted;
  const Kind* const kind = Find(fingerprint);
  if (kind == nullptr) return sorted;
  for (size_t i = 0; i < std::min<size_t>(kind->count, kWindow); ++i) sorted.push_back(absl::Microseconds(kind->micros[i]));
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

uint32_t PrefetchAllowance(absl::Duration median, uint32_t slots, absl::Duration horizon, uint32_t limit) {
  double tasks = absl::FDivDuration(horizon, std::max(median, absl::Microseconds(1))) * slots;
  return tasks >= limit ? limit : static_cast<uint32_t>(std::max(0.0, tasks));
}

}  // namespace muster::scheduler
