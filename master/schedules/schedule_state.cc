#include "master/schedules/schedule_state.h"

#include <algorithm>
#include <utility>

namespace muster::schedules {
namespace {

ScheduleSpec Bounded(ScheduleSpec spec) {
  spec.missed_limit = std::clamp(spec.missed_limit, 1u, ScheduleSpec::kMostMissedRuns);
  return spec;
}

}  // namespace

std::string_view SkipWords(SkipCause cause) {
  switch (cause) {
    case SkipCause::kMissed: return "it was missed";
    case SkipCause::kStillRuns: return "the run before still went on";
    case SkipCause::kReplaced: return "a newer one took its place";
    case SkipCause::kTooManyRuns: return "too many runs went on";
    case SkipCause::kPaused: return "the schedule was paused";
    case SkipCause::kChanged: return "the schedule was changed";
  }
  return "";
}

ScheduleState::ScheduleState(const ScheduleSpec& spec, Timetable timetable, ScheduleProgress progress)
    : spec_(Bounded(spec)), timetable_(std::move(timetable)), progress_(std::move(progress)) {
  DecidedUntil(progress_.decided_until);
}

ScheduleDecisions ScheduleState::Due(absl::Time now) {
  ScheduleDecisions decisions;
  if (NextAt() > now) return decisions;
  const absl::Time newest = timetable_.LastIn(progress_.decided_until, now);
  const std::vector<absl::Time> chosen = Chosen(newest, now);
  const absl::Time first_chosen = chosen.empty() ? absl::InfiniteFuture() : chosen.front();
  if (next_ < first_chosen) {
    const absl::Time last = timetable_.LastIn(progress_.decided_until, std::min(newest, first_chosen - absl::Seconds(1)));
    decisions.push_back(SkipRuns{next_, last, SkipCause::kMissed});
  }
  for (const absl::Time due : chosen) Admit(due, &decisions);
  DecidedUntil(newest);
  return decisions;
}

ScheduleDecisions ScheduleState::RunEnded(absl::Time due) {
  ScheduleDecisions decisions;
  const auto run = std::find(progress_.running.begin(), progress_.running.end(), due);
  if (run == progress_.running.end()) return decisions;
  progress_.running.erase(run);
  if (!progress_.running.empty() || progress_.waiting.empty()) return decisions;
  const absl::Time first = progress_.waiting.front();
  progress_.waiting.erase(progress_.waiting.begin());
  Start(first, &decisions);
  return decisions;
}

ScheduleState::ByHand ScheduleState::RunByHand(absl::Time now) {
  const auto is_taken = [this](absl::Time name) {
    const auto has = [name](const std::vector<absl::Time>& times) { return std::find(times.begin(), times.end(), name) != times.end(); };
    return (name - absl::UnixEpoch()) % absl::Seconds(1) == absl::ZeroDuration() || has(progress_.running) || has(progress_.waiting);
  };
  ByHand by_hand{absl::UnixEpoch() + absl::Floor(now - absl::UnixEpoch(), absl::Milliseconds(1)), {}};
  while (is_taken(by_hand.run)) by_hand.run += absl::Milliseconds(1);
  Admit(by_hand.run, &by_hand.decisions);
  return by_hand;
}

ScheduleDecisions ScheduleState::Pause(absl::Time now) {
  ScheduleDecisions decisions = Settle(now);
  DropWaiting(SkipCause::kPaused, &decisions);
  spec_.paused = true;
  return decisions;
}

ScheduleDecisions ScheduleState::Resume(absl::Time now) {
  ScheduleDecisions decisions = Settle(now);
  spec_.paused = false;
  return decisions;
}

ScheduleDecisions ScheduleState::Change(const ScheduleSpec& spec, Timetable timetable, absl::Time now) {
  ScheduleDecisions decisions = Settle(now);
  DropWaiting(SkipCause::kChanged, &decisions);
  spec_ = Bounded(spec);
  timetable_ = std::move(timetable);
  DecidedUntil(std::max(progress_.decided_until, now));
  return decisions;
}

bool ScheduleState::HasEnded() const {
  return next_ == absl::InfiniteFuture() && !timetable_.waits_for_event() && progress_.running.empty() && progress_.waiting.empty();
}

// Which of the due times up to the newest are run for; the others are missed for good.
std::vector<absl::Time> ScheduleState::Chosen(absl::Time newest, absl::Time now) const {
  const size_t on_time = now - newest <= kOnTimeWithin ? 1 : 0;
  size_t most = on_time;
  if (spec_.missed == MissedRuns::kRunOnce) most = 1;
  if (spec_.missed == MissedRuns::kRunAll) most = on_time + spec_.missed_limit;
  if (spec_.overlap == Overlap::kReplace) most = std::min<size_t>(most, 1);  // each would stop the one before
  return timetable_.NewestIn(progress_.decided_until, newest, most);
}

void ScheduleState::Admit(absl::Time due, ScheduleDecisions* decisions) {
  const std::vector<absl::Time>& running = progress_.running;
  if (running.empty() || (spec_.overlap == Overlap::kAllow && running.size() < kMostRuns)) {
    return Start(due, decisions);
  }
  switch (spec_.overlap) {
    case Overlap::kAllow:
      decisions->push_back(SkipRuns{due, due, SkipCause::kTooManyRuns});
      return;
    case Overlap::kForbid:
      return Wait(due, spec_.missed == MissedRuns::kRunAll ? spec_.missed_limit : 0, SkipCause::kStillRuns, decisions);
    case Overlap::kReplace:
      if (progress_.waiting.empty()) {
        for (const absl::Time run : running) decisions->push_back(StopRun{run});
      }
      return Wait(due, 1, SkipCause::kReplaced, decisions);
  }
}

void ScheduleState::Start(absl::Time due, ScheduleDecisions* decisions) {
  progress_.running.push_back(due);
  decisions->push_back(StartRun{due});
}

// Of what waits the newest stay.
void ScheduleState::Wait(absl::Time due, size_t most, SkipCause cause, ScheduleDecisions* decisions) {
  progress_.waiting.push_back(due);
  if (progress_.waiting.size() <= most) return;
  const absl::Time oldest = progress_.waiting.front();
  progress_.waiting.erase(progress_.waiting.begin());
  decisions->push_back(SkipRuns{oldest, oldest, cause});
}

// Decides all that has come due under what has held until now.
ScheduleDecisions ScheduleState::Settle(absl::Time now) {
  if (!spec_.paused) return Due(now);
  ScheduleDecisions decisions;
  if (next_ > now) return decisions;
  const absl::Time last = timetable_.LastIn(progress_.decided_until, now);
  decisions.push_back(SkipRuns{next_, last, SkipCause::kPaused});
  DecidedUntil(last);
  return decisions;
}

void ScheduleState::DropWaiting(SkipCause cause, ScheduleDecisions* decisions) {
  for (const absl::Time due : progress_.waiting) decisions->push_back(SkipRuns{due, due, cause});
  progress_.waiting.clear();
}

void ScheduleState::DecidedUntil(absl::Time time) {
  progress_.decided_until = time;
  next_ = timetable_.NextAfter(time);
}

}  // namespace muster::schedules
