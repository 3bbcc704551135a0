// Workflows through the real core: who runs when, what a failure does, limits, ends, and a master that dies anywhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "master/core/workflow_events.h"
#include "tests/support/sanitized.h"
#include "tests/unit/master/core/workflow_by_hand.h"

namespace muster::core {
namespace {

using muster::testing::Addition;
using muster::testing::Flow;
using muster::testing::HeldBy;
using muster::testing::Needs;
using muster::testing::Node;
using muster::testing::OutputNamed;
using muster::testing::StateOfFlow;
using muster::testing::SubmitFlow;
using muster::testing::TaskOf;
using muster::testing::TasksOf;
using muster::testing::TestCluster;
using Condition = DependencyCondition;

TEST(WorkflowsTest, AChainRunsInItsOrderAndEndsSucceeded) {
  TestCluster cluster;
  cluster.Join("a", 4);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}), Needs({{0}}), Needs({{1}})}));
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kRunning);
  for (uint32_t node = 0; node < 3; ++node) {
    const TaskId task = TaskOf(cluster, flow, node);
    EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
    if (node < 2) {
      EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, node + 1)), TaskState::kPending);
    }
    cluster.Exit(task, 0);
  }
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kSucceeded);
  EXPECT_FALSE(cluster.core().FindWorkflow(flow).has_value());
}

TEST(WorkflowsTest, TheEndOfATaskAndTheStartOfTheNextShareACommit) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}), Needs({{0}})}));
  cluster.Exit(TaskOf(cluster, flow, 0), 0);
  EXPECT_EQ(cluster.transaction().outcomes.size(), 1u);
  ASSERT_EQ(cluster.transaction().attempts.size(), 1u);
  EXPECT_EQ(cluster.transaction().attempts[0].key.task, TaskOf(cluster, flow, 1));
}

TEST(WorkflowsTest, AFailureStopsWhatNeedsSuccessAndLetsRunWhatIsForIt) {
  TestCluster cluster;
  cluster.Join("a", 8);
  // 0 fails; 1 needs it, 2 is for its failure, 3 for its end, 4 stands alone behind 5, which runs.
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}), Needs({{0}}), Needs({{0, Condition::kFailure}}),
                                                Needs({{0, Condition::kAny}}), Needs({}), Needs({{4}})}));
  cluster.Exit(TaskOf(cluster, flow, 0), 3);
  cluster.Turn();
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 1)), TaskState::kCancelled);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 2)), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 3)), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 4)), TaskState::kDispatched) << "what runs goes on";
  EXPECT_EQ(cluster.Stored(TaskOf(cluster, flow, 5)).outcome->message,
            absl::StrCat("workflow: stopped, task ", TaskOf(cluster, flow, 0).value(), " ended FAILED"));
  for (const uint32_t node : {2u, 3u, 4u}) cluster.Exit(TaskOf(cluster, flow, node), 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kFailed);
  EXPECT_EQ(StateOfFlow(cluster, flow).reason, absl::StrCat("task ", TaskOf(cluster, flow, 0).value(), " ended FAILED"));
}

TEST(WorkflowsTest, WithContinueOnlyWhatNeedsTheFailedTaskIsSkipped) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}), Needs({{0}}), Needs({}), Needs({{2}})},
                                               [](WorkflowSpec& spec) { spec.on_failure = FailureRule::kContinue; }));
  cluster.Exit(TaskOf(cluster, flow, 0), 1);
  EXPECT_EQ(cluster.core().FindWorkflow(flow)->tally.skipped, 1u);
  cluster.Exit(TaskOf(cluster, flow, 2), 0);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 3)), TaskState::kDispatched);
  cluster.Exit(TaskOf(cluster, flow, 3), 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kFailed);
}

TEST(WorkflowsTest, FailFastCancelsWhatRuns) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}), Needs({})}, [](WorkflowSpec& spec) { spec.on_failure = FailureRule::kFailFast; }));
  const TaskId other = TaskOf(cluster, flow, 1);
  cluster.Started(other);
  cluster.Exit(TaskOf(cluster, flow, 0), 1);
  cluster.Turn();
  ASSERT_TRUE(cluster.Stored(other).cancel.has_value());
  cluster.End(other, EndReason::kCancelled, true, true);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kFailed);
}

