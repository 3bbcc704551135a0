#include "cli/workflow_rows.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/fold_names.h"
#include "cli/text.h"
#include "common/convert/convert.h"
#include "common/domain/workflow_graph.h"

namespace muster::cli {
namespace {

using Nodes = std::vector<v1::WorkflowNodeStatus>;
using Edges = std::vector<std::vector<WorkflowEdge>>;  // of each what it needs

// Without names that are not there, and without doubles.
Edges EdgesOf(const Nodes& nodes) {
  std::unordered_map<std::string, NodeIndex> indices;
  for (size_t i = 0; i < nodes.size(); ++i) indices.try_emplace(nodes[i].name(), static_cast<NodeIndex>(i));
  Edges edges(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const v1::Need& need : nodes[i].needs()) {
      const auto found = indices.find(need.node());
      if (found == indices.end() || found->second == i) continue;
      edges[i].push_back({found->second, convert::FromProto(need.condition())});
    }
  }
  return edges;
}

WorkflowGraph GraphOf(const Edges& edges) {
  std::vector<uint32_t> ends;
  std::vector<WorkflowEdge> all;
  for (const std::vector<WorkflowEdge>& of_one : edges) {
    all.insert(all.end(), of_one.begin(), of_one.end());
    ends.push_back(static_cast<uint32_t>(all.size()));
  }
  const std::vector<uint32_t> ones(edges.size(), 1);
  auto made = WorkflowGraph::Make(ones, ends, std::move(all));
  if (auto* const graph = std::get_if<WorkflowGraph>(&made)) return std::move(*graph);
  // No master makes a circle; should one claim it, its needs are not shown.
  return GraphOf(Edges(edges.size()));
}

// Of each node which group it is in. Groups are numbered as their first nodes come.
std::vector<NodeIndex> GroupsOf(const Nodes& nodes, const WorkflowGraph& graph, bool fold) {
  const std::vector<uint32_t> depths = Depths(graph);
  std::map<std::pair<uint32_t, std::string>, size_t> alike;
  const auto key = [&](size_t i) { return std::pair(depths[i], FoldedName(nodes[i].name())); };
  if (fold && nodes.size() > kMostUnfoldedNodes) {
    for (size_t i = 0; i < nodes.size(); ++i) ++alike[key(i)];
  }
  std::map<std::pair<uint32_t, std::string>, NodeIndex> made;
  std::vector<NodeIndex> groups;
  NodeIndex next = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto found = alike.empty() ? alike.end() : alike.find(key(i));
    if (found == alike.end() || found->second < kFewestFolded) {
      groups.push_back(next++);
      continue;
    }
    const auto [group, is_new] = made.try_emplace(found->first, next);
    groups.push_back(group->second);
    next += is_new ? 1 : 0;
  }
  return groups;
}

void Take(const v1::WorkflowNodeStatus& node, WorkflowRow* row) {
  if (row->node_count++ == 0) row->name = node.name();
  for (const v1::StateCount& count : node.counts()) {
    const auto same = [&count](const v1::StateCount& other) { return other.state() == count.state(); };
    const auto found = std::find_if(row->counts.begin(), row->counts.end(), same);
    if (found == row->counts.end()) {
      row->counts.push_back(count);
    } else {
      found->set_count(found->count() + count.count());
    }
    row->task_count += count.count();
    if (!IsTerminal(count.state()) && count.count() > 0) row->is_open = true;
  }
  if (node.counts().empty() && !node.skipped()) row->is_open = true;
  if (node.skipped()) ++row->skipped_count;
  if (row->reason.empty()) row->reason = node.reason();
  if (node.has_start_time()) row->start = std::min(row->start, convert::FromProto(node.start_time()));
  if (node.has_end_time()) row->end = std::max(row->end, convert::FromProto(node.end_time()));
}

const char* ConditionSuffix(DependencyCondition condition) {
  switch (condition) {
    case DependencyCondition::kSuccess: return "";
    case DependencyCondition::kFailure: return ":failure";
    case DependencyCondition::kAny: return ":any";
  }
  return "";
}

// Needs between groups, each once, with the condition that it was met with first.
Edges GroupEdges(const WorkflowGraph& graph, const std::vector<NodeIndex>& groups, size_t group_count) {
  Edges edges(group_count);
  std::unordered_map<uint64_t, bool> seen;
  for (NodeIndex node = 0; node < graph.node_count(); ++node) {
    for (const WorkflowEdge& need : graph.needs(node)) {
      if (!seen.try_emplace(uint64_t{groups[node]} << 32 | groups[need.node], true).second) continue;
      edges[groups[node]].push_back({groups[need.node], need.condition});
    }
  }
  return edges;
}

}  // namespace

std::vector<WorkflowRow> WorkflowRows(const Nodes& nodes, bool fold) {
  const WorkflowGraph graph = GraphOf(EdgesOf(nodes));
  const std::vector<NodeIndex> groups = GroupsOf(nodes, graph, fold);
  const size_t group_count = groups.empty() ? 0 : *std::max_element(groups.begin(), groups.end()) + size_t{1};
  std::vector<WorkflowRow> of_groups(group_count);
  for (size_t i = 0; i < nodes.size(); ++i) Take(nodes[i], &of_groups[groups[i]]);
  for (WorkflowRow& row : of_groups) {
    if (row.node_count > 1) row.name = absl::StrCat(FoldedName(row.name), " (", row.node_count, ")");
  }
  const WorkflowGraph shown = GraphOf(GroupEdges(graph, groups, group_count));
  std::vector<uint32_t> places(group_count);
  std::vector<WorkflowRow> rows;
  for (const NodeIndex group : shown.order()) {
    places[group] = static_cast<uint32_t>(rows.size());
    WorkflowRow& row = rows.emplace_back(std::move(of_groups[group]));
    for (const WorkflowEdge& need : shown.needs(group)) {
      row.needs.push_back(places[need.node]);
      row.need_words.push_back(absl::StrCat(rows[places[need.node]].name, ConditionSuffix(need.condition)));
    }
  }
  return rows;
}

}  // namespace muster::cli
