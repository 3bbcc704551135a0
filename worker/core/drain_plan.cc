#include "worker/core/drain_plan.h"

#include <algorithm>
#include <utility>

namespace muster::worker {

DrainPlan::DrainPlan(absl::Time deadline, bool leaving, const WorkerCoreConfig& config)
    : leaving_(leaving),
      force_after_(config.drain_force_after),
      give_up_after_(config.drain_give_up_after),
      deadline_(deadline) {}

void DrainPlan::Hasten(absl::Time deadline) { deadline_ = std::min(deadline_, deadline); }

DrainPlan::Step DrainPlan::TakeStep(absl::Time now) {
  if (told_ == Step::kNone && now >= deadline_) return told_ = Step::kStop;
  if (told_ == Step::kStop && now >= deadline_ + force_after_) return told_ = Step::kForce;
  return Step::kNone;
}

bool DrainPlan::IsOver(absl::Time now, bool something_left) const {
  return leaving_ && (!something_left || now >= GiveUpAt());
}

absl::Time DrainPlan::NextDue() const {
  switch (told_) {
    case Step::kNone: return deadline_;
    case Step::kStop: return deadline_ + force_after_;
    case Step::kForce: break;
  }
  return leaving_ ? GiveUpAt() : absl::InfiniteFuture();
}

DrainView DrainPlan::View(std::vector<AttemptKey> running) const {
  return {.deadline = deadline_,
          .give_up = GiveUpAt(),
          .leaving = leaving_,
          .running = std::move(running),
          .stopped = stopped_};
}

}  // namespace muster::worker
