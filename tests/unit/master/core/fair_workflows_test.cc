// Many workflows at once: every bound is kept at every step, and they share the slots.
//
// What is called fair here, of workflows of the same weight in one queue:
//  * Those that always have more to start, start equally often: over times in which each starts a dozen and more, none is more
//    than a quarter from the mean. A few tasks of each stand in line at a time, so a place or two of luck is about a tenth.
//  * A narrow one is not made to wait for the width of the others. With N workflows on S slots an equal share lets
//    it start one task each N/S of a task's time (or as fast as its tasks run, where slots abound); it must be done in three
//    times that. Two are what a line costs in which each of the others has two tasks, one is its own task's time.
//  * Nobody starves: all end. And none of this leaves slots idle while there is work.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "master/core/workflow_fill.h"
#include "tests/support/sanitized.h"
#include "tests/support/workflow_crowd.h"

namespace muster::core {
namespace {

using muster::testing::Chain;
using muster::testing::Fan;
using muster::testing::WorkflowCrowd;

constexpr uint64_t kWindow = 12;  // starts of each

struct Scene {
  uint64_t flows;
  uint64_t first;     // width of the one that comes first
  uint64_t wide;      // of every other one
  uint32_t chain;     // length of the others
};

// Of one that always had more to start: how often it did from one time to the other.
uint64_t StartsIn(const WorkflowCrowd::Flow& flow, absl::Time from, absl::Time to) {
  return std::upper_bound(flow.starts.begin(), flow.starts.end(), to) - std::upper_bound(flow.starts.begin(), flow.starts.end(), from);
}

void ExpectEqualShares(const std::vector<const WorkflowCrowd::Flow*>& wide, absl::Duration window) {
  absl::Time from = absl::InfinitePast(), end = absl::InfiniteFuture();
  for (const auto* flow : wide) from = std::max(from, flow->starts[2]);            // all fan out
  for (const auto* flow : wide) end = std::min(end, flow->starts[flow->tasks - 2]);  // the last of its width
  int windows = 0;
  for (; from + window <= end; from += window, ++windows) {
    uint64_t all = 0, least = UINT64_MAX, most = 0;
    for (const auto* flow : wide) {
      const uint64_t starts = StartsIn(*flow, from, from + window);
      all += starts;
      least = std::min(least, starts);
      most = std::max(most, starts);
    }
    const double mean = static_cast<double>(all) / static_cast<double>(wide.size());
    ASSERT_GE(least, 0.75 * mean) << "in window " << windows << ", most is " << most;
    ASSERT_LE(most, 1.25 * mean) << "in window " << windows << ", least is " << least;
  }
  EXPECT_GE(windows, 2) << "all were wide for too short a time to tell";
}

void ExpectFair(const Scene& scene) {
  WorkflowCrowd crowd({}, {8, 8, 8, 8}, 1);
  std::vector<const WorkflowCrowd::Flow*> wide;
  std::vector<size_t> wide_ones = {crowd.Submit(Fan(scene.first))}, narrow_ones;
  for (uint64_t i = 1; i < scene.flows; ++i) {
    if (i % 2 == 0) wide_ones.push_back(crowd.Submit(Fan(scene.wide)));
    else narrow_ones.push_back(crowd.Submit(Chain(scene.chain)));
  }
  crowd.Run();
  ASSERT_FALSE(::testing::Test::HasFatalFailure());
  for (const WorkflowCrowd::Flow& flow : crowd.flows()) {
    ASSERT_EQ(flow.state, WorkflowState::kSucceeded) << "workflow " << flow.id.value() << " starves";
    ASSERT_EQ(flow.starts.size(), flow.tasks);
  }
  for (const size_t index : wide_ones) wide.push_back(&crowd.flow(index));
  // In which each of those that share the slots starts kWindow tasks of a second.
  const double a_turn = std::max(1.0, static_cast<double>(scene.flows) / static_cast<double>(crowd.slots()));
  ExpectEqualShares(wide, absl::Seconds(kWindow * a_turn));
  for (const size_t index : narrow_ones) {
    const WorkflowCrowd::Flow& chain = crowd.flow(index);
    ASSERT_LE(chain.ended - chain.submitted, absl::Seconds(3 * scene.chain * a_turn)) << "narrow workflow " << index;
  }
  const absl::Duration whole = crowd.now() - crowd.flow(0).submitted;
  EXPECT_GE(absl::FDivDuration(crowd.busy(), whole) / static_cast<double>(crowd.slots()), 0.98) << "slots were idle";
}

TEST(FairWorkflowsTest, FiftyOfDifferentWidthShareTheSlots) { ExpectFair({50, 10'000, 600, 40}); }

TEST(FairWorkflowsTest, AThousandOfDifferentWidthShareTheSlots) {
  ExpectFair(kSanitized ? Scene{300, 2000, 100, 10} : Scene{1000, 5000, 100, 10});
}

TEST(FairWorkflowsTest, ANarrowOneBesideAWideOneOnTwoSlotsDoesNotWaitForItsWidth) {
  WorkflowCrowd crowd({}, {2}, 1);
  crowd.Submit(Fan(1000));
  const size_t narrow = crowd.Submit(Chain(20));
  crowd.Run();
  EXPECT_LE(crowd.flow(narrow).ended - crowd.flow(narrow).submitted, absl::Seconds(3 * 20));
}

TEST(FairWorkflowsTest, OneThatCanRunHasAllSlotsBesideManyThatCannot) {
  WorkflowCrowd crowd({}, {8, 8}, 1);
  crowd.Apply(PauseQueue{.name = "shut"});
  for (int i = 0; i < (kSanitized ? 8 : 60); ++i) {
    SubmitWorkflow held = Fan(kSanitized ? 50 : 500);
    for (NewNode& node : held.nodes) node.spec->queue = "shut";
    held.nodes[0].spec->queue = "default";  // what it fans out to is held up
    crowd.Submit(std::move(held));
  }
  const size_t open = crowd.Submit(Fan(kSanitized ? 2000 : 3000));
  crowd.Run();
  ASSERT_EQ(crowd.flow(open).state, WorkflowState::kSucceeded);
  EXPECT_GE(absl::FDivDuration(crowd.busy(), crowd.flow(open).ended - crowd.flow(open).submitted) / 16, 0.98);
}

TEST(FairWorkflowsTest, TasksThatEndAtOnceDoNotWaitForTheirLine) {
  WorkflowCrowd crowd({}, {16}, 1, absl::Milliseconds(4));
  const size_t flow = crowd.Submit(Fan(20'000));
  crowd.Run();
  EXPECT_GE(absl::FDivDuration(crowd.busy(), crowd.flow(flow).ended - crowd.flow(flow).submitted) / 16, 0.98);
}

// 400 tasks that have the lower ids and 100 that are as all others; none needs another.
SubmitWorkflow FourHundredBefore(const std::function<void(TaskSpec* spec)>& make_special) {
  SubmitWorkflow made = Chain(500);
  auto spec = std::make_shared<WorkflowSpec>(*made.workflow);
  for (WorkflowNode& node : spec->nodes) node.needs.clear();
  made.workflow = std::move(spec);
  for (size_t node = 0; node < 400; ++node) make_special(made.nodes[node].spec.get());
  return made;
}

void ExpectTheOthersRun(WorkflowCrowd* crowd, size_t flow) {
  crowd->Run();
  EXPECT_EQ(crowd->flow(flow).starts.size(), 100u) << "those that nothing can run hold up those that a worker could take";
  EXPECT_LE(crowd->now() - crowd->flow(flow).submitted, absl::Seconds(100 / 4 * 1.2)) << "slots were idle";
}

TEST(FairWorkflowsTest, ThoseThatNoWorkerCanRunDoNotHoldUpTheirSiblings) {
  WorkflowCrowd crowd({}, {4}, 1);
  const size_t flow = crowd.Submit(FourHundredBefore([](TaskSpec* spec) { spec->requirements.needs = {{"gpu", ""}}; }));
  ExpectTheOthersRun(&crowd, flow);
}

TEST(FairWorkflowsTest, ThoseOfAPausedQueueDoNotHoldUpTheirSiblings) {
  WorkflowCrowd crowd({}, {4}, 1);
  crowd.Apply(PauseQueue{.name = "shut"});
  const size_t flow = crowd.Submit(FourHundredBefore([](TaskSpec* spec) { spec->queue = "shut"; }));
  ExpectTheOthersRun(&crowd, flow);
}

TEST(FairWorkflowsTest, ThoseOfOneKeyDoNotHoldUpTheirSiblings) {
  WorkflowCrowd crowd({}, {4}, 1);
  const size_t flow = crowd.Submit(FourHundredBefore([](TaskSpec* spec) {
    spec->limit_key = "licence";
    spec->limit = 1;
  }));
  crowd.Run();
  ASSERT_EQ(crowd.flow(flow).state, WorkflowState::kSucceeded);
  // About sixty of them, one after the other, and all others beside them.
  const absl::Time begin = crowd.flow(flow).submitted;
  EXPECT_GE(StartsIn(crowd.flow(flow), begin - absl::Seconds(1), begin + absl::Seconds(60)), 150u) << "the others ran after them";
}

TEST(FairWorkflowsTest, WhatGoesBeforeItsSiblingsKeepsTheBoundOfItsWorkflow) {
  WorkflowCrowd crowd({}, {4}, 1);
  SubmitWorkflow submit = FourHundredBefore([](TaskSpec* spec) { spec->requirements.needs = {{"gpu", ""}}; });
  auto spec = std::make_shared<WorkflowSpec>(*submit.workflow);
  spec->max_parallel = 3;  // and three that nothing can run are queued
  submit.workflow = std::move(spec);
  const size_t flow = crowd.Submit(std::move(submit));
  crowd.Run();  // looks at the bound at each step
  EXPECT_TRUE(crowd.flow(flow).starts.empty());
}

TEST(FairWorkflowsTest, LookingForSiblingsEndsWhenAllWereLookedAt) {
  constexpr int kFlows = kSanitized ? 3 : 20;
  WorkflowCrowd crowd({}, {4}, 1);
  for (int i = 0; i < kFlows; ++i) {
    crowd.Submit(FourHundredBefore([](TaskSpec* spec) { spec->requirements.needs = {{"gpu", ""}}; }));
  }
  crowd.Run();
  const uint64_t before = crowd.turns();
  crowd.Apply(PauseQueue{.name = "elsewhere"});
  crowd.Run();
  EXPECT_LE(crowd.turns() - before, kFlows * 400 / WorkflowFill::kLooks + 3);
}

void ExpectLimitsKept(uint64_t flows, uint64_t wide) {
  CoreConfig config;
  config.workflows_max_running = 7;
  config.workflows_max_parallel = 5;
  WorkflowCrowd crowd(config, {1, 3, 8, 12}, 2);
  for (uint64_t i = 0; i < flows; ++i) {
    SubmitWorkflow submit = i % 3 == 0 ? Chain(5) : Fan(i == 1 ? 20 * wide : wide);
    if (i % 2 == 0) {
      auto spec = std::make_shared<WorkflowSpec>(*submit.workflow);
      spec->max_parallel = static_cast<uint32_t>(1 + i % 4);
      submit.workflow = std::move(spec);
    }
    crowd.Submit(std::move(submit));
  }
  crowd.Run();  // looks at each bound at each step
  ASSERT_FALSE(::testing::Test::HasFatalFailure());
  EXPECT_EQ(crowd.most_flows_running(), 7u);
  for (const WorkflowCrowd::Flow& flow : crowd.flows()) {
    ASSERT_EQ(flow.state, WorkflowState::kSucceeded) << "workflow " << flow.id.value();
    if (flow.tasks > 10) {
      ASSERT_EQ(flow.most_running, flow.max_parallel) << "a bound that is not used up";
    }
  }
}

TEST(FairWorkflowsTest, FiftyKeepTheirLimitsAtEveryStep) { ExpectLimitsKept(50, 200); }
TEST(FairWorkflowsTest, AThousandKeepTheirLimitsAtEveryStep) { ExpectLimitsKept(kSanitized ? 300 : 1000, 20); }

}  // namespace
}  // namespace muster::core
