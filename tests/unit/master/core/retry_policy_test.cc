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

}  // namespace
}  // namespace muster::core
