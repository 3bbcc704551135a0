#include "master/core/run_time_writer.h"

#include <gtest/gtest.h>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Report;
using testing::Spec;
using testing::TestCluster;

CoreConfig QuietConfig() {
  CoreConfig config;
  config.heartbeat = absl::Hours(1000);
  config.lost_after = absl::Hours(10000);
  config.describe = [](const TaskSpec& spec) { return "kind " + std::to_string(spec.fingerprint); };
  return config;
}

// Runs a task of the kind; how many rows of run times were written meanwhile.
size_t RunKind(TestCluster& cluster, uint64_t kind, absl::Duration length, int code = 0) {
  const TaskId task = cluster.Submit(Spec([kind](TaskSpec& spec) { spec.fingerprint = kind; }));
  const size_t with_submit = cluster.transaction().run_times.learned.size();
  auto report = std::make_shared<AttemptReport>(*Report(cluster.KeyOf(task), EndReason::kExited, code));
  report->end.usage.wall_time = length;
  cluster.ReportAs(cluster.WorkerOf(task), std::move(report));
  return with_submit + cluster.transaction().run_times.learned.size();
}

TEST(RunTimeWriter, WhatWasLearnedIsThereAfterAKill) {
  TestCluster cluster(QuietConfig());
  cluster.Join("a", 2);
  for (int i = 0; i < 12; ++i) {
    RunKind(cluster, 5, absl::Seconds(i), i == 0 ? 3 : 0);
    cluster.Advance(RunTimeWriter::kBetween);
  }
  const std::vector<LearnedRunTimes> before = cluster.core().RunTimes(10);
  ASSERT_EQ(before.size(), 1u);
  EXPECT_EQ(before[0].command, "kind 5");
  EXPECT_EQ(before[0].runs, 12u);
  EXPECT_EQ(before[0].failures, 1u);
  EXPECT_EQ(before[0].places, (std::vector<LearnedRunTimes::Place>{{"a", 12}}));
  cluster.Restart(QuietConfig());
  EXPECT_EQ(cluster.core().RunTimes(10), before);
}

// A command that is validated: how it ended, and how long it and its validation took.
void RunValidated(TestCluster& cluster, EndReason reason, int code, absl::Duration run, absl::Duration validation) {
  const TaskId task = cluster.Submit(Spec([](TaskSpec& spec) {
    spec.fingerprint = 9;
    spec.accepted_exit_codes = {0, 24};
  }));
  auto report = std::make_shared<AttemptReport>(*Report(cluster.KeyOf(task), reason, code));
  report->end.usage.wall_time = run;
  report->start_time = cluster.now();
  report->end_time = cluster.now() + run + validation;
  cluster.ReportAs(cluster.WorkerOf(task), std::move(report));
}

TEST(RunTimeWriter, AnExitCodeThatIsAcceptedIsNoFailureAndAFailedValidationIsOne) {
  TestCluster cluster(QuietConfig());
  cluster.Join("a", 2);
  for (int i = 0; i < 3; ++i) RunValidated(cluster, EndReason::kExited, 24, absl::Seconds(1), absl::ZeroDuration());
  ASSERT_EQ(cluster.core().RunTimes(10).size(), 1u);
  EXPECT_EQ(cluster.core().RunTimes(10)[0].failures, 0u);
  for (int i = 0; i < 2; ++i) RunValidated(cluster, EndReason::kValidationFailed, 0, absl::Seconds(1), absl::ZeroDuration());
  EXPECT_EQ(cluster.core().RunTimes(10)[0].runs, 5u);
  EXPECT_EQ(cluster.core().RunTimes(10)[0].failures, 2u);
}

TEST(RunTimeWriter, AValidationTakesTheSlotAndCounts) {
  TestCluster cluster(QuietConfig());
  cluster.Join("a", 2);
  for (int i = 0; i < 5; ++i) RunValidated(cluster, EndReason::kValidationFailed, 0, absl::Milliseconds(10), absl::Seconds(60));
  const std::vector<LearnedRunTimes> learned = cluster.core().RunTimes(10);
  ASSERT_EQ(learned.size(), 1u);
  EXPECT_EQ(learned[0].newest.back(), absl::Milliseconds(60'010));
  const auto submit = [&cluster] { return cluster.Submit(Spec([](TaskSpec& spec) { spec.fingerprint = 9; })); };
  submit();
  submit();
  EXPECT_EQ(cluster.core().FindWorker("a")->used.slots, 2u) << "they were no failures at once, after which it takes one at a time";
  EXPECT_EQ(cluster.StateOf(submit()), TaskState::kQueued) << "nothing is sent ahead to wait for a minute";
}

TEST(RunTimeWriter, ItWritesAtMostEverySoOftenHoweverManyTasksEnd) {
  TestCluster cluster(QuietConfig());
  cluster.Join("a", 2);
  size_t writes = 0;
  for (int i = 0; i < 100; ++i) {
    writes += RunKind(cluster, 5, absl::Seconds(1));
    cluster.Advance(absl::Milliseconds(250));
  }
  EXPECT_EQ(writes, 3u) << "in 25 seconds: at the third run, and two times ten seconds after the one before";
}

TEST(RunTimeWriter, NothingIsSyncedForItAlone) {
  TestCluster cluster(QuietConfig());
  cluster.Join("a", 2);
  for (int i = 0; i < 4; ++i) RunKind(cluster, 5, absl::Seconds(1));
  cluster.Advance(absl::Hours(1));
  EXPECT_TRUE(cluster.transaction().run_times.learned.empty()) << "it is known better now, and no commit comes by";
  EXPECT_FALSE(cluster.transaction().NeedsSync());
  cluster.Submit(Spec());
  EXPECT_EQ(cluster.transaction().run_times.learned.size(), 1u);
}

TEST(RunTimeWriter, MuchThatIsNewIsWrittenInPartsAndAtACleanEndAllAtOnce) {
  TestCluster cluster(QuietConfig());
  cluster.Join("a", 2);
  for (uint64_t kind = 1; kind <= RunTimeWriter::kPart + 20; ++kind) {
    for (int i = 0; i < 3; ++i) RunKind(cluster, kind, absl::Seconds(1));
  }
  cluster.Advance(RunTimeWriter::kBetween);
  cluster.Submit(Spec());
  EXPECT_EQ(cluster.transaction().run_times.learned.size(), RunTimeWriter::kPart);
  cluster.Apply(StopMaster{.reason = "the end"});
  EXPECT_EQ(cluster.transaction().run_times.learned.size(), 19u) << "one was written when it came third";
  cluster.Restart(QuietConfig());
  EXPECT_EQ(cluster.core().RunTimes(10'000).size(), RunTimeWriter::kPart + 20);
}

}  // namespace
}  // namespace muster::core
