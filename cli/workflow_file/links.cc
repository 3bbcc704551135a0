#include "cli/workflow_file/links.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "cli/workflow_file/message.h"
#include "cli/workflow_file/words.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

using Node = Document::Node;

constexpr size_t kShownOfACircle = 8;

std::string PlaceOf(const Node& at, const std::string& file) {
  return at.file() == file ? absl::StrCat("line ", at.line()) : absl::StrCat(at.file(), ":", at.line());
}

}  // namespace

absl::Status Links::Add(const Node& key, WrittenTask& task) {
  const auto [at, is_new] = indices_.try_emplace(task.node.name(), static_cast<NodeIndex>(tasks_.size()));
  if (!is_new) {
    return key.Bad(absl::StrCat("a second task '", ShownWord(task.node.name()), "', after ", PlaceOf(tasks_[at->second].key, key.file()), "; give it another name"));
  }
  tasks_.push_back({key, std::move(task.needs), std::move(task.uses)});
  return absl::OkStatus();
}

absl::Status Links::Tie(v1::WorkflowSpec* spec) const {
  std::vector<uint32_t> task_counts, need_ends;
  std::vector<WorkflowEdge> needs;
  for (NodeIndex i = 0; i < tasks_.size(); ++i) {
    v1::WorkflowNode& node = *spec->mutable_nodes(static_cast<int>(i));
    MUSTER_ASSIGN_OR_RETURN(const std::vector<WorkflowEdge> own, NeedsOf(i, &node));
    needs.insert(needs.end(), own.begin(), own.end());
    if (needs.size() > kMostWorkflowNeeds) {
      return tasks_[i].key.Bad(absl::StrCat("with this task there are more than ", kMostWorkflowNeeds, " needs; let a task between stand for many that are needed together"));
    }
    task_counts.push_back(node.rows().empty() ? 1 : static_cast<uint32_t>(node.rows_size()));
    need_ends.push_back(static_cast<uint32_t>(needs.size()));
  }
  for (NodeIndex i = 0; i < tasks_.size(); ++i) {
    for (const WrittenTask::Use& use : tasks_[i].uses) MUSTER_RETURN_IF_ERROR(CheckUse(use, spec->nodes(static_cast<int>(i)), *spec));
  }
  const auto made = WorkflowGraph::Make(std::move(task_counts), std::move(need_ends), std::move(needs));
  const auto* const cycle = std::get_if<WorkflowCycle>(&made);
  return cycle == nullptr ? absl::OkStatus() : CircleRefusal(*cycle, *spec);
}

absl::StatusOr<NodeIndex> Links::IndexOf(const Node& at, const std::string& name) const {
  const auto found = indices_.find(name);
  if (found != indices_.end()) return found->second;
  std::vector<std::string_view> names;
  for (const auto& [known, index] : indices_) names.push_back(known);
  std::sort(names.begin(), names.end());
  return at.Bad(absl::StrCat("there is no task '", ShownWord(name), "'", NearestText(name, names)));
}

absl::StatusOr<std::vector<WorkflowEdge>> Links::NeedsOf(NodeIndex index, v1::WorkflowNode* node) const {
  std::vector<WorkflowEdge> edges;
  absl::flat_hash_set<NodeIndex> seen;
  for (const WrittenNeed& written : tasks_[index].needs) {
    if (IsElsewhere(written.need.node())) {
      *node->add_needs() = written.need;
      continue;
    }
    MUSTER_ASSIGN_OR_RETURN(const NodeIndex needed, IndexOf(written.at, written.need.node()));
    if (needed == index) return written.at.Bad(absl::StrCat("the task '", ShownWord(node->name()), "' needs itself and could never start; take this need out"));
    if (!seen.insert(needed).second) return written.at.Bad(absl::StrCat("'", ShownWord(written.need.node()), "' is needed a second time; name it once, with one condition"));
    *node->add_needs() = written.need;
    edges.push_back({needed, convert::FromProto(written.need.condition())});
  }
  return edges;
}

absl::Status Links::CheckUse(const WrittenTask::Use& use, const v1::WorkflowNode& user, const v1::WorkflowSpec& spec) const {
  if (IsElsewhere(use.task)) return CheckIsNeeded(use, user);
  MUSTER_ASSIGN_OR_RETURN(const NodeIndex index, IndexOf(use.at, use.task));
  const v1::WorkflowNode& from = spec.nodes(static_cast<int>(index));
  const auto& outputs = from.outputs();
  if (std::find(outputs.begin(), outputs.end(), use.output) == outputs.end()) {
    const std::string what = absl::StrCat("the task '", ShownWord(use.task), "' has no output '", ShownWord(use.output), "'");
    if (from.rows_size() > 0) return use.at.Bad(absl::StrCat(what, ", since it has a matrix; let a task after it make one"));
    const std::string nearest = NearestText(use.output, {outputs.begin(), outputs.end()});
    return use.at.Bad(absl::StrCat(what, nearest.empty() ? absl::StrCat("; give it outputs: [", ShownWord(use.output), "]") : nearest));
  }
  return CheckIsNeeded(use, user);
}

absl::Status Links::CheckIsNeeded(const WrittenTask::Use& use, const v1::WorkflowNode& user) {
  const auto is_it = [&](const v1::Need& need) { return need.node() == use.task; };
  if (std::any_of(user.needs().begin(), user.needs().end(), is_it)) return absl::OkStatus();
  return use.at.Bad(absl::StrCat("an output of '", ShownWord(use.task), "', which '", ShownWord(user.name()), "' does not need; put ", ShownWord(use.task), " under its needs"));
}

absl::Status Links::CircleRefusal(const WorkflowCycle& cycle, const v1::WorkflowSpec& spec) const {
  const size_t size = cycle.nodes.size();
  const auto name = [&](size_t i) { return ShownWord(spec.nodes(static_cast<int>(cycle.nodes[i % size])).name()); };
  // The need of the i-th on the one after it.
  const auto need = [&](size_t i) {
    const std::vector<WrittenNeed>& needs = tasks_[cycle.nodes[i]].needs;
    const std::string& next = spec.nodes(static_cast<int>(cycle.nodes[(i + 1) % size])).name();
    return std::find_if(needs.begin(), needs.end(), [&](const WrittenNeed& written) { return written.need.node() == next; })->at;
  };
  const Node first = need(0);
  std::string way, places;
  for (size_t i = 0; i < size; ++i) {
    if (size > kShownOfACircle && i == kShownOfACircle / 2) {
      const size_t left_out = size - kShownOfACircle;
      absl::StrAppend(&way, "(", left_out, " more) -> ");
      absl::StrAppend(&places, ", ...");
      i += left_out;
    }
    absl::StrAppend(&way, name(i), " -> ");
    absl::StrAppend(&places, places.empty() ? "" : ", ", name(i), " needs ", name(i + 1), " on ", PlaceOf(need(i), first.file()));
  }
  return first.Bad(absl::StrCat("tasks need one another in a circle: ", way, name(0), " (", places, "); take one of these needs out"));
}

}  // namespace muster::cli
