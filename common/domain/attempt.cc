#include "common/domain/attempt.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace muster {
namespace {

constexpr std::array<std::string_view, 11> kEndReasonNames = {"NONE",      "EXITED",    "SIGNALED",  "TIMEOUT",
                                                     "OUT_OF_MEMORY", "START_FAILED", "REJECTED", "PREEMPTED",
                                                     "CANCELLED", "LOST",      "VALIDATION_FAILED"};

constexpr int kTimedOutCode = 124;
constexpr int kMusterCode = 125;
constexpr int kNotExecutableCode = 126;
constexpr int kNotFoundCode = 127;
constexpr int kSignalBase = 128;
constexpr int kKill = 9;
constexpr int kMostCode = 255;

std::string WithMessage(std::string text, const std::string& message) {
  if (!message.empty()) absl::StrAppend(&text, ": ", message);
  return text;
}

}  // namespace

bool Succeeded(const AttemptEnd& end, const std::vector<int32_t>& accepted_exit_codes) {
  if (end.reason != EndReason::kExited) return false;
  if (accepted_exit_codes.empty()) return end.exit_code == 0;
  return std::find(accepted_exit_codes.begin(), accepted_exit_codes.end(), end.exit_code) != accepted_exit_codes.end();
}

absl::Duration SlotTime(const AttemptReport& report) {
  const absl::Duration run = report.end.usage.wall_time;
  if (!report.started || report.start_time == absl::InfinitePast()) return run;
  return std::max(run, report.end_time - report.start_time);  // the clock may have been set back
}

int ExitCodeFor(const AttemptEnd& end) {
  switch (end.reason) {
    // A worker may report any number; a shell sees the lowest byte, in which 256 is success.
    case EndReason::kExited: return end.exit_code >= 0 && end.exit_code <= kMostCode ? end.exit_code : kMostCode;
    case EndReason::kSignaled: return kSignalBase + std::clamp(end.signal, 0, kMostCode - kSignalBase);
    case EndReason::kTimeout: return kTimedOutCode;
    case EndReason::kOutOfMemory: return kSignalBase + kKill;
    case EndReason::kStartFailed:
      if (end.start_errno == ENOENT || end.start_errno == ENOTDIR) return kNotFoundCode;
      return end.start_errno != 0 ? kNotExecutableCode : kMusterCode;
    case EndReason::kValidationFailed: return 1;
    case EndReason::kNone:
    case EndReason::kRejected:
    case EndReason::kPreempted:
    case EndReason::kCancelled:
    case EndReason::kLost: return kMusterCode;
  }
  return kMusterCode;
}

std::string_view EndReasonName(EndReason reason) {
  const auto index = static_cast<size_t>(reason);
  return index < kEndReasonNames.size() ? kEndReasonNames[index] : "NONE";
}

std::string Describe(const AttemptEnd& end) {
  switch (end.reason) {
    case EndReason::kExited: return WithMessage(absl::StrCat("exited with ", end.exit_code), end.message);
    case EndReason::kSignaled: {
      const char* name = sigabbrev_np(end.signal);
      return WithMessage(absl::StrCat("killed by signal ", end.signal, name ? absl::StrCat(" (SIG", name, ")") : ""),
                         end.message);
    }
    case EndReason::kTimeout: return WithMessage("ran past its timeout", end.message);
    case EndReason::kOutOfMemory: return WithMessage("out of memory", end.message);
    case EndReason::kStartFailed:
      if (!end.message.empty()) return absl::StrCat("could not start: ", end.message);
      return absl::StrCat("could not start: ", end.start_errno ? std::strerror(end.start_errno) : "unknown cause");
    case EndReason::kRejected: return WithMessage("refused by the worker", end.message);
    case EndReason::kPreempted: return WithMessage("stopped by a drain", end.message);
    case EndReason::kCancelled: return WithMessage("cancelled", end.message);
    case EndReason::kLost: return WithMessage("its worker was lost", end.message);
    case EndReason::kValidationFailed: return WithMessage("failed its validation", end.message);
    case EndReason::kNone: break;
  }
  return end.message;
}

}  // namespace muster
