// Schedules as rows, and one schedule as a page for a person. Times are shown on the clock of the schedule's zone.
// Thread rule: pure functions; a zone that is new to the process is read from its file.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/terminal.h"
#include "muster/v1/schedule.pb.h"

namespace muster::cli {

inline constexpr size_t kScheduleLastColumn = 5;

std::vector<std::string> ScheduleHeader(bool wide);
std::vector<std::string> ScheduleRow(const v1::Schedule& schedule, absl::Time now, bool wide);
// Of the last run's outcome.
Colour ScheduleColour(const v1::Schedule& schedule);
std::string SchedulePage(const v1::Schedule& schedule, absl::Time now);
// "schedule backup is active (30 2 * * *, Europe/Berlin), next 2026-11-29T02:30:00+01:00, in 9h"
std::string ScheduleSummary(const v1::Schedule& schedule, absl::Time now);
std::string ScheduleStateName(v1::ScheduleState state);
// Of its task or workflow; empty: there is none.
const std::string& RunId(const v1::ScheduledRun& run);
// "SUCCEEDED", "RUNNING", "SKIPPED": of a run.
std::string RunResultName(const v1::ScheduledRun& run);

}  // namespace muster::cli