TEST(WorkflowsTest, WhatMayFailIsNoFailureOfItsWorkflow) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}, true), Needs({{0, Condition::kAny}})}));
  cluster.Exit(TaskOf(cluster, flow, 0), 1);
  cluster.Exit(TaskOf(cluster, flow, 1), 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kSucceeded);
}

TEST(WorkflowsTest, NoMoreThanMaxParallelAreOnTheWay) {
  TestCluster cluster;
  cluster.Join("a", 8);
  SubmitWorkflow wide = Flow({Needs({})}, [](WorkflowSpec& spec) { spec.max_parallel = 2; });
  wide.nodes[0] = Node(0, 5);
  const TaskId flow = SubmitFlow(cluster, std::move(wide));
  const TaskRange tasks = TasksOf(cluster, flow, 0);
  const auto state = [&](uint64_t i) { return cluster.StateOf(TaskId(tasks.first.value() + i)); };
  EXPECT_EQ(state(1), TaskState::kDispatched);
  EXPECT_EQ(state(2), TaskState::kPending);
  EXPECT_EQ(cluster.ReasonOf(TaskId(tasks.first.value() + 2)),
            absl::StrCat("workflow ", flow.value(), " (flow) runs at most 2 tasks at once, and 2 are on the way"));
  cluster.Exit(tasks.first, 0);
  EXPECT_EQ(state(2), TaskState::kDispatched);
  EXPECT_EQ(state(3), TaskState::kPending);
}

TEST(WorkflowsTest, ThoseBeyondMaxRunningWaitForTheirTurnInTheOrderOfArrival) {
  CoreConfig config;
  config.workflows_max_running = 1;
  TestCluster cluster(config);
  cluster.Join("a", 8);
  const TaskId first = SubmitFlow(cluster, Flow({Needs({})}));
  const TaskId second = SubmitFlow(cluster, Flow({Needs({})}));
  const TaskId third = SubmitFlow(cluster, Flow({Needs({})}));
  EXPECT_EQ(StateOfFlow(cluster, second).state, WorkflowState::kPending);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, second, 0)), TaskState::kPending);
  cluster.Apply(CancelWorkflow{CallId(5), second, "ann", "not needed"});
  cluster.Turn();
  EXPECT_EQ(StateOfFlow(cluster, second).state, WorkflowState::kCancelled);
  cluster.Restart(config);
  cluster.Join("a", 8, HeldBy(cluster));
  EXPECT_EQ(StateOfFlow(cluster, third).state, WorkflowState::kPending);
  cluster.Exit(TaskOf(cluster, first, 0), 0);
  EXPECT_EQ(StateOfFlow(cluster, third).state, WorkflowState::kRunning);
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, third, 0)), TaskState::kDispatched);
}

TEST(WorkflowsTest, ACancelledOneEndsCancelledWithAllItsTasks) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}), Needs({{0}}), Needs({{1, Condition::kAny}})}));
  cluster.Apply(CancelWorkflow{CallId(5), flow, "ann", "not needed"});
  EXPECT_EQ(cluster.Seen<WorkflowAnswer>().front().workflow.cancel_requested, true);
  cluster.Restart();
  cluster.Join("a", 1, HeldBy(cluster));
  cluster.End(TaskOf(cluster, flow, 0), EndReason::kCancelled, true, true);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kCancelled);
  EXPECT_EQ(StateOfFlow(cluster, flow).reason, "cancelled by ann: not needed");
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 2)), TaskState::kCancelled);
}

TEST(WorkflowsTest, TasksThatAreCancelledOneByOneFailTheirWorkflow) {
  CoreConfig config;
  config.workflows_max_running = 1;
  TestCluster cluster(config);
  cluster.Join("a", 1);
  const TaskId first = SubmitFlow(cluster, Flow({Needs({}), Needs({})}));
  const TaskId waits = SubmitFlow(cluster, Flow({Needs({})}));
  cluster.Cancel(TaskOf(cluster, waits, 0));
  cluster.Turn();
  EXPECT_EQ(StateOfFlow(cluster, waits).state, WorkflowState::kFailed);
  cluster.Cancel(TaskOf(cluster, first, 1));
  cluster.Exit(TaskOf(cluster, first, 0), 0);
  EXPECT_EQ(StateOfFlow(cluster, first).state, WorkflowState::kFailed);
}

