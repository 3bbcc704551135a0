// The cluster's whole behaviour, without a socket, a thread, a file or a clock: events in, effects out.
//
//   ClusterCore core(config, recovered);
//   core.Start(now, &effects);                 // once: what recovery itself causes
//   for (event : mailbox) core.Apply(std::move(event), now, &effects);
//   core.Turn(now, &effects);                  // what has come due, then one scheduling round
//   store.Commit(effects.transaction); release(effects.effects);
//
// It composes the tables (tasks, registry) and the policies (scheduler, balancer). `now` never goes back within a
// run. Deterministic: the same events at the same times give the same effects; chance comes from config.seed.
//
// Thread rule: one thread, the master's loop. Errors: bad input is answered with a refusal in an effect; a broken
// invariant crashes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/cluster_resource.h"
#include "common/domain/ids.h"
#include "common/domain/placement_settings.h"
#include "common/domain/run_times.h"
#include "common/domain/schedule_view.h"
#include "common/domain/task_state.h"
#include "common/domain/worker.h"
#include "master/core/effects.h"
#include "master/core/events.h"
#include "master/core/explanation.h"
#include "master/core/recovered_state.h"

namespace muster::core {

// Which run of which schedule.
struct RunOrigin {
  std::string schedule;
  absl::Time due;  // of one by hand or by an event, when it was asked for
  // What started it; empty: no event.
  std::string event = {};
  std::string event_id = {};
};

// What goes on around the core that it cannot see.
struct Surroundings {
  // What the wall says less the loop's time. It may jump: people set clocks.
  absl::Duration calendar_ahead;
  // New tasks are refused for now at the edge, for want of room. Schedules wait.
  bool low_on_room = false;
};

struct CoreConfig {
  std::string version;
  PlacementSettings placement;  // what people set by hand wins
  absl::Duration heartbeat = absl::Seconds(2);
  absl::Duration lost_after = absl::Seconds(30);
  absl::Duration self_fence = absl::Seconds(20);
  absl::Duration kill_grace = absl::Seconds(5);
  absl::Duration fence_margin = absl::Seconds(3);
  absl::Duration shutdown_lease = absl::Seconds(120);
  absl::Duration aging_interval = absl::Seconds(60);
  absl::Duration unknown_timeout = absl::Minutes(15);
  bool quarantine = true;  // workers that fail what works elsewhere (registry/worker_health.h)
  absl::Duration quarantine_instant = absl::Milliseconds(200);
  absl::Duration quarantine_first_probe = absl::Seconds(30);
  absl::Duration quarantine_longest_probe = absl::Minutes(10);
  absl::Duration session_retry = absl::Milliseconds(200);  // doubling to 16 times that
  uint64_t max_queued = 1'000'000;
  int64_t max_queued_bytes = int64_t{2} << 30;
  absl::Duration queue_delay_target;  // zero: a queue may be as slow as it likes
  uint32_t max_workers = 20'000;
  uint32_t prefetch_limit = 256;
  absl::Duration prefetch_horizon = absl::Milliseconds(20);
  absl::Duration prefetch_median = absl::Milliseconds(50);
  // What waited for longer is not overtaken for ever: held_room.h, scheduler/cluster_resources.h. Zero: it may be.
  absl::Duration reservation_after = absl::Seconds(10);
  std::map<std::string, int64_t> resources;              // that the cluster has as a whole (scheduler/cluster_resources.h)
  absl::Duration straggler_floor = absl::Seconds(10);  // what has run for less is none
  int64_t workflows_max_running = 0;     // at once; the others wait. 0: any number
  int64_t workflows_max_parallel = 0;    // of one that says nothing: tasks at once. 0: as many as there is room for
  std::map<std::string, QueueSettings> queues;  // by name; what people set by hand wins
  // What a task runs, in one line. Pure; the core cannot read a payload.
  std::function<std::string(const TaskSpec&)> describe = [](const TaskSpec& spec) { return spec.requirements.executor; };
  // The specification of a schedule's run; a test's may be the schedule's own. Of a workflow: all but the call.
  std::function<TaskSpecPtr(const TaskSpecPtr& scheduled, const RunOrigin& origin)> make_run =
      [](const TaskSpecPtr& scheduled, const RunOrigin&) { return scheduled; };
  std::function<absl::StatusOr<SubmitWorkflow>(const std::string& scheduled, const RunOrigin& origin)> make_workflow =
      [](const std::string&, const RunOrigin&) { return absl::UnimplementedError("no workflows here"); };
  // The zone of that name, as this machine knows it.
  std::function<absl::StatusOr<absl::TimeZone>(const std::string& name)> load_zone =
      [](const std::string&) { return absl::UTCTimeZone(); };
  std::vector<std::string> known_executors = {"command", "noop"};  // accepted before any worker offered them
  uint64_t seed = 1;
};

// One open task as readers see it.
struct OpenTaskView {
  TaskId id;
  StateData state;
  std::string reason;  // in words, made for this view
  TaskSpecPtr spec;
  TaskId batch;
  uint64_t batch_index = 0;
  const std::vector<std::string>* arguments = nullptr;  // valid while the view's turn lasts
  TaskId retry_of;
  absl::Time created;
  bool cancel_requested = false;
  std::string cancel_reason;
  std::string worker;                                    // name, of the current attempt
  absl::Time dispatched = absl::InfinitePast();          // of the current attempt
  absl::Time started = absl::InfinitePast();
  std::optional<UsualRunTime> straggles;  // it runs much longer than this
};

inline constexpr int32_t kNoFloor = -101;

// Since start unless said otherwise; for /metrics and the summary.
struct CoreCounters {
  uint64_t accepted = 0;
  uint64_t accepted_impossible = 0;  // of those: no worker that was there could ever have taken them
  uint64_t dispatched = 0;
  uint64_t ended_by_state[16] = {};  // by TaskState
  uint64_t retries = 0;
  uint64_t worker_losses = 0;
  uint64_t stale_reports = 0;
  uint64_t superseded_reports = 0;  // of a session that is not the worker's open one
  uint64_t refused_submits = 0;
  uint64_t prefetched = 0;
  uint64_t recalled = 0;
  uint64_t rooms_held = 0;            // times that a worker was emptied for a wide task
  uint64_t workers_limited = 0;       // fell to one attempt at a time
  uint64_t workers_quarantined = 0;   // by failure
  uint64_t quarantines_withheld = 0;  // a third of the fleet was there already
  uint64_t quarantine_probes = 0;
  uint64_t schedule_runs = 0;         // started
  uint64_t schedule_skips = 0;        // decisions that skip one or more due times
  uint64_t schedule_refusals = 0;     // runs that could not be accepted
  uint64_t schedules = 0;             // now
  uint64_t damaged_run_times = 0;     // learned, stored, and not to be read any more
  uint64_t open_by_state[16] = {};   // now
  uint64_t stragglers = 0;           // when they were counted last, some seconds ago
  uint64_t queued_bytes = 0;         // now
  uint64_t shadow_same = 0;          // placements for which the shadow would have chosen alike
  uint64_t shadow_different = 0;     // and otherwise
  int32_t admission_floor = kNoFloor;  // now: the lowest priority that is freely taken
  absl::Duration queue_delay;          // now: the shortest wait of what started lately, with a delay target
};

class ClusterCore {
 public:
  ClusterCore(CoreConfig config, RecoveredState recovered);
  ~ClusterCore();
  ClusterCore(const ClusterCore&) = delete;
  ClusterCore& operator=(const ClusterCore&) = delete;

