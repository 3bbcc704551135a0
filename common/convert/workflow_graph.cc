#include "common/convert/workflow_graph.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/nearest.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/convert/convert.h"

namespace muster::convert {
namespace {

constexpr size_t kMostWrong = 10;          // that are told at a time
constexpr size_t kLongestShownName = 64;
constexpr size_t kLongestGuessed = 128;    // a guess costs the product of both lengths
constexpr size_t kMostChanges = 3;
constexpr size_t kShownOfACycle = 8;
constexpr uint32_t kNever = UINT32_MAX;

std::string ShownName(const std::string& name) { return absl::StrCat("'", ToLine(name, kLongestShownName), "'"); }

std::string NodeField(int node) { return absl::StrCat("workflow.nodes[", node, "]"); }

std::string NeedField(int node, int at) { return absl::StrCat(NodeField(node), ".needs[", at, "]"); }

uint32_t TaskCount(const v1::WorkflowNode& node) { return node.rows().empty() ? 1 : static_cast<uint32_t>(node.rows_size()); }

bool IsCondition(v1::DependencyCondition condition) {
  return condition >= v1::DEPENDENCY_CONDITION_UNSPECIFIED && condition <= v1::DEPENDENCY_CONDITION_ANY;
}

absl::Status CheckSizes(const v1::WorkflowSpec& spec, const WorkflowLimits& limits) {
  if (spec.nodes().empty()) return RefuseField("BAD_WORKFLOW", "workflow.nodes", "is empty; a workflow has at least one task");
  size_t tasks = 0;
  size_t needs = 0;
  for (const v1::WorkflowNode& node : spec.nodes()) {
    tasks += TaskCount(node);
    needs += static_cast<size_t>(node.needs_size());
  }
  if (tasks > limits.tasks) {
    return RefuseField("BAD_WORKFLOW", "workflow.nodes",
                       absl::StrCat("are ", tasks, " tasks, with the rows of batches; at most ", limits.tasks,
                                    ": make several workflows of it"));
  }
  if (needs > limits.needs) {
    return RefuseField("BAD_WORKFLOW", "workflow.nodes",
                       absl::StrCat("have ", needs, " needs; at most ", limits.needs,
                                    ": let a task between stand for many that are needed together"));
  }
  return absl::OkStatus();
}

// Reads one specification's needs; names what is wrong, all at once up to a bound.
class GraphReader {
 public:
  explicit GraphReader(const v1::WorkflowSpec& spec) : spec_(spec), named_by_(static_cast<size_t>(spec.nodes_size()), kNever) {}

  absl::Status ReadNames() {
    indices_.reserve(static_cast<size_t>(spec_.nodes_size()));
    for (int i = 0; i < spec_.nodes_size(); ++i) {
      const std::string& name = spec_.nodes(i).name();
      const auto [at, is_new] = indices_.try_emplace(View(name), static_cast<uint32_t>(i));
      if (is_new) continue;
      Wrong("DUPLICATE_NODE", absl::StrCat(NodeField(i), ".name"),
            absl::StrCat(ShownName(name), " is the name of nodes[", at->second, "], too; give each task a name of its own"));
    }
    return TakeStatus();
  }

  absl::StatusOr<std::vector<WorkflowEdge>> ReadNeeds() {
    std::vector<WorkflowEdge> needs;
    for (int i = 0; i < spec_.nodes_size(); ++i) {
      for (int k = 0; k < spec_.nodes(i).needs_size(); ++k) ReadNeed(i, k, &needs);
    }
    MUSTER_RETURN_IF_ERROR(TakeStatus());
    return needs;
  }

 private:
  static absl::string_view View(const std::string& name) { return {name.data(), name.size()}; }

