#include "master/registry/failure_evidence.h"

#include <algorithm>

namespace muster::registry {

FailureEvidence::OnWorker& FailureEvidence::At(uint64_t fingerprint, WorkerId worker) {
  const auto found = known_.find(fingerprint);
  if (found != known_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
  } else {
    if (known_.size() >= kMaxFingerprints) {
      known_.erase(recent_.back().fingerprint);
      recent_.pop_back();
    }
    recent_.push_front(Known{.fingerprint = fingerprint, .workers = {}});
    known_.emplace(fingerprint, recent_.begin());
  }
  auto& workers = recent_.front().workers;
  auto place = std::find_if(workers.begin(), workers.end(), [worker](const OnWorker& on) { return on.worker == worker; });
  if (place == workers.end()) {
    --place;  // the one that was noted longest ago
    *place = OnWorker{.worker = worker};
  }
  std::rotate(workers.begin(), place, place + 1);
  return workers.front();
}

void FailureEvidence::NoteStarted(uint64_t fingerprint, WorkerId worker, absl::Time now) {
  OnWorker& on = At(fingerprint, worker);
  on.running_since = std::min(on.running_since, now);
}

void FailureEvidence::NoteEnded(uint64_t fingerprint, WorkerId worker, AttemptResult result) {
  OnWorker& on = At(fingerprint, worker);
  on.ended = true;
  on.result = result;
  on.running_since = absl::InfiniteFuture();
}

void FailureEvidence::NoteStopped(uint64_t fingerprint, WorkerId worker) {
  if (known_.contains(fingerprint)) At(fingerprint, worker).running_since = absl::InfiniteFuture();
}

void FailureEvidence::NoteGone(WorkerId worker) {
  for (Known& known : recent_) {
    for (OnWorker& on : known.workers) {
      if (on.worker == worker) on.running_since = absl::InfiniteFuture();
    }
  }
}

Blame FailureEvidence::Whose(uint64_t fingerprint, WorkerId worker, AttemptResult failure, absl::Time now) const {
  const auto found = known_.find(fingerprint);
  if (found == known_.end()) return Blame::kCommand;
  int succeeded = 0, failed = 0, not_started = 0, began = 0;
  for (const OnWorker& on : found->second->workers) {
    if (!on.worker || on.worker == worker) continue;
    if (on.ended) {
      ++(on.result == AttemptResult::kSucceeded ? succeeded : on.result == AttemptResult::kFailed ? failed : not_started);
    } else if (on.running_since != absl::InfiniteFuture()) {
      ++(now - on.running_since >= outlives_ ? succeeded : began);
    }
  }
  if (failure == AttemptResult::kCouldNotStart) {
    const int started = succeeded + failed + began;
    return started > 0 && started >= not_started ? Blame::kWorker : Blame::kCommand;
  }
  if (succeeded > 0 && succeeded >= failed + not_started) return Blame::kWorker;
  return began > 0 && succeeded + failed + not_started == 0 ? Blame::kUndecided : Blame::kCommand;
}

}  // namespace muster::registry
