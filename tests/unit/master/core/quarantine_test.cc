// The real core and workers that go wrong: who is put aside, how little is lost to it, and how it comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <set>
#include <utility>

#include "tests/support/test_cluster.h"

namespace muster::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr uint64_t kHonestWork = 7;
constexpr uint64_t kMissingProgram = 99;

core::CoreConfig NeverLost(BalancerKind balancer) {
  core::CoreConfig config;
  config.placement.balancer = balancer;
  config.heartbeat = absl::Hours(100);
  config.lost_after = absl::Hours(1000);
  return config;
}

// Six workers of four slots and a clock that jumps to what comes next. How an attempt ends is asked of `behave`.
class FleetOfSix {
 public:
  struct Behaviour {
    absl::Duration run_time = absl::Seconds(1);
    EndReason reason = EndReason::kExited;
    int code = 0;
  };
  using Behave = std::function<Behaviour(const std::string& worker, const TaskSpec& spec)>;

  explicit FleetOfSix(Behave behave, BalancerKind balancer = BalancerKind::kLeastLoaded)
      : cluster(NeverLost(balancer)), behave_(std::move(behave)) {
    for (const char* name : {"w1", "w2", "w3", "w4", "w5", "w6"}) {
      cluster.Join(name, 4);
      names_[cluster.worker(name).id] = name;
    }
  }

  TaskId Submit(uint64_t fingerprint, uint32_t max_attempts) {
    const TaskId task = cluster.Submit(Spec([&](TaskSpec& spec) {
      spec.fingerprint = fingerprint;
      spec.retry.max_attempts = max_attempts;
    }));
    Take();
    tasks_.insert(task);
    return task;
  }

  // Until so many are open at most.
  void RunDownTo(size_t open) {
    while (cluster.core().OpenTasks(TaskId(UINT64_MAX), open + 1).size() > open) Step();
  }

  void Step() {
    const absl::Time due = cluster.core().NextDue();
    if (ends_.empty() || due < ends_.begin()->first) {
      ASSERT_NE(due, absl::InfiniteFuture()) << "nothing happens any more";
      cluster.Advance(std::max(absl::ZeroDuration(), due - cluster.now()));
      return Take();
    }
    const auto next = ends_.begin();
    const auto [worker, report] = next->second;
    cluster.SetClock(std::max(cluster.now(), next->first));
    ends_.erase(next);
    cluster.ReportAs(worker, report);
    Take();
  }

  size_t attempts_on(const std::string& worker) { return attempts_[worker]; }
  WorkerView View(const std::string& worker) { return *cluster.core().FindWorker(worker); }
  size_t InState(WorkerState state) {
    size_t count = 0;
    for (const WorkerView& view : cluster.core().Workers()) count += view.state == state ? 1 : 0;
    return count;
  }

  TestCluster cluster;

 private:
  // What was sent is started, and will end.
  void Take() {
    for (auto sent = cluster.Seen<core::Assign>(); !sent.empty();) {
      std::vector<core::Assign> more;
      for (const core::Assign& assign : sent) {
        const std::string& worker = names_.at(assign.worker);
        ++attempts_[worker];
        const Behaviour how = behave_(worker, *assign.spec);
        const bool starts = how.reason != EndReason::kStartFailed;
        auto report = std::make_shared<AttemptReport>(*Report(assign.key, how.reason, how.code, starts));
        report->end.usage.wall_time = how.run_time;
        ends_.emplace(cluster.now() + how.run_time, std::make_pair(worker, report));
        if (!starts) continue;
        cluster.StartedAs(worker, assign.key);
        for (const core::Assign& next : cluster.Seen<core::Assign>()) more.push_back(next);
      }
      sent = std::move(more);
    }
  }

  Behave behave_;
  std::map<WorkerId, std::string> names_;
  std::multimap<absl::Time, std::pair<std::string, AttemptReportPtr>> ends_;
  std::map<std::string, size_t> attempts_;
  std::set<TaskId> tasks_;
};

FleetOfSix::Behaviour BlackHoleAtSix(const std::string& worker, absl::Duration honest) {
  if (worker == "w6") return {absl::Milliseconds(2), EndReason::kExited, 1};
  return {honest, EndReason::kExited, 0};
}

class BlackHole : public ::testing::TestWithParam<std::pair<absl::Duration, BalancerKind>> {};

TEST_P(BlackHole, TakesLessThanTwoPercentOfTenThousandTasksBeforeItIsPutAside) {
  constexpr int kTasks = 10'000;
  FleetOfSix fleet([](const std::string& worker, const TaskSpec&) { return BlackHoleAtSix(worker, GetParam().first); },
                   GetParam().second);
  size_t before = 0;
  std::vector<TaskId> tasks;
  for (int i = 0; i < kTasks; ++i) {
    tasks.push_back(fleet.Submit(kHonestWork, 5));
    fleet.RunDownTo(40);
    if (before == 0 && fleet.View("w6").state == WorkerState::kQuarantined) before = fleet.attempts_on("w6");
  }
  fleet.RunDownTo(0);
  EXPECT_GT(before, 0u);
  EXPECT_LT(before, kTasks * 2 / 100);
  // After that nothing but its probes and what was under way.
  EXPECT_LE(fleet.attempts_on("w6"), before + 4 + fleet.cluster.core().counters().quarantine_probes);
  std::cout << "w6 took " << before << " of " << kTasks << " tasks before it was put aside\n";
  for (const TaskId task : tasks) ASSERT_EQ(fleet.cluster.StateOf(task), TaskState::kSucceeded);
  EXPECT_EQ(fleet.InState(WorkerState::kQuarantined), 1u);
}

