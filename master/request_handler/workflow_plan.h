// A plan as the answer to WorkflowService.Plan: names for indices.
// Thread rule: pure.
#pragma once

#include "common/domain/workflow_graph.h"
#include "master/workflows/plan.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::handler {

// All three of one workflow.
void ToProto(const workflows::Plan& plan, const WorkflowGraph& graph, const v1::WorkflowSpec& spec, v1::PlanWorkflowResponse* to);

}  // namespace muster::handler
