#include "worker/session/call_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace muster::worker {
namespace {

TEST(CallScheduleTest, TheWorkersOfAKilledMasterDoNotComeBackTogether) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> chance(0, 1);
  const absl::Duration restarted = absl::Milliseconds(1500);
  std::vector<int> arrivals(60);  // by 50 ms
  for (int worker = 0; worker < 1000; ++worker) {
    CallSchedule schedule;
    schedule.Joined(absl::Seconds(2));
    absl::Duration at;  // all lose their call in the same moment
    while (at < restarted) {
      schedule.NotAnswered(true, chance(random));
      at += schedule.wait();
    }
    ++arrivals[static_cast<size_t>((at - restarted) / absl::Milliseconds(50))];
  }
  EXPECT_LT(*std::max_element(arrivals.begin(), arrivals.end()), 200);
}

TEST(CallScheduleTest, NobodyStaysAwayForLongerThanTwoSeconds) {
  CallSchedule schedule;
  for (int i = 0; i < 20; ++i) {
    schedule.NotAnswered(false, 0.999);
    EXPECT_LE(schedule.wait(), CallSchedule::kLongestRetry);
    EXPECT_GE(schedule.wait(), CallSchedule::kFirstRetry / 2);
  }
  EXPECT_GT(schedule.wait(), absl::Milliseconds(1900));
}

TEST(CallScheduleTest, AnAnswerEndsTheGrowingDelays) {
  CallSchedule schedule;
  schedule.Joined(absl::Seconds(2));
  for (int i = 0; i < 8; ++i) schedule.NotAnswered(true, 0.5);
  schedule.Answered();
  EXPECT_EQ(schedule.wait(), absl::Seconds(2));
  schedule.NotAnswered(true, 0);
  EXPECT_EQ(schedule.wait(), CallSchedule::kFirstRetry / 2);
}

TEST(CallScheduleTest, AskedToJoinAgainItDoesSoAtOnce) {
  CallSchedule schedule;
  schedule.Joined(absl::Seconds(2));
  schedule.AskedToJoinAgain();
  EXPECT_EQ(schedule.wait(), absl::ZeroDuration());
}

TEST(CallScheduleTest, ALongIntervalDoesNotMakeAJoinedWorkerCallMoreRarelyThanItsRetry) {
  CallSchedule schedule;
  schedule.Joined(absl::Minutes(1));
  for (int i = 0; i < 20; ++i) schedule.NotAnswered(true, 0.999);
  EXPECT_LE(schedule.wait(), CallSchedule::kLongestRetry);
}

}  // namespace
}  // namespace muster::worker
