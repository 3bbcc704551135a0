#include "master/workflows/plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/check.h"
#include "master/workflows/list_schedule.h"

namespace muster::workflows {
namespace {

constexpr absl::Duration kLongestRun = absl::Hours(24 * 365 * 100);  // of one task: sums of it stay finite

using KnownTimes = std::span<const std::optional<absl::Duration>>;

void FillStages(const WorkflowGraph& graph, Plan* plan) {
  const std::vector<uint32_t> depths = Depths(graph);
  for (NodeIndex node = 0; node < graph.node_count(); ++node) {
    if (plan->stages.size() <= depths[node]) plan->stages.resize(depths[node] + 1);
    Stage& stage = plan->stages[depths[node]];
    stage.nodes.push_back(node);
    stage.task_count += graph.tasks(node);
    plan->width = std::max(plan->width, stage.task_count);
  }
}

// Half of the known tasks take no longer.
absl::Duration MedianOf(const WorkflowGraph& graph, KnownTimes known, const std::vector<bool>& runs) {
  std::vector<std::pair<absl::Duration, uint64_t>> times;
  uint64_t tasks = 0;
  for (NodeIndex node = 0; node < graph.node_count(); ++node) {
    if (!runs[node] || !known[node]) continue;
    times.emplace_back(*known[node], graph.tasks(node));
    tasks += graph.tasks(node);
  }
  std::sort(times.begin(), times.end());
  uint64_t seen = 0;
  for (const auto& [time, count] : times) {
    seen += count;
    if (seen * 2 >= tasks) return std::clamp(time, absl::ZeroDuration(), kLongestRun);
  }
  return kAssumedOfNothing;
}

void FillTimes(const WorkflowGraph& graph, KnownTimes known, const std::vector<bool>& runs, Plan* plan) {
  plan->assumed = MedianOf(graph, known, runs);
  plan->node_times.resize(graph.node_count());
  for (NodeIndex node = 0; node < graph.node_count(); ++node) {
    if (!runs[node]) continue;
    if (!known[node]) plan->unknown_count += graph.tasks(node);
    plan->node_times[node] = std::clamp(known[node].value_or(plan->assumed), absl::ZeroDuration(), kLongestRun);
    plan->total_work += plan->node_times[node] * static_cast<int64_t>(graph.tasks(node));
  }
}

// From the node with the longest way to the end along that way; of equals the first.
void FillCriticalPath(const WorkflowGraph& graph, const std::vector<bool>& runs, Plan* plan) {
  const std::vector<absl::Duration> levels = BottomLevels(graph, plan->node_times);
  const auto rank = [&](NodeIndex node) { return std::pair(levels[node], bool{runs[node]}); };
  std::optional<NodeIndex> next;
  for (const NodeIndex node : graph.order()) {
    if (!next || rank(*next) < rank(node)) next = node;
  }
  if (next) plan->critical_path_time = levels[*next];
  while (next) {
    const NodeIndex node = *next;
    plan->critical_path.push_back(node);
    next.reset();
    for (const WorkflowEdge& dependent : graph.dependents(node)) {
      if (!next || rank(*next) < rank(dependent.node)) next = dependent.node;
    }
  }
  while (!plan->critical_path.empty() && !runs[plan->critical_path.back()]) plan->critical_path.pop_back();
}

// By bisection between what the work alone needs, and what is busy at once when slots are plenty.
uint64_t SlotsToReach(const WorkflowGraph& graph, const std::vector<bool>& runs, const Plan& plan) {
  if (plan.critical_path_time == absl::ZeroDuration()) return plan.critical_path.empty() ? 0 : 1;
  const absl::Duration limit = plan.critical_path_time * kAboutTheCriticalPath;
  ListSchedule schedule(graph, plan.node_times, runs);
  const auto plenty = schedule.Run(graph.task_count());
  MUSTER_CHECK(plenty && plenty->makespan == plan.critical_path_time);
  const double least = std::ceil(absl::FDivDuration(plan.total_work, limit) - 1e-6);
  uint64_t reaches = plenty->most_running;
  uint64_t does_not = std::min(static_cast<uint64_t>(std::max(1.0, least)), reaches) - 1;
  while (does_not + 1 < reaches) {
    const uint64_t slots = does_not + (reaches - does_not) / 2;
    (schedule.Run(slots, limit) ? reaches : does_not) = slots;
  }
  return reaches;
}

}  // namespace

std::vector<bool> RunWhenAllSucceed(const WorkflowGraph& graph) {
  std::vector<bool> runs(graph.node_count());
  for (const NodeIndex node : graph.order()) {
    const std::span<const WorkflowEdge> needs = graph.needs(node);
    runs[node] = std::all_of(needs.begin(), needs.end(), [&runs](const WorkflowEdge& need) {
      return need.condition == DependencyCondition::kAny || (need.condition == DependencyCondition::kSuccess) == runs[need.node];
    });
  }
  return runs;
}

Plan MakePlan(const WorkflowGraph& graph, KnownTimes known) {
  MUSTER_CHECK(known.size() == graph.node_count());
  Plan plan;
  const std::vector<bool> runs = RunWhenAllSucceed(graph);
  FillStages(graph, &plan);
  FillTimes(graph, known, runs, &plan);
  FillCriticalPath(graph, runs, &plan);
  plan.slots_to_reach_critical_path = SlotsToReach(graph, runs, plan);
  return plan;
}

}  // namespace muster::workflows
