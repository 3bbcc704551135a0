// The plan of a workflow for a person, and as a drawing for Graphviz.
// Thread rule: pure functions. `width`: in characters; 0: 80.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/terminal.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::cli {

// What it is, its longest way, its work, and its stages with their nodes; those of the longest way are marked.
std::vector<StyledLine> PlanLines(const v1::WorkflowPlan& plan, size_t width);

// A digraph: `dot -Tsvg`. `answer` is the plan of this workflow. Names are text, whatever is in them; the longest way is red;
// needs on a failure are dashed, on any end dotted.
std::string PlanDot(const v1::WorkflowSpec& workflow, const v1::PlanWorkflowResponse& answer);

}  // namespace muster::cli
