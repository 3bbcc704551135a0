#include "master/core/reports.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/planted_fault.h"

namespace muster::core {
namespace {

constexpr size_t kMaxApplied = 16384;
constexpr absl::Duration kFirstRefusalPause = absl::Milliseconds(250);
constexpr int kMaxPauseDoublings = 4;
constexpr absl::Duration kBetweenSupersededLines = absl::Seconds(1);

bool IsRetryable(EndReason reason) {
  return reason != EndReason::kNone && reason != EndReason::kPreempted && reason != EndReason::kRejected &&
         reason != EndReason::kLost;
}

}  // namespace

void Reports::OnReports(const Moment& turn, const WorkerReports& reports) {
  // Mutant: what a superseded session says counts, too.
  const bool any_session = Mutated("skip_epoch_check") && cluster_.workers.Contains(reports.worker);
  if (!any_session && (!reports.session || cluster_.OpenSessionOf(reports.worker) != reports.session)) {
    return Drop(reports);
  }
  for (const auto& started : reports.started) OnStarted(turn, reports.worker, started);
  for (const auto& validating : reports.validating) OnValidating(turn, reports.worker, validating);
  for (const auto& result : reports.results) OnResult(turn, reports.worker, reports.session, result);
  for (const auto& key : reports.given_back) OnGivenBack(turn, reports.worker, key);
  for (const auto& refusal : reports.refused) OnRefused(turn, reports.worker, refusal);
}

void Reports::Drop(const WorkerReports& reports) {
  const size_t count = reports.started.size() + reports.validating.size() + reports.results.size() +
                       reports.given_back.size() + reports.refused.size();
  cluster_.counters.superseded_reports += count;
  if (count > 0) superseded_by_worker_[cluster_.NameOf(reports.worker)] += static_cast<int64_t>(count);
}

void Reports::OnTurn(const Moment& turn) {
  if (superseded_by_worker_.empty() || turn.now < log_superseded_at_) return;
  for (const auto& [worker, count] : superseded_by_worker_) {
    turn.Log(activity::RequestsRefused{"SUPERSEDED_SESSION", worker, count});
  }
  superseded_by_worker_.clear();
  log_superseded_at_ = turn.now + kBetweenSupersededLines;
}

void Reports::OnHello(const Moment& turn, WorkerId worker, const std::vector<HeldAttempt>& held) {
  absl::flat_hash_set<AttemptKey> known;
  for (const HeldAttempt& attempt : held) {
    known.insert(attempt.key);
    if (Task* const task = Current(worker, attempt.key)) {
      TakeUp(turn, worker, *task, attempt.phase);
    } else if (attempt.phase != HeldAttempt::Phase::kFinished) {
      Stale(turn, worker, attempt.key, "still held, and stopped");
      dispatching_.StopStray(turn, worker, attempt.key);
    }
  }
  const auto& there = cluster_.tasks.On(worker);
  for (const TaskId id : std::vector<TaskId>(there.begin(), there.end())) {
    Task& task = *cluster_.tasks.Find(id);
    if (known.contains({id, PlaceOf(task.state).attempt})) continue;
    const std::string why = absl::StrCat("worker ", cluster_.NameOf(worker), " never got it");
    if (!task.started) {
      losses_.NeverStarted(turn, task, EndReason::kLost, why);
    } else if (task.state_now() != TaskState::kUnknown) {
      // It had started and the worker forgot it: no worker of ours does that, so nothing is proven.
      losses_.Lose(turn, task, LossKind::kSilence, absl::StrCat("worker ", cluster_.NameOf(worker), " lost it"));
    }
  }
}

Task* Reports::Current(WorkerId worker, const AttemptKey& key) {
  Task* const task = cluster_.tasks.Find(key.task);
  if (task == nullptr) return nullptr;
  const AttemptPlace place = PlaceOf(task->state);
  // Mutant: whatever attempt of the task is named, it is taken for the current one.
  if (Mutated("skip_attempt_check")) return place.attempt ? task : nullptr;
  const bool same = place.attempt == key.number && place.worker == worker &&
                    place.incarnation == cluster_.workers.incarnation(worker);
  return same && key.number ? task : nullptr;
}

void Reports::OnStarted(const Moment& turn, WorkerId worker, const AttemptStartedReport& report) {
  Task* const task = Current(worker, report.key);
  if (task == nullptr) {
    if (applied_.contains(report.key)) return;
    Stale(turn, worker, report.key, "started, and stopped");
    return dispatching_.StopStray(turn, worker, report.key);
  }
  SetRunning(turn, *task, true, turn.now);
}

void Reports::OnValidating(const Moment& turn, WorkerId worker, const AttemptStartedReport& report) {
  Task* const task = Current(worker, report.key);
  if (task == nullptr) {
    if (applied_.contains(report.key)) return;
    Stale(turn, worker, report.key, "validated, and stopped");
    return dispatching_.StopStray(turn, worker, report.key);
  }
  SetValidating(turn, *task, turn.now);
}

void Reports::OnResult(const Moment& turn, WorkerId worker, SessionNumber session, const AttemptReportPtr& report) {
  turn.Emit(Acknowledge{worker, session, report->key});
  Task* const task = Current(worker, report->key);
  if (task == nullptr) {
    if (!applied_.contains(report->key)) Stale(turn, worker, report->key, Describe(report->end));
    return;
  }
  Remember(report->key);
  Decide(turn, *task, report);
}

void Reports::OnGivenBack(const Moment& turn, WorkerId worker, const AttemptKey& key) {
  Task* const task = Current(worker, key);
  if (task == nullptr || task->started) return Stale(turn, worker, key, "given back");
  losses_.NeverStarted(turn, *task, EndReason::kPreempted, "given back by the worker");
}

void Reports::OnRefused(const Moment& turn, WorkerId worker, const AttemptRefusal& refusal) {
  Task* const task = Current(worker, refusal.key);
  if (task == nullptr || task->started) return Stale(turn, worker, refusal.key, "refused: " + refusal.reason);
  Refused(turn, *task, worker, refusal.reason);
}

void Reports::TakeUp(const Moment& turn, WorkerId worker, Task& task, HeldAttempt::Phase phase) {
  // A result that is on its way decides; an attempt that only waits there is not running.
  const bool runs = phase == HeldAttempt::Phase::kRunning;
  // Since when it runs is not stored; since when it may.
  const absl::Time since = std::min(task.dispatched, turn.now);
  if (phase == HeldAttempt::Phase::kValidating) {
    SetValidating(turn, task, since);
  } else if (runs || task.state_now() == TaskState::kUnknown) {
    SetRunning(turn, task, runs, since);
  }
  task.wants_recall = false;
  transitions_.TakeRoom(task, worker);
  if (task.cancel && phase != HeldAttempt::Phase::kFinished) dispatching_.Stop(turn, task, EndReason::kCancelled);
}

void Reports::SetRunning(const Moment& turn, Task& task, bool started, absl::Time since) {
  if (started && !task.started) {
    cluster_.health.NoteStarted(PlaceOf(task.state).worker, task.spec().fingerprint, turn.now);
    task.started = true;
  }
  if (task.state_now() == TaskState::kRunning || task.state_now() == TaskState::kValidating) return;
  const AttemptPlace place = PlaceOf(task.state);
  task.refusals = 0;
  transitions_.Move(turn, task, Running{place.attempt, place.worker, place.incarnation, since});
}

void Reports::SetValidating(const Moment& turn, Task& task, absl::Time started) {
  SetRunning(turn, task, true, started);
  if (task.state_now() == TaskState::kValidating) return;
  const Running running = std::get<Running>(task.state);
  turn.rows().sync_activity = true;  // people look for it while it lasts
  transitions_.Move(turn, task,
                    Validating{running.attempt, running.worker, running.incarnation, running.since, turn.now});
}

void Reports::Refused(const Moment& turn, Task& task, WorkerId worker, const std::string& why) {
  const TaskId id = task.id;
  task.avoid = worker;
  if (task.refusals < 100) ++task.refusals;
  losses_.NeverStarted(turn, task, EndReason::kRejected,
                       absl::StrCat("refused by worker ", cluster_.NameOf(worker), ": ", why));
  Task* const still = cluster_.tasks.Find(id);
  if (still == nullptr || still->refusals < 2) return;
  const int doublings = std::min(still->refusals - 2, kMaxPauseDoublings);
  transitions_.Pause(*still, turn.now + kFirstRefusalPause * (1 << doublings));
}

void Reports::NoteHealth(const Moment& turn, WorkerId worker, const Task& task, const AttemptReport& report) {
  const AttemptEnd& end = report.end;
  const uint64_t fingerprint = task.spec().fingerprint;
  if (report.stopped || !IsRetryable(end.reason) || end.reason == EndReason::kCancelled) {
    return cluster_.health.NoteStopped(worker, fingerprint);
  }
  using registry::AttemptResult;
  const AttemptResult result = Succeeded(end, task.spec().accepted_exit_codes) ? AttemptResult::kSucceeded
                               : end.reason == EndReason::kStartFailed ? AttemptResult::kCouldNotStart
                                                                       : AttemptResult::kFailed;
  cluster_.health.Observe({worker, fingerprint, result, SlotTime(report)}, turn.now);
  if (result != AttemptResult::kSucceeded) cluster_.balancer.Failed(worker, fingerprint);
}

void Reports::Learn(const Moment& turn, WorkerId worker, const Task& task, const AttemptReport& report, bool failed) {
  const uint64_t fingerprint = task.spec().fingerprint;
  const bool undescribed = cluster_.run_times.Note(
      {fingerprint, SlotTime(report), cluster_.workers.name(worker), failed, turn.now});
  // Reading a specification takes as long as all the rest here: only for what came three times.
  if (undescribed) cluster_.run_times.Describe(fingerprint, cluster_.config.describe(task.spec()));
}

void Reports::Decide(const Moment& turn, Task& task, const AttemptReportPtr& report) {
  const AttemptEnd& end = report->end;
  const WorkerId worker = PlaceOf(task.state).worker;
  if (end.reason == EndReason::kRejected && !report->started && !task.started) {
    return Refused(turn, task, worker, end.message);
  }
  if (end.reason == EndReason::kPreempted && !report->started && !task.started) {
    return losses_.NeverStarted(turn, task, EndReason::kPreempted, Describe(end));
  }
  SetRunning(turn, task, report->started, turn.now);
  const bool succeeded = Succeeded(end, task.spec().accepted_exit_codes);
  cluster_.workers.CountEnd(worker, !succeeded && !report->stopped && IsRetryable(end.reason));
  NoteHealth(turn, worker, task, *report);
  const bool by_itself = end.reason == EndReason::kExited || end.reason == EndReason::kValidationFailed;
  if (by_itself && report->started) Learn(turn, worker, task, *report, !succeeded);
  if (task.cancel && (report->stopped || !IsRetryable(end.reason) || end.reason == EndReason::kCancelled)) {
    return transitions_.End(turn, task, TaskState::kCancelled,
                            {task.cancel->reason, report, EndReason::kCancelled});
  }
  if (succeeded) return transitions_.End(turn, task, TaskState::kSucceeded, {Describe(end), report, end.reason});
  if (end.reason == EndReason::kPreempted) return Preempted(turn, task, report);
  if (end.reason == EndReason::kLost) return LostOnWorker(turn, task, report);
  if (end.reason == EndReason::kRejected) {
    transitions_.CloseAttempt(turn, task, {end.reason, false, false, absl::InfinitePast(), Describe(end), report});
    return transitions_.Requeue(turn, task, false, {Describe(end), report, end.reason});
  }
  Failed(turn, task, report);
}

void Reports::Failed(const Moment& turn, Task& task, const AttemptReportPtr& report) {
  const std::string what = Describe(report->end);
  ++task.failures;
  if (task.cancel || !MayRetry(task.spec().retry, report->end, task.failures)) {
    const TaskState end = report->end.reason == EndReason::kTimeout ? TaskState::kTimedOut : TaskState::kFailed;
    return transitions_.End(turn, task, end, {what, report, report->end.reason});
  }
  const absl::Time at = turn.now + RetryDelay(task.spec().retry, task.failures, &cluster_.random);
  task.avoid = PlaceOf(task.state).worker;
  task.last_failure = std::make_unique<std::string>(what);
  ++cluster_.counters.retries;
  transitions_.CloseAttempt(turn, task, {report->end.reason, true, false, at, what, report});
  transitions_.Wait(turn, task, PendingReason::kRetry, at,
                    {absl::StrCat("retry ", task.failures, " of ", task.spec().retry.max_attempts - 1, " after it ",
                                  what),
                     report, report->end.reason});
}

void Reports::Preempted(const Moment& turn, Task& task, const AttemptReportPtr& report) {
  const std::string what = Describe(report->end);
  if (task.spec().on_worker_loss == OnWorkerLoss::kHold) {
    return transitions_.End(turn, task, TaskState::kFailed,
                            {"preempted: " + what, report, EndReason::kPreempted});
  }
  // Mutant: a preemption uses up an attempt.
  if (Mutated("count_preemption")) return Failed(turn, task, report);
  transitions_.CloseAttempt(turn, task, {EndReason::kPreempted, false, false, absl::InfinitePast(), what, report});
  transitions_.Requeue(turn, task, true, {what, report, EndReason::kPreempted});
}

// The worker killed it by itself (its lease ran out): nothing of it runs any more.
void Reports::LostOnWorker(const Moment& turn, Task& task, const AttemptReportPtr& report) {
  const std::string what = Describe(report->end);
  if (task.spec().on_worker_loss == OnWorkerLoss::kHold) {
    const AttemptPlace place = PlaceOf(task.state);
    transitions_.Move(turn, task, Unknown{place.attempt, place.worker, place.incarnation, turn.now},
                      {what, report, EndReason::kLost});
    return transitions_.End(turn, task, TaskState::kLost, {what, report, EndReason::kLost});
  }
  transitions_.CloseAttempt(turn, task, {EndReason::kLost, false, false, turn.now, what, report});
  transitions_.Wait(turn, task, PendingReason::kWorkerLost, turn.now, {what, report, EndReason::kLost});
}

void Reports::Stale(const Moment& turn, WorkerId worker, const AttemptKey& key, const std::string& what) {
  ++cluster_.counters.stale_reports;
  const Task* const task = cluster_.tasks.Find(key.task);
  const bool given_out = key.task && key.task < cluster_.next_id && !WasSkipped(key.task);
  const bool orphan = !given_out || (task != nullptr && key.number.value() > task->last_attempt);
  const std::string note =
      absl::StrCat(orphan ? "orphan, unknown here: " : "too late: ", what, " (worker ", cluster_.NameOf(worker), ")");
  turn.Log(activity::StaleReport{key, cluster_.NameOf(worker), note});
  if (!orphan && key.number) turn.rows().notes.push_back({key, note, turn.now});
}

bool Reports::WasSkipped(TaskId id) const {
  const auto covers = [id](const TaskRange& range) { return id.value() - range.first.value() < range.count; };
  return std::any_of(cluster_.skipped_ids.begin(), cluster_.skipped_ids.end(), covers);
}

void Reports::Remember(const AttemptKey& key) {
  if (!applied_.insert(key).second) return;
  applied_in_order_.push_back(key);
  if (applied_in_order_.size() <= kMaxApplied) return;
  applied_.erase(applied_in_order_.front());
  applied_in_order_.pop_front();
}

}  // namespace muster::core