  void ReadNeed(int node, int at, std::vector<WorkflowEdge>* needs) {
    const v1::Need& need = spec_.nodes(node).needs(at);
    const auto found = indices_.find(View(need.node()));
    if (found == indices_.end()) return Wrong("UNKNOWN_NODE", NeedField(node, at), Unknown(need.node()));
    if (found->second == static_cast<uint32_t>(node)) {
      return Wrong("BAD_NEED", NeedField(node, at), absl::StrCat(ShownName(need.node()), " needs itself, and could never start"));
    }
    if (std::exchange(named_by_[found->second], static_cast<uint32_t>(node)) == static_cast<uint32_t>(node)) {
      return Wrong("BAD_NEED", NeedField(node, at),
                   absl::StrCat(ShownName(need.node()), " is needed twice; name it once, with one condition"));
    }
    if (!IsCondition(need.condition())) {
      return Wrong("BAD_NEED", absl::StrCat(NeedField(node, at), ".condition"),
                   absl::StrCat(static_cast<int>(need.condition()), " is none; there are SUCCESS, FAILURE and ANY"));
    }
    needs->push_back({found->second, FromProto(need.condition())});
  }

  std::string Unknown(const std::string& name) const {
    if (violations_.size() >= kMostWrong) return "";
    std::string text = absl::StrCat("there is no task ", ShownName(name));
    const std::optional<std::string> nearest = Nearest(name);
    return nearest ? absl::StrCat(text, "; did you mean ", ShownName(*nearest), "?") : text;
  }

  std::optional<std::string> Nearest(const std::string& name) const {
    if (name.size() > kLongestGuessed) return std::nullopt;
    std::vector<std::string_view> names;
    for (const v1::WorkflowNode& node : spec_.nodes()) {
      const size_t size = node.name().size();
      if (size <= name.size() + kMostChanges && name.size() <= size + kMostChanges) names.push_back(node.name());
    }
    // Of a short name nearly all would have to change.
    const std::optional<size_t> nearest = NearestOf(name, names, std::min(kMostChanges, name.size() / 2));
    return nearest ? std::optional(std::string(names[*nearest])) : std::nullopt;
  }

  void Wrong(std::string_view reason, std::string field, std::string description) {
    if (violations_.size() >= kMostWrong) return;
    if (violations_.empty()) reason_ = reason;
    violations_.push_back({std::move(field), std::move(description)});
  }

  absl::Status TakeStatus() const { return violations_.empty() ? absl::OkStatus() : RefuseFields(reason_, violations_); }

  const v1::WorkflowSpec& spec_;
  absl::flat_hash_map<absl::string_view, uint32_t> indices_;
  std::vector<uint32_t> named_by_;  // of each node who has last needed it
  std::string reason_;
  std::vector<FieldViolation> violations_;
};

}  // namespace

std::string CycleText(const v1::WorkflowSpec& spec, const WorkflowCycle& cycle) {
  const auto name = [&spec](NodeIndex node) { return ToLine(spec.nodes(static_cast<int>(node)).name(), kLongestShownName); };
  const size_t size = cycle.nodes.size();
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    const size_t skipped = size - kShownOfACycle;
    if (size > kShownOfACycle && i == kShownOfACycle / 2) {
      absl::StrAppend(&text, "(", skipped, " more) -> ");
      i += skipped;
    }
    absl::StrAppend(&text, name(cycle.nodes[i]), " -> ");
  }
  return absl::StrCat(text, name(cycle.nodes[0]));
}

absl::StatusOr<WorkflowGraph> MakeWorkflowGraph(const v1::WorkflowSpec& spec, const WorkflowLimits& limits) {
  MUSTER_RETURN_IF_ERROR(CheckSizes(spec, limits));
  GraphReader reader(spec);
  MUSTER_RETURN_IF_ERROR(reader.ReadNames());
  MUSTER_ASSIGN_OR_RETURN(std::vector<WorkflowEdge> needs, reader.ReadNeeds());
  std::vector<uint32_t> task_counts, need_ends;
  uint32_t end = 0;
  for (const v1::WorkflowNode& node : spec.nodes()) {
    task_counts.push_back(TaskCount(node));
    need_ends.push_back(end += static_cast<uint32_t>(node.needs_size()));
  }
  auto made = WorkflowGraph::Make(std::move(task_counts), std::move(need_ends), std::move(needs));
  if (const auto* const cycle = std::get_if<WorkflowCycle>(&made)) {
    return RefuseField("CYCLE", absl::StrCat(NodeField(static_cast<int>(cycle->nodes[0])), ".needs"),
                       absl::StrCat("go round in a circle, each needing the next: ", CycleText(spec, *cycle),
                                    "; take one of these needs away"));
  }
  return std::get<WorkflowGraph>(std::move(made));
}

}  // namespace muster::convert
