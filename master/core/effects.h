// What the cluster wants done. Effects leave the loop only after the transaction of their turn is durable.
//
// Thread rule: values; the loop hands each to the edge that carries it out (dispatcher, replies, watch hub).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/named_value.h"
#include "common/domain/placement_settings.h"
#include "common/domain/queue_settings.h"
#include "common/domain/schedule_view.h"
#include "common/domain/task_spec.h"
#include "common/domain/task_state.h"
#include "common/domain/worker.h"
#include "master/core/dependencies.h"
#include "master/core/transaction.h"

namespace muster::core {

// --- Answers to calls. `status` not OK: a refusal (common/base/refusal.h), and nothing happened.

struct SubmitAnswer {
  CallId call;
  absl::Status status;
  std::vector<TaskRange> tasks;  // in the order of the call
  TaskId batch;
  uint64_t batch_size = 0;       // all parts
  TaskState state = TaskState::kNone;  // that the first task begins in; none: `repeated`
  bool repeated = false;         // the same request id and content had been accepted before
  std::vector<std::string> warnings;  // accepted, but nothing can run it now: why
};
struct CancelAnswer {
  CallId call;
  absl::Status status;
  int64_t requested = 0;
  int64_t already_ended = 0;
};
struct JoinAnswer {
  CallId call;
  absl::Status status;
  SessionNumber first_valid_session;  // what still comes on an older one does not count for the lease
};
struct HeartbeatAnswer {
  CallId call;
  bool join_again = false;
  absl::Duration lease;
  SessionNumber first_valid_session;
};
struct WorkerAnswer {
  CallId call;
  absl::Status status;
  WorkerView worker;
};

struct QueueAnswer {
  CallId call;
  absl::Status status;
  QueueView queue;
};

// An open workflow as readers see it.
struct WorkflowView {
  TaskId id;
  WorkflowSpecPtr spec;
  WorkflowState state = WorkflowState::kNone;
  std::string reason;
  absl::Time created = absl::InfinitePast();
  absl::Time started = absl::InfinitePast();
  absl::Time ended = absl::InfinitePast();
  bool cancel_requested = false;
  WorkflowTally tally;
  std::optional<absl::Duration> time_left;  // where it was asked for (workflow_forecast.h); empty: unknown
};

// `workflow` is empty when the call was repeated: the store knows it.
struct WorkflowAnswer {
  CallId call;
  absl::Status status;
  TaskId id;
  WorkflowView workflow;
  bool repeated = false;
  std::vector<std::string> warnings;
};

struct PlacementAnswer {
  CallId call;
  absl::Status status;
  PlacementView placement;
};

struct ScheduleAnswer {
  CallId call;
  absl::Status status;
  ScheduleView schedule;
  ScheduledRun run;  // of RunSchedule
};

// What an event has started of one schedule.
struct EventRunAnswer {
  std::string schedule;
  bool is_workflow = false;
  bool repeated = false;  // it was started before
  ScheduledRun run;       // of what was repeated its task alone
  absl::Status status;    // not OK: for now nothing was started, and the event may be sent again
};
struct EventAnswer {
  CallId call;
  std::vector<EventRunAnswer> runs;  // one for each that was asked for
};

// --- For the dispatcher.

struct OpenSession {
  WorkerId worker;
  std::string name;
  std::string address;
  SessionNumber session;
};
struct CloseSession {
  WorkerId worker;
  SessionNumber session;
  std::string reason;
};
struct Assign {
  WorkerId worker;
  SessionNumber session;
  AttemptKey key;
  TaskSpecPtr spec;
  ArgumentRowsPtr rows;   // null, or the row is rows[row_index]
  uint64_t row_index = 0;
  TaskId batch;
  uint64_t batch_index = 0;
  bool prefetched = false;
  absl::Duration run_timeout = absl::InfiniteDuration();
  TaskId workflow;        // 0: none
  NamedValues variables;  // outputs of others
};
struct Stop {
  WorkerId worker;
  SessionNumber session;
  AttemptKey key;
  EndReason reason;  // kCancelled, kPreempted, kLost (superseded)
  absl::Duration kill_grace = absl::InfiniteDuration();
};
struct Recall {
  WorkerId worker;
  SessionNumber session;
  AttemptKey key;
};
struct Acknowledge {
  WorkerId worker;
  SessionNumber session;
  AttemptKey key;
};
struct SendDrain {
  WorkerId worker;
  SessionNumber session;
  absl::Duration deadline = absl::InfiniteDuration();  // infinite: the worker's own
  bool resume = false;
};

// --- For watchers and attached readers.

// A task's state as of this commit. Sent for every change, also for those that are not durable in themselves.
struct TaskChanged {
  TaskId task;
  TaskState state;
  AttemptNumber attempt;       // 0: none
  WorkerId worker;             // of that attempt
  std::string reason;
  TaskSpecPtr spec;            // for filters; shared
  TaskId batch;
  uint64_t batch_index = 0;
  AttemptReportPtr report;     // with a result's change: what it said, output included
  EndReason end_reason = EndReason::kNone;
  absl::Time time;
};
// New ids, all in the state that their acceptance gave them (told before their first TaskChanged).
struct TasksAccepted {
  TaskRange tasks;
  TaskId batch;
  uint64_t first_index = 0;
  TaskSpecPtr spec;
  TaskState state;
  absl::Time time;
};
// A worker's view changed: state, offer, drain progress.
struct WorkerChanged {
  WorkerId worker;
};
// What its tasks get by default may have changed.
struct QueueChanged {
  std::string name;
  QueueSettings settings;
};
// For the log: one task that the shadow would have given to another worker, of `count` since the last one that was told.
struct PlacementDiffered {
  PlacementSettings settings;
  ShadowDifference difference;
  uint64_t count = 1;
};
// Tasks wait for some of these that ended before: the store knows how. Answered by EndsFound, a part at a time or whole.
struct FindEnds {
  std::vector<AskedRange> ranges;
};
// After StopMaster: everything is said and durable.
struct Stopped {};

using Effect =
    std::variant<SubmitAnswer, WorkflowAnswer, CancelAnswer, JoinAnswer, HeartbeatAnswer, WorkerAnswer, QueueAnswer, PlacementAnswer, OpenSession,
                 CloseSession, Assign, Stop, Recall, Acknowledge, SendDrain, TaskChanged, TasksAccepted, WorkerChanged,
                 QueueChanged, PlacementDiffered, FindEnds, Stopped, ScheduleAnswer, EventAnswer>;

struct Effects {
  Transaction transaction;
  std::vector<Effect> effects;  // in order

  bool Empty() const { return transaction.Empty() && effects.empty(); }
};

}  // namespace muster::core
