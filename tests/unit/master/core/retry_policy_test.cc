#include "master/core/retry_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace muster::core {
namespace {

TEST(RetryPolicyTest, WhatFailedTogetherDoesNotComeBackTogether) {
  Random random(7);
  RetryPolicy policy;
  std::vector<int> arrivals(20);  // by 50 ms
  for (int i = 0; i < 1000; ++i) {
    ++arrivals.at(static_cast<size_t>(RetryDelay(policy, 1, &random) / absl::Milliseconds(50)));
  }
  EXPECT_LT(*std::max_element(arrivals.begin(), arrivals.end()), 100);
  EXPECT_GT(*std::min_element(arrivals.begin(), arrivals.end()), 20);
}

TEST(RetryPolicyTest, TheDelayDoublesUpToItsCap) {
  Random random(7);
  RetryPolicy policy;
  policy.base_delay = absl::Seconds(1);
  policy.max_delay = absl::Seconds(60);
  for (uint32_t failures = 1; failures <= 80; ++failures) {
    absl::Duration longest;
    for (int i = 0; i < 200; ++i) longest = std::max(longest, RetryDelay(policy, failures, &random));
    const absl::Duration most = failures > 6 ? absl::Seconds(60) : absl::Seconds(1 << (failures - 1));
    EXPECT_LE(longest, most) << failures;
    EXPECT_GT(longest, 0.9 * most) << failures;
  }
}

AttemptEnd ExitedWith(int32_t code) { return {.reason = EndReason::kExited, .exit_code = code}; }

TEST(RetryPolicyTest, ACodeThatIsNeverToBeRetriedIsNotAlsoWithAttemptsLeft) {
  RetryPolicy policy;
  policy.max_attempts = 5;
  policy.never_on_exit_codes = {2, 64};
  EXPECT_FALSE(MayRetry(policy, ExitedWith(64), 1));
  EXPECT_TRUE(MayRetry(policy, ExitedWith(1), 1));
  EXPECT_TRUE(MayRetry(policy, {.reason = EndReason::kSignaled, .signal = 2}, 1)) << "a signal is no code";
  policy.on_exit_codes = {75};
  EXPECT_TRUE(MayRetry(policy, ExitedWith(75), 4));
  EXPECT_FALSE(MayRetry(policy, ExitedWith(75), 5));
  EXPECT_FALSE(MayRetry(policy, ExitedWith(1), 1));
  EXPECT_FALSE(MayRetry(policy, {.reason = EndReason::kTimeout}, 1));
}

}  // namespace
}  // namespace muster::core
