#include "master/request_handler/workflow_intake.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "common/convert/workflow_graph.h"
#include "common/convert/workflow_parameters.h"
#include "master/request_handler/names.h"
#include "master/request_handler/validate.h"

namespace muster::handler {
namespace {

constexpr int kMostLabels = 64;
constexpr absl::Duration kAssumed = absl::Seconds(1);

std::string FieldOf(int node) { return absl::StrCat("workflow.nodes[", node, "]"); }

// What a node's task must leave to the node.
void CheckLeftOut(const v1::TaskSpec& task, const std::string& field, Violations* violations) {
  if (!task.name().empty()) violations->Add("BAD_WORKFLOW", field + ".name", "stays unset: the node's name is the task's");
  if (task.dependencies_size() > 0) violations->Add("BAD_WORKFLOW", field + ".dependencies", "stay unset: `needs` of the node says it");
  if (task.has_start_time()) violations->Add("BAD_WORKFLOW", field + ".start_time", "stays unset in a workflow");
}

void CheckNode(const v1::WorkflowNode& node, const std::string& field, const TaskLimits& limits, PatternCheck* patterns,
               Violations* violations) {
  if (!IsName(node.name(), kLongestName)) {
    violations->Add("BAD_NAME", field + ".name", "must be 1 to 128 characters of [A-Za-z0-9._-]");
  }
  CheckSpec(node.task(), field + ".task", limits, patterns, violations);
  if (node.rows_size() == 0) return;
  v1::SubmitBatchRequest batch;
  *batch.mutable_template_() = node.task();
  *batch.mutable_rows() = node.rows();
  CheckRows(batch, limits, violations);
}

absl::Status RefuseValues(const v1::WorkflowSpec& spec) {
  for (int i = 0; i < spec.nodes_size(); ++i) {
    const v1::WorkflowNode& node = spec.nodes(i);
    if (node.outputs_size() == 0 && node.variables_size() == 0 && !node.has_condition()) continue;
    return Refuse(absl::StatusCode::kUnimplemented, "NO_VALUES_YET",
                  absl::StrCat(FieldOf(i), " (", node.name(), "): this master passes no values on yet; leave outputs, variables and condition out"));
  }
  return absl::OkStatus();
}

// What all of its tasks have of it.
void Spread(v1::WorkflowSpec* spec) {
  std::string owner;
  for (const v1::WorkflowNode& node : spec->nodes()) {
    if (!node.task().owner().empty()) owner = node.task().owner();
    if (!owner.empty()) break;
  }
  for (v1::WorkflowNode& node : *spec->mutable_nodes()) {
    v1::TaskSpec& task = *node.mutable_task();
    task.set_name(node.name());
    task.set_in_workflow(true);
    if (task.owner().empty()) task.set_owner(owner);
    for (const v1::Label& label : spec->labels()) {
      const bool own = std::any_of(task.labels().begin(), task.labels().end(), [&](const v1::Label& it) { return it.key() == label.key(); });
      if (!own) *task.add_labels() = label;
    }
  }
}

absl::Status CheckWhole(const v1::WorkflowSpec& spec) {
  if (!spec.name().empty() && !IsName(spec.name(), kLongestName)) {
    return RefuseField("BAD_NAME", "workflow.name", "must be at most 128 characters of [A-Za-z0-9._-]");
  }
  if (spec.max_parallel() < 0) return RefuseField("BAD_WORKFLOW", "workflow.max_parallel", "is negative; 0 is the master's own bound");
  if (spec.labels_size() > kMostLabels) return RefuseField("BAD_LABEL", "workflow.labels", absl::StrCat("are more than ", kMostLabels));
  size_t bytes = 0;
  for (const v1::Label& label : spec.labels()) bytes += label.key().size() + label.value().size();
  if (bytes * static_cast<size_t>(spec.nodes_size()) > WorkflowIntake::kMostBytes) {
    return RefuseField("BAD_LABEL", "workflow.labels", "are too long for so many tasks, each of which has them");
  }
  if (!v1::FailureRule_IsValid(spec.on_failure())) return RefuseField("BAD_WORKFLOW", "workflow.on_failure", "is no rule that this master knows");
  return absl::OkStatus();
}

std::vector<NodeIndex> InOrderOfNumbers(const WorkflowGraph& graph, const std::vector<absl::Duration>& times) {
  const std::vector<uint32_t> depths = Depths(graph);
  const std::vector<absl::Duration> levels = BottomLevels(graph, times);
  std::vector<NodeIndex> order(graph.order().begin(), graph.order().end());
  std::stable_sort(order.begin(), order.end(), [&](NodeIndex a, NodeIndex b) {
    return depths[a] != depths[b] ? depths[a] < depths[b] : levels[a] > levels[b];
  });
  return order;
}

ArgumentRowsPtr RowsOf(v1::WorkflowNode* node) {
  if (node->rows_size() == 0) return nullptr;
  v1::SubmitBatchRequest batch;
  batch.mutable_rows()->Swap(node->mutable_rows());
  return MakeRows(&batch);
}

// What is stored of it: everything but its tasks.
std::string PayloadOf(v1::WorkflowSpec* spec) {
  for (v1::WorkflowNode& node : *spec->mutable_nodes()) {
    node.clear_task();
    node.clear_rows();
  }
  return spec->SerializeAsString();
}

}  // namespace

absl::Status WorkflowIntake::Add(v1::RunWorkflowRequest part) {
  bytes_ += part.ByteSizeLong();
  if (bytes_ > kMostBytes) {
    return RefuseField("BAD_WORKFLOW", "workflow", absl::StrCat("is larger than ", kMostBytes >> 20, " MiB; let tasks share rows, or cut it in two"));
  }
  if (!std::exchange(started_, true)) {
    whole_ = std::move(part);
    return absl::OkStatus();
  }
  v1::WorkflowSpec& spec = *whole_.mutable_workflow();
  for (v1::WorkflowNode& node : *part.mutable_workflow()->mutable_nodes()) *spec.add_nodes() = std::move(node);
  if (static_cast<size_t>(spec.nodes_size()) > kMostWorkflowTasks) {
    return RefuseField("BAD_WORKFLOW", "workflow.nodes", absl::StrCat("are more than ", kMostWorkflowTasks));
  }
  return absl::OkStatus();
}

absl::StatusOr<CheckedWorkflow> CheckWorkflow(v1::RunWorkflowRequest* request, const TaskLimits& limits) {
  if (request->node_count() != 0 && request->node_count() != request->workflow().nodes_size()) {
    return RefuseField("BAD_CALL", "node_count", absl::StrCat("says ", request->node_count(), ", and ", request->workflow().nodes_size(),
                                                              " came: the call broke off"));
  }
  CheckedWorkflow checked;
  checked.spec.Swap(request->mutable_workflow());
  MUSTER_RETURN_IF_ERROR(CheckWhole(checked.spec));
  MUSTER_ASSIGN_OR_RETURN(checked.graph, convert::MakeWorkflowGraph(checked.spec));
  MUSTER_RETURN_IF_ERROR(convert::FillParameters(request->parameters(), &checked.spec));
  MUSTER_RETURN_IF_ERROR(RefuseValues(checked.spec));
  Violations violations;
  PatternCheck patterns;
  CheckRequestId(request->request_id(), &violations);
  for (int i = 0; i < checked.spec.nodes_size() && violations.empty(); ++i) {
    CheckLeftOut(checked.spec.nodes(i).task(), FieldOf(i) + ".task", &violations);
  }
  MUSTER_RETURN_IF_ERROR(violations.ToStatus());
  Spread(&checked.spec);  // the labels of all count among those of each
  for (int i = 0; i < checked.spec.nodes_size() && violations.empty(); ++i) {
    CheckNode(checked.spec.nodes(i), FieldOf(i), limits, &patterns, &violations);
  }
  MUSTER_RETURN_IF_ERROR(violations.ToStatus());
  return checked;
}

std::vector<TaskSpecPtr> AcceptNodes(const QueueBoard* queues, v1::WorkflowSpec* spec) {
  std::vector<TaskSpecPtr> specs;
  specs.reserve(static_cast<size_t>(spec->nodes_size()));
  for (v1::WorkflowNode& node : *spec->mutable_nodes()) specs.push_back(AcceptWhole(queues, node.mutable_task()));
  return specs;
}

core::SubmitWorkflow MakeSubmitWorkflow(CheckedWorkflow workflow, const std::vector<TaskSpecPtr>& specs, KnownTime known) {
  std::vector<absl::Duration> times;
  times.reserve(specs.size());
  for (const TaskSpecPtr& spec : specs) times.push_back(known(spec->fingerprint).value_or(kAssumed));
  core::SubmitWorkflow event;
  event.nodes.reserve(specs.size());
  for (const NodeIndex node : InOrderOfNumbers(workflow.graph, times)) {
    core::NewNode& made = event.nodes.emplace_back();
    made.node = node;
    made.spec = std::make_shared<TaskSpec>(*specs[node]);
    made.rows = RowsOf(workflow.spec.mutable_nodes(static_cast<int>(node)));
  }
  const std::string owner = specs.empty() ? "" : specs.front()->owner;
  std::string payload = PayloadOf(&workflow.spec);
  event.workflow = convert::MakeWorkflowSpec(workflow.spec, owner, std::move(payload));
  return event;
}

}  // namespace muster::handler
