// How the command line says things: states, durations, sizes, times, commands.
// Thread rule: pure functions. Units: bytes; absl types for time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "muster/v1/cluster.pb.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

// "RUNNING", "TIMED_OUT": as semantics and the API name them, without the enum's prefix.
std::string StateName(v1::TaskState state);
std::string StateName(v1::WorkerState state);
std::string EndReasonName(v1::EndReason reason);
// Upper or lower case, '-' or '_'.
std::optional<v1::TaskState> ParseState(std::string_view text);
bool IsTerminal(v1::TaskState state);

// "3 succeeded, 1 failed", in the order of the states; "no tasks" when all are zero.
std::string CountsText(const std::vector<v1::StateCount>& counts);

// "340ms", "3.2s", "4m12s", "2h05m", "3d04h".
std::string DurationText(absl::Duration duration);
// One unit, for columns of ages: "12s", "4m", "3h", "2d".
std::string AgeText(absl::Duration age);
// "512 B", "1.5 MiB".
std::string SizeText(int64_t bytes);
// RFC 3339 in UTC with milliseconds.
std::string TimeText(absl::Time time);

// RFC 3339 (the seconds and the zone may be missing: local time), "14:30" (today, or tomorrow when it has passed), or
// "+5m".
absl::StatusOr<absl::Time> ParseTime(const std::string& text, absl::Time now);
// "10m" ago, or a time.
absl::StatusOr<absl::Time> ParseSince(const std::string& text, absl::Time now);

// Quoted as a shell would need it.
std::string ShellQuote(const std::string& word);
std::string CommandText(const std::vector<std::string>& argv);
// What a task runs, in one line: its command, its script, or its executor.
std::string SpecCommandText(const v1::TaskSpec& spec);
// The same for a row of a batch, its arguments put in by the function that the worker uses.
std::string RowCommandText(const v1::TaskSpec& task_template, const std::vector<std::string>& row, int64_t index);

// At most `width` characters, the last one an ellipsis when something was cut; what a
// terminal would take for an order (control characters, C1 too, marks that turn the direction of writing) shown as '?'.
inline constexpr size_t kAnyWidth = SIZE_MAX;
std::string OneLine(const std::string& text, size_t width);

// Of what somebody else wrote, whole: the same marks shown as '?'; line breaks and tabs stay.
std::string Harmless(std::string_view text);

}  // namespace muster::cli
