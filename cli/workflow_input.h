// A workflow from a file, from stdin or from a folder, and its way to the master in parts.
//
// A folder is a workflow of its files *.yaml, *.yml and *.json, in the order of their names: each is one task, named as its
// file unless it has a `name`; a `workflow.yaml` (.yml, .json) there has everything else.
// Thread rule: one thread. Errors: UsageError, one line.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/workflow_file/workflow_file.h"
#include "muster/v1/workflow.pb.h"

namespace muster::cli {

// "-": stdin.
absl::StatusOr<v1::WorkflowSpec> ReadWorkflow(const std::string& path, FileKind kind = FileKind::kWorkflow);

// Of each of its tasks that says none.
void SetOwner(const std::string& owner, v1::WorkflowSpec* spec);

// What --set says, "NAME=VALUE" each.
absl::Status ReadParameters(const std::vector<std::string>& sets, google::protobuf::RepeatedPtrField<v1::ParameterValue>* values);

// The parts that RunWorkflowRequest and PlanWorkflowRequest go out in: everything and the first nodes, then nodes alone, each
// with at most so many bytes of them (or one node that is larger). False from `send` ends it; the nodes are moved out.
inline constexpr size_t kPartBytes = size_t{1} << 20;
bool SendInParts(v1::WorkflowSpec spec, const std::function<bool(v1::WorkflowSpec part)>& send, size_t part_bytes = kPartBytes);

}  // namespace muster::cli
