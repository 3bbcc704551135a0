#include "master/simulate/cluster_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "common/domain/balancer_kind.h"

namespace muster::simulate {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr absl::Duration kSecond = absl::Seconds(1);

Trace TraceOf(std::vector<Job> jobs) {
  Trace trace;
  trace.kinds = {{"default", "ann"}, {"default", "bob"}};
  trace.jobs = std::move(jobs);
  Order(&trace);
  return trace;
}

std::vector<absl::Duration> Waits(const Trace& trace, const RunOptions& options) {
  const absl::StatusOr<Outcome> outcome = RunTrace(trace, options);
  EXPECT_TRUE(outcome.ok()) << outcome.status();
  return outcome.ok() ? outcome->waits : std::vector<absl::Duration>();
}

double MeanSeconds(const std::vector<absl::Duration>& waits) {
  return absl::ToDoubleSeconds(std::accumulate(waits.begin(), waits.end(), absl::ZeroDuration())) /
         static_cast<double>(waits.size());
}

// One server with a load of 0.8 and a mean run time of a second.
Trace RandomTrace(int count, bool equal_run_times) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> between(0.8), run_time(1);
  std::vector<Job> jobs;
  absl::Duration at;
  for (int i = 0; i < count; ++i) {
    at += absl::Seconds(between(random));
    jobs.push_back({at, equal_run_times ? kSecond : absl::Seconds(run_time(random))});
  }
  return TraceOf(std::move(jobs));
}

TEST(RunTraceTest, OneSlotServesInOrder) {
  const Trace trace = TraceOf({{absl::ZeroDuration(), kSecond}, {absl::ZeroDuration(), kSecond}, {kSecond / 2, kSecond}});
  const absl::StatusOr<Outcome> outcome = RunTrace(trace, {.fleet = {1}});
  ASSERT_TRUE(outcome.ok());
  EXPECT_THAT(outcome->waits, ElementsAre(absl::ZeroDuration(), kSecond, 1.5 * kSecond));
  EXPECT_EQ(outcome->makespan, 3 * kSecond);
}

TEST(RunTraceTest, AsManyRunAtOnceAsThereAreSlots) {
  const Trace trace = TraceOf(std::vector<Job>(7, {absl::ZeroDuration(), kSecond}));
  for (const std::string& balancer : BalancerNames()) {
    const absl::StatusOr<Outcome> outcome = RunTrace(trace, {.fleet = {2, 1, 4}, .balancer = balancer});
    ASSERT_TRUE(outcome.ok());
    EXPECT_THAT(outcome->waits, Each(absl::ZeroDuration())) << balancer;
    EXPECT_EQ(outcome->makespan, kSecond) << balancer;
  }
}

TEST(RunTraceTest, WhatIsWiderThanEveryWorkerNeverRunsAndHoldsUpNobody) {
  const Trace trace = TraceOf({{absl::ZeroDuration(), kSecond, 3}, {absl::ZeroDuration(), kSecond, 2}});
  EXPECT_THAT(Waits(trace, {.fleet = {2, 2}}), ElementsAre(Outcome::kNever, absl::ZeroDuration()));
}

TEST(RunTraceTest, EachStartWaitsForItsTurnaround) {
  const Trace trace = TraceOf({{absl::ZeroDuration(), 10 * kSecond}, {absl::ZeroDuration(), 10 * kSecond}});
  EXPECT_THAT(Waits(trace, {.fleet = {1}, .turnaround = kSecond}), ElementsAre(kSecond, 12 * kSecond));
}

// What queueing theory says of one server: the real core must not be better or worse than first come, first served.
// Source: Pollaczek and Khinchine; for a load of 0.8 a mean wait of 4 s with exponential run times, 2 s with equal ones.
TEST(RunTraceTest, WaitsAreThoseThatTheoryExpectsOfOneServer) {
  EXPECT_NEAR(MeanSeconds(Waits(RandomTrace(300'000, false), {.fleet = {1}})), 4.0, 0.2);
  EXPECT_NEAR(MeanSeconds(Waits(RandomTrace(100'000, true), {.fleet = {1}})), 2.0, 0.1);
}

TEST(RunTraceTest, TheSameTraceGivesTheSameOutcome) {
  const Trace trace = RandomTrace(20'000, false);
  EXPECT_EQ(Waits(trace, {.fleet = {1, 1, 2}}), Waits(trace, {.fleet = {1, 1, 2}}));
}

TEST(RunTraceTest, WithoutASlotOrAKnownBalancerItIsRefused) {
  EXPECT_FALSE(RunTrace(TraceOf({{}}), {.fleet = {}}).ok());
  EXPECT_FALSE(RunTrace(TraceOf({{}}), {.fleet = {0, 0}}).ok());
  EXPECT_FALSE(RunTrace(TraceOf({{}}), {.fleet = {1}, .balancer = "best"}).ok());
}

TEST(TraceTest, TheLastHourBeginsAnHourBeforeTheLastArrival) {
  Trace trace = TraceOf({{absl::Minutes(10)}, {absl::Minutes(80)}, {absl::Minutes(130)}});
  trace.mean_wait = kSecond;
  KeepLast(absl::Hours(1), &trace);
  ASSERT_EQ(trace.jobs.size(), 2u);
  EXPECT_EQ(trace.jobs[1].arrival, absl::Minutes(50));
  EXPECT_FALSE(trace.mean_wait.has_value()) << "it was that of all";
}

}  // namespace
}  // namespace muster::simulate
