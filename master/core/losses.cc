#include "master/core/losses.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"

namespace muster::core {
namespace {

constexpr size_t kMaxRemembered = 4096;

std::vector<TaskId> IdsOn(const Cluster& cluster, WorkerId worker) {
  const auto& ids = cluster.tasks.On(worker);
  return {ids.begin(), ids.end()};
}

}  // namespace

void Losses::WorkerSilent(const Moment& turn, WorkerId worker) {
  const std::string why = absl::StrCat("worker ", cluster_.NameOf(worker), " is lost: no heartbeat");
  for (const TaskId id : IdsOn(cluster_, worker)) Silent(turn, *cluster_.tasks.Find(id), why);
}

void Losses::PredecessorSilent(const Moment& turn, WorkerId worker, Incarnation current) {
  const std::string why = absl::StrCat("worker ", cluster_.NameOf(worker), " started anew and cannot be reached");
  for (const TaskId id : IdsOn(cluster_, worker)) {
    Task& task = *cluster_.tasks.Find(id);
    if (PlaceOf(task.state).incarnation != current) Silent(turn, task, why);
  }
}

void Losses::Silent(const Moment& turn, Task& task, const std::string& why) {
  if (task.state_now() == TaskState::kUnknown) return;
  const AttemptPlace place = PlaceOf(task.state);
  auto& remembered = cluster_.link(place.worker).lost_in_silence;
  if (task.started && remembered.size() < kMaxRemembered) {
    remembered.emplace_back(AttemptKey{task.id, place.attempt}, place.incarnation);
  }
  Lose(turn, task, LossKind::kSilence, why);
}

void Losses::WorkerReplaced(const Moment& turn, WorkerId worker, Incarnation current) {
  const std::string why = absl::StrCat("worker ", cluster_.NameOf(worker), " died and started anew");
  for (const auto& [key, incarnation] : std::exchange(cluster_.link(worker).lost_in_silence, {})) {
    if (incarnation == current) continue;  // it was cut off, and nothing died
    if (Task* const task = cluster_.tasks.Find(key.task)) ++task->losses;
  }
  for (const TaskId id : IdsOn(cluster_, worker)) {
    Task& task = *cluster_.tasks.Find(id);
    if (PlaceOf(task.state).incarnation == current) continue;
    if (task.state_now() == TaskState::kUnknown) {
      GiveUp(turn, task, why);
    } else {
      Lose(turn, task, LossKind::kProcessDied, why);
    }
  }
}

void Losses::Lose(const Moment& turn, Task& task, LossKind kind, const std::string& why) {
  ++cluster_.counters.worker_losses;
  if (task.spec().on_worker_loss == OnWorkerLoss::kHold) return Hold(turn, task, kind, why);
  const bool counts = kind == LossKind::kProcessDied && task.started;
  if (counts && CountLoss(turn, task, why)) return;
  const absl::Time at = RerunAt(turn, task, kind);
  if (task.cancel && at <= turn.now) {
    return transitions_.End(turn, task, TaskState::kCancelled,
                            {absl::StrCat(task.cancel->reason, task.cancel->reason.empty() ? "" : "; ", why), nullptr,
                             EndReason::kLost});
  }
  transitions_.CloseAttempt(turn, task, {EndReason::kLost, false, counts, at, why});
  transitions_.Wait(turn, task, PendingReason::kWorkerLost, at, {why, nullptr, EndReason::kLost});
}

void Losses::NeverStarted(const Moment& turn, Task& task, EndReason reason, const std::string& why) {
  if (task.cancel) {
    // UNKNOWN and DISPATCHED may both end so: it is proven that nothing runs.
    return transitions_.End(turn, task, TaskState::kCancelled, {task.cancel->reason, nullptr, EndReason::kCancelled});
  }
  transitions_.CloseAttempt(turn, task, {reason, false, false, absl::InfinitePast(), why});
  transitions_.Requeue(turn, task, false, {why, nullptr, reason});
}

void Losses::GiveUp(const Moment& turn, Task& task, const std::string& why) {
  const std::string reason = task.cancel ? absl::StrCat("cancel requested; ", why) : why;
  transitions_.End(turn, task, TaskState::kLost, {reason, nullptr, EndReason::kLost});
}

void Losses::Hold(const Moment& turn, Task& task, LossKind kind, const std::string& why) {
  const AttemptPlace place = PlaceOf(task.state);
  const absl::Time give_up = turn.now + cluster_.config.unknown_timeout;
  transitions_.Move(turn, task, Unknown{place.attempt, place.worker, place.incarnation, give_up},
                    {why, nullptr, EndReason::kLost});
  if (kind == LossKind::kProcessDied) return GiveUp(turn, task, why);
  turn.rows().unknowns.push_back({{task.id, place.attempt}, give_up});
}

bool Losses::CountLoss(const Moment& turn, Task& task, const std::string& why) {
  ++task.losses;
  if (task.losses < task.spec().max_worker_losses) return false;
  transitions_.End(turn, task, TaskState::kPoisoned,
                   {task.losses == 1 ? absl::StrCat("its worker died while it ran: ", why)
                                     : absl::StrCat("its worker died ", task.losses, " times while it ran; the last time: ", why),
                    nullptr, EndReason::kLost});
  return true;
}

absl::Time Losses::RerunAt(const Moment& turn, const Task& task, LossKind kind) const {
  if (task.spec().on_worker_loss != OnWorkerLoss::kRerunAfterFence || kind == LossKind::kProcessDied) return turn.now;
  const auto link = cluster_.links.find(PlaceOf(task.state).worker);
  return link == cluster_.links.end() ? turn.now : std::max(turn.now, link->second.fenced_by);
}

}  // namespace muster::core
