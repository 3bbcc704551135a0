// What a workflow's rows say of its tasks: whose they are, what they wait for, and which of them its nodes are now.
//
// Thread rule: pure functions.
#pragma once

#include <utility>
#include <vector>

#include "master/core/recovered_state.h"

namespace muster::core {

// Each group of an open task that is a workflow's gets to know its workflow, and what it depends on. One whose workflow the
// store has lost (after a salvage) depends on what can never be met: it must not start without what it needed.
void AttachToWorkflows(RecoveredState* state);

// Node by node, the tasks that it is now.
std::vector<std::pair<uint32_t, TaskRange>> CurrentTasks(const WorkflowSpec& spec, const std::vector<WorkflowPartRow>& parts);

}  // namespace muster::core
