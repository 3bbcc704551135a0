// A schedule as readers see it: when it is due next, what runs, and what became of its last due times.
//
// Thread rule: values. Times are of the calendar.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/schedule.h"
#include "common/domain/task_state.h"

namespace muster {

// A due time is a whole second. A run by hand is named by when it was asked for, which never is one.
inline bool IsByHand(absl::Time due) { return (due - absl::UnixEpoch()) % absl::Seconds(1) != absl::ZeroDuration(); }

// What became of a due time. Numbers are stored, and those of muster.v1.ScheduledRunResult.
enum class RunResult : uint8_t { kRuns = 1, kEnded = 2, kSkipped = 3, kRefused = 4 };

struct ScheduledRun {
  absl::Time due;
  absl::Time last_due;  // of several that were skipped together for one cause; else as `due`
  RunResult result = RunResult::kRuns;
  TaskId task;  // or workflow, as the schedule's work is: their ids are of one sequence
  TaskState ended_as = TaskState::kNone;  // kNone: it has not, or while no master saw it. Workflows end as tasks do
  absl::Time started = absl::InfinitePast();
  absl::Time ended = absl::InfinitePast();
  std::string reason;      // why it was skipped or refused, how its task ended
  std::string request_id;  // of a run by hand; of an event, the event's

  friend bool operator==(const ScheduledRun&, const ScheduledRun&) = default;
};

// Numbers are those of muster.v1.ScheduleState.
enum class ScheduleStanding : uint8_t { kActive = 1, kPaused = 2, kEnded = 3, kHeld = 4 };

struct ScheduleView {
  ScheduleSpec spec;
  std::string times;  // as text
  std::string owner;
  absl::Time created;
  ScheduleStanding standing = ScheduleStanding::kActive;
  std::string reason;
  std::vector<absl::Time> next;
  std::vector<ScheduledRun> running;  // the oldest first
  std::vector<absl::Time> waiting;
  std::vector<ScheduledRun> recent;   // the newest first
};

// A schedule that waits for an event.
struct EventTrigger {
  std::string schedule;
  std::string owner;
  ScheduledWorkPtr work;
  absl::Time created;
};

}  // namespace muster