  // Before anything else.
  void Start(absl::Time now, Effects* effects);
  void Apply(Event event, absl::Time now, Effects* effects);
  void Turn(absl::Time now, Effects* effects);
  // Holds until it is said anew; before any of the three above, at best before each turn.
  void SetSurroundings(const Surroundings& surroundings);

  // When Turn must be called at the latest though no event comes.
  absl::Time NextDue() const;

  // --- Reads, between turns: they see what is durable.
  std::optional<OpenTaskView> FindTask(TaskId id) const;
  bool IsOpen(TaskId id) const;
  // Up to `limit` open ids below `before`, newest first.
  std::vector<TaskId> OpenTasks(TaskId before, size_t limit) const;
  std::vector<TaskId> OpenTasksIn(TaskRange range, size_t limit) const;
  uint64_t CountOpenIn(TaskRange range, uint64_t by_state[16]) const;
  std::vector<TaskId> OpenTasksNamed(std::string_view name) const;  // newest first
  // Of each fingerprint the median run time; nothing where too little is known.
  std::vector<std::optional<absl::Duration>> MedianTimes(const std::vector<uint64_t>& fingerprints) const;
  // An open workflow.
  std::optional<WorkflowView> FindWorkflow(TaskId id) const;
  // Why an open task is where it is; empty: it is not open. Costs O(workers) and what is ahead of it, bounded.
  std::optional<Explanation> Explain(TaskId id) const;
  // What would become of a task if it were submitted now; the refusal that it would meet.
  // `ends`: how what it depends on has ended, as far as it has (from the store).
  absl::StatusOr<Explanation> ExplainSpec(TaskSpecPtr spec, const std::vector<RangeEnds>& ends = {}) const;
  std::vector<WorkerView> Workers() const;                           // by name
  std::optional<WorkerView> FindWorker(std::string_view name) const;
  std::optional<WorkerView> FindWorker(WorkerId id) const;
  // Of the attempts that have run for the longest, those first (stragglers.h).
  std::vector<TaskId> LongestRunning(size_t limit) const;
  // The most recently noted first, those that ran at least three times.
  std::vector<LearnedRunTimes> RunTimes(size_t limit) const;
  uint32_t AttemptsOn(WorkerId id) const;  // dispatched or running there
  std::vector<TaskId> TasksOn(WorkerId id, size_t limit) const;  // whose attempts those are, by id
  std::vector<QueueView> Queues(absl::Time now) const;  // with tasks, settings or a pause; by name
  std::vector<ClusterResourceView> Resources() const;   // by name
  QueueView FindQueue(const std::string& name, absl::Time now) const;  // one that nobody knows is empty
  PlacementView Placement() const;
  // Those after that name, by name.
  std::vector<ScheduleView> Schedules(const std::string& after, size_t limit) const;
  // Those that wait for it, by name.
  std::vector<EventTrigger> TriggersOf(const std::string& event) const;
  std::optional<ScheduleView> FindSchedule(const std::string& name) const;
  // Also before Start: of every queue that is configured or was ever set.
  std::map<std::string, QueueSettings> SettingsOfQueues() const;
  const CoreCounters& counters() const;
  bool admission_open() const;
  const CoreConfig& config() const;
  const std::string& cluster_id() const;
  Epoch epoch() const;

  // Recomputes every agreement between the tables; crashes where one does not hold. For tests.
  void CheckInvariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::core
