// Workflows for tests of the core: nodes by number, tasks that are held by whoever has them.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/domain/workflow.h"
#include "master/core/workflow_table.h"
#include "tests/support/test_cluster.h"

namespace muster::testing {

inline core::NewNode Node(uint32_t node, uint64_t rows = 0) {
  core::NewNode made;
  made.node = node;
  made.spec = std::make_shared<TaskSpec>(*Spec());
  if (rows > 0) made.rows = std::make_shared<const ArgumentRows>(rows, std::vector<std::string>{"row"});
  return made;
}

inline WorkflowNode Needs(std::vector<NodeNeed> needs, bool may_fail = false) { return {std::move(needs), may_fail}; }

// What it has and uses of outputs.
inline WorkflowNode With(NodeValues values, WorkflowNode node = {}) {
  node.values = std::make_shared<const NodeValues>(std::move(values));
  return node;
}
inline OutputOf OutputNamed(uint32_t node, uint32_t output = 0) { return {node, output, "n" + std::to_string(node) + ".o" + std::to_string(output)}; }

// Each node is named after its number, and comes after what it needs.
inline core::SubmitWorkflow Flow(std::vector<WorkflowNode> nodes, const std::function<void(WorkflowSpec&)>& change = nullptr) {
  auto spec = std::make_shared<WorkflowSpec>();
  spec->name = "flow";
  spec->owner = "ann";
  spec->nodes = std::move(nodes);
  if (change) change(*spec);
  core::SubmitWorkflow submit;
  for (uint32_t node = 0; node < spec->nodes.size(); ++node) submit.nodes.push_back(Node(node));
  submit.workflow = std::move(spec);
  return submit;
}

inline TaskId SubmitFlow(TestCluster& cluster, core::SubmitWorkflow submit) {
  submit.call = CallId(1);
  cluster.Apply(std::move(submit));
  const auto answers = cluster.Seen<core::WorkflowAnswer>();
  EXPECT_EQ(answers.size(), 1u);
  if (answers.empty()) return TaskId();
  EXPECT_TRUE(answers.front().status.ok()) << answers.front().status;
  return answers.front().id;
}

// More nodes behind those that the workflow has.
inline core::AddToWorkflow Addition(TestCluster& cluster, TaskId flow, std::vector<WorkflowNode> nodes) {
  const auto view = cluster.core().FindWorkflow(flow);
  core::AddToWorkflow add{CallId(2)};
  add.workflow = flow;
  add.before = view ? view->spec : nullptr;
  auto after = std::make_shared<WorkflowSpec>(view ? *view->spec : WorkflowSpec());
  for (WorkflowNode& node : nodes) {
    add.nodes.push_back(Node(static_cast<uint32_t>(after->nodes.size())));
    after->nodes.push_back(std::move(node));
  }
  add.after = std::move(after);
  return add;
}

// Of the newest part.
inline TaskRange TasksOf(TestCluster& cluster, TaskId flow, uint32_t node) {
  for (const NodeTasks& made : cluster.store().workflows().at(flow).parts.back().tasks) {
    if (made.node == node) return made.tasks;
  }
  ADD_FAILURE() << "no tasks of node " << node;
  return {};
}
inline TaskId TaskOf(TestCluster& cluster, TaskId flow, uint32_t node) { return TasksOf(cluster, flow, node).first; }

inline const core::WorkflowStateRow& StateOfFlow(TestCluster& cluster, TaskId flow) {
  return cluster.store().workflows().at(flow).state;
}

// What the worker has, as its Hello says.
inline std::vector<core::HeldAttempt> HeldBy(TestCluster& cluster) {
  std::vector<core::HeldAttempt> held;
  for (const auto& [id, task] : cluster.store().tasks()) {
    if (task.outcome || task.attempts.empty()) continue;
    if (task.attempt_ends.size() == task.attempts.size()) continue;
    held.push_back({task.attempts.back().key, core::HeldAttempt::Phase::kRunning});
  }
  return held;
}

}  // namespace muster::testing
