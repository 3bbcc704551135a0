#include "master/scheduler/start_estimate.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>

namespace muster::scheduler {
namespace {

constexpr size_t kMostFutures = 64;
constexpr size_t kFewestFutures = 16;
constexpr size_t kDraws = 200'000;  // in all futures together, about

// SplitMix64 (Steele, Lea, Flood 2014): enough for this, and the same on every machine.
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed) {}
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  size_t Below(size_t end) { return static_cast<size_t>(Fraction() * static_cast<double>(end)); }

 private:
  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

// When a slot is free, in seconds from now, and whose it is.
using FreeAt = std::pair<double, uint32_t>;

class Futures {
 public:
  Futures(const StartModel& model, uint64_t seed) : model_(model), draws_(seed) {
    for (const auto& kind : model.kinds) {
      std::vector<double> seconds;
      for (const absl::Duration time : kind) seconds.push_back(absl::ToDoubleSeconds(time));
      any_.insert(any_.end(), seconds.begin(), seconds.end());
      kinds_.push_back(std::move(seconds));
    }
    std::sort(any_.begin(), any_.end());
  }

  bool MostIsKnown() const {
    size_t known = 0;
    for (const auto& running : model_.running) known += kinds_[running.kind].empty() ? 0 : 1;
    for (const auto& waiting : model_.ahead) known += kinds_[waiting.kind].empty() ? 0 : 1;
    return known > 0 && 2 * known >= model_.running.size() + model_.ahead.size();
  }

  // One future: seconds until the task starts; infinite: it never fits.
  double Play() {
    FillSlots();
    const auto count = static_cast<size_t>(static_cast<double>(model_.ahead.size()) * model_.ahead_factor + 0.5);
    for (size_t i = 0; i < count; ++i) Run(model_.ahead[i % model_.ahead.size()]);
    return StartOf(model_.slots);
  }

 private:
  const std::vector<double>& TimesOf(uint32_t kind) const { return kinds_[kind].empty() ? any_ : kinds_[kind]; }

  double Remaining(const StartModel::Running& running) {
    const double age = absl::ToDoubleSeconds(running.age);
    const std::vector<double>& times = TimesOf(running.kind);
    const auto longer = std::upper_bound(times.begin(), times.end(), age);
    const auto left = static_cast<size_t>(times.end() - longer);
    // Longer than any that was seen: what has run for so long may well run for as long again.
    if (left == 0) return age * draws_.Fraction();
    return longer[static_cast<std::ptrdiff_t>(draws_.Below(left))] - age;
  }

  void FillSlots() {
    slots_.clear();
    for (uint32_t worker = 0; worker < model_.free_slots.size(); ++worker) {
      slots_.insert(slots_.end(), model_.free_slots[worker], FreeAt{0, worker});
    }
    for (const auto& running : model_.running) {
      slots_.insert(slots_.end(), running.slots, FreeAt{Remaining(running), running.worker});
    }
    std::make_heap(slots_.begin(), slots_.end(), std::greater<>());
  }

  // Takes the slots that are free first. Which workers they are of makes no difference to one-slot tasks, which most are.
  void Run(const StartModel::Waiting& task) {
    const size_t wanted = std::min<size_t>(std::max<uint32_t>(1, task.slots), slots_.size());
    if (wanted == 0) return;
    const auto first = slots_.end() - static_cast<std::ptrdiff_t>(wanted);
    for (size_t i = 0; i < wanted; ++i) {
      std::pop_heap(slots_.begin(), slots_.end() - static_cast<std::ptrdiff_t>(i), std::greater<>());
    }
    // The last that was popped is at `first`, and the latest.
    const std::vector<double>& times = TimesOf(task.kind);
    const double end = first->first + times[draws_.Below(times.size())];
    for (auto slot = first; slot != slots_.end(); ++slot) {
      slot->first = end;
      std::push_heap(slots_.begin(), slot + 1, std::greater<>());
    }
  }

  double StartOf(uint32_t wanted) const {
    if (slots_.empty()) return std::numeric_limits<double>::infinity();
    if (wanted <= 1) return slots_.front().first;
    std::map<uint32_t, std::vector<double>> by_worker;
    for (const FreeAt& slot : slots_) by_worker[slot.second].push_back(slot.first);
    double start = std::numeric_limits<double>::infinity();
    for (auto& worker : by_worker) {
      std::vector<double>& times = worker.second;
      if (times.size() < wanted) continue;
      std::nth_element(times.begin(), times.begin() + (wanted - 1), times.end());
      start = std::min(start, times[wanted - 1]);
    }
    return start;
  }

  const StartModel& model_;
  Draws draws_;
  std::vector<std::vector<double>> kinds_;
  std::vector<double> any_;     // all that is known together
  std::vector<FreeAt> slots_;   // a heap, the earliest first
};

}  // namespace

std::optional<StartEstimate> EstimateStart(const StartModel& model, uint64_t seed) {
  Futures futures(model, seed);
  if (!futures.MostIsKnown()) return std::nullopt;
  const auto work = static_cast<size_t>(static_cast<double>(model.ahead.size()) * model.ahead_factor) + model.running.size();
  const size_t count = std::clamp(kDraws / (work + 1), kFewestFutures, kMostFutures);
  std::vector<double> starts;
  for (size_t i = 0; i < count; ++i) starts.push_back(futures.Play());
  std::sort(starts.begin(), starts.end());
  const double p50 = starts[count / 2];
  const double p90 = starts[count * 9 / 10];
  if (p90 == std::numeric_limits<double>::infinity()) return std::nullopt;
  return StartEstimate{absl::Seconds(p50), absl::Seconds(p90)};
}

}  // namespace muster::scheduler
