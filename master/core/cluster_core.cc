#include "master/core/cluster_core.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "master/core/admission.h"
#include "master/core/cancels.h"
#include "master/core/cluster.h"
#include "master/core/dependents.h"
#include "master/core/dispatching.h"
#include "master/core/event_triggers.h"
#include "master/core/explain.h"
#include "master/core/invariants.h"
#include "master/core/losses.h"
#include "master/core/placement_events.h"
#include "master/core/placing.h"
#include "master/core/prefetch.h"
#include "master/core/quarantine.h"
#include "master/core/queue_events.h"
#include "master/core/queue_waits.h"
#include "master/core/recovery.h"
#include "master/core/reports.h"
#include "master/core/run_time_writer.h"
#include "master/core/schedule_events.h"
#include "master/core/stragglers.h"
#include "master/core/transitions.h"
#include "master/core/views.h"
#include "master/core/worker_events.h"
#include "master/core/workflow_events.h"
#include "master/core/workflow_fill.h"
#include "master/core/workflow_words.h"

namespace muster::core {

class ClusterCore::Impl {
 public:
  Impl(CoreConfig config, RecoveredState recovered)
      : cluster_(std::move(config), recovered.cluster_id, recovered.epoch), recovered_(std::move(recovered)) {
    for (const QueueSettingRow& row : recovered_.queue_settings) cluster_.queue_table.Restore(row);
    cluster_.placement.Restore(recovered_.placement);
    run_time_writer_.Restore(recovered_.run_times);
    schedule_events_.Restore(recovered_.schedules);
    cluster_.counters.damaged_run_times = recovered_.damaged_run_times;
  }

  void Start(const Moment& turn);
  void Apply(const Moment& turn, Event event);
  void DoTurn(const Moment& turn);
  absl::Time NextDue() const;
  absl::Time now() const { return now_; }
  OpenTaskView View(const Task& task) const { return ViewOf(cluster_, &queue_waits_, task, now_); }
  absl::StatusOr<Explanation> ExplainNew(TaskSpecPtr spec, const std::vector<RangeEnds>& ends) const;
  Moment At(absl::Time now, Effects* effects);

  Cluster cluster_;
  mutable CoreCounters counters_;  // with what is counted now filled in
  mutable QueueWaits queue_waits_;

 private:
  // One for each event, chosen by overloading.
  void On(const Moment& turn, SubmitTasks event) { admission_.OnSubmit(turn, std::move(event)); }
  void On(const Moment& turn, SubmitWorkflow event) { workflow_events_.OnSubmit(turn, std::move(event)); }
  void On(const Moment& turn, AddToWorkflow event) { workflow_events_.OnAdd(turn, std::move(event)); }
  void On(const Moment& turn, RetryWorkflow event) { workflow_events_.OnRetry(turn, std::move(event)); }
  void On(const Moment& turn, const CancelWorkflow& event) { workflow_events_.OnCancel(turn, event); }
  void On(const Moment& turn, const CancelTasks& event) { cancels_.OnCancel(turn, event); }
  void On(const Moment& turn, WorkerJoin event) { worker_events_.OnJoin(turn, std::move(event)); }
  void On(const Moment& turn, WorkerHeartbeat event) { worker_events_.OnHeartbeat(turn, std::move(event)); }
  void On(const Moment& turn, const SessionOpened& event) { worker_events_.OnSessionOpened(turn, event); }
  void On(const Moment& turn, const SessionClosed& event) { worker_events_.OnSessionClosed(turn, event); }
  void On(const Moment& turn, const WorkerReports& event) { reports_.OnReports(turn, event); }
  void On(const Moment& turn, const UpdateWorker& event) { worker_events_.OnUpdate(turn, event); }
  void On(const Moment& turn, const DrainWorker& event) { worker_events_.OnDrain(turn, event); }
  void On(const Moment& turn, const QuarantineWorker& event) { worker_events_.OnQuarantine(turn, event); }
  void On(const Moment& turn, const ResumeWorker& event) { worker_events_.OnResume(turn, event); }
  void On(const Moment& turn, const UpdateQueue& event) { queue_events_.OnUpdate(turn, event); }
  void On(const Moment& turn, const PauseQueue& event) { queue_events_.OnPause(turn, event); }
  void On(const Moment& turn, const ResumeQueue& event) { queue_events_.OnResume(turn, event); }
  void On(const Moment& turn, const UpdatePlacement& event) { placement_events_.OnUpdate(turn, event); }
  void On(const Moment&, const StopAdmission& event) { admission_.Close(event.reason); }
  void On(const Moment& turn, const StopMaster& event);
  void On(const Moment& turn, const NoteRefusals& event) {
    turn.Log(activity::RequestsRefused{event.cause, event.by, event.count});
  }
  void On(const Moment& turn, const NotePurge& event) {
    turn.Log(activity::TasksPurged{event.by, event.ended_before, event.count});
    turn.rows().sync_activity = true;
  }

