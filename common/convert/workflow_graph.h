// A workflow's specification as a graph, refused with what is wrong for whoever wrote it.
//
// It looks at names, counts and needs, and at nothing else of a node. Refusals are RefuseFields' (common/base/refusal.h),
// with fields as the API has them ("workflow.nodes[3].needs[1]") and the reasons:
//   BAD_WORKFLOW         no nodes; or more tasks or needs than a workflow may have
//   DUPLICATE_NODE       two nodes of one name
//   UNKNOWN_NODE         a need on a node that there is not; the nearest name is given
//   BAD_NEED             a need on itself, or twice on the same node
//   CYCLE                "a -> b -> c -> a", each needing the next
// Thread rule: pure.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "common/domain/dependency.h"
#include "common/domain/workflow_graph.h"
#include "muster/v1/workflow.pb.h"

namespace muster::convert {

struct WorkflowLimits {
  size_t tasks = kMostWorkflowTasks;
  size_t needs = kMostWorkflowNeeds;
};

absl::StatusOr<WorkflowGraph> MakeWorkflowGraph(const v1::WorkflowSpec& spec, const WorkflowLimits& limits = {});

// The way round by names; of a long one the first and the last few.
std::string CycleText(const v1::WorkflowSpec& spec, const WorkflowCycle& cycle);

}  // namespace muster::convert