INSTANTIATE_TEST_SUITE_P(Quarantine, BlackHole,
                         ::testing::Values(std::pair(absl::Milliseconds(20), BalancerKind::kLeastLoaded),
                                           std::pair(absl::Seconds(1), BalancerKind::kLeastLoaded),
                                           std::pair(absl::Minutes(10), BalancerKind::kLeastLoaded),
                                           std::pair(absl::Seconds(1), BalancerKind::kLocality)));

TEST(Quarantine, AMapOfAMissingProgramQuarantinesNobody) {
  FleetOfSix fleet([](const std::string&, const TaskSpec& spec) {
    if (spec.fingerprint == kMissingProgram) {
      return FleetOfSix::Behaviour{absl::Milliseconds(1), EndReason::kStartFailed, 0};
    }
    return FleetOfSix::Behaviour{};
  });
  for (int i = 0; i < 1000; ++i) {
    fleet.Submit(i % 4 == 0 ? kHonestWork : kMissingProgram, 2);
    fleet.RunDownTo(40);
    ASSERT_EQ(fleet.InState(WorkerState::kActive), 6u);
  }
  fleet.RunDownTo(0);
  EXPECT_EQ(fleet.InState(WorkerState::kActive), 6u);
  EXPECT_EQ(fleet.cluster.core().counters().workers_quarantined, 0u);
}

TEST(Quarantine, FourBlackHolesOfSixNeverTakeMoreThanAThirdOutOfService) {
  FleetOfSix fleet([](const std::string& worker, const TaskSpec&) {
    return worker > "w2" ? FleetOfSix::Behaviour{absl::Milliseconds(300), EndReason::kExited, 1} : FleetOfSix::Behaviour{};
  });
  for (int i = 0; i < 500; ++i) {
    fleet.Submit(kHonestWork, 20);
    fleet.RunDownTo(40);
    ASSERT_LE(fleet.InState(WorkerState::kQuarantined), 2u);
  }
}

// Until w6 is put aside.
void MakeABlackHole(FleetOfSix& fleet) {
  for (int i = 0; i < 500 && fleet.View("w6").state != WorkerState::kQuarantined; ++i) {
    fleet.Submit(kHonestWork, 5);
    fleet.RunDownTo(40);
  }
  ASSERT_EQ(fleet.View("w6").state, WorkerState::kQuarantined);
}

TEST(Quarantine, OneAttemptOpensItWhenItsCauseIsGone) {
  bool repaired = false;
  FleetOfSix fleet([&repaired](const std::string& worker, const TaskSpec&) {
    return repaired ? FleetOfSix::Behaviour{absl::Seconds(3)} : BlackHoleAtSix(worker, absl::Seconds(1));
  });
  MakeABlackHole(fleet);
  EXPECT_THAT(fleet.View("w6").reason, HasSubstr("one attempt is tried after 30s"));
  repaired = true;
  const absl::Time since = fleet.cluster.now();
  const size_t before = fleet.attempts_on("w6");
  while (fleet.attempts_on("w6") == before) {
    fleet.Submit(kHonestWork, 5);
    fleet.RunDownTo(40);
  }
  EXPECT_GE(fleet.cluster.now() - since, absl::Seconds(28));
  EXPECT_LE(fleet.cluster.now() - since, absl::Seconds(32));
  EXPECT_EQ(fleet.View("w6").used.slots, 1u);
  EXPECT_EQ(fleet.View("w6").state, WorkerState::kQuarantined);
  EXPECT_THAT(fleet.View("w6").reason, HasSubstr("one attempt is tried now"));
  for (int i = 0; i < 100; ++i) {
    fleet.Submit(kHonestWork, 5);
    fleet.RunDownTo(40);
    if (fleet.View("w6").state == WorkerState::kActive) break;
    ASSERT_EQ(fleet.View("w6").used.slots, 1u);  // one, and no other beside it
  }
  EXPECT_EQ(fleet.View("w6").state, WorkerState::kActive);
  fleet.RunDownTo(0);
}

TEST(Quarantine, AProbeWaitsForTheSession) {
  FleetOfSix fleet([](const std::string& worker, const TaskSpec&) { return BlackHoleAtSix(worker, absl::Seconds(1)); });
  MakeABlackHole(fleet);
  fleet.RunDownTo(0);
  fleet.cluster.CloseSession("w6");
  fleet.cluster.Advance(absl::Seconds(31));
  for (int i = 0; i < 60; ++i) fleet.Submit(kHonestWork, 5);  // more than the others have room for
  EXPECT_EQ(fleet.View("w6").used.slots, 0u);
  fleet.cluster.Hello("w6");
  EXPECT_EQ(fleet.View("w6").used.slots, 1u);
}

