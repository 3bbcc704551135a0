// Following a workflow to its end, with its bar on a terminal.
// Thread rule: the main thread. Errors: the server's; errors.h's Interrupted: the workflow goes on.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/output.h"
#include "cli/session.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::cli {

// All pages of it as one.
absl::StatusOr<v1::GetWorkflowResponse> ReadFlow(Client& client, const std::string& selector);

// As it ended.
absl::StatusOr<v1::Workflow> WaitForFlow(Session& session, const std::string& selector);

// Waits, says how it ended and what failed, and prints it in `format` when that is data. 0: SUCCEEDED; 1: FAILED; 125:
// CANCELLED.
absl::StatusOr<int> FollowFlow(Session& session, const std::string& selector, Format format);

}  // namespace muster::cli
