// One schedule as it goes on: what is to be done about each of its due times. Events in, decisions out.
//
//   ScheduleState state(spec, timetable, {.decided_until = now});   // new; after a restart: the progress as stored
//   for (const ScheduleDecision& decision : state.Due(now)) ...     // when now >= state.NextAt()
//   for (const ScheduleDecision& decision : state.RunEnded(due)) ...
//
// A run is named by its due time, a whole second. Each due time is decided exactly once: started, kept waiting and
// started later, or skipped with a cause. What is decided is told by `progress`, which only moves forward. Whoever stores
// it in the same commit as the runs that were started neither loses a due time nor starts one twice, wherever it dies.
//
// Missed is what a restart, a frozen machine or a slow turn left behind: all due times up to `now` but the newest,
// and that one too when it is older than kOnTimeWithin. A clock that is set back decides nothing again.
//
// Overlaps: kAllow starts up to kMostRuns at once. Under kForbid a due time that finds a run is skipped; with kRunAll
// it waits instead, of those that wait the newest `missed_limit`. Under kReplace the run is stopped and the due time starts
// when it has ended; one that waits so is skipped for a newer one. Neither ever has two runs at once.
//
// Pure, deterministic. Thread rule: one thread. Cost: timetable.h, and the runs that go on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/schedule.h"
#include "master/schedules/timetable.h"

namespace muster::schedules {

enum class SkipCause : uint8_t { kMissed, kStillRuns, kReplaced, kTooManyRuns, kPaused, kChanged };

// "the run before still went on"
std::string_view SkipWords(SkipCause cause);

struct StartRun {
  absl::Time due;
  friend bool operator==(const StartRun&, const StartRun&) = default;
};
// The run is to end; RunEnded tells when it has.
struct StopRun {
  absl::Time due;
  friend bool operator==(const StopRun&, const StopRun&) = default;
};
// All due times from the first to the last; many may lie between.
struct SkipRuns {
  absl::Time first;
  absl::Time last;
  SkipCause cause;
  friend bool operator==(const SkipRuns&, const SkipRuns&) = default;
};
using ScheduleDecision = std::variant<StartRun, StopRun, SkipRuns>;
using ScheduleDecisions = std::vector<ScheduleDecision>;

// What must be durable.
struct ScheduleProgress {
  absl::Time decided_until;         // every due time up to here is decided
  std::vector<absl::Time> running;  // started, and not ended
  std::vector<absl::Time> waiting;  // decided to start when what runs has ended, in order

  friend bool operator==(const ScheduleProgress&, const ScheduleProgress&) = default;
};

class ScheduleState {
 public:
  static constexpr absl::Duration kOnTimeWithin = absl::Minutes(1);
  static constexpr size_t kMostRuns = 1000;

  ScheduleState(const ScheduleSpec& spec, Timetable timetable, ScheduleProgress progress);

  // --- Events.
  ScheduleDecisions Due(absl::Time now);
  // Also of a run that could not be started. One that is not known is ignored.
  ScheduleDecisions RunEnded(absl::Time due);
  // A run that a person or an event asks for, also of a schedule that is paused or over; the overlap rule holds. It is named by `now`,
  // or the first instant after it that names none: never a whole second, so never a due time. Nothing of `progress` but
  // what runs and waits changes.
  struct ByHand {
    absl::Time run;
    ScheduleDecisions decisions;  // it starts, is skipped, or neither: it waits
  };
  ByHand RunByHand(absl::Time now);
  // Until Resume nothing starts; what comes due meanwhile is skipped, whatever the policies say. What runs goes on.
  ScheduleDecisions Pause(absl::Time now);
  ScheduleDecisions Resume(absl::Time now);
  // Other times or policies from now on. What waits is skipped, what runs goes on and counts as an earlier run.
  ScheduleDecisions Change(const ScheduleSpec& spec, Timetable timetable, absl::Time now);

  // --- Reads.
  // When Due has something to decide; InfiniteFuture: not by itself.
  absl::Time NextAt() const { return spec_.paused ? absl::InfiniteFuture() : next_; }
  // The due time that comes next, also of one that is paused.
  absl::Time next() const { return next_; }
  // Nothing will start any more, and nothing runs.
  bool HasEnded() const;
  const ScheduleSpec& spec() const { return spec_; }
  const ScheduleProgress& progress() const { return progress_; }

 private:
  std::vector<absl::Time> Chosen(absl::Time newest, absl::Time now) const;
  void Admit(absl::Time due, ScheduleDecisions* decisions);
  void Start(absl::Time due, ScheduleDecisions* decisions);
  void Wait(absl::Time due, size_t most, SkipCause cause, ScheduleDecisions* decisions);
  ScheduleDecisions Settle(absl::Time now);
  void DropWaiting(SkipCause cause, ScheduleDecisions* decisions);
  void DecidedUntil(absl::Time time);

  ScheduleSpec spec_;
  Timetable timetable_;
  ScheduleProgress progress_;
  absl::Time next_;  // the first that is not decided
};

}  // namespace muster::schedules
