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
    recent_.push_front(Samples{.fingerprint = fingerprint});
    samples_.emplace(fingerprint, recent_.begin());
  }
  Samples& samples = recent_.front();
  samples.micros[samples.count % kWindow] = std::max<int64_t>(0, absl::ToInt64Microseconds(run_time));
  // Keeps its place in the ring when it would overflow.
  samples.count = samples.count + 1 < 2 * kWindow ? samples.count + 1 : kWindow;
}

std::optional<absl::Duration> RunTimes::Quantile(uint64_t fingerprint, double fraction) const {
  auto found = samples_.find(fingerprint);
  if (found == samples_.end() || found->second->count < kMinSamples) return std::nullopt;
  std::array<int64_t, kWindow> sorted = found->second->micros;
  size_t count = std::min<size_t>(found->second->count, kWindow);
  auto rank = static_cast<size_t>(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count - 1) + 0.5);
  std::nth_element(sorted.begin(), sorted.begin() + rank, sorted.begin() + count);
  return absl::Microseconds(sorted[rank]);
}

uint32_t PrefetchAllowance(absl::Duration median, uint32_t slots, absl::Duration horizon, uint32_t limit) {
  double tasks = absl::FDivDuration(horizon, std::max(median, absl::Microseconds(1))) * slots;
  return tasks >= limit ? limit : static_cast<uint32_t>(std::max(0.0, tasks));
}

}  // namespace muster::scheduler
