// Which tasks of a workflow that has ended are to be tried again: what failed, what was stopped before it could run, and
// all that hangs on either.
//
// What succeeded stays unless it needs something that is tried again, or did not write a value that another broke at. What was
// skipped stays when what it needs stays, and says still that it cannot run.
// Thread rule: pure.
#pragma once

#include <cstdint>
#include <vector>

#include "common/domain/ids.h"
#include "common/domain/workflow.h"
#include "master/core/recovered_state.h"

namespace muster::handler {

struct RetriedNode {
  uint32_t node = 0;
  std::vector<TaskId> tasks;  // by id
};
struct WorkflowRetry {
  std::vector<RetriedNode> nodes;        // each after those that it needs
  std::vector<core::RecoveredEnd> kept;
};

// `ends`: of every task that its nodes are now, node by node. `order`: OrderOf(spec).
WorkflowRetry ChooseRetry(const WorkflowSpec& spec, const std::vector<uint32_t>& order, const std::vector<core::RecoveredEnd>& ends);

}  // namespace muster::handler
