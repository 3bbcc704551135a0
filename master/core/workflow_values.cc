#include "master/core/workflow_values.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/planted_fault.h"
#include "common/base/utf8.h"

namespace muster::core {
namespace {

constexpr size_t kMostShownBytes = 64;

std::string Quoted(const std::string& value) { return absl::StrCat("'", ToLine(value, kMostShownBytes), "'"); }

size_t BytesOf(const std::vector<std::optional<std::string>>& values) {
  size_t bytes = 0;
  for (const auto& value : values) bytes += sizeof(value) + (value ? value->size() : 0);
  return bytes;
}

Judgement Broken(std::string_view what, const OutputOf& output) {
  return {Judgement::Kind::kBroken, absl::StrCat(std::string(what), " is ", output.text, ", which was not written")};
}

Judgement JudgeCondition(const NodeCondition& condition, const WorkflowValues& values) {
  const std::string* const left = condition.left ? values.Find(*condition.left) : &condition.text;
  if (left == nullptr) return Broken("the left side of its condition", *condition.left);
  if ((*left == condition.right) != condition.negated || Mutated("workflow_condition_ignored")) return {};
  const std::string what = condition.left ? absl::StrCat(condition.left->text, " is ", Quoted(*left)) : Quoted(*left);
  const char* const between = condition.negated ? (condition.left ? ", and must not be " : " must not be ")
                                                : (condition.left ? ", and not " : " is not ");
  return {Judgement::Kind::kSkipped, absl::StrCat(what, between, Quoted(condition.right))};
}

}  // namespace

void WorkflowValues::Keep(const WorkflowSpec& spec, uint32_t node, const NamedValues& written) {
  const auto& values = spec.nodes[node].values;
  if (values == nullptr || values->outputs.empty()) return;
  std::vector<std::optional<std::string>> kept(values->outputs.size());
  for (const NamedValue& value : written) {
    const auto found = std::find(values->outputs.begin(), values->outputs.end(), value.name);
    if (found != values->outputs.end()) kept[static_cast<size_t>(found - values->outputs.begin())] = value.value;
  }
  const auto [place, is_new] = by_node_.try_emplace(node);
  bytes_ -= BytesOf(place->second);
  place->second = std::move(kept);
  bytes_ += BytesOf(place->second);
}

const std::string* WorkflowValues::Find(const OutputOf& output) const {
  const auto found = by_node_.find(output.node);
  if (found == by_node_.end() || output.output >= found->second.size()) return nullptr;
  const std::optional<std::string>& value = found->second[output.output];
  return value ? &*value : nullptr;
}

Judgement Judge(const WorkflowSpec& spec, uint32_t node, const WorkflowValues& values) {
  const NodeValues* const own = spec.nodes[node].values.get();
  if (own == nullptr) return {};
  if (own->condition) {
    Judgement judgement = JudgeCondition(*own->condition, values);
    if (judgement.kind != Judgement::Kind::kStarts) return judgement;
  }
  for (const NodeVariable& variable : own->variables) {
    if (values.Find(variable.value) == nullptr) return Broken(absl::StrCat("its variable ", variable.name), variable.value);
  }
  return {};
}

NamedValues VariablesOf(const WorkflowSpec& spec, uint32_t node, const WorkflowValues& values) {
  NamedValues variables;
  if (const NodeValues* const own = spec.nodes[node].values.get(); own != nullptr) {
    for (const NodeVariable& variable : own->variables) {
      if (const std::string* const value = values.Find(variable.value)) variables.push_back({variable.name, *value});
    }
  }
  return variables;
}

}  // namespace muster::core
