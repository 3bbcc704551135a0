// Tasks that wait for others, through the real core: when they go on, when they never can, and over restarts.
#include "master/core/dependents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/support/sanitized.h"
#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using muster::testing::Spec;
using muster::testing::TestCluster;
using Condition = DependencyCondition;

TaskSpecPtr AfterAll(std::vector<Dependency> dependencies, const std::function<void(TaskSpec&)>& change = nullptr) {
  return Spec([&](TaskSpec& spec) {
    spec.dependencies = std::move(dependencies);
    if (change) change(spec);
  });
}

TaskSpecPtr After(TaskId task, Condition condition = Condition::kSuccess) { return AfterAll({{{task, 1}, condition}}); }

TaskRange SubmitBatch(TestCluster& cluster, TaskSpecPtr spec, uint64_t rows) {
  SubmitTasks event;
  event.batch_spec = std::move(spec);
  event.batch_rows = std::make_shared<const ArgumentRows>(rows, std::vector<std::string>{"row"});
  return cluster.SubmitAll(std::move(event)).tasks.front();
}

TEST(DependentsTest, TheEndTheReleaseAndTheDispatchShareACommit) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskId task = cluster.Submit(After(first));
  EXPECT_EQ(cluster.ReasonOf(task), "waits for 1 task: 1");
  cluster.Exit(first, 0);
  ASSERT_EQ(cluster.transaction().outcomes.size(), 1u);
  ASSERT_EQ(cluster.transaction().attempts.size(), 1u);
  EXPECT_EQ(cluster.transaction().attempts[0].key.task, task);
}

TEST(DependentsTest, AFailedEndWithACancelRightAfterItShareACommitToo) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskId second = cluster.Submit(After(first));
  const TaskId third = cluster.Submit(After(second));
  const TaskId cleans_up = cluster.Submit(After(second, Condition::kFailure));
  cluster.Exit(first, 1);
  EXPECT_EQ(cluster.transaction().outcomes.size(), 3u);
  EXPECT_EQ(cluster.Stored(third).outcome->message, "dependency: task 2 ended CANCELLED");
  EXPECT_EQ(cluster.StateOf(cleans_up), TaskState::kDispatched);
}

TEST(DependentsTest, ARetryOfWhatItWaitsForIsNoEnd) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec([](TaskSpec& spec) { spec.retry.max_attempts = 2; }));
  const TaskId task = cluster.Submit(After(first));
  cluster.Exit(first, 1);
  EXPECT_EQ(cluster.StateOf(first), TaskState::kPending);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.AdvanceBeating(absl::Seconds(2), {"a"});
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
}

TEST(DependentsTest, AStartTimeAndADependencyBothHold) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const absl::Time start = cluster.now() + absl::Seconds(20);
  const auto spec = AfterAll({{{first, 1}}}, [start](TaskSpec& it) { it.start_time = start; });
  const TaskId late = cluster.Submit(spec);
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.ReasonOf(late), "starts in 20s");
  cluster.AdvanceBeating(absl::Seconds(20), {"a"});
  EXPECT_EQ(cluster.StateOf(late), TaskState::kDispatched);

  const TaskId blocked = cluster.Submit(AfterAll({{{late, 1}}}, [start](TaskSpec& it) { it.start_time = start + absl::Seconds(1); }));
  cluster.AdvanceBeating(absl::Seconds(5), {"a"});
  EXPECT_EQ(cluster.ReasonOf(blocked), "waits for 1 task: 2") << "its time alone does not start it";
}

TEST(DependentsTest, WhatIsCancelledWhileItWaitsStartsNothingButIsAnEnd) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskId second = cluster.Submit(After(first));
  const TaskId third = cluster.Submit(After(second, Condition::kAny));
  cluster.Cancel(second);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kCancelled);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kQueued);
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(third), TaskState::kDispatched);
}

TEST(DependentsTest, ABatchWaitsAsOneAndIsWaitedForAsOne) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskRange fetch = SubmitBatch(cluster, Spec([](TaskSpec& spec) { spec.name = "fetch"; }), 3);
  const TaskRange work = SubmitBatch(cluster, AfterAll({{fetch}}), 2);
  EXPECT_EQ(cluster.ReasonOf(work.first), "waits for 1 dependency: batch 1 (3 of 3 left)");
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(cluster.StateOf(work.first), TaskState::kPending);
    cluster.Exit(TaskId(fetch.first.value() + i), 0);
  }
  EXPECT_EQ(cluster.StateOf(work.first), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(work.first.Next()), TaskState::kDispatched);
}