TEST(WorkflowsTest, TasksThatMayFailAndAreCancelledBeforeItsTurnAreNoFailure) {
  CoreConfig config;
  config.workflows_max_running = 1;
  TestCluster cluster(config);
  SubmitFlow(cluster, Flow({Needs({})}));
  const TaskId waits = SubmitFlow(cluster, Flow({Needs({}, true)}));
  cluster.Cancel(TaskOf(cluster, waits, 0));
  cluster.Turn();
  EXPECT_EQ(StateOfFlow(cluster, waits).state, WorkflowState::kSucceeded);
}

TEST(WorkflowsTest, NothingStartsWhileAFailureStillStopsAGreatFan) {
  TestCluster cluster;
  cluster.Join("a", 1);
  SubmitWorkflow wide = Flow({Needs({}), Needs({})});
  wide.nodes[1] = Node(1, WorkflowEvents::kEndsATurn + 1000);
  const TaskId flow = SubmitFlow(cluster, std::move(wide));
  cluster.Exit(TaskOf(cluster, flow, 0), 1);
  EXPECT_TRUE(cluster.transaction().attempts.empty());
  cluster.Turn();
  EXPECT_TRUE(cluster.transaction().attempts.empty());
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kFailed);
}

TEST(WorkflowsTest, AFailureThatWasToldIsTheSameAfterARestart) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const TaskId flow = SubmitFlow(cluster, Flow({Needs({}), Needs({}), Needs({})}, [](WorkflowSpec& spec) { spec.on_failure = FailureRule::kFailFast; }));
  const TaskId first = TaskOf(cluster, flow, 0);
  cluster.Started(first);
  cluster.Exit(TaskOf(cluster, flow, 2), 1);
  cluster.Turn();
  cluster.End(first, EndReason::kCancelled, true, true);
  const std::string reason = cluster.core().FindWorkflow(flow)->reason;
  cluster.Restart();
  EXPECT_EQ(cluster.core().FindWorkflow(flow)->reason, reason);
}

TEST(WorkflowsTest, ItIsAcceptedWholeOrNotAtAll) {
  CoreConfig config;
  config.max_queued = 2;
  TestCluster cluster(config);
  SubmitWorkflow submit = Flow({Needs({}), Needs({{0}}), Needs({{1}})});
  submit.call = CallId(1);
  cluster.Apply(std::move(submit));
  EXPECT_FALSE(cluster.Seen<WorkflowAnswer>().front().status.ok());
  EXPECT_TRUE(cluster.store().tasks().empty());
  EXPECT_TRUE(cluster.store().workflows().empty());
}

TEST(WorkflowsTest, TheSameCallGivesTheSameWorkflow) {
  TestCluster cluster;
  SubmitWorkflow submit = Flow({Needs({})});
  submit.request = {.owner = "ann", .id = "r1"};
  const TaskId flow = SubmitFlow(cluster, submit);
  EXPECT_EQ(SubmitFlow(cluster, submit), flow);
  EXPECT_EQ(cluster.store().workflows().size(), 1u);
}

TEST(WorkflowsTest, WhatFailedIsTriedAgainAsNewTasksOfTheSameNodes) {
  TestCluster cluster;
  cluster.Join("a", 8);
  SubmitWorkflow submit = Flow({Needs({}), Needs({{0}}), Needs({{1}})});
  submit.nodes[1] = Node(1, 3);
  const TaskId flow = SubmitFlow(cluster, std::move(submit));
  const TaskId first = TaskOf(cluster, flow, 0);
  cluster.Exit(first, 0);
  const TaskRange batch = TasksOf(cluster, flow, 1);
  const TaskId failed(batch.first.value() + 1);
  cluster.Exit(failed, 1);
  cluster.Exit(batch.first, 0);
  cluster.Exit(TaskId(batch.first.value() + 2), 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kFailed);
  const TaskId last = TaskOf(cluster, flow, 2);

  const RecoveredWorkflow& stored = cluster.store().workflows().at(flow);
  RetryWorkflow retry{CallId(9), {}, stored.row, stored.parts};
  retry.kept = {{first, 0, TaskState::kSucceeded}, {batch.first, 1, TaskState::kSucceeded}, {TaskId(batch.first.value() + 2), 1, TaskState::kSucceeded}};
  retry.nodes = {Node(1, 1), Node(2)};
  retry.nodes[0].replaces = {failed};
  retry.nodes[1].replaces = {last};
  cluster.Apply(retry);
  ASSERT_TRUE(cluster.Seen<WorkflowAnswer>().front().status.ok());
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kRunning);
  const TaskId again = TaskOf(cluster, flow, 1);
  EXPECT_EQ(cluster.StateOf(again), TaskState::kDispatched);
  cluster.Restart();
  cluster.Join("a", 8, HeldBy(cluster));
  EXPECT_EQ(cluster.StateOf(TaskOf(cluster, flow, 2)), TaskState::kPending);
  const WorkflowTally tally = cluster.core().FindWorkflow(flow)->tally;
  EXPECT_EQ(std::accumulate(std::begin(tally.by_state), std::end(tally.by_state), uint64_t{0}), 5u);
  cluster.Exit(again, 0);
  cluster.Exit(TaskOf(cluster, flow, 2), 0);
  EXPECT_EQ(StateOfFlow(cluster, flow).state, WorkflowState::kSucceeded);
}