  void On(const Moment&, const EndsFound& event) { dependents_.OnFound(event); }
  void On(const Moment& turn, ChangeSchedule event) { schedule_events_.OnChange(turn, std::move(event)); }

  void On(const Moment& turn, FireEvent event) { event_triggers_.OnEvent(turn, std::move(event)); }

  void DoDue(const Moment& turn);
  void TaskDue(const Moment& turn, Task& task);
  void ReleaseRetries(const Moment& turn);

  Transitions transitions_{&cluster_};
  Dispatching dispatching_{&cluster_, &transitions_};
  Losses losses_{&cluster_, &transitions_};
  Reports reports_{&cluster_, &transitions_, &dispatching_, &losses_};
  Admission admission_{&cluster_, &transitions_};
  Cancels cancels_{&cluster_, &transitions_, &dispatching_};
  Dependents dependents_{&cluster_, &transitions_};
  WorkflowEvents workflow_events_{&cluster_, &transitions_, &admission_, &cancels_};
  ScheduleEvents schedule_events_{&cluster_, &admission_, &cancels_, &workflow_events_};
  EventTriggers event_triggers_{&cluster_, &admission_, &workflow_events_};
  WorkerEvents worker_events_{&cluster_, &dispatching_, &losses_, &reports_};
  Quarantine quarantine_{&cluster_, &dispatching_};
  QueueEvents queue_events_{&cluster_};
  PlacementEvents placement_events_{&cluster_};
  Prefetch prefetch_{&cluster_, &dispatching_};
  Placing placing_{&cluster_, &transitions_, &dispatching_, &prefetch_};
  WorkflowFill workflow_fill_{&cluster_, &transitions_, &placing_};
  StragglerCount stragglers_{&cluster_};
  RunTimeWriter run_time_writer_{&cluster_};
  RecoveredState recovered_;  // until Start
  absl::Time now_ = absl::InfinitePast();
};

absl::StatusOr<Explanation> ClusterCore::Impl::ExplainNew(TaskSpecPtr spec, const std::vector<RangeEnds>& ends) const {
  if (absl::Status refused = admission_.WouldRefuse(spec, now_); !refused.ok()) return refused;
  return core::ExplainSpec(cluster_, std::move(spec), ends, now_);
}

Moment ClusterCore::Impl::At(absl::Time now, Effects* effects) {
  now_ = std::max(now_, now);
  queue_waits_.Clear();
  return Moment{now_, effects};
}

void ClusterCore::Impl::Start(const Moment& turn) {
  cluster_.retry_budget.Start(turn.now);
  const bool last_end_clean = recovered_.last_end_clean;
  const auto open_tasks = static_cast<int64_t>(recovered_.tasks.size());
  queue_events_.Start(turn);
  placement_events_.Start(turn);
  Recovery(&cluster_, &transitions_).Restore(turn, std::exchange(recovered_, {}));
  worker_events_.Expire(turn);
  schedule_events_.Start(turn);
  turn.Log(activity::MasterStarted{cluster_.epoch, last_end_clean, open_tasks, cluster_.config.version});
}

void ClusterCore::Impl::Apply(const Moment& turn, Event event) {
  std::visit([this, &turn](auto&& what) { On(turn, std::forward<decltype(what)>(what)); }, std::move(event));
}

void ClusterCore::Impl::On(const Moment& turn, const StopMaster& event) {
  admission_.Close(event.reason);
  cluster_.stopping = true;  // nothing is placed any more, on those that are resumed neither
  for (const std::string& name : event.resume) worker_events_.OnResume(turn, ResumeWorker{.name = name, .drain_only = true});
  turn.Log(activity::MasterStopped{event.reason});
  turn.rows().clean_end = true;
  turn.Emit(Stopped{});
}

void ClusterCore::Impl::DoTurn(const Moment& turn) {
  admission_.OnTurn(turn);
  reports_.OnTurn(turn);
  worker_events_.Expire(turn);
  quarantine_.Judge(turn);
  worker_events_.Settle(turn);
  if (!cluster_.stopping) DoDue(turn);
  if (!cluster_.stopping) dependents_.OnTurn(turn);
  const bool gates_changed = cluster_.workflows.any_touched();
  if (!cluster_.stopping) workflow_events_.OnTurn(turn);
  schedule_events_.OnTurn(turn);  // after them: runs of its that have ended are told in the same commit
  placing_.Round(turn);
  if (!cluster_.stopping) workflow_fill_.OnTurn(turn, gates_changed || placing_.found_changes());
  stragglers_.OnTurn(turn.now);
  run_time_writer_.OnTurn(turn);
}

void ClusterCore::Impl::DoDue(const Moment& turn) {
  while (const auto due = cluster_.dues.TakeDue(turn.now)) {
    switch (due->kind) {
      case DueKind::kTask: TaskDue(turn, *cluster_.tasks.Find(TaskId(due->id))); break;
      case DueKind::kPause: transitions_.Unpause(*cluster_.tasks.Find(TaskId(due->id))); break;
      case DueKind::kSessionRetry:
        worker_events_.OnSessionRetryDue(turn, WorkerId(static_cast<uint32_t>(due->id)));
        break;
      case DueKind::kDrainDeadline:
        worker_events_.OnDrainDeadline(turn, WorkerId(static_cast<uint32_t>(due->id)));
        break;
      case DueKind::kProofDeadline:
        worker_events_.OnProofDeadline(turn, WorkerId(static_cast<uint32_t>(due->id)));
        break;
    }
  }
  ReleaseRetries(turn);
}

void ClusterCore::Impl::TaskDue(const Moment& turn, Task& task) {
  if (const auto* pending = std::get_if<Pending>(&task.state)) {
    if (pending->reason == PendingReason::kRetry) return transitions_.HoldBackRetry(task);
    if (task.cancel) {
      return transitions_.End(turn, task, TaskState::kCancelled, {task.cancel->reason, nullptr, EndReason::kCancelled});
    }
    return transitions_.Requeue(turn, task, true, {});
  }
  if (std::holds_alternative<Queued>(task.state)) {
    return transitions_.End(turn, task, TaskState::kTimedOut,
                            {absl::StrCat("queue: not started within ", absl::FormatDuration(task.spec().queue_timeout)),
                             nullptr, EndReason::kTimeout});
  }
  losses_.GiveUp(turn, task, "its worker did not come back in time");
}

void ClusterCore::Impl::ReleaseRetries(const Moment& turn) {
  auto& waiting = cluster_.retries_beyond_budget;
  while (!waiting.empty() && cluster_.retry_budget.Take(turn.now)) {
    transitions_.Requeue(turn, *cluster_.tasks.Find(*waiting.begin()), true, {});
  }
}

absl::Time ClusterCore::Impl::NextDue() const {
  if (placing_.unfinished() || !cluster_.touched.empty()) return now_;
  absl::Time next = cluster_.workers.NextDue();
  if (cluster_.stopping) return next;
  if (dependents_.unfinished() || workflow_events_.unfinished() || workflow_fill_.unfinished()) return now_;
  next = std::min(next, schedule_events_.NextAt());
  if (!cluster_.retries_beyond_budget.empty()) next = std::min(next, cluster_.retry_budget.NextAt());
  return std::min({next, cluster_.dues.Next(), cluster_.health.NextDue(), cluster_.gates.NextAt(), placing_.NextDue()});
}

ClusterCore::ClusterCore(CoreConfig config, RecoveredState recovered)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(recovered))) {}
ClusterCore::~ClusterCore() = default;

