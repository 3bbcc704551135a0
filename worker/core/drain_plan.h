// One drain, from its wish to its end: what runs may finish until the deadline, is then stopped, a little later by force,
// and a worker that leaves gives up on acknowledgements a little later still.
//
// It says what has come due; the core does it. Pure. Thread rule: one thread, the worker's loop. `now` never goes back.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "worker/core/worker_core.h"

namespace muster::worker {

class DrainPlan {
 public:
  enum class Step : uint8_t { kNone, kStop, kForce };

  // `leaving`: the process ends afterwards.
  DrainPlan(absl::Time deadline, bool leaving, const WorkerCoreConfig& config);

  // A deadline that is no earlier than the one it has changes nothing.
  void Hasten(absl::Time deadline);
  bool leaving() const { return leaving_; }

  // What is due and was not told: stop, then force, each once; call until there is none.
  Step TakeStep(absl::Time now);
  // Those that kStop stopped, for people.
  void NoteStopped(std::vector<AttemptKey> stopped) { stopped_ = std::move(stopped); }
  // Whether a worker that leaves may go: nothing is left, or no time is.
  bool IsOver(absl::Time now, bool something_left) const;

  absl::Time NextDue() const;  // InfiniteFuture: nothing comes due any more
  DrainView View(std::vector<AttemptKey> running) const;

 private:
  absl::Time GiveUpAt() const { return deadline_ + give_up_after_; }

  const bool leaving_;
  const absl::Duration force_after_;
  const absl::Duration give_up_after_;
  absl::Time deadline_;
  Step told_ = Step::kNone;
  std::vector<AttemptKey> stopped_;
};

}  // namespace muster::worker
