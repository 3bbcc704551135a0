// Whether a queue may start a task now: its pause, how many of it may run at a time, and how many may start a second.
//
//   gates.Set("nightly", {.max_running = 8}, {}, now);
//   gates.Move("nightly", Load::kWaits, Load::kRuns);         // each task that comes to wait, to run, or goes
//   if (gates.Look("nightly", now) != Gate::kOpen) gates.Hold("nightly", now);  // and its queue is out of turn
//   for (const std::string& queue : gates.TakeOpened(now)) ...                  // is in turn again
//
// Rates: a virtual clock that each start sets forward by 1/rate; it may be ahead of the real one by `burst` starts. So
// in any time T at most burst + T * rate tasks start. Source: the generic cell rate algorithm (ITU-T I.371, 1993).
//
// Cost: O(1), Hold and what opens O(log n) in the queues that are held. A queue is forgotten when it has no task, no
// limit, and is not held. Pure, deterministic. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/domain/queue_settings.h"

namespace muster::scheduler {

// What a task is to its queue: kRuns from its dispatch on, for as long as an attempt of it may run somewhere.
enum class Load : uint8_t { kNone, kWaits, kRuns };

enum class Gate : uint8_t { kOpen, kPaused, kFull, kRate };

class QueueGates {
 public:
  // Takes effect at once. With a rate, a task that starts next finds at least what the old rate left.
  void Set(const std::string& queue, const QueueSettings& settings, const QueuePause& pause, absl::Time now);
  // The same after a restart: what started before it is not known, so the burst is taken as used up.
  void Restore(const std::string& queue, const QueueSettings& settings, const QueuePause& pause, absl::Time now);

  void Move(const std::string& queue, Load from, Load to);
  // A dispatch, before its Move; and one that never started.
  void Start(const std::string& queue, absl::Time now);
  void TakeBack(const std::string& queue);

  Gate Look(const std::string& queue, absl::Time now) const;
  // When it may be open again by itself; infinite: when a place is freed, or it is resumed.
  absl::Time OpensAt(const std::string& queue, absl::Time now) const;

  // It is not open: TakeOpened names it when it may be.
  void Hold(const std::string& queue, absl::Time now);
  std::vector<std::string> TakeOpened(absl::Time now);
  // When TakeOpened has something: the past when it has already.
  absl::Time NextAt() const { return held_.empty() ? absl::InfiniteFuture() : held_.begin()->first; }

  uint64_t waiting(const std::string& queue) const;
  uint64_t running(const std::string& queue) const;
  // That have tasks or settings; in no order.
  std::vector<std::string> Queues() const;

  void CheckInvariants() const;

 private:
  struct Queue {
    uint64_t waiting = 0;
    uint64_t running = 0;
    uint64_t max_running = 0;
    uint32_t burst = 1;
    absl::Duration interval;                           // between starts; zero: no rate
    absl::Time clock = absl::InfinitePast();           // the virtual one
    absl::Time paused_until = absl::InfinitePast();
    std::optional<absl::Time> held_until;

    bool Full() const { return max_running > 0 && running >= max_running; }
    absl::Time RateOpensAt() const { return clock - interval * (burst - 1); }
    bool Forgettable() const {
      return waiting == 0 && running == 0 && max_running == 0 && interval == absl::ZeroDuration() &&
             paused_until == absl::InfinitePast() && !held_until.has_value();
    }
  };

  static absl::Time OpeningOf(const Queue& queue, absl::Time now);
  void HoldUntil(const std::string& name, Queue* queue, absl::Time until);
  uint64_t& Count(Queue* queue, Load load);
  void ForgetIdle(const std::string& name);

  absl::flat_hash_map<std::string, Queue> queues_;
  absl::btree_set<std::pair<absl::Time, std::string>> held_;  // by when they open
};

}  // namespace muster::scheduler
