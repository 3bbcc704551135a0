#include "absl/container/flat_hash_map.h"
#include "common/convert/convert.h"

namespace muster::convert {

WorkflowSpecPtr MakeWorkflowSpec(const v1::WorkflowSpec& message, std::string owner, std::string payload) {
  auto spec = std::make_shared<WorkflowSpec>();
  spec->name = message.name();
  spec->owner = std::move(owner);
  spec->max_parallel = static_cast<uint32_t>(message.max_parallel());
  spec->on_failure = message.on_failure() == v1::FAILURE_RULE_UNSPECIFIED ? FailureRule::kStop
                                                                          : static_cast<FailureRule>(message.on_failure());
  absl::flat_hash_map<std::string_view, uint32_t> by_name;
  for (const v1::WorkflowNode& node : message.nodes()) by_name.emplace(node.name(), by_name.size());
  spec->nodes.reserve(static_cast<size_t>(message.nodes_size()));
  for (const v1::WorkflowNode& node : message.nodes()) {
    WorkflowNode& made = spec->nodes.emplace_back();
    made.may_fail = node.may_fail();
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
