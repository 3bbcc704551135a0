// Workflows as the API shows them, from what the core knows of an open one and the store of one that has ended.
// Thread rule: pure functions.
#pragma once

#include <vector>

#include "common/domain/ids.h"
#include "master/core/effects.h"
#include "master/core/workflow_layout.h"
#include "master/store/store.h"
#include "muster/v1/workflow.pb.h"

namespace muster::handler {

void ToProto(const core::WorkflowView& from, v1::Workflow* to);
void ToProto(const store::StoredWorkflow& from, v1::Workflow* to);

// How the tasks of a node stand: those that are open, as of a moment before the others were counted.
struct NodeStanding {
  uint64_t open_by_state[16] = {};
  store::EndCounts ended;
  uint64_t count = 0;  // of tasks, all of them
};
// `node` is the stored one: without its task; `earlier` are tasks of it that were tried again.
void ToProto(const v1::WorkflowNode& node, const std::vector<TaskRange>& tasks, const std::vector<TaskId>& earlier,
             const NodeStanding& standing, v1::WorkflowNodeStatus* to);

}  // namespace muster::handler