// --- Random graphs, random ends, a master that is killed at any step.

struct RandomFlow {
  TaskId id;
  WorkflowSpecPtr spec;
  std::vector<TaskRange> tasks;  // by node
};

class RandomFlows {
 public:
  explicit RandomFlows(uint32_t seed) : random_(seed), cluster_(Config()) {}

  void Run() {
    cluster_.Join("a", 3);
    const int flows = 1 + static_cast<int>(random_() % 4);
    for (int i = 0; i < flows; ++i) Submit();
    for (int step = 0; step < 5000 && !AllEnded(); ++step) Step();
    ASSERT_TRUE(AllEnded()) << "some workflow never ends";
    for (const RandomFlow& flow : flows_) CheckEnd(flow);
  }

 private:
  CoreConfig Config() {
    config_.workflows_max_running = random_() % 3;
    config_.workflows_max_parallel = random_() % 2 == 0 ? 0 : 1 + random_() % 3;
    return config_;
  }

  // Of each third one an output, "0" or "1" when it is written; who needs one may use it.
  std::shared_ptr<const NodeValues> RandomValues(const std::vector<NodeNeed>& needs, const std::vector<WorkflowNode>& before) {
    NodeValues values;
    if (random_() % 3 == 0) values.outputs = {"o0"};
    for (const NodeNeed& need : needs) {
      const bool has_output = before[need.node].values != nullptr && !before[need.node].values->outputs.empty();
      if (has_output && random_() % 2 == 0) values.variables.push_back({absl::StrCat("V", need.node), OutputNamed(need.node)});
      if (has_output && random_() % 2 == 0) values.condition = NodeCondition{OutputNamed(need.node), "", random_() % 2 == 0, "1"};
    }
    return values.outputs.empty() && !values.HangsOnValues() ? nullptr : std::make_shared<const NodeValues>(std::move(values));
  }

  WorkflowNode RandomNode(const std::vector<WorkflowNode>& before) {
    WorkflowNode made;
    for (uint32_t need = 0; need < before.size(); ++need) {
      if (random_() % 4 == 0) made.needs.push_back({need, static_cast<Condition>(1 + random_() % 3)});
    }
    made.may_fail = random_() % 6 == 0;
    made.values = RandomValues(made.needs, before);
    return made;
  }

  void Submit() {
    std::vector<WorkflowNode> nodes;
    const uint32_t count = 1 + random_() % 10;
    for (uint32_t node = 0; node < count; ++node) nodes.push_back(RandomNode(nodes));
    SubmitWorkflow submit = Flow(std::move(nodes), [this](WorkflowSpec& spec) {
      spec.on_failure = static_cast<FailureRule>(1 + random_() % 3);
      spec.max_parallel = random_() % 3;
    });
    for (uint32_t node = 0; node < count; ++node) {
      const auto& values = submit.workflow->nodes[node].values;
      const bool has_outputs = values != nullptr && !values->outputs.empty();
      if (!has_outputs && random_() % 4 == 0) submit.nodes[node] = Node(node, 1 + random_() % 4);
    }
    RandomFlow flow;
    flow.spec = submit.workflow;
    flow.id = SubmitFlow(cluster_, std::move(submit));
    for (uint32_t node = 0; node < count; ++node) flow.tasks.push_back(TasksOf(cluster_, flow.id, node));
    flows_.push_back(std::move(flow));
    CheckStep();
  }

