// What clients submit: SubmitBatchRequest, with single tasks or a template and its rows.
//
// Claims: a refusal names its fields in single lines; what is accepted becomes a specification that keeps its own
// rules, is the same when it is read back from its stored bytes, prints as JSON, and makes work that a worker can run
// within the kernel's limits.
#include <algorithm>
#include <cmath>

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/convert/convert.h"
#include "common/rpc/status.h"
#include "master/request_handler/validate.h"
#include "muster/v1/task_service.pb.h"
#include "muster/v1/worker_service.pb.h"
#include "tests/fuzz/message_input.h"
#include "worker/session/attempt_work.h"

namespace muster::fuzz {
namespace {

constexpr size_t kMostNameBytes = 32;  // MUSTER_TASK_ID=..., and the like
const handler::TaskLimits kLimits;

void CheckRefusal(const handler::Violations& violations) {
  const absl::Status status = violations.ToStatus();
  MUSTER_CLAIM(absl::IsInvalidArgument(status) && !ReasonOf(status).empty(), status.ToString());
  MUSTER_CLAIM(IsOneLine(std::string(status.message())), status.ToString());
  // gRPC takes 8 KiB of trailers: the message, escaped, and the details.
  const grpc::Status wire = rpc::ToGrpc(status);
  const size_t bytes = 3 * wire.error_message().size() + wire.error_details().size() * 4 / 3;
  MUSTER_CLAIM(bytes < 8000, absl::StrCat(bytes, ": ", status.ToString()));
  for (const FieldViolation& violation : ViolationsOf(status)) {
    MUSTER_CLAIM(IsOneLine(violation.field) && IsOneLine(violation.description), violation.description);
  }
}

bool IsSpan(absl::Duration duration) { return duration >= absl::ZeroDuration() && duration <= kLimits.longest_timeout; }
bool IsSpanOrNone(absl::Duration duration) { return duration == absl::InfiniteDuration() || IsSpan(duration); }

void CheckRules(const TaskSpec& spec) {
  const ResourceAmounts& wants = spec.requirements.resources;
  MUSTER_CLAIM(wants.slots >= 1 && wants.cpu_millis >= 0 && wants.memory_bytes >= 0 && wants.disk_bytes >= 0, "");
  const auto by_name = [](const auto& a, const auto& b) { return a.first >= b.first; };
  MUSTER_CLAIM(std::adjacent_find(wants.named.begin(), wants.named.end(), by_name) == wants.named.end(),
               "resources are sorted and each is named once");
  for (const auto& list : {spec.requirements.needs, spec.requirements.excludes}) {
    MUSTER_CLAIM(std::is_sorted(list.begin(), list.end()), "");
  }
  for (const Need& excluded : spec.requirements.excludes) {
    const auto& needs = spec.requirements.needs;
    MUSTER_CLAIM(std::find(needs.begin(), needs.end(), excluded) == needs.end(), "both needed and avoided");
  }
  MUSTER_CLAIM(spec.retry.max_attempts >= 1 && IsSpan(spec.retry.base_delay) && IsSpan(spec.retry.max_delay), "");
  MUSTER_CLAIM(IsSpanOrNone(spec.run_timeout) && spec.run_timeout > absl::ZeroDuration(), "");
  MUSTER_CLAIM(IsSpanOrNone(spec.queue_timeout) && spec.queue_timeout > absl::ZeroDuration(), "");
  MUSTER_CLAIM(IsSpanOrNone(spec.kill_grace), "");
  MUSTER_CLAIM(!spec.owner.empty() && !spec.queue.empty() && !spec.requirements.executor.empty(), "");
}

// After a restart the master knows a task by its stored bytes alone.
v1::TaskSpec ReadBack(const v1::TaskSpec& message, const TaskSpec& spec) {
  v1::TaskSpec again;
  MUSTER_CLAIM(again.ParseFromString(spec.payload), "the stored bytes parse");
  MUSTER_CLAIM(again.SerializeAsString().size() == spec.payload.size(), "the stored bytes are the message");
  const TaskSpecPtr copy = convert::MakeTaskSpec(again, spec.payload);
  MUSTER_CLAIM(copy->requirements == spec.requirements && copy->fingerprint == spec.fingerprint &&
                   copy->name == spec.name && copy->queue == spec.queue && copy->owner == spec.owner &&
                   copy->priority == spec.priority && copy->labels == spec.labels &&
                   copy->start_time == spec.start_time && copy->run_timeout == spec.run_timeout &&
                   copy->dependencies == spec.dependencies && copy->payload == spec.payload,
               message.ShortDebugString());
  v1::TaskSpec sent;
  const std::string_view for_workers = spec.payload_for_workers();
  MUSTER_CLAIM(sent.ParseFromArray(for_workers.data(), static_cast<int>(for_workers.size())) && sent.dependencies().empty(),
               "what workers are sent parses, and has no dependencies");
  MUSTER_CLAIM(spec.dependencies.size() >= static_cast<size_t>(message.dependencies_size()),
               "none is forgotten because its tasks cannot be read");
  return again;
}

void CheckJson(const v1::TaskSpec& spec) {
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(spec, &json);
  MUSTER_CLAIM(printed.ok(), absl::StrCat(printed.ToString(), "\n", spec.ShortDebugString()));
  v1::TaskSpec again;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &again);
  MUSTER_CLAIM(parsed.ok(), absl::StrCat(parsed.ToString(), "\n", json));
  MUSTER_CLAIM(google::protobuf::util::MessageDifferencer::Equals(again, spec),
               absl::StrCat(json, "\n", spec.ShortDebugString(), "\n", again.ShortDebugString()));
}

size_t CheckWord(const std::string& word) {
  MUSTER_CLAIM(word.size() <= kLimits.argument_bytes && word.find('\0') == std::string::npos,
               absl::StrCat("a word of ", word.size(), " bytes"));
  return word.size() + 1;
}

// As a worker reads it, with the values of a batch's row.
void CheckWork(const TaskSpec& spec, const v1::ArgumentRow* row, int64_t index) {
  v1::SessionRequest message;
  message.add_specs(spec.payload);
  v1::Assignment* assignment = message.add_assignments();
  assignment->mutable_key()->set_task(7);
  assignment->mutable_key()->set_attempt(1);
  if (row != nullptr) {
    assignment->set_batch_index(index);
    *assignment->mutable_arguments() = row->values();
  }
  const worker::ReadAssignments read = worker::ReadAssignmentsOf(message, worker::StreamId(1), {"w1", "master:7070"});
  MUSTER_CLAIM(read.malformed == 0 && read.assigned.size() == 1, "");
  const auto& work = *static_cast<const worker::AttemptWork*>(read.assigned.front().work.get());
  MUSTER_CLAIM(work.broken.empty(), work.broken);
  MUSTER_CLAIM(read.assigned.front().slots == spec.requirements.resources.slots, "");
  size_t words = 0, line = 0;
  for (const std::string& word : work.request.command.argv) line += CheckWord(word);
  for (const std::string& word : work.request.arguments) words += CheckWord(word);
  for (const auto& [name, value] : work.request.command.environment) words += CheckWord(name + "=" + value);
  if (work.request.command.shell) MUSTER_CLAIM(line <= kLimits.argument_bytes, absl::StrCat(line));
  MUSTER_CLAIM(words + line <= kLimits.command_bytes + 8 * kMostNameBytes, absl::StrCat(words + line));
}

TaskSpecPtr CheckAccepted(v1::TaskSpec message) {
  const TaskSpecPtr spec = handler::AcceptSpec(&message);
  CheckRules(*spec);
  CheckJson(ReadBack(message, *spec));
  return spec;
}

}  // namespace
}  // namespace muster::fuzz