TEST(DependentsTest, WhatHasEndedAlreadyIsLookedUpInTheStore) {
  TestCluster cluster;
  cluster.Join("a", 2);
  const TaskId good = cluster.Submit(Spec());
  const TaskId bad = cluster.Submit(Spec());
  cluster.Exit(good, 0);
  cluster.Exit(bad, 1);
  EXPECT_EQ(cluster.StateOf(cluster.Submit(After(good))), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(cluster.Submit(After(bad, Condition::kFailure))), TaskState::kDispatched);
  const TaskId never = cluster.Submit(After(bad));
  EXPECT_EQ(cluster.StateOf(never), TaskState::kCancelled);
  cluster.answers_find_ends = false;
  EXPECT_EQ(cluster.StateOf(cluster.Submit(After(bad, Condition::kAny))), TaskState::kQueued);
  EXPECT_TRUE(cluster.Seen<FindEnds>().empty()) << "that it has ended is known";
}

TEST(DependentsTest, OfWhatWasPurgedNobodyKnowsHowItEnded) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId gone = cluster.Submit(Spec());
  cluster.Exit(gone, 0);
  cluster.answers_find_ends = false;
  const TaskId task = cluster.Submit(After(gone));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  const auto asked = cluster.Seen<FindEnds>();
  ASSERT_EQ(asked.size(), 1u);
  cluster.Apply(EndsFound{{{asked[0].ranges[0], gone, TaskState::kUnknown}}});
  EXPECT_EQ(cluster.Stored(task).outcome->message,
            "dependency: how task 1 ended is not known any more: it was purged, or lost in the store");
}

TEST(DependentsTest, WhatDoesNotExistCannotBeWaitedForAndSoNoCircleIsPossible) {
  TestCluster cluster;
  const TaskId first = cluster.Submit(Spec());
  SubmitTasks event;
  event.tasks.push_back({.spec = After(first.Next())});  // its own id
  EXPECT_EQ(cluster.SubmitAll(std::move(event)).status.code(), absl::StatusCode::kInvalidArgument);
  SubmitTasks past;
  past.tasks.push_back({.spec = AfterAll({{{first, uint64_t{1} << 63}}})});
  EXPECT_EQ(cluster.SubmitAll(std::move(past)).status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(DependentsTest, ARestartFindsTheSameWhateverHadEnded) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId good = cluster.Submit(Spec());
  const TaskId bad = cluster.Submit(Spec());
  const TaskId open = cluster.Submit(Spec());
  const TaskId on_all = cluster.Submit(AfterAll({{{good, 1}}, {{bad, 1}, Condition::kFailure}, {{open, 1}, Condition::kAny}}));
  const TaskId met = cluster.Submit(AfterAll({{{good, 1}}, {{bad, 1}, Condition::kAny}}));
  cluster.Exit(good, 0);
  cluster.Exit(bad, 1);
  EXPECT_EQ(cluster.StateOf(met), TaskState::kDispatched);
  const AttemptKey placed = cluster.KeyOf(open);
  const AttemptKey of_met = cluster.KeyOf(met);
  cluster.Restart();
  EXPECT_EQ(cluster.StateOf(met), TaskState::kDispatched) << "what was released stays so";
  EXPECT_EQ(cluster.ReasonOf(on_all), "waits for 1 task: 3 to end");
  cluster.Join("a", 4, {{placed, HeldAttempt::Phase::kRunning}, {of_met, HeldAttempt::Phase::kRunning}});
  cluster.Exit(open, 9);
  EXPECT_EQ(cluster.StateOf(on_all), TaskState::kDispatched);
}

TEST(DependentsTest, AMasterThatDiesBetweenAnEndAndWhatItCancelsGoesOn) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  std::vector<TaskId> chain = {first};
  const size_t length = 2 * Dependents::kMovesATurn + 5;
  for (size_t i = 0; i < length; ++i) {
    Effects ignored;
    SubmitTasks event;
    event.tasks.push_back({.spec = After(chain.back())});
    cluster.core().Apply(std::move(event), cluster.now(), &ignored);
    ASSERT_EQ(cluster.store().Commit(ignored.transaction), "");
    chain.push_back(chain.back().Next());
  }
  cluster.Exit(first, 1);  // one turn
  EXPECT_EQ(cluster.transaction().outcomes.size(), 1 + Dependents::kMovesATurn);
  EXPECT_LE(cluster.core().NextDue(), cluster.now()) << "the next turn comes at once";
  cluster.Restart();
  for (int turn = 0; turn < 3; ++turn) cluster.Turn();
  for (const TaskId task : chain) ASSERT_TRUE(cluster.Stored(task).outcome.has_value()) << task.value();
}

