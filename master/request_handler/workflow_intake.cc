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
#include "master/request_handler/workflow_values.h"

namespace muster::handler {
namespace {

constexpr int kMostLabels = 64;
constexpr absl::Duration kAssumed = absl::Seconds(1);

std::string FieldOf(int node) { return absl::StrCat("workflow.nodes[", node, "]"); }

// What a node's task must leave to the node.
void CheckLeftOut(const v1::TaskSpec& task, const std::string& field, Violations* violations) {
  if (!task.name().empty()) violations->Add("BAD_WORKFLOW", field + ".name", "stays unset: the node's name is the task's");
  if (task.dependencies_size() > 0) violations->Add("BAD_WORKFLOW", field + ".dependencies", "stay unset: `needs` of the node says it");
  if (task.outputs_size() > 0) violations->Add("BAD_WORKFLOW", field + ".outputs", "stay unset: `outputs` of the node says it");
  if (task.has_start_time()) violations->Add("BAD_WORKFLOW", field + ".start_time", "stays unset in a workflow");
}

void CheckNode(const v1::WorkflowNode& node, const std::string& field, const TaskLimits& limits, PatternCheck* patterns,
               Violations* violations) {
  if (!IsName(node.name(), kLongestName)) {
    violations->Add("BAD_NAME", field + ".name", "must be 1 to 128 characters of [A-Za-z0-9._-]");
  }
  CheckSpec(node.task(), field + ".task", limits, patterns, violations);
  if (limits.policy != nullptr && node.variables_size() > 0 && violations->empty()) {
    v1::TaskSpec with_variables = node.task();
    for (const v1::OutputVariable& variable : node.variables()) {
      with_variables.mutable_command()->add_environment()->set_name(variable.name());
    }
    CheckPolicy(with_variables, field + ".task", limits, violations);
  }
  if (node.rows_size() == 0) return;
  v1::SubmitBatchRequest batch;
  *batch.mutable_template_() = node.task();
  *batch.mutable_rows() = node.rows();
  CheckRows(batch, limits, violations);
}

// What all of its tasks have of it.
void Spread(v1::WorkflowSpec* spec, int first_new) {
  std::string owner;
  for (const v1::WorkflowNode& node : spec->nodes()) {
    if (!node.task().owner().empty()) owner = node.task().owner();
    if (!owner.empty()) break;
  }
  for (int i = first_new; i < spec->nodes_size(); ++i) {
    v1::WorkflowNode& node = *spec->mutable_nodes(i);
    v1::TaskSpec& task = *node.mutable_task();
    task.set_name(node.name());
    task.set_in_workflow(true);
    *task.mutable_outputs() = node.outputs();
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
  if (!v1::FailureRule_IsValid(spec.on_failure())) return RefuseField("BAD_WORKFLOW", "workflow.on_failure", "is no rule that this master knows");
  return absl::OkStatus();
}

// What is the whole workflow's is not an addition's to say.
absl::Status CheckAdded(const v1::WorkflowSpec& spec) {
  const auto stays_unset = [](const char* field) {
    return RefuseField("BAD_WORKFLOW", absl::StrCat("workflow.", field), "stays unset where tasks are added: the workflow has its own");
  };
  if (!spec.name().empty()) return stays_unset("name");
  if (spec.max_parallel() != 0) return stays_unset("max_parallel");
  if (spec.on_failure() != v1::FAILURE_RULE_UNSPECIFIED) return stays_unset("on_failure");
  if (spec.labels_size() > 0) return stays_unset("labels");
  if (spec.nodes().empty()) return RefuseField("BAD_WORKFLOW", "workflow.nodes", "is empty; there is nothing to add");
  return absl::OkStatus();
}

absl::Status TooLarge() {
  return RefuseField("BAD_WORKFLOW", "workflow",
                     absl::StrCat("is larger than ", WorkflowIntake::kMostBytes >> 20, " MiB; let tasks share rows, or cut it in two"));
}

absl::Status CheckCount(const v1::RunWorkflowRequest& request) {
  if (request.node_count() == 0 || request.node_count() == request.workflow().nodes_size()) return absl::OkStatus();
  return RefuseField("BAD_CALL", "node_count", absl::StrCat("says ", request.node_count(), ", and ", request.workflow().nodes_size(),
                                                            " came: the call broke off"));
}

absl::Status CheckLabels(const v1::WorkflowSpec& spec, int first_new) {
  size_t bytes = 0;
  for (const v1::Label& label : spec.labels()) bytes += label.key().size() + label.value().size();
  if (bytes * static_cast<size_t>(spec.nodes_size() - first_new) <= WorkflowIntake::kMostBytes) return absl::OkStatus();
  return RefuseField("BAD_LABEL", "workflow.labels", "are too long for so many tasks, each of which has them");
}

// The whole graph, and the new nodes' tasks, which it completes.
absl::Status Check(const v1::RunWorkflowRequest& request, const TaskLimits& limits, CheckedWorkflow* checked) {
  v1::WorkflowSpec& spec = checked->spec;
  MUSTER_RETURN_IF_ERROR(CheckLabels(spec, checked->first_new));
  MUSTER_ASSIGN_OR_RETURN(checked->graph, convert::MakeWorkflowGraph(spec));
  MUSTER_RETURN_IF_ERROR(convert::FillParameters(request.parameters(), &spec, checked->first_new));
  Violations violations;
  PatternCheck patterns;
  CheckRequestId(request.request_id(), &violations);
  for (int i = checked->first_new; i < spec.nodes_size() && violations.empty(); ++i) {
    CheckLeftOut(spec.nodes(i).task(), FieldOf(i) + ".task", &violations);
  }
  CheckValueUses(spec, &violations);
  MUSTER_RETURN_IF_ERROR(violations.ToStatus());
  Spread(&spec, checked->first_new);  // the labels of all count among those of each
  for (int i = checked->first_new; i < spec.nodes_size() && violations.empty(); ++i) {
    CheckNode(spec.nodes(i), FieldOf(i), limits, &patterns, &violations);
  }
  return violations.ToStatus();
}

// The longest way to the end first. A node's is no shorter than that of one that needs it, so each stands after its needs.
std::vector<NodeIndex> InOrderOfNumbers(const WorkflowGraph& graph, const std::vector<absl::Duration>& times) {
  const std::vector<absl::Duration> levels = BottomLevels(graph, times);
  std::vector<NodeIndex> order(graph.order().begin(), graph.order().end());
  std::stable_sort(order.begin(), order.end(), [&](NodeIndex a, NodeIndex b) { return levels[a] > levels[b]; });
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

absl::Status WorkflowIntake::Add(v1::RunWorkflowRequest part, std::string selector) {
  bytes_ += part.ByteSizeLong();
  if (bytes_ > kMostBytes) {
    return TooLarge();
  }
  if (!std::exchange(started_, true)) {
    whole_ = std::move(part);
    selector_ = std::move(selector);
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
  MUSTER_RETURN_IF_ERROR(CheckCount(*request));
  MUSTER_RETURN_IF_ERROR(CheckWhole(request->workflow()));
  CheckedWorkflow checked;
  checked.spec.Swap(request->mutable_workflow());
  MUSTER_RETURN_IF_ERROR(Check(*request, limits, &checked));
  return checked;
}

absl::StatusOr<CheckedWorkflow> CheckAddition(const v1::WorkflowSpec& there, v1::RunWorkflowRequest* request, const TaskLimits& limits) {
  MUSTER_RETURN_IF_ERROR(CheckCount(*request));
  v1::WorkflowSpec& added = *request->mutable_workflow();
  MUSTER_RETURN_IF_ERROR(CheckAdded(added));
  if (there.ByteSizeLong() + added.ByteSizeLong() > WorkflowIntake::kMostBytes) return TooLarge();
  CheckedWorkflow checked;
  checked.spec = there;
  checked.first_new = there.nodes_size();
  *checked.spec.mutable_parameters() = added.parameters();
  for (v1::WorkflowNode& node : *added.mutable_nodes()) *checked.spec.add_nodes() = std::move(node);
  MUSTER_RETURN_IF_ERROR(Check(*request, limits, &checked));
  *checked.spec.mutable_parameters() = there.parameters();
  return checked;
}

std::vector<TaskSpecPtr> AcceptNodes(const QueueBoard* queues, CheckedWorkflow* workflow) {
  v1::WorkflowSpec& spec = workflow->spec;
  std::vector<TaskSpecPtr> specs;
  specs.reserve(static_cast<size_t>(spec.nodes_size() - workflow->first_new));
  for (int i = workflow->first_new; i < spec.nodes_size(); ++i) {
    specs.push_back(AcceptWhole(queues, spec.mutable_nodes(i)->mutable_task()));
  }
  return specs;
}

core::SubmitWorkflow MakeSubmitWorkflow(CheckedWorkflow workflow, const std::vector<TaskSpecPtr>& specs, const KnownTimes& times) {
  const auto first_new = static_cast<size_t>(workflow.first_new);
  std::vector<absl::Duration> assumed(workflow.graph.node_count(), kAssumed);
  for (size_t i = 0; i < times.size(); ++i) assumed[first_new + i] = times[i].value_or(kAssumed);
  core::SubmitWorkflow event;
  event.nodes.reserve(specs.size());
  for (const NodeIndex node : InOrderOfNumbers(workflow.graph, assumed)) {
    if (node < first_new) continue;
    core::NewNode& made = event.nodes.emplace_back();
    made.node = node;
    made.spec = std::make_shared<TaskSpec>(*specs[node - first_new]);
    made.rows = RowsOf(workflow.spec.mutable_nodes(static_cast<int>(node)));
  }
  const std::string owner = specs.empty() ? "" : specs.front()->owner;
  std::string payload = PayloadOf(&workflow.spec);
  event.workflow = convert::MakeWorkflowSpec(workflow.spec, owner, std::move(payload));
  return event;
}

}  // namespace muster::handler
