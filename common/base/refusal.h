// An absl::Status that a person and a program can act on: what, why, and what to do.
//
// A refusal is a status whose payloads carry what google.rpc's details carry on the wire: a stable reason
// (UPPER_SNAKE, part of the API), the fields that are wrong, and the delay after which to try again. The pure parts
// make them; common/rpc turns them into gRPC statuses and back.
// Thread rule: functions on values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace muster {

// A call that brings more than may ever wait at a time: a smaller one may fit. Clients that send many tasks cut theirs.
inline constexpr char kCallTooLarge[] = "CALL_TOO_LARGE";

struct FieldViolation {
  std::string field;        // as in the API: "task.command.argv[2]"
  std::string description;  // "has a NUL byte; arguments cannot carry one"
};

// `reason` is stable; `message` is one line for a person.
absl::Status Refuse(absl::StatusCode code, std::string_view reason, std::string_view message);
absl::Status RefuseField(std::string_view reason, std::string_view field, std::string_view description);
absl::Status RefuseFields(std::string_view reason, const std::vector<FieldViolation>& violations);
absl::Status RefuseForNow(std::string_view reason, std::string_view message, absl::Duration retry_after);

std::string ReasonOf(const absl::Status& status);  // "" when it has none
std::vector<FieldViolation> ViolationsOf(const absl::Status& status);
std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

// For the layer that reads details off the wire.
void SetReason(absl::Status* status, std::string_view reason);
void SetRetryAfter(absl::Status* status, absl::Duration delay);
void AddViolation(absl::Status* status, const FieldViolation& violation);

}  // namespace muster
