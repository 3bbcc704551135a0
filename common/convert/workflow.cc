#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/convert/convert.h"

namespace muster::convert {
namespace {

using NodePlaces = absl::flat_hash_map<std::string_view, uint32_t>;

std::optional<OutputOf> FindOutput(const v1::WorkflowSpec& spec, const NodePlaces& places, const std::string& node, const std::string& output) {
  const auto found = places.find(node);
  if (found == places.end()) return std::nullopt;
  const auto& outputs = spec.nodes(static_cast<int>(found->second)).outputs();
  const auto at = std::find(outputs.begin(), outputs.end(), output);
  if (at == outputs.end()) return std::nullopt;
  return OutputOf{found->second, static_cast<uint32_t>(at - outputs.begin()), absl::StrCat(node, ".", output)};
}

std::shared_ptr<const NodeValues> MakeValues(const v1::WorkflowSpec& spec, const NodePlaces& places, const v1::WorkflowNode& node) {
  if (node.outputs().empty() && node.variables().empty() && !node.has_condition()) return nullptr;
  auto values = std::make_shared<NodeValues>();
  values->outputs.assign(node.outputs().begin(), node.outputs().end());
  for (const v1::OutputVariable& variable : node.variables()) {
    std::optional<OutputOf> value = FindOutput(spec, places, variable.node(), variable.output());
    if (value) values->variables.push_back({variable.name(), *std::move(value)});
  }
  if (node.has_condition()) {
    const v1::NodeCondition& condition = node.condition();
    values->condition = NodeCondition{FindOutput(spec, places, condition.node(), condition.output()), condition.text(),
                                      condition.negated(), condition.right()};
  }
  return values;
}

}  // namespace

WorkflowSpecPtr MakeWorkflowSpec(const v1::WorkflowSpec& message, std::string owner, std::string payload) {
  auto spec = std::make_shared<WorkflowSpec>();
  spec->name = message.name();
  spec->owner = std::move(owner);
  spec->max_parallel = static_cast<uint32_t>(message.max_parallel());
  spec->on_failure = message.on_failure() == v1::FAILURE_RULE_UNSPECIFIED ? FailureRule::kStop
                                                                          : static_cast<FailureRule>(message.on_failure());
  NodePlaces by_name;
  for (const v1::WorkflowNode& node : message.nodes()) by_name.emplace(node.name(), by_name.size());
  spec->nodes.reserve(static_cast<size_t>(message.nodes_size()));
  for (const v1::WorkflowNode& node : message.nodes()) {
    WorkflowNode& made = spec->nodes.emplace_back();
    made.may_fail = node.may_fail();
    made.values = MakeValues(message, by_name, node);
    for (const v1::Need& need : node.needs()) {
      if (const auto found = by_name.find(need.node()); found != by_name.end()) {
        made.needs.push_back({found->second, FromProto(need.condition())});
      }
    }
  }
  spec->payload = std::move(payload);
  return spec;
}

WorkflowState FromProto(v1::WorkflowState state) {
  return v1::WorkflowState_IsValid(state) ? static_cast<WorkflowState>(state) : WorkflowState::kNone;
}

v1::WorkflowState ToProto(WorkflowState state) { return static_cast<v1::WorkflowState>(state); }

}  // namespace muster::convert