using namespace muster;  // NOLINT: the macro wants the plain name of a type

MUSTER_MESSAGE_FUZZ(v1::SubmitBatchRequest, request) {
  handler::Violations violations;
  handler::PatternCheck patterns;
  handler::CheckRequestId(request.request_id(), &violations);
  for (int i = 0; i < request.tasks_size(); ++i) {
    handler::CheckSpec(request.tasks(i), absl::StrCat("tasks[", i, "]"), fuzz::kLimits, &patterns, &violations);
  }
  if (request.has_template_()) {
    handler::CheckSpec(request.template_(), "template", fuzz::kLimits, &patterns, &violations);
    handler::CheckRows(request, fuzz::kLimits, &violations);
  }
  if (!violations.empty()) return fuzz::CheckRefusal(violations);

  v1::SubmitBatchRequest named = request;
  named.set_request_id("another");
  MUSTER_CLAIM(handler::DigestOf(named) == handler::DigestOf(request), "the id is no content");
  for (const v1::TaskSpec& task : request.tasks()) fuzz::CheckWork(*fuzz::CheckAccepted(task), nullptr, 0);
  if (!request.has_template_()) return;
  const TaskSpecPtr spec = fuzz::CheckAccepted(request.template_());
  for (int i = 0; i < request.rows_size(); ++i) fuzz::CheckWork(*spec, &request.rows(i), i + 1);
  const size_t rows = static_cast<size_t>(request.rows_size());
  MUSTER_CLAIM(handler::MakeRows(&request)->size() == rows, "");
}
