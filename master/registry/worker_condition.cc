#include "master/registry/worker_condition.h"

#include "absl/strings/str_cat.h"

namespace muster::registry {
namespace {

std::string OrElse(const std::string& reason, const char* otherwise) {
  return reason.empty() ? std::string(otherwise) : reason;
}

// But for its quarantine by failure it could take work, and one attempt may be tried.
bool MayBeTried(const WorkerSigns& signs) {
  return !signs.quarantined && signs.standing.may_try && !signs.draining && !signs.wants_to_drain &&
         signs.session_open && signs.load.refuses_because.empty();
}

WorkerCondition InQuarantine(const WorkerSigns& signs, bool suspect) {
  return {.state = WorkerState::kQuarantined,
          .takes_nothing_because = signs.quarantined ? OrElse(signs.quarantine_reason, "by hand") : signs.standing.reason,
          .on_trial = !suspect && MayBeTried(signs)};
}

}  // namespace

WorkerCondition ConditionOf(const WorkerSigns& signs, absl::Duration heartbeat, absl::Duration lost_after, absl::Time now) {
  const absl::Duration silence = now - signs.heartbeat_time;
  const bool suspect = silence >= kHeartbeatsUntilSuspect * heartbeat;
  if (silence >= lost_after) {
    return {.state = WorkerState::kLost,
            .takes_nothing_because = absl::StrCat("no heartbeat for ", absl::FormatDuration(lost_after))};
  }
  if (signs.quarantined || signs.standing.level == Standing::Level::kQuarantined) return InQuarantine(signs, suspect);
  if (suspect) {
    return {.state = WorkerState::kSuspect,
            .takes_nothing_because = absl::StrCat("missed ", kHeartbeatsUntilSuspect, " heartbeats")};
  }
  if (signs.draining || signs.wants_to_drain) {
    return {.state = WorkerState::kDraining,
            .takes_nothing_because =
                signs.draining ? OrElse(signs.draining_reason, "by hand") : "the worker is shutting down"};
  }
  if (!signs.session_open) return {.state = WorkerState::kSuspect, .takes_nothing_because = "no session"};
  const bool limited = signs.standing.level == Standing::Level::kOneAtATime;
  return {.state = WorkerState::kActive,
          .takes_nothing_because = signs.load.refuses_because,
          .limited_because = limited ? signs.standing.reason : std::string()};
}

}  // namespace muster::registry
