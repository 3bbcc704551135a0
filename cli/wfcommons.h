// Workflows from WfCommons instances: traces of real scientific workflows, as JSON.
//
// Read are the formats 1.5 and 1.6 (`workflow.specification.tasks` with `workflow.execution.tasks`) and those before
// (`workflow.tasks`, or `jobs`, with `runtimeInSeconds` or `runtime`). Of a task its id, name, parents, children and run time
// count: an edge that only one of its ends names is one, too. Everything else is passed over.
// Source: https://github.com/wfcommons/WfFormat
// Thread rule: pure functions. Bounds: those of a workflow. Errors: INVALID_ARGUMENT, one line with name, line and column.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "muster/v1/workflow.pb.h"

namespace muster::cli {

struct WfCommonsOptions {
  double scale = 1;     // of the run times; finite, at least 0
  // A line for /bin/sh in place of a sleep. In it stand {{ name }}, {{ type }} (mProject of mProject_ID0000001) and
  // {{ seconds }} (scaled) for those of the task.
  std::string command;
};

// `name` is for messages. Its tasks sleep for their scaled run times (`sleep 0.123`), or run the command.
absl::StatusOr<v1::WorkflowSpec> ImportWfCommons(const std::string& name, std::string_view json, const WfCommonsOptions& options);

// The same as a file for `muster flow run`. Of workflows that ImportWfCommons made; of others only names, commands and needs.
std::string WorkflowFileText(const v1::WorkflowSpec& workflow);

}  // namespace muster::cli
