#include "master/core/recovered_workflows.h"

#include <algorithm>
#include <memory>

#include "common/base/planted_fault.h"
#include "master/core/workflow_layout.h"

namespace muster::core {
namespace {

TaskGroupPtr With(const TaskGroup& group, std::vector<Dependency> dependencies, TaskId workflow, uint32_t node) {
  auto spec = std::make_shared<TaskSpec>(*group.row.spec);
  spec->dependencies = std::move(dependencies);
  SpecificationRow row = group.row;
  row.spec = std::move(spec);
  return MakeTaskGroup(std::move(row), workflow, node);
}

void Attach(const RecoveredWorkflow& workflow, std::vector<TaskGroupPtr>* groups) {
  WorkflowLayout layout(workflow.row.spec->nodes.size());
  for (const WorkflowPartRow& part : workflow.parts) {
    layout.Add(part.tasks);
    if (Mutated("workflow_needs_lost")) continue;
    for (const NodeTasks& made : part.tasks) {
      const auto group = std::lower_bound(groups->begin(), groups->end(), made.tasks.first,
                                          [](const TaskGroupPtr& it, TaskId id) { return it->row.first < id; });
      if (group == groups->end() || (*group)->row.first != made.tasks.first) continue;
      *group = With(**group, layout.DependenciesOf(*workflow.row.spec, made.node), workflow.row.id, made.node);
    }
  }
}

}  // namespace

void AttachToWorkflows(RecoveredState* state) {
  for (const RecoveredWorkflow& workflow : state->workflows) Attach(workflow, &state->groups);
  for (TaskGroupPtr& group : state->groups) {
    // Nobody knows any more what it waits for.
    if (group->row.spec->in_workflow && !group->workflow) group = With(*group, {Dependency{}}, TaskId(), 0);
  }
}

std::vector<std::pair<uint32_t, TaskRange>> CurrentTasks(const WorkflowSpec& spec, const std::vector<WorkflowPartRow>& parts) {
  WorkflowLayout layout(spec.nodes.size());
  for (const WorkflowPartRow& part : parts) layout.Add(part.tasks);
  std::vector<std::pair<uint32_t, TaskRange>> current;
  for (uint32_t node = 0; node < layout.nodes(); ++node) {
    for (const TaskRange& tasks : layout.TasksOf(node)) current.emplace_back(node, tasks);
  }
  return current;
}

}  // namespace muster::core
