#include "master/scheduler/run_times.h"

#include <algorithm>
#include <utility>

namespace muster::scheduler {
namespace {

// The frequent ones stay (Metwally, Agrawal, El Abbadi 2005, "Space-Saving"): a new one takes the place, and the count,
// of the rarest.
void CountPlace(std::string_view worker, std::vector<LearnedRunTimes::Place>* places) {
  auto place = std::find_if(places->begin(), places->end(), [worker](const auto& it) { return it.worker == worker; });
  if (place == places->end()) {
    if (places->size() < RunTimes::kMaxPlaces) {
      places->emplace_back();
    }
    place = places->end() - 1;
    place->worker = std::string(worker);
  }
  ++place->runs;
  for (; place != places->begin() && (place - 1)->runs < place->runs; --place) std::swap(*place, *(place - 1));
}

}  // namespace

RunTimes::Kind& RunTimes::Touch(uint64_t fingerprint) {
  const auto found = samples_.find(fingerprint);
  if (found != samples_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return recent_.front();
  }
  if (samples_.size() >= kMaxFingerprints) {
    const Kind& oldest = recent_.back();
    if (oldest.changed) --changed_;
    if (oldest.stored) dropped_.push_back(oldest.fingerprint);
    samples_.erase(oldest.fingerprint);
    recent_.pop_back();
  }
  recent_.push_front(Kind{.fingerprint = fingerprint});
  samples_.emplace(fingerprint, recent_.begin());
  return recent_.front();
}

void RunTimes::AddTime(int64_t micros, Kind* kind) {
  kind->median_micros = kind->p90_micros = -1;
  kind->micros[kind->count % kWindow] = std::max<int64_t>(0, micros);
  // Keeps its place in the ring when it would overflow.
  kind->count = kind->count + 1 < 2 * kWindow ? kind->count + 1 : kWindow;
}

bool RunTimes::Note(const Run& run) {
  Kind& kind = Touch(run.fingerprint);
  AddTime(absl::ToInt64Microseconds(run.time), &kind);
  ++kind.runs;
  if (run.failed) ++kind.failures;
  kind.last = run.ended;
  CountPlace(run.worker, &kind.places);
  if (kind.count < kMinSamples) return false;
  if (!kind.changed) ++changed_;
  kind.changed = true;
  return kind.command.empty();
}

void RunTimes::Describe(uint64_t fingerprint, std::string_view command) {
  const auto found = samples_.find(fingerprint);
  if (found == samples_.end()) return;
  if (command.size() > kMaxCommand) {
    size_t end = kMaxCommand;  // not within a character of UTF-8
    while (end > 0 && (static_cast<unsigned char>(command[end]) & 0xC0) == 0x80) --end;
    command = command.substr(0, end);
  }
  found->second->command = command.empty() ? "?" : std::string(command);
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
  return QuantileOf(sorted, std::clamp(fraction, 0.0, 1.0));
}

std::vector<absl::Duration> RunTimes::Samples(uint64_t fingerprint) const {
  std::vector<absl::Duration> sorted;
  const Kind* const kind = Find(fingerprint);
  if (kind == nullptr) return sorted;
  for (size_t i = 0; i < kind->window(); ++i) sorted.push_back(absl::Microseconds(kind->micros[i]));
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::optional<UsualRunTime> RunTimes::Usual(uint64_t fingerprint) const {
  const Kind* const kind = Find(fingerprint);
  if (kind == nullptr || kind->count < kMinUsual) return std::nullopt;
  if (kind->p90_micros < 0) kind->p90_micros = absl::ToInt64Microseconds(*Quantile(fingerprint, 0.9));
  return UsualRunTime{absl::Microseconds(kind->p90_micros), static_cast<uint32_t>(kind->window())};
}

std::span<const LearnedRunTimes::Place> RunTimes::Places(uint64_t fingerprint) const {
  const Kind* const kind = Find(fingerprint);
  if (kind == nullptr) return {};
  return kind->places;
}

LearnedRunTimes RunTimes::Show(const Kind& kind) {
  LearnedRunTimes shown{.fingerprint = kind.fingerprint, .command = kind.command, .newest = {}, .runs = kind.runs,
                        .failures = kind.failures, .last = kind.last, .places = kind.places};
  for (size_t i = kind.window(); i > 0; --i) {
    shown.newest.push_back(absl::Microseconds(kind.micros[(kind.count - i) % kWindow]));
  }
  return shown;
}

std::vector<LearnedRunTimes> RunTimes::Newest(size_t limit) const {
  std::vector<LearnedRunTimes> shown;
  for (const Kind& kind : recent_) {
    if (shown.size() >= limit) break;
    if (kind.count >= kMinSamples) shown.push_back(Show(kind));
  }
  return shown;
}

std::vector<LearnedRunTimes> RunTimes::TakeChanged(size_t limit) {
  std::vector<LearnedRunTimes> taken;
  for (auto kind = recent_.rbegin(); kind != recent_.rend() && changed_ > 0 && taken.size() < limit; ++kind) {
    if (!kind->changed) continue;
    taken.push_back(Show(*kind));
    kind->changed = false;
    kind->stored = true;
    --changed_;
  }
  return taken;
}

std::vector<uint64_t> RunTimes::TakeDropped() { return std::exchange(dropped_, {}); }

void RunTimes::Restore(const LearnedRunTimes& learned) {
  Kind& kind = Touch(learned.fingerprint);
  for (const absl::Duration time : learned.newest) AddTime(absl::ToInt64Microseconds(time), &kind);
  kind.stored = true;
  kind.runs = learned.runs;
  kind.failures = learned.failures;
  kind.last = learned.last;
  kind.command = learned.command;
  kind.places.assign(learned.places.begin(),
                     learned.places.begin() + static_cast<std::ptrdiff_t>(std::min(learned.places.size(), kMaxPlaces)));
}

uint32_t PrefetchAllowance(absl::Duration median, uint32_t slots, absl::Duration horizon, uint32_t limit) {
  double tasks = absl::FDivDuration(horizon, std::max(median, absl::Microseconds(1))) * slots;
  return tasks >= limit ? limit : static_cast<uint32_t>(std::max(0.0, tasks));
}

}  // namespace muster::scheduler
