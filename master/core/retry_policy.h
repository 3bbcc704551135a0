// When a failed command is tried again: whether at all, after which delay, and how many retries the whole cluster
// bears. Full jitter keeps many failures of one cause from coming back together; the budget keeps retries from
// becoming the load.
//
// Source of full jitter: Marc Brooker, "Exponential Backoff And Jitter"; of the budget: Google SRE book, chapter 22.
// Thread rule: one thread. Units: absl; tokens are retries.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/task_spec.h"
#include "master/core/random.h"

namespace muster::core {

// Whether `end`, a failure that is the `failures`-th one, leaves another attempt. What did not exit (a signal, a timeout)
// is of no code: it is tried again unless codes are asked for.
bool MayRetry(const RetryPolicy& policy, const AttemptEnd& end, uint32_t failures);

// random(0, min(cap, base * 2^(failures-1))).
absl::Duration RetryDelay(const RetryPolicy& policy, uint32_t failures, Random* random);

// At most 20 % of first attempts plus 10/s, with a burst of what 10 s give.
class RetryBudget {
 public:
  static constexpr double kShareOfFirstAttempts = 0.2;
  static constexpr double kPerSecond = 10;
  static constexpr double kBurst = 100;

  void Start(absl::Time now);
  void OnFirstAttempt();
  bool Take(absl::Time now);
  // The earliest time at which Take may succeed if nothing is dispatched until then.
  absl::Time NextAt() const;

 private:
  void Refill(absl::Time now);

  double tokens_ = kBurst;
  absl::Time refilled_ = absl::InfinitePast();
};

}  // namespace muster::core
