#include "master/core/workflow_forecast.h"

#include <algorithm>

#include "master/core/cluster.h"
#include "master/core/workflow_table.h"

namespace muster::core {
namespace {

struct NodeNow {
  uint64_t open = 0;
  uint64_t slots = 1;  // of one task
  std::optional<absl::Duration> time;
};

const Task* FirstOpen(const Cluster& cluster, const Workflow& workflow, uint32_t node) {
  for (const TaskRange& range : workflow.layout.TasksOf(node)) {
    const std::vector<TaskId> ids = cluster.tasks.InRange(range, 1);
    if (!ids.empty()) return cluster.tasks.Find(ids.front());
  }
  return nullptr;
}

NodeNow LookAt(const Cluster& cluster, const Workflow& workflow, uint32_t node) {
  NodeNow now;
  const Task* const task = FirstOpen(cluster, workflow, node);
  if (task == nullptr) return now;
  uint64_t by_state[16] = {};
  for (const TaskRange& range : workflow.layout.TasksOf(node)) now.open += range.count == 1 ? 1 : cluster.tasks.CountIn(range, by_state);
  now.slots = std::max<uint64_t>(1, task->spec().requirements.resources.slots);
  now.time = cluster.run_times.Median(task->spec().fingerprint);
  return now;
}

// When nothing fails.
std::vector<bool> RunsIfAllSucceeds(const WorkflowSpec& spec, const std::vector<uint32_t>& order) {
  std::vector<bool> runs(spec.nodes.size());
  for (const uint32_t node : order) {
    const auto& needs = spec.nodes[node].needs;
    runs[node] = std::all_of(needs.begin(), needs.end(), [&](const NodeNeed& need) {
      if (need.condition == DependencyCondition::kFailure) return false;
      return need.condition == DependencyCondition::kAny || runs[need.node];
    });
  }
  return runs;
}

}  // namespace

std::optional<absl::Duration> WorkflowForecast::TimeLeft(const Cluster& cluster, const Workflow& workflow, absl::Time now) {
  const uint64_t slots = cluster.workflows.slots();
  if (workflow.state != WorkflowState::kRunning || workflow.Stops() || !workflow.cancelled_by.empty() || slots == 0) return std::nullopt;
  if (now - looked_ > std::max(kFresh, kFreshForEach * static_cast<int64_t>(workflow.layout.nodes()))) {
    Look(cluster, workflow);
    looked_ = now;
  }
  if (known_ == 0 || 2 * known_ < open_) return std::nullopt;
  const double left = static_cast<double>(workflow.open) / static_cast<double>(open_);
  const uint64_t runs = workflow.in_flight - workflow.queued;
  const uint64_t share = std::max<uint64_t>({1, slots / std::max<uint64_t>(1, cluster.workflows.sharers()), std::min(runs, slots)});
  absl::Duration time = std::max(LongestWay(cluster, workflow, now), slot_work_ * left / static_cast<double>(share));
  if (const uint64_t most = MaxParallelOf(cluster.config, workflow); most != 0) {
    time = std::max(time, work_ * left / static_cast<double>(most));
  }
  return time;
}

void WorkflowForecast::Look(const Cluster& cluster, const Workflow& workflow) {
  *this = {};
  const auto nodes = static_cast<uint32_t>(workflow.layout.nodes());
  const std::vector<uint32_t> order = OrderOf(*workflow.spec);
  const std::vector<bool> runs = RunsIfAllSucceeds(*workflow.spec, order);
  std::vector<NodeNow> now(nodes);
  absl::Duration known_work;
  uint64_t timed = 0;  // that it is of
  for (uint32_t node = 0; node < nodes; ++node) {
    now[node] = LookAt(cluster, workflow, node);
    open_ += now[node].open;
    if (!runs[node]) known_ += now[node].open;  // their time is known: none
    if (!runs[node] || !now[node].time) continue;
    timed += now[node].open;
    known_work += *now[node].time * static_cast<double>(now[node].open);
  }
  known_ += timed;
  const absl::Duration assumed = timed == 0 ? absl::ZeroDuration() : known_work / static_cast<double>(timed);
  std::vector<absl::Duration> behind(nodes);  // the longest way after it
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    const uint32_t node = *it;
    const bool counts = runs[node] && now[node].open > 0;
    const absl::Duration time = counts ? now[node].time.value_or(assumed) : absl::ZeroDuration();
    const absl::Duration way = time + behind[node];
    for (const NodeNeed& need : workflow.spec->nodes[node].needs) behind[need.node] = std::max(behind[need.node], way);
    if (!counts) continue;
    ways_.push_back({way, time, node});
    work_ += time * static_cast<double>(now[node].open);
    slot_work_ += time * static_cast<double>(now[node].open * now[node].slots);
  }
  std::stable_sort(ways_.begin(), ways_.end(), [](const Way& a, const Way& b) { return a.time > b.time; });
}

absl::Duration WorkflowForecast::LongestWay(const Cluster& cluster, const Workflow& workflow, absl::Time now) {
  absl::Duration longest;
  bool all_passed = true;
  for (size_t i = passed_; i < ways_.size() && ways_[i].time > longest; ++i) {
    const Task* const first = FirstOpen(cluster, workflow, ways_[i].node);
    if (first == nullptr) {
      if (all_passed) passed_ = i + 1;
      continue;
    }
    all_passed = false;
    const auto* const running = std::get_if<Running>(&first->state);
    const absl::Duration done = running == nullptr ? absl::ZeroDuration() : now - running->since;
    longest = std::max(longest, ways_[i].time - std::clamp(done, absl::ZeroDuration(), ways_[i].first));
  }
  return longest;
}

}  // namespace muster::core
