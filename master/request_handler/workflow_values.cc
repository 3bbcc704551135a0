#include "master/request_handler/workflow_values.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"
#include "common/domain/workflow.h"
#include "master/request_handler/names.h"

namespace muster::handler {
namespace {

constexpr char kBadUse[] = "BAD_VALUE_USE";
constexpr int kMostVariables = 64;
constexpr size_t kMostTextBytes = 4 * 1024;
constexpr size_t kMostShownBytes = 64;

std::string Shown(const std::string& name) { return absl::StrCat("'", ToLine(name, kMostShownBytes), "'"); }

class UseCheck {
 public:
  UseCheck(const v1::WorkflowSpec& spec, Violations* violations) : violations_(*violations) {
    for (const v1::WorkflowNode& node : spec.nodes()) nodes_.emplace(node.name(), &node);
  }

  void CheckNode(const v1::WorkflowNode& node, const std::string& field) {
    if (node.outputs_size() > 0 && node.rows_size() > 0) {
      Add(field + ".outputs", "are not for a batch, whose rows would each have their own; let a task after it make one");
    }
    CheckVariables(node, field);
    if (node.has_condition()) CheckCondition(node, field + ".condition");
  }

 private:
  void Add(std::string field, std::string description) { violations_.Add(kBadUse, std::move(field), std::move(description)); }

  void CheckVariables(const v1::WorkflowNode& node, const std::string& field) {
    if (node.variables_size() > kMostVariables) return Add(field + ".variables", absl::StrCat("are more than ", kMostVariables));
    absl::flat_hash_set<std::string_view> names;
    for (const v1::EnvironmentVariable& variable : node.task().command().environment()) names.insert(variable.name());
    for (int i = 0; i < node.variables_size(); ++i) {
      const v1::OutputVariable& variable = node.variables(i);
      const std::string here = absl::StrCat(field, ".variables[", i, "]");
      if (!IsEnvironmentName(variable.name()) || absl::StartsWith(variable.name(), "MUSTER_")) {
        Add(here + ".name", "must be a name of the environment, and none that begins with MUSTER_, which are the worker's");
      } else if (!names.insert(variable.name()).second) {
        Add(here + ".name", absl::StrCat(Shown(variable.name()), " is set twice in this task's environment; take one out"));
      }
      CheckUse(node, variable.node(), variable.output(), here);
    }
  }

  void CheckCondition(const v1::WorkflowNode& node, const std::string& field) {
    const v1::NodeCondition& condition = node.condition();
    if (condition.text().size() > kMostTextBytes || condition.right().size() > kMostTextBytes) {
      Add(field, absl::StrCat("has a side of more than ", kMostTextBytes, " bytes; no output is longer"));
    }
    if (condition.node().empty()) {
      if (!condition.output().empty()) Add(field + ".node", "is unset, though there is an output; name the task whose output it is");
      return;
    }
    if (!condition.text().empty()) Add(field + ".text", "stays unset where the left side is an output");
    CheckUse(node, condition.node(), condition.output(), field);
  }

  void CheckUse(const v1::WorkflowNode& user, const std::string& name, const std::string& output, const std::string& field) {
    const auto found = nodes_.find(name);
    if (found == nodes_.end()) return Add(field + ".node", absl::StrCat("there is no task ", Shown(name)));
    const auto& outputs = found->second->outputs();
    if (std::find(outputs.begin(), outputs.end(), output) == outputs.end()) {
      return Add(field + ".output", absl::StrCat("the task ", Shown(name), " has no output ", Shown(output), "; name it under its outputs"));
    }
    const auto is_it = [&](const v1::Need& need) { return need.node() == name; };
    if (std::any_of(user.needs().begin(), user.needs().end(), is_it)) return;
    Add(field + ".node", absl::StrCat(Shown(name), " is not needed by this task; put it under its needs"));
  }

  absl::flat_hash_map<std::string_view, const v1::WorkflowNode*> nodes_;
  Violations& violations_;
};

}  // namespace

void CheckValueUses(const v1::WorkflowSpec& spec, Violations* violations) {
  size_t outputs = 0;
  bool any_use = false;
  for (const v1::WorkflowNode& node : spec.nodes()) {
    outputs += static_cast<size_t>(node.outputs_size());
    any_use = any_use || node.variables_size() > 0 || node.has_condition();
  }
  if (outputs > kMostWorkflowOutputs) {
    violations->Add(kBadUse, "workflow.nodes", absl::StrCat("have ", outputs, " outputs together; at most ", kMostWorkflowOutputs));
  }
  if (outputs == 0 && !any_use) return;
  UseCheck check(spec, violations);
  for (int i = 0; i < spec.nodes_size() && violations->empty(); ++i) {
    check.CheckNode(spec.nodes(i), absl::StrCat("workflow.nodes[", i, "]"));
  }
}

}  // namespace muster::handler
