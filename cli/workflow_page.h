// Workflows as rows, and one workflow for a person: its state, a bar of how far it is, and its graph with states, times and
// what waits for what.
//
// Lines are of spans, painted by Terminal::Paint, which also sees to what others wrote. The bar is done, failed, skipped,
// running, left: "████▓▒▒░░░".
// Thread rule: pure functions; `now` is for what is relative, `width` in characters (0: nothing is cut).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/terminal.h"
#include "muster/v1/workflow.pb.h"

namespace muster::cli {

std::string StateName(v1::WorkflowState state);  // "RUNNING"
Colour StateColour(v1::WorkflowState state);

// For lists; cli/output.h's Table takes them.
inline constexpr size_t kWorkflowStateColumn = 2;
std::vector<std::string> WorkflowListHeader(bool wide);
std::vector<std::string> WorkflowListRow(const v1::Workflow& workflow, bool wide, absl::Time now);

// "████▒▒░░░░  42%  12 done, 3 running, 1 failed, 20 left, about 4m12s to go"; for Terminal::Progress its PlainText.
StyledLine WorkflowProgress(const v1::Workflow& workflow);

// "12 done, 1 failed, 3 skipped"
std::string WorkflowTallyText(const v1::Workflow& workflow);

// What is known of it as a whole, with its bar.
std::vector<StyledLine> WorkflowSummary(const v1::Workflow& workflow, absl::Time now);

// `nodes`: all of them, from all pages, in their order. With `fold` like ones share a line (cli/workflow_rows.h). The graph is
// drawn when it is narrow enough (cli/graph_lanes.h); else each line says what it needs.
std::vector<StyledLine> WorkflowGraphLines(const std::vector<v1::WorkflowNodeStatus>& nodes, bool fold, absl::Time now,
                                           size_t width);

}  // namespace muster::cli