TEST(Quarantine, APersonsWordEndsItAtOnceAndANewProcessDoesToo) {
  FleetOfSix fleet([](const std::string& worker, const TaskSpec&) { return BlackHoleAtSix(worker, absl::Seconds(1)); });
  MakeABlackHole(fleet);
  fleet.cluster.Apply(core::ResumeWorker{.call = CallId(9001), .name = "w6"});
  EXPECT_EQ(fleet.cluster.Seen<core::WorkerAnswer>().front().worker.state, WorkerState::kActive);
  FleetOfSix other([](const std::string& worker, const TaskSpec&) { return BlackHoleAtSix(worker, absl::Seconds(1)); });
  MakeABlackHole(other);
  other.RunDownTo(0);
  other.cluster.Reincarnate("w6");
  EXPECT_EQ(other.View("w6").state, WorkerState::kActive);
}

TEST(Quarantine, ADrainOfOneThatWasPutAsideShowsAsADrainAndLeavesItsPlaceToAnother) {
  FleetOfSix fleet([](const std::string& worker, const TaskSpec&) { return BlackHoleAtSix(worker, absl::Seconds(1)); });
  MakeABlackHole(fleet);
  fleet.cluster.Apply(core::DrainWorker{.call = CallId(9001), .name = "w6"});
  EXPECT_EQ(fleet.View("w6").state, WorkerState::kDraining);
  fleet.cluster.Apply(core::ResumeWorker{.call = CallId(9002), .name = "w6"});
  EXPECT_EQ(fleet.View("w6").state, WorkerState::kActive);  // a clean sheet
}

TEST(Quarantine, ByHandItTakesNothingKeepsWhatRunsAndOutlivesARestart) {
  TestCluster cluster;
  cluster.Join("a", 2);
  const TaskId running = cluster.Submit(Spec());
  cluster.Started(running);
  cluster.Apply(core::QuarantineWorker{.call = CallId(9001), .name = "a", .reason = "disk errors"});
  EXPECT_EQ(cluster.Seen<core::WorkerAnswer>().front().worker.state, WorkerState::kQuarantined);
  EXPECT_TRUE(cluster.Seen<core::SendDrain>().empty());
  const TaskId waiting = cluster.Submit(Spec());
  EXPECT_EQ(cluster.StateOf(waiting), TaskState::kQueued);
  EXPECT_THAT(cluster.ReasonOf(waiting), HasSubstr("QUARANTINED: disk errors"));
  cluster.Exit(running, 0);
  EXPECT_EQ(cluster.StateOf(running), TaskState::kSucceeded);
  EXPECT_EQ(cluster.StateOf(waiting), TaskState::kQueued);

  cluster.Restart();
  cluster.Join("a", 2);
  EXPECT_EQ(cluster.core().FindWorker("a")->state, WorkerState::kQuarantined);
  EXPECT_EQ(cluster.core().FindWorker("a")->reason, "disk errors");
  cluster.Apply(core::ResumeWorker{.call = CallId(9002), .name = "a"});
  EXPECT_EQ(cluster.StateOf(waiting), TaskState::kDispatched);
  cluster.Restart();
  cluster.Join("a", 2, {{cluster.KeyOf(waiting), core::HeldAttempt::Phase::kRunning}});
  EXPECT_EQ(cluster.core().FindWorker("a")->state, WorkerState::kActive);
}

TEST(Quarantine, AShutdownThatEndsItsDrainsLeavesAQuarantineByHandAlone) {
  TestCluster cluster;
  cluster.Join("a", 2);
  cluster.Apply(core::QuarantineWorker{.call = CallId(9001), .name = "a", .reason = ""});
  cluster.Apply(core::DrainWorker{.call = CallId(9002), .name = "a"});
  cluster.Apply(core::StopMaster{"over", {"a"}});
  cluster.Restart();
  cluster.Join("a", 2);
  EXPECT_EQ(cluster.core().FindWorker("a")->state, WorkerState::kQuarantined);
  EXPECT_EQ(cluster.core().FindWorker("a")->reason, "by hand");
}

TEST(Quarantine, WhatWasSentAheadIsAskedBack) {
  TestCluster cluster;
  cluster.Join("a", 1);
  for (int i = 0; i < 3; ++i) cluster.Exit(cluster.Submit(Spec()), 0);  // known to be short from now on
  for (int i = 0; i < 5; ++i) cluster.Submit(Spec());
  ASSERT_EQ(cluster.core().FindWorker("a")->prefetched, 4u);
  cluster.Apply(core::QuarantineWorker{.call = CallId(9001), .name = "a", .reason = ""});
  EXPECT_THAT(cluster.Seen<core::Recall>(), SizeIs(4));
}

TEST(Quarantine, ByHandAndUnknownIsRefused) {
  TestCluster cluster;
  cluster.Apply(core::QuarantineWorker{.call = CallId(9001), .name = "nobody", .reason = ""});
  EXPECT_EQ(cluster.Seen<core::WorkerAnswer>().front().status.code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace muster::testing