TEST(DependentsTest, AGreatBatchIsReleasedOverSeveralTurns) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskRange batch = SubmitBatch(cluster, After(first), Dependents::kMovesATurn + 100);
  cluster.Exit(first, 0);
  const auto waiting = [&] {
    uint64_t states[16] = {};
    cluster.core().CountOpenIn(batch, states);
    return states[static_cast<size_t>(TaskState::kPending)];
  };
  EXPECT_EQ(waiting(), 100u);
  EXPECT_LE(cluster.core().NextDue(), cluster.now());
  cluster.Turn();
  EXPECT_EQ(waiting(), 0u);
}

TEST(DependentsTest, AKeyThatRunsOneAfterTheOtherIsNotHeldUpByOneThatWaits) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const auto of_ann = [](TaskSpec& spec) {
    spec.limit_key = "user=ann";
    spec.limit = 1;
  };
  const TaskId first = cluster.Submit(Spec());
  const TaskId waits = cluster.Submit(AfterAll({{{first, 1}}}, of_ann));
  const TaskId next = cluster.Submit(Spec(of_ann));
  EXPECT_EQ(cluster.StateOf(next), TaskState::kDispatched);
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(waits), TaskState::kQueued);
  cluster.Exit(next, 0);
  EXPECT_EQ(cluster.StateOf(waits), TaskState::kDispatched);
}

TEST(DependentsTest, OfTheReleasedTheHighestPriorityStartsFirst) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskId low = cluster.Submit(AfterAll({{{first, 1}}}));
  const TaskId high = cluster.Submit(AfterAll({{{first, 1}}}, [](TaskSpec& spec) { spec.priority = 50; }));
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(high), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(low), TaskState::kQueued);
}

TEST(DependentsTest, AHeldTaskOnALostWorkerIsWaitedForUntilItIsDecided) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId held = cluster.Submit(Spec([](TaskSpec& spec) { spec.on_worker_loss = OnWorkerLoss::kHold; }));
  cluster.Started(held);
  const TaskId task = cluster.Submit(After(held));
  const TaskId report = cluster.Submit(After(held, Condition::kFailure));
  cluster.Advance(absl::Seconds(31));
  EXPECT_EQ(cluster.StateOf(held), TaskState::kUnknown);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kPending);
  cluster.Advance(absl::Minutes(16));
  EXPECT_EQ(cluster.StateOf(held), TaskState::kLost);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kCancelled);
  EXPECT_EQ(cluster.StateOf(report), TaskState::kQueued);
}

// When it was released is not stored: its queue deadline must not count from its submit.
TEST(DependentsTest, ATaskThatWaitedLongForAnotherIsNotTimedOutByARestart) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskId waits = cluster.Submit(Spec([&](TaskSpec& spec) {
    spec.dependencies = {{{first, 1}, Condition::kAny}};
    spec.queue_timeout = absl::Hours(1);
  }));
  cluster.AdvanceBeating(absl::Hours(5), {"a"});
  const TaskId other = cluster.Submit(Spec([](TaskSpec& spec) { spec.priority = 100; }));
  cluster.Exit(first, 0);
  ASSERT_EQ(cluster.StateOf(other), TaskState::kDispatched);
  ASSERT_EQ(cluster.StateOf(waits), TaskState::kQueued);
  cluster.Restart();
  cluster.Advance(absl::Minutes(1));
  EXPECT_EQ(cluster.StateOf(waits), TaskState::kQueued) << cluster.ReasonOf(waits);
}

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0;
  statm >> pages >> pages;
  return pages * 4096;
}

// 100,000 tasks of calls of their own, each with a specification of its own and after two others.
TEST(DependentsTest, AHundredThousandSingleTasksWithEdgesTakeABoundedAmountEach) {
  if (kSanitized) GTEST_SKIP() << "sanitizers have memory of their own";
  constexpr uint64_t kTasks = 100'000;
  ClusterCore core({}, RecoveredState{.cluster_id = "memory", .epoch = Epoch(1)});
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  {
    Effects effects;
    core.Start(now, &effects);
  }
  const int64_t before = ResidentBytes();
  uint64_t text = 0;
  for (uint64_t i = 1; i <= kTasks; ++i) {
    std::vector<Dependency> needs;
    if (i > 2) needs = {{{TaskId(i - 1), 1}}, {{TaskId(i / 2), 1}, Condition::kAny}};
    SubmitTasks event;
    event.tasks.push_back({.spec = AfterAll(std::move(needs))});
    text += event.tasks.front().spec->payload.size();
    Effects effects;
    core.Apply(std::move(event), now, &effects);
  }
  const int64_t each = (ResidentBytes() - before - static_cast<int64_t>(text)) / static_cast<int64_t>(kTasks);
  std::printf("%ld bytes a task with two edges\n", static_cast<long>(each));
  EXPECT_LE(each, 1400);
  core.CheckInvariants();
}

}  // namespace
}  // namespace muster::core
