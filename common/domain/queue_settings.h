// How a queue is served: its share, its limits, what its tasks get when their submitter says nothing, and its pause.
//
// The master's configuration is the base; what people set by hand is stored and wins over it, until it is reset.
// Thread rule: values. Units: absl; a rate is tasks per second. 0 as a limit: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/domain/task_spec.h"

namespace muster {

inline constexpr uint32_t kMostQueueWeight = 1000;
inline constexpr uint32_t kMostQueueBurst = 1'000'000;
inline constexpr double kMostQueueRate = 1e6;
inline constexpr double kLeastQueueRate = 1e-6;  // one task in eleven days

struct QueueSettings {
  uint32_t weight = 1;
  uint64_t max_running = 0;  // dispatched, running or unknown at a time
  uint64_t max_queued = 0;   // waiting at a time; more are refused
  double start_rate = 0;     // per second
  uint32_t burst = 1;        // that may start at once after a rest; at least 1

  // For what a submitter left unset.
  std::optional<int32_t> priority;
  std::optional<RetryPolicy> retry;
  std::optional<OnWorkerLoss> on_worker_loss;
  std::optional<absl::Duration> run_timeout;

  friend bool operator==(const QueueSettings&, const QueueSettings&) = default;
};

struct QueuePause {
  absl::Time until = absl::InfinitePast();  // in the past: not paused; the infinite future: until it is resumed
  std::string reason;

  bool holds(absl::Time now) const { return until > now; }
  friend bool operator==(const QueuePause&, const QueuePause&) = default;
};

// Some of the settings, to be changed. An inner optional that is empty takes the default away.
struct QueueChange {
  std::optional<uint32_t> weight;
  std::optional<uint64_t> max_running;
  std::optional<uint64_t> max_queued;
  std::optional<double> start_rate;
  std::optional<uint32_t> burst;
  std::optional<std::optional<int32_t>> priority;
  std::optional<std::optional<RetryPolicy>> retry;
  std::optional<std::optional<OnWorkerLoss>> on_worker_loss;
  std::optional<std::optional<absl::Duration>> run_timeout;

  QueueSettings AppliedTo(QueueSettings settings) const;
};

// One queue as readers see it.
struct QueueView {
  std::string name;
  QueueSettings settings;
  bool set_by_hand = false;
  QueuePause pause;
  bool paused = false;      // now
  uint64_t queued = 0;      // waiting: queued or pending
  uint64_t running = 0;     // dispatched, running or unknown
  absl::Duration oldest_wait;
  std::string held_because;  // why none of it starts now, in words; empty: its tasks start when there is room
};

// What is wrong with them, in words ("weight is 0; 1 to 1000"); empty: nothing is.
std::string WhyNoQueueSettings(const QueueSettings& settings);

// "2 a second", "30 a minute"; and as it is typed: "2/s", "30/m".
std::string RateWords(double per_second);
std::string RateText(double per_second);

}  // namespace muster