  void Step() {
    const auto held = HeldBy(cluster_);
    if (additions_ < 6 && random_() % 10 == 0) {
      ++additions_;
      Add();
    } else if (random_() % 12 == 0) {
      cluster_.Restart(config_);
      CheckStep();
      cluster_.Join("a", 3, HeldBy(cluster_));
    } else if (!held.empty() && random_() % 8 != 0) {
      const TaskId task = held[random_() % held.size()].key.task;
      const auto& stored = cluster_.Stored(task);
      if (stored.cancel) {
        cluster_.End(task, EndReason::kCancelled, true, true);
      } else {
        random_() % 5 == 0 ? cluster_.Exit(task, 1) : cluster_.Succeed(task, RandomOutputs());
      }
    } else {
      cluster_.Turn();
    }
    CheckStep();
  }

  NamedValues RandomOutputs() {
    if (random_() % 8 == 0) return {};
    return {{"o0", random_() % 2 == 0 ? "0" : "1"}, {"undeclared", "x"}};
  }

  // What the stored outcome says of an output: nothing when it was not written.
  std::optional<std::string> Written(const RandomFlow& flow, const OutputOf& output) {
    const auto& stored = cluster_.Stored(flow.tasks[output.node].first);
    if (!stored.outcome || stored.outcome->state != TaskState::kSucceeded || stored.outcome->report == nullptr) return std::nullopt;
    const NamedValues& outputs = stored.outcome->report->outputs;
    return outputs.empty() ? std::nullopt : std::optional(outputs.front().value);
  }

  // Whether the outputs that there are let it start: no condition fails, no value is wanting.
  enum class Values { kStart, kSkip, kBreak };
  Values Of(const RandomFlow& flow, uint32_t node) {
    const NodeValues* const values = flow.spec->nodes[node].values.get();
    if (values == nullptr) return Values::kStart;
    if (values->condition) {
      const auto left = Written(flow, *values->condition->left);
      if (!left) return Values::kBreak;
      if ((*left == "1") == values->condition->negated) return Values::kSkip;
    }
    for (const NodeVariable& variable : values->variables) {
      if (!Written(flow, variable.value)) return Values::kBreak;
    }
    return Values::kStart;
  }

  // With what each was sent: the values of those that it needs.
  void CheckAssignments() {
    for (const Assign& assign : cluster_.Seen<Assign>()) {
      for (const RandomFlow& flow : flows_) {
        if (flow.id != assign.workflow) continue;
        for (uint32_t node = 0; node < flow.tasks.size(); ++node) {
          if (assign.key.task.value() - flow.tasks[node].first.value() >= flow.tasks[node].count) continue;
          NamedValues wanted;
          if (const auto& values = flow.spec->nodes[node].values) {
            for (const NodeVariable& variable : values->variables) wanted.push_back({variable.name, *Written(flow, variable.value)});
          }
          ASSERT_EQ(assign.variables, wanted);
        }
      }
    }
  }

  // One of its tasks has found more to do.
  void Add() {
    RandomFlow& flow = flows_[random_() % flows_.size()];
    std::vector<WorkflowNode> all = flow.spec->nodes;
    std::vector<WorkflowNode> nodes;
    for (uint32_t i = 1 + random_() % 3; i > 0; --i) {
      all.push_back(RandomNode(all));
      nodes.push_back(all.back());
    }
    AddToWorkflow add = Addition(cluster_, flow.id, std::move(nodes));
    const WorkflowSpecPtr after = add.after;
    cluster_.Apply(std::move(add));
    if (!cluster_.Seen<WorkflowAnswer>().front().status.ok()) return;
    for (size_t node = flow.spec->nodes.size(); node < after->nodes.size(); ++node) {
      flow.tasks.push_back(TasksOf(cluster_, flow.id, static_cast<uint32_t>(node)));
    }
    flow.spec = after;
  }

  bool AllEnded() {
    return std::all_of(flows_.begin(), flows_.end(), [this](const RandomFlow& flow) { return HasEnded(StateOfFlow(cluster_, flow.id).state); });
  }

  TaskState EndOf(TaskId task) {
    const auto* const stored = cluster_.store().Find(task);
    return stored->outcome ? stored->outcome->state : TaskState::kNone;
  }

