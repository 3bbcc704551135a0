// How one try on one worker went.
//
// Thread rule: values; a report is immutable once shared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/named_value.h"

namespace muster {

// Kept apart from the task's state. Numbers are those of muster.v1.EndReason.
enum class EndReason : uint8_t {
  kNone = 0,
  kExited = 1,
  kSignaled = 2,
  kTimeout = 3,
  kOutOfMemory = 4,
  kStartFailed = 5,
  kRejected = 6,
  kPreempted = 7,
  kCancelled = 8,
  kLost = 9,
  kValidationFailed = 10,
};

// Of the command itself, not of its validation.
struct ResourceUsage {
  absl::Duration wall_time;
  absl::Duration user_cpu_time;
  absl::Duration system_cpu_time;
  int64_t peak_memory_bytes = 0;
  int64_t read_bytes = 0;
  int64_t written_bytes = 0;
};

// First 64 KiB and last 1 MiB of a stream. While total_bytes fits into head, tail is empty.
struct RetainedOutput {
  static constexpr int64_t kHeadBytes = 64 * 1024;
  static constexpr int64_t kTailBytes = 1024 * 1024;

  std::string head;
  std::string tail;
  int64_t tail_offset = 0;  // of tail's first byte in the stream
  int64_t total_bytes = 0;
  std::string sha256;  // 32 bytes, of the full stream; empty when nothing was written

  int64_t omitted_bytes() const { return total_bytes - static_cast<int64_t>(head.size() + tail.size()); }
};

struct AttemptEnd {
  EndReason reason = EndReason::kNone;
  int32_t exit_code = 0;    // kExited
  int32_t signal = 0;       // kSignaled
  int32_t start_errno = 0;  // kStartFailed
  std::string message;
  ResourceUsage usage;
};

// What a worker reports once per attempt, and repeats until it is acknowledged as durable.
struct AttemptReport {
  AttemptKey key;
  AttemptEnd end;
  RetainedOutput stdout_output;
  RetainedOutput stderr_output;
  absl::Time start_time = absl::InfinitePast();  // infinite: it never started
  absl::Time end_time;
  bool started = false;
  bool stopped = false;  // because the master asked for it
  NamedValues outputs;   // of a success: those of its task's outputs that it wrote
};
using AttemptReportPtr = std::shared_ptr<const AttemptReport>;

// EXITED with one of these; empty: with 0.
bool Succeeded(const AttemptEnd& end, const std::vector<int32_t>& accepted_exit_codes = {});

// How long it took its slot: the command and its validation.
absl::Duration SlotTime(const AttemptReport& report);

// What a client exits with for this end: the code, 128+signal, 124, 126 (found, not executable), 127 (not found), 125.
int ExitCodeFor(const AttemptEnd& end);

std::string_view EndReasonName(EndReason reason);  // "EXITED"

// One line: "exited with 7", "killed by signal 9 (SIGKILL)", "program not found: nosuch".
std::string Describe(const AttemptEnd& end);

}  // namespace muster
