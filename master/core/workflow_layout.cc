#include "master/core/workflow_layout.h"

#include <algorithm>

#include "common/base/check.h"

namespace muster::core {
namespace {

// The ranges without those tasks, both by id.
std::vector<TaskRange> Without(const std::vector<TaskRange>& ranges, std::vector<TaskId> gone) {
  std::sort(gone.begin(), gone.end());
  std::vector<TaskRange> left;
  for (const TaskRange& range : ranges) {
    uint64_t from = range.first.value();
    const uint64_t past = from + range.count;
    for (auto it = std::lower_bound(gone.begin(), gone.end(), range.first); it != gone.end() && it->value() < past; ++it) {
      if (it->value() > from) left.push_back({TaskId(from), it->value() - from});
      from = it->value() + 1;
    }
    if (from < past) left.push_back({TaskId(from), past - from});
  }
  return left;
}

}  // namespace

void WorkflowLayout::Add(const std::vector<NodeTasks>& part) {
  ++parts_;
  if (std::any_of(part.begin(), part.end(), [](const NodeTasks& made) { return !made.replaces.empty(); })) ++retries_;
  for (const NodeTasks& made : part) {
    MUSTER_CHECK(made.node < now_.size());
    Now& now = now_[made.node];
    if (!made.replaces.empty()) now.tasks = Without(now.tasks, made.replaces);
    if (now.newest_part != parts_) {
      now.newest_part = parts_;
      now.newest = now.tasks.size();
    }
    now.tasks.push_back(made.tasks);
  }
}

uint64_t WorkflowLayout::task_count() const {
  uint64_t count = 0;
  for (const Now& now : now_) {
    for (const TaskRange& tasks : now.tasks) count += tasks.count;
  }
  return count;
}

std::vector<Dependency> WorkflowLayout::DependenciesOf(const WorkflowSpec& spec, uint32_t node) const {
  std::vector<Dependency> dependencies;
  for (const NodeNeed& need : spec.nodes[node].needs) {
    const Now& now = now_[need.node];
    const size_t from = now.newest_part == parts_ ? now.newest : 0;
    // Its tasks are lost: nobody can say that it holds.
    if (now.tasks.empty()) dependencies.push_back({TaskRange{}, DependencyCondition::kSuccess, false});
    for (size_t i = from; i < now.tasks.size(); ++i) dependencies.push_back({now.tasks[i], need.condition, i > from});
  }
  return dependencies;
}

}  // namespace muster::core
