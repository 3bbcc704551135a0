#include "master/core/stragglers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Report;
using testing::Spec;
using testing::TestCluster;

constexpr uint64_t kKind = 77;

CoreConfig UnhurriedConfig() {
  CoreConfig config;
  config.heartbeat = absl::Hours(1000);
  config.lost_after = absl::Hours(10000);
  return config;
}

TaskId SubmitKind(TestCluster& cluster) {
  return cluster.Submit(Spec([](TaskSpec& spec) { spec.fingerprint = kKind; }));
}

// `count` runs of the kind, each of this length.
void Teach(TestCluster& cluster, int count, absl::Duration length) {
  for (int i = 0; i < count; ++i) {
    const TaskId task = SubmitKind(cluster);
    auto report = std::make_shared<AttemptReport>(*Report(cluster.KeyOf(task), EndReason::kExited, 0));
    report->end.usage.wall_time = length;
    cluster.ReportAs(cluster.WorkerOf(task), std::move(report));
  }
}

TaskId RunFor(TestCluster& cluster, absl::Duration age) {
  const TaskId task = SubmitKind(cluster);
  cluster.Started(task);
  cluster.Advance(age);
  return task;
}

TEST(Stragglers, AnAttemptIsMarkedWhenItRunsTwiceAsLongAsNineInTen) {
  TestCluster cluster(UnhurriedConfig());
  cluster.Join("a", 2);
  Teach(cluster, 20, absl::Seconds(45));
  const TaskId task = RunFor(cluster, absl::Seconds(90));
  EXPECT_FALSE(cluster.core().FindTask(task)->straggles.has_value()) << "twice is not more than twice";
  cluster.Advance(absl::Seconds(90));
  const auto view = cluster.core().FindTask(task);
  EXPECT_EQ(view->straggles, (UsualRunTime{absl::Seconds(45), 20}));
  EXPECT_EQ(view->reason, "runs for 3m, 4 times its usual 45s (p90 of 20 runs)");
  EXPECT_THAT(cluster.core().Explain(task)->sentence,
              HasSubstr("It straggles: it runs for 3m, 4 times its usual 45s (p90 of 20 runs)."));
}

TEST(Stragglers, WhatIsHardlyKnownIsNoMeasure) {
  TestCluster cluster(UnhurriedConfig());
  cluster.Join("a", 2);
  Teach(cluster, 9, absl::Seconds(1));
  const TaskId task = RunFor(cluster, absl::Hours(1));
  EXPECT_FALSE(cluster.core().FindTask(task)->straggles.has_value());
}

TEST(Stragglers, AShortCommandThatTakesAMomentIsNone) {
  TestCluster cluster(UnhurriedConfig());
  cluster.Join("a", 2);
  Teach(cluster, 20, absl::Milliseconds(5));
  const TaskId task = RunFor(cluster, absl::Seconds(10));
  EXPECT_FALSE(cluster.core().FindTask(task)->straggles.has_value()) << "2000 times its usual, and no trouble";
  cluster.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(cluster.core().FindTask(task)->straggles.has_value());
}

TEST(Stragglers, AreCountedWhileTheyRun) {
  TestCluster cluster(UnhurriedConfig());
  cluster.Join("a", 4);
  Teach(cluster, 20, absl::Seconds(1));
  const TaskId first = RunFor(cluster, absl::ZeroDuration());
  RunFor(cluster, absl::Minutes(1));
  EXPECT_EQ(cluster.core().counters().stragglers, 2u);
  cluster.Exit(first, 0);
  cluster.Advance(StragglerCount::kBetween);
  EXPECT_EQ(cluster.core().counters().stragglers, 1u);
}

TEST(Stragglers, ManyAttemptsAreCountedOverSeveralTurns) {
  TestCluster cluster(UnhurriedConfig());
  for (const char* name : {"a", "b", "c"}) cluster.Join(name, static_cast<uint32_t>(StragglerCount::kPerTurn));
  Teach(cluster, 20, absl::Seconds(1));
  const auto count = static_cast<int>(2 * StragglerCount::kPerTurn + 10);
  for (int i = 0; i < count; ++i) cluster.Started(SubmitKind(cluster));
  cluster.Advance(absl::Minutes(5));
  EXPECT_NE(cluster.core().counters().stragglers, static_cast<uint64_t>(count)) << "one turn does not look at all of them";
  cluster.Turn();
  cluster.Turn();
  EXPECT_EQ(cluster.core().counters().stragglers, static_cast<uint64_t>(count));
}

TEST(LongestRunning, TheLongestComesFirstAndWhatWaitsIsNotThere) {
  TestCluster cluster(UnhurriedConfig());
  cluster.Join("a", 1);
  cluster.Join("b", 2);
  const TaskId oldest = RunFor(cluster, absl::Seconds(5));
  const TaskId middle = RunFor(cluster, absl::Seconds(5));
  const TaskId newest = RunFor(cluster, absl::Seconds(5));
  SubmitKind(cluster);  // no room
  EXPECT_THAT(cluster.core().LongestRunning(10), ElementsAre(oldest, middle, newest));
  EXPECT_THAT(cluster.core().LongestRunning(2), ElementsAre(oldest, middle));
}

TEST(LongestRunning, AMastersRestartDoesNotMakeAnAttemptYoung) {
  TestCluster cluster(UnhurriedConfig());
  cluster.Join("a", 2);
  const TaskId task = RunFor(cluster, absl::Hours(3));
  const AttemptKey key = cluster.KeyOf(task);
  cluster.Restart(UnhurriedConfig());
  cluster.Join("a", 2, {{key, HeldAttempt::Phase::kRunning}});
  ASSERT_EQ(cluster.StateOf(task), TaskState::kRunning);
  EXPECT_GE(cluster.now() - cluster.core().FindTask(task)->started, absl::Hours(3));
}

}  // namespace
}  // namespace muster::core
