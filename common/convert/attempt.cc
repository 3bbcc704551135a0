// Attempts and their output, to and from the API.
#include <utility>

#include "common/convert/convert.h"

namespace muster::convert {
namespace {

void UsageToProto(const ResourceUsage& from, v1::ResourceUsage* to) {
  convert::ToProto(from.wall_time, to->mutable_wall_time());
  convert::ToProto(from.user_cpu_time, to->mutable_user_cpu_time());
  convert::ToProto(from.system_cpu_time, to->mutable_system_cpu_time());
  to->set_peak_memory_bytes(from.peak_memory_bytes);
  to->set_read_bytes(from.read_bytes);
  to->set_written_bytes(from.written_bytes);
}

ResourceUsage UsageFromProto(const v1::ResourceUsage& from) {
  return {.wall_time = convert::FromProto(from.wall_time()),
          .user_cpu_time = convert::FromProto(from.user_cpu_time()),
          .system_cpu_time = convert::FromProto(from.system_cpu_time()),
          .peak_memory_bytes = from.peak_memory_bytes(),
          .read_bytes = from.read_bytes(),
          .written_bytes = from.written_bytes()};
}

RetainedOutput TakeOutput(v1::RetainedOutput* from, const v1::OutputSummary& summary) {
  RetainedOutput output;
  output.head = std::move(*from->mutable_head());
  output.tail = std::move(*from->mutable_tail());
  output.tail_offset = from->tail_offset();
  output.total_bytes = summary.total_bytes();
  output.sha256 = summary.sha256();
  return output;
}

}  // namespace

void ToProto(const NamedValues& from, google::protobuf::RepeatedPtrField<v1::NamedValue>* to) {
  for (const NamedValue& one : from) {
    v1::NamedValue* const added = to->Add();
    added->set_name(one.name);
    added->set_value(one.value);
  }
}

NamedValues FromProto(const google::protobuf::RepeatedPtrField<v1::NamedValue>& from) {
  NamedValues values;
  values.reserve(static_cast<size_t>(from.size()));
  for (const v1::NamedValue& one : from) values.push_back({one.name(), one.value()});
  return values;
}

void ToProto(const AttemptEnd& from, v1::AttemptEnd* to) {
  to->set_reason(static_cast<v1::EndReason>(from.reason));
  to->set_exit_code(from.exit_code);
  to->set_signal(from.signal);
  to->set_start_errno(from.start_errno);
  to->set_message(from.message);
  UsageToProto(from.usage, to->mutable_usage());
}

AttemptEnd FromProto(const v1::AttemptEnd& from) {
  return {.reason = v1::EndReason_IsValid(from.reason()) ? static_cast<EndReason>(from.reason()) : EndReason::kNone,
          .exit_code = from.exit_code(),
          .signal = from.signal(),
          .start_errno = from.start_errno(),
          .message = from.message(),
          .usage = UsageFromProto(from.usage())};
}

void ToProto(const RetainedOutput& from, v1::RetainedOutput* to, v1::OutputSummary* summary) {
  if (to != nullptr && from.total_bytes > 0) {
    to->set_head(from.head);
    to->set_tail(from.tail);
    to->set_tail_offset(from.tail_offset);
  }
  if (summary != nullptr && from.total_bytes > 0) {
    summary->set_total_bytes(from.total_bytes);
    summary->set_sha256(from.sha256);
    summary->set_omitted_bytes(from.omitted_bytes());
  }
}

AttemptReportPtr FromProto(v1::AttemptResult* from) {
  auto report = std::make_shared<AttemptReport>();
  report->key = FromProto(from->key());
  report->end = FromProto(from->end());
  report->stdout_output = TakeOutput(from->mutable_stdout(), from->end().stdout());
  report->stderr_output = TakeOutput(from->mutable_stderr(), from->end().stderr());
  if (from->has_start_time()) report->start_time = FromProto(from->start_time());
  report->end_time = FromProto(from->end_time());
  report->started = from->started();
  report->stopped = from->stopped();
  report->outputs = FromProto(from->outputs());
  return report;
}

void ToProto(const AttemptReport& from, v1::AttemptResult* to) {
  ToProto(from.key, to->mutable_key());
  ToProto(from.end, to->mutable_end());
  // Empty streams stay unset: most commands print little, and these messages are many.
  if (from.stdout_output.total_bytes > 0) {
    ToProto(from.stdout_output, to->mutable_stdout(), to->mutable_end()->mutable_stdout());
  }
  if (from.stderr_output.total_bytes > 0) {
    ToProto(from.stderr_output, to->mutable_stderr(), to->mutable_end()->mutable_stderr());
  }
  if (from.started) ToProto(from.start_time, to->mutable_start_time());
  ToProto(from.end_time, to->mutable_end_time());
  to->set_started(from.started);
  to->set_stopped(from.stopped);
  ToProto(from.outputs, to->mutable_outputs());
}

}  // namespace muster::convert