void ClusterCore::Start(absl::Time now, Effects* effects) { impl_->Start(impl_->At(now, effects)); }
void ClusterCore::Apply(Event event, absl::Time now, Effects* effects) {
  impl_->Apply(impl_->At(now, effects), std::move(event));
}
void ClusterCore::Turn(absl::Time now, Effects* effects) { impl_->DoTurn(impl_->At(now, effects)); }
void ClusterCore::SetSurroundings(const Surroundings& surroundings) { impl_->cluster_.around = surroundings; }
absl::Time ClusterCore::NextDue() const { return impl_->NextDue(); }

std::optional<OpenTaskView> ClusterCore::FindTask(TaskId id) const {
  const Task* const task = impl_->cluster_.tasks.Find(id);
  if (task == nullptr) return std::nullopt;
  return impl_->View(*task);
}
bool ClusterCore::IsOpen(TaskId id) const { return impl_->cluster_.tasks.Find(id) != nullptr; }
std::vector<TaskId> ClusterCore::OpenTasks(TaskId before, size_t limit) const {
  return impl_->cluster_.tasks.Newest(before, limit);
}
std::vector<TaskId> ClusterCore::OpenTasksIn(TaskRange range, size_t limit) const {
  return impl_->cluster_.tasks.InRange(range, limit);
}
uint64_t ClusterCore::CountOpenIn(TaskRange range, uint64_t by_state[16]) const {
  return impl_->cluster_.tasks.CountIn(range, by_state);
}
std::vector<TaskId> ClusterCore::OpenTasksNamed(std::string_view name) const {
  return impl_->cluster_.tasks.Named(name);
}
std::optional<Explanation> ClusterCore::Explain(TaskId id) const {
  const Task* const task = impl_->cluster_.tasks.Find(id);
  if (task == nullptr) return std::nullopt;
  return ExplainTask(impl_->cluster_, *task, impl_->now());
}
absl::StatusOr<Explanation> ClusterCore::ExplainSpec(TaskSpecPtr spec, const std::vector<RangeEnds>& ends) const {
  return impl_->ExplainNew(std::move(spec), ends);
}
std::vector<std::optional<absl::Duration>> ClusterCore::MedianTimes(const std::vector<uint64_t>& fingerprints) const {
  std::vector<std::optional<absl::Duration>> times;
  times.reserve(fingerprints.size());
  for (const uint64_t fingerprint : fingerprints) times.push_back(impl_->cluster_.run_times.Median(fingerprint));
  return times;
}
std::optional<WorkflowView> ClusterCore::FindWorkflow(TaskId id) const {
  const Workflow* const workflow = impl_->cluster_.workflows.Find(id);
  if (workflow == nullptr) return std::nullopt;
  WorkflowView view = ViewOf(*workflow);
  view.time_left = workflow->forecast.TimeLeft(impl_->cluster_, *workflow, impl_->now());
  return view;
}
std::vector<WorkerView> ClusterCore::Workers() const { return ViewOfWorkers(impl_->cluster_); }
std::optional<WorkerView> ClusterCore::FindWorker(std::string_view name) const {
  return FindWorker(impl_->cluster_.workers.Find(name));
}
std::optional<WorkerView> ClusterCore::FindWorker(WorkerId id) const { return ViewOfWorker(impl_->cluster_, id); }
std::vector<TaskId> ClusterCore::LongestRunning(size_t limit) const {
  return core::LongestRunning(impl_->cluster_, limit);
}
std::vector<LearnedRunTimes> ClusterCore::RunTimes(size_t limit) const {
  return impl_->cluster_.run_times.Newest(limit);
}
uint32_t ClusterCore::AttemptsOn(WorkerId id) const {
  return static_cast<uint32_t>(impl_->cluster_.tasks.On(id).size());
}
std::vector<TaskId> ClusterCore::TasksOn(WorkerId id, size_t limit) const {
  const auto& there = impl_->cluster_.tasks.On(id);
  return {there.begin(), std::next(there.begin(), static_cast<std::ptrdiff_t>(std::min(limit, there.size())))};
}
std::vector<QueueView> ClusterCore::Queues(absl::Time now) const { return ViewOfQueues(impl_->cluster_, now); }
std::vector<ClusterResourceView> ClusterCore::Resources() const { return ViewOfResources(impl_->cluster_); }
QueueView ClusterCore::FindQueue(const std::string& name, absl::Time now) const {
  return ViewOfQueue(impl_->cluster_, name, now);
}
PlacementView ClusterCore::Placement() const { return impl_->cluster_.placement.view(); }
std::vector<ScheduleView> ClusterCore::Schedules(const std::string& after, size_t limit) const {
  return ViewOfSchedules(impl_->cluster_.schedules, after, limit);
}
std::vector<EventTrigger> ClusterCore::TriggersOf(const std::string& event) const {
  std::vector<EventTrigger> triggers;
  for (const std::string& name : impl_->cluster_.schedules.WaitingFor(event)) {
    const Schedule& schedule = *impl_->cluster_.schedules.Find(name);
    triggers.push_back({name, schedule.row.owner, schedule.row.spec.work, schedule.row.created});
  }
  return triggers;
}
std::optional<ScheduleView> ClusterCore::FindSchedule(const std::string& name) const {
  const Schedule* const schedule = impl_->cluster_.schedules.Find(name);
  if (schedule == nullptr) return std::nullopt;
  return ViewOfSchedule(*schedule);
}
std::map<std::string, QueueSettings> ClusterCore::SettingsOfQueues() const { return impl_->cluster_.queue_table.All(); }
const CoreCounters& ClusterCore::counters() const {
  const Cluster& cluster = impl_->cluster_;
  impl_->counters_ = cluster.counters;
  for (size_t state = 0; state < 16; ++state) {
    impl_->counters_.open_by_state[state] = cluster.tasks.count(static_cast<TaskState>(state));
  }
  impl_->counters_.queued_bytes = static_cast<uint64_t>(cluster.tasks.waiting_bytes() + cluster.workflows.value_bytes());
  impl_->counters_.admission_floor = cluster.delay_floor.floor().value_or(kNoFloor);
  const registry::HealthCounts& health = cluster.health.counts();
  impl_->counters_.workers_limited = health.limited;
  impl_->counters_.workers_quarantined = health.quarantined;
  impl_->counters_.quarantines_withheld = health.withheld;
  impl_->counters_.quarantine_probes = health.probes;
  impl_->counters_.schedules = cluster.schedules.all().size();
  impl_->counters_.queue_delay = cluster.delay_floor.delay();
  return impl_->counters_;
}
bool ClusterCore::admission_open() const { return impl_->cluster_.admission_open; }
const CoreConfig& ClusterCore::config() const { return impl_->cluster_.config; }
const std::string& ClusterCore::cluster_id() const { return impl_->cluster_.cluster_id; }
Epoch ClusterCore::epoch() const { return impl_->cluster_.epoch; }
void ClusterCore::CheckInvariants() const { CheckAgreement(impl_->cluster_); }

}  // namespace muster::core
