#include "common/base/refusal.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace muster {
namespace {

constexpr char kReason[] = "muster/reason";
constexpr char kRetryAfter[] = "muster/retry_after_ns";
constexpr char kViolations[] = "muster/violations";  // field \0 description \0 ...
constexpr size_t kMostViolations = 32;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string Payload(const absl::Status& status, absl::string_view key) {
  const auto payload = status.GetPayload(key);
  return payload ? std::string(*payload) : std::string();
}

}  // namespace

absl::Status Refuse(absl::StatusCode code, std::string_view reason, std::string_view message) {
  absl::Status status(code, View(message));
  SetReason(&status, reason);
  return status;
}

absl::Status RefuseField(std::string_view reason, std::string_view field, std::string_view description) {
  return RefuseFields(reason, {{std::string(field), std::string(description)}});
}

absl::Status RefuseFields(std::string_view reason, const std::vector<FieldViolation>& violations) {
  std::string message;
  for (const FieldViolation& violation : violations) {
    absl::StrAppend(&message, message.empty() ? "" : "; ", violation.field, ": ", violation.description);
  }
  absl::Status status = Refuse(absl::StatusCode::kInvalidArgument, reason, message);
  for (const FieldViolation& violation : violations) AddViolation(&status, violation);
  return status;
}

absl::Status RefuseForNow(std::string_view reason, std::string_view message, absl::Duration retry_after) {
  absl::Status status = Refuse(absl::StatusCode::kResourceExhausted, reason, message);
  SetRetryAfter(&status, retry_after);
  return status;
}

std::string ReasonOf(const absl::Status& status) { return Payload(status, kReason); }

std::vector<FieldViolation> ViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  const std::string payload = Payload(status, kViolations);
  std::vector<std::string> parts = absl::StrSplit(payload, '\0');
  for (size_t i = 0; i + 1 < parts.size(); i += 2) {
    violations.push_back({std::move(parts[i]), std::move(parts[i + 1])});
  }
  return violations;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& status) {
  int64_t nanoseconds = 0;
  if (!absl::SimpleAtoi(Payload(status, kRetryAfter), &nanoseconds)) return std::nullopt;
  return absl::Nanoseconds(nanoseconds);
}

void SetReason(absl::Status* status, std::string_view reason) {
  if (!status->ok() && !reason.empty()) status->SetPayload(kReason, absl::Cord(View(reason)));
}

void SetRetryAfter(absl::Status* status, absl::Duration delay) {
  if (!status->ok()) {
    status->SetPayload(kRetryAfter, absl::Cord(absl::StrCat(absl::ToInt64Nanoseconds(delay))));
  }
}

void AddViolation(absl::Status* status, const FieldViolation& violation) {
  if (status->ok() || ViolationsOf(*status).size() >= kMostViolations) return;
  std::string payload = Payload(*status, kViolations);
  // A field's name is ours or printable; a NUL in it would only cut it short.
  payload += std::string(violation.field.c_str());
  payload += '\0';
  payload += std::string(violation.description.c_str());
  payload += '\0';
  status->SetPayload(kViolations, absl::Cord(payload));
}

}  // namespace muster
