// A queue that is slower than its target: what the core refuses, and what it never loses.
#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Spec;
using testing::TestCluster;

TaskSpecPtr Priority(int32_t priority) {
  return Spec([priority](TaskSpec& spec) { spec.priority = priority; });
}

class OverloadTest : public ::testing::Test {
 protected:
  OverloadTest() : cluster_(CoreConfig{.queue_delay_target = absl::Seconds(2), .prefetch_limit = 0}) {
    cluster_.Join("a", 1);
  }

  absl::Status Offer(int32_t priority, std::string request = "") {
    SubmitTasks event;
    event.tasks.push_back({.spec = Priority(priority)});
    event.request.id = std::move(request);
    return cluster_.SubmitAll(std::move(event)).status;
  }
  // One task after the other, each running for a second.
  void Run(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      const std::vector<TaskId> open = cluster_.core().OpenTasks(TaskId(UINT64_MAX), 1000);
      for (const TaskId id : open) {
        if (cluster_.StateOf(id) != TaskState::kDispatched) continue;
        cluster_.Started(id);
        cluster_.AdvanceBeating(absl::Seconds(1), {"a"});
        cluster_.Exit(id, 0);
        break;
      }
    }
  }

  TestCluster cluster_;
};

TEST_F(OverloadTest, TheLowestPriorityIsRefusedFirstWithAReasonAndADelay) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Offer(0).ok());
  ASSERT_TRUE(Offer(5).ok());
  Run(6);
  const absl::Status refused = Offer(0);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), "QUEUE_SLOW");
  EXPECT_GE(RetryAfterOf(refused), absl::Milliseconds(500));
  EXPECT_TRUE(Offer(5).ok());
  EXPECT_EQ(cluster_.core().counters().admission_floor, 1);
}

TEST_F(OverloadTest, WhatWasAcceptedRunsAndTheFloorFallsWhenTheQueueIsQuickAgain) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Offer(0).ok());
  Run(6);
  ASSERT_FALSE(Offer(0).ok());
  Run(20);
  EXPECT_EQ(cluster_.core().counters().ended_by_state[static_cast<size_t>(TaskState::kSucceeded)], 20u);
  cluster_.AdvanceBeating(absl::Seconds(5), {"a"});
  EXPECT_TRUE(Offer(0).ok());
  EXPECT_EQ(cluster_.core().counters().admission_floor, kNoFloor);
}

TEST_F(OverloadTest, ARepeatedRequestIsAnsweredThoughItsPriorityIsRefusedNow) {
  ASSERT_TRUE(Offer(0, "mine").ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Offer(0).ok());
  Run(6);
  ASSERT_FALSE(Offer(0, "other").ok());
  EXPECT_TRUE(Offer(0, "mine").ok());
}

TEST_F(OverloadTest, ACallIsAsGoodAsItsLowestPriority) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Offer(0).ok());
  ASSERT_TRUE(Offer(5).ok());
  Run(6);
  SubmitTasks both;
  both.tasks = {{.spec = Priority(5)}, {.spec = Priority(0)}};
  const uint64_t accepted = cluster_.core().counters().accepted;
  EXPECT_EQ(ReasonOf(cluster_.SubmitAll(std::move(both)).status), "QUEUE_SLOW");
  EXPECT_EQ(cluster_.core().counters().accepted, accepted) << "all of it or nothing";
}

TEST_F(OverloadTest, WithoutATargetABatchMayBeAsDeepAsItLikes) {
  TestCluster deep;
  deep.Join("a", 1);
  for (int i = 0; i < 20; ++i) deep.Submit(Spec());
  deep.AdvanceBeating(absl::Hours(1), {"a"});
  SubmitTasks event;
  event.tasks.push_back({.spec = Priority(-100)});
  EXPECT_TRUE(deep.SubmitAll(std::move(event)).status.ok());
}

}  // namespace
}  // namespace muster::core
