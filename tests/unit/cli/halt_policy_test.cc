#include "cli/halt_policy.h"

#include <gtest/gtest.h>

#include "cli/errors.h"

namespace muster::cli {
namespace {

Halt Decide(const std::string& text, int64_t failed, int64_t succeeded, std::optional<int64_t> total = 100) {
  const auto policy = HaltPolicy::Parse(text);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy->Decide(failed, succeeded, total);
}

TEST(HaltPolicy, NeverIsTheDefault) {
  EXPECT_EQ(Decide("", 100, 0), Halt::kNot);
  EXPECT_EQ(Decide("never", 100, 0), Halt::kNot);
}

TEST(HaltPolicy, CountsFailuresSuccessesOrBoth) {
  EXPECT_EQ(Decide("now,fail=1", 0, 50), Halt::kNot);
  EXPECT_EQ(Decide("now,fail=1", 1, 50), Halt::kNow);
  EXPECT_EQ(Decide("soon,fail=3", 2, 0), Halt::kNot);
  EXPECT_EQ(Decide("soon,fail=3", 3, 0), Halt::kSoon);
  EXPECT_EQ(Decide("now,success=1", 5, 1), Halt::kNow);
  EXPECT_EQ(Decide("soon,done=4", 2, 2), Halt::kSoon);
}

TEST(HaltPolicy, APercentageIsOfAllTasks) {
  EXPECT_EQ(Decide("soon,fail=10%", 9, 0), Halt::kNot);
  EXPECT_EQ(Decide("soon,fail=10%", 10, 0), Halt::kSoon);
  EXPECT_EQ(Decide("now,fail=100%", 3, 0, 3), Halt::kNow);
}

TEST(HaltPolicy, APercentageWaitsUntilTheNumberIsKnown) {
  EXPECT_EQ(Decide("soon,fail=10%", 1000, 0, std::nullopt), Halt::kNot);
}

TEST(HaltPolicy, WhatIsNoPolicyIsWrongUsage) {
  for (const char* text : {"now", "now,fail", "later,fail=1", "now,fail=0", "now,fail=-1", "now,fail=101%", "now,bad=1", "now,fail=x"}) {
    EXPECT_EQ(ExitCodeOf(HaltPolicy::Parse(text).status()), kExitUsage) << text;
  }
}

}  // namespace
}  // namespace muster::cli
