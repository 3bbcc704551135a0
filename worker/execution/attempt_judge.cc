#include "worker/execution/attempt_judge.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/planted_fault.h"

namespace muster::execution {
namespace {

EndReason FromPlugin(plugin::EndReason reason) {
  switch (reason) {
    case plugin::EndReason::kExited: return EndReason::kExited;
    case plugin::EndReason::kSignaled: return EndReason::kSignaled;
    case plugin::EndReason::kOutOfMemory: return EndReason::kOutOfMemory;
    case plugin::EndReason::kStartFailed: return EndReason::kStartFailed;
  }
  return EndReason::kStartFailed;
}

// Without its usage.
AttemptEnd EndOf(const plugin::Result& result) {
  AttemptEnd end;
  end.reason = FromPlugin(result.reason);
  end.exit_code = result.exit_code;
  end.signal = result.signal;
  end.start_errno = result.start_errno;
  end.message = result.message;
  return end;
}

ResourceUsage UsageOf(const plugin::Result& result) {
  ResourceUsage usage;
  usage.user_cpu_time = absl::FromChrono(result.usage.user_cpu);
  usage.system_cpu_time = absl::FromChrono(result.usage.system_cpu);
  usage.peak_memory_bytes = result.usage.peak_memory_bytes;
  usage.read_bytes = result.usage.read_bytes;
  usage.written_bytes = result.usage.written_bytes;
  return usage;
}

void FailValidation(std::string why, AttemptEnd* end) {
  end->reason = EndReason::kValidationFailed;
  end->message = std::move(why);
}

}  // namespace

AttemptJudge::AttemptJudge(const Validation* validation)
    : validation_(validation),
      output_check_(validation->output_pattern.empty() ? nullptr
                                                       : std::make_unique<OutputCheck>(validation->output_pattern)) {}

void AttemptJudge::Feed(plugin::Stream stream, std::string_view bytes) {
  if (output_check_ != nullptr) output_check_->Feed(stream == plugin::Stream::kStderr ? 1 : 0, bytes);
}

AttemptEnd AttemptJudge::WorkEnd(const plugin::Result& result, EndReason stop, const absl::Status& outputs) {
  AttemptEnd end = EndOf(result);
  end.usage = UsageOf(result);
  const bool own_end = result.by_itself || end.reason == EndReason::kStartFailed || end.reason == EndReason::kOutOfMemory;
  if (stop != EndReason::kNone && !own_end) end.reason = stop;
  Judge(outputs, &end);
  return end;
}

void AttemptJudge::Judge(const absl::Status& outputs, AttemptEnd* end) {
  if (end->reason != EndReason::kExited) return;
  if (!IsSuccess(*end)) {
    if (end->exit_code == 0) FailValidation("exited with 0, which is not accepted", end);
    return;
  }
  const std::string problem = output_check_ == nullptr ? "" : output_check_->Close();
  if (!problem.empty()) return FailValidation(problem, end);
  if (!outputs.ok()) FailValidation(absl::StrCat("its outputs: ", outputs.message()), end);
}

AttemptEnd AttemptJudge::ValidatedEnd(AttemptEnd work_end, const plugin::Result& result, const std::string& last_line,
                                      EndReason stop, bool timed_out) const {
  const bool succeeded = result.reason == plugin::EndReason::kExited && result.exit_code == 0;
  if (stop != EndReason::kNone && !result.by_itself) return StoppedEnd(std::move(work_end), stop);
  if (timed_out && !result.by_itself) {
    FailValidation(absl::StrCat("it took longer than ", absl::FormatDuration(validation_->timeout)), &work_end);
  } else if (!succeeded && !Mutated("trust_exit_code")) {
    FailValidation(absl::StrCat(Describe(EndOf(result)), last_line.empty() ? "" : ": ", last_line), &work_end);
  }
  return work_end;
}

AttemptEnd StoppedEnd(AttemptEnd end, EndReason reason) {
  end.reason = reason;
  end.exit_code = 0;
  return end;
}

}  // namespace muster::execution