  // What the ends that are stored say of a need: holds, never can, or is open.
  enum class Truth { kHolds, kNever, kOpen };
  Truth Of(const RandomFlow& flow, const NodeNeed& need) {
    uint64_t open = 0, failed = 0;
    for (uint64_t i = 0; i < flow.tasks[need.node].count; ++i) {
      const TaskState end = EndOf(TaskId(flow.tasks[need.node].first.value() + i));
      if (end == TaskState::kNone) ++open;
      if (end != TaskState::kNone && end != TaskState::kSucceeded) ++failed;
    }
    switch (need.condition) {
      case Condition::kSuccess: return failed > 0 ? Truth::kNever : open > 0 ? Truth::kOpen : Truth::kHolds;
      case Condition::kFailure: return open > 0 ? Truth::kOpen : failed > 0 ? Truth::kHolds : Truth::kNever;
      case Condition::kAny: return open > 0 ? Truth::kOpen : Truth::kHolds;
    }
    return Truth::kOpen;
  }

  // All that was ever sent may be sent by what is durable; no bound is passed; nothing is sent twice.
  void CheckStep() {
    CheckAssignments();
    uint64_t running_flows = 0;
    for (const RandomFlow& flow : flows_) {
      uint64_t running = 0;
      for (uint32_t node = 0; node < flow.tasks.size(); ++node) {
        for (uint64_t i = 0; i < flow.tasks[node].count; ++i) {
          const auto& stored = cluster_.Stored(TaskId(flow.tasks[node].first.value() + i));
          ASSERT_LE(stored.attempts.size(), 1u);
          if (stored.attempts.empty()) continue;
          if (!stored.outcome) ++running;
          for (const NodeNeed& need : flow.spec->nodes[node].needs) ASSERT_EQ(Of(flow, need), Truth::kHolds) << "node " << node;
          ASSERT_EQ(Of(flow, node), Values::kStart) << "node " << node;
        }
      }
      const uint32_t most = flow.spec->max_parallel != 0 ? flow.spec->max_parallel : config_.workflows_max_parallel;
      if (most != 0) {
        ASSERT_LE(running, most);
      }
      if (running > 0) ++running_flows;
    }
    if (config_.workflows_max_running != 0) {
      ASSERT_LE(running_flows, config_.workflows_max_running);
    }
  }

  void CheckEnd(const RandomFlow& flow) {
    bool failed = false;
    for (uint32_t node = 0; node < flow.tasks.size(); ++node) {
      const auto& needs = flow.spec->nodes[node].needs;
      const bool holds = std::all_of(needs.begin(), needs.end(), [&](const NodeNeed& need) { return Of(flow, need) == Truth::kHolds; });
      const bool for_failures = std::any_of(needs.begin(), needs.end(), [](const NodeNeed& need) { return need.condition != Condition::kSuccess; });
      for (uint64_t i = 0; i < flow.tasks[node].count; ++i) {
        const auto& stored = cluster_.Stored(TaskId(flow.tasks[node].first.value() + i));
        ASSERT_TRUE(stored.outcome.has_value());
        const bool ran = !stored.attempts.empty();
        if (ran && stored.outcome->state == TaskState::kFailed && !flow.spec->nodes[node].may_fail) failed = true;
        ASSERT_TRUE(!ran || holds);
        const Values values = holds ? Of(flow, node) : Values::kSkip;
        if (BrokeAtValue(stored.outcome->state, stored.outcome->reason)) {
          ASSERT_EQ(values, Values::kBreak) << "node " << node;
          failed = failed || !flow.spec->nodes[node].may_fail;
        }
        if (flow.spec->on_failure == FailureRule::kContinue || for_failures) {
          ASSERT_EQ(ran, values == Values::kStart) << "node " << node;
        }
      }
    }
    EXPECT_EQ(StateOfFlow(cluster_, flow.id).state, failed ? WorkflowState::kFailed : WorkflowState::kSucceeded);
  }

  std::mt19937 random_;
  CoreConfig config_;
  TestCluster cluster_;
  std::vector<RandomFlow> flows_;
  int additions_ = 0;
};

TEST(WorkflowsTest, RandomGraphsKeepTheirNeedsTheirBoundsAndTheirEndsWhereverTheMasterDies) {
  const char* const asked = std::getenv("MUSTER_WORKFLOW_SEEDS");
  const uint32_t seeds = asked == nullptr ? (kSanitized ? 80 : 400) : static_cast<uint32_t>(std::atoi(asked));
  for (uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomFlows(seed).Run();
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace muster::core
