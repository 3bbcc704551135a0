#include "master/request_handler/workflow_plan.h"

#include "common/convert/convert.h"

namespace muster::handler {

void ToProto(const workflows::Plan& plan, const WorkflowGraph& graph, const v1::WorkflowSpec& spec,
             v1::PlanWorkflowResponse* to) {
  const auto name = [&spec](NodeIndex node) { return spec.nodes(static_cast<int>(node)).name(); };
  v1::WorkflowPlan* const told = to->mutable_plan();
  for (const workflows::Stage& stage : plan.stages) {
    v1::WorkflowStage* const stage_told = told->add_stages();
    stage_told->set_task_count(static_cast<int64_t>(stage.task_count));
    for (const NodeIndex node : stage.nodes) stage_told->add_nodes(name(node));
  }
  told->set_task_count(static_cast<int64_t>(graph.task_count()));
  told->set_need_count(static_cast<int64_t>(graph.need_count()));
  told->set_width(static_cast<int64_t>(plan.width));
  for (const NodeIndex node : plan.critical_path) told->add_critical_path(name(node));
  convert::ToProto(plan.critical_path_time, told->mutable_critical_path_time());
  convert::ToProto(plan.total_work, told->mutable_total_work());
  told->set_slots_to_reach_critical_path(static_cast<int64_t>(plan.slots_to_reach_critical_path));
  told->set_unknown_count(static_cast<int64_t>(plan.unknown_count));
  convert::ToProto(plan.assumed, told->mutable_assumed());
  for (const absl::Duration time : plan.node_times) convert::ToProto(time, to->add_node_times());
}

}  // namespace muster::handler
