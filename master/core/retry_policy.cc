#include "master/core/retry_policy.h"

#include <algorithm>
#include <cmath>

#include "common/base/planted_fault.h"

namespace muster::core {

namespace {

bool Names(const std::vector<int32_t>& codes, int32_t code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

bool MayRetry(const RetryPolicy& policy, const AttemptEnd& end, uint32_t failures) {
  if (failures >= policy.max_attempts) return false;
  // A validation that failed counts as the code that its task's client exits with.
  const bool has_code = end.reason == EndReason::kExited || end.reason == EndReason::kValidationFailed;
  const int32_t code = ExitCodeFor(end);
  if (has_code && Names(policy.never_on_exit_codes, code)) return false;
  // Asking for codes means the command's own ones: a program that is missing does not appear by trying again.
  return policy.on_exit_codes.empty() || (has_code && Names(policy.on_exit_codes, code));
}

absl::Duration RetryDelay(const RetryPolicy& policy, uint32_t failures, Random* random) {
  constexpr uint32_t kMaxDoublings = 40;
  const uint32_t doublings = std::min(failures > 0 ? failures - 1 : 0, kMaxDoublings);
  const absl::Duration most = std::min(policy.max_delay, policy.base_delay * std::ldexp(1.0, static_cast<int>(doublings)));
  // Mutant: what failed together comes back together.
  if (Mutated("no_jitter")) return std::max(absl::ZeroDuration(), most);
  return std::max(absl::ZeroDuration(), most * random->Fraction());
}

void RetryBudget::Start(absl::Time now) { refilled_ = now; }

void RetryBudget::OnFirstAttempt() { tokens_ = std::min(kBurst, tokens_ + kShareOfFirstAttempts); }

void RetryBudget::Refill(absl::Time now) {
  if (now <= refilled_) return;
  tokens_ = std::min(kBurst, tokens_ + absl::ToDoubleSeconds(now - refilled_) * kPerSecond);
  refilled_ = now;
}

bool RetryBudget::Take(absl::Time now) {
  Refill(now);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

absl::Time RetryBudget::NextAt() const {
  if (tokens_ >= 1) return refilled_;
  // A millisecond more, so that rounding never makes the loop come back a moment too early again and again.
  return refilled_ + absl::Seconds((1 - tokens_) / kPerSecond) + absl::Milliseconds(1);
}

}  // namespace muster::core
