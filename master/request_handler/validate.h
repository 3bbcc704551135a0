// What clients may ask for: every rule of a specification, told field by field, and what an accepted one becomes.
//
// A submit passes here first, then into the core. All violations are collected, not only the first; the refusal's
// reason is the first one's. Reasons are stable: NO_COMMAND, NUL_BYTE, ARGUMENT_TOO_LONG, COMMAND_TOO_LONG,
// INPUT_TOO_LONG, BAD_NAME, BAD_PRIORITY, BAD_DURATION, BAD_TIME, BAD_ENVIRONMENT, BAD_ATTEMPTS, BAD_RESOURCES,
// BAD_NEED, BAD_LABEL, BAD_DIRECTORY, BAD_PARAMETERS, BAD_LIMIT, BAD_OWNER, BAD_REQUEST_ID, BAD_ROWS, BAD_CALL, BAD_VALUE,
// BAD_DEPENDENCY, BAD_VALIDATION, BAD_OUTPUTS; and POLICY_DENIED, of what is well said and not allowed.
//
// What only the cluster knows (is there such an executor, is there room in the queue) is the core's to refuse.
// Thread rule: pure functions. Errors: INVALID_ARGUMENT with field violations; PERMISSION_DENIED with the policy's rule.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "common/base/refusal.h"
#include "common/domain/task_spec.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/pattern_check.h"
#include "muster/v1/task_service.pb.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::handler {

// Collects what is wrong, up to a bound; the rest is dropped.
class Violations {
 public:
  void Add(std::string_view reason, std::string field, std::string description);
  bool empty() const { return violations_.empty(); }
  absl::Status ToStatus() const;  // OK when empty

 private:
  std::string reason_;  // of the first
  std::vector<FieldViolation> violations_;
};

// `path` is how the call names the specification: "task", "template", "tasks[3]". `patterns` is the call's. `owner`: whose it is,
// whatever it says; empty: as it says.
void CheckSpec(const v1::TaskSpec& spec, const std::string& path, const TaskLimits& limits, PatternCheck* patterns,
               Violations* violations, const std::string& owner = "");
// Whether the policy, when there is one, lets its owner run it; told as CheckSpec tells. CheckSpec asks it of what is all right
// otherwise.
void CheckPolicy(const v1::TaskSpec& spec, const std::string& path, const TaskLimits& limits, Violations* violations,
                 const std::string& owner = "");
void CheckRows(const v1::SubmitBatchRequest& request, const TaskLimits& limits, Violations* violations);
void CheckRequestId(std::string_view request_id, Violations* violations);

// Fills in what the master decides (the owner) and makes the domain's form. The message must have passed CheckSpec.
TaskSpecPtr AcceptSpec(v1::TaskSpec* spec);

// For idempotence: SHA-256 of the deterministic serialization, without the request id.
Digest DigestOf(v1::SubmitRequest request);
Digest DigestOf(v1::SubmitBatchRequest request);
Digest DigestOf(v1::RetryRequest request);
Digest DigestOf(v1::RunWorkflowRequest request);
Digest DigestOf(v1::RetryWorkflowRequest request);

ArgumentRowsPtr MakeRows(v1::SubmitBatchRequest* request);  // takes the values

}  // namespace muster::handler
