// What can happen to the cluster. The request handler, the dispatcher and the registry service make events; the loop
// hands them to ClusterCore::Apply one after the other.
//
// Thread rule: values, moved through the mailbox.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/digest.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/placement_settings.h"
#include "common/domain/queue_settings.h"
#include "common/domain/schedule.h"
#include "common/domain/task_spec.h"
#include "common/domain/worker.h"
#include "common/domain/workflow.h"
#include "master/core/dependencies.h"
#include "master/core/recovered_state.h"

namespace muster::core {

// A call's own id and the digest of its content, for idempotence. Empty id: none.
struct RequestKey {
  std::string owner;
  std::string id;
  Digest digest{};
};

struct NewTask {
  TaskSpecPtr spec;
  TaskId retry_of;
};

// Validated, authorized, not found under its request id in the store. All of it is accepted or none.
// Answered by SubmitAnswer.
struct SubmitTasks {
  CallId call;
  RequestKey request;
  std::vector<NewTask> tasks;  // single tasks, or empty for a batch
  // A batch, or more rows for one.
  TaskSpecPtr batch_spec;
  ArgumentRowsPtr batch_rows;
  TaskId extend_batch;        // 0: a new batch
  uint64_t extend_from = 0;   // tasks that it has already (from the store)
  bool id_is_taken = false;   // the store has the request id, with other content: it is refused, and is to be told why
};

// A node's tasks to be: one, or a batch. What it depends on is the core's to say, once it has numbered them.
struct NewNode {
  uint32_t node = 0;
  std::shared_ptr<TaskSpec> spec;  // nobody else has it
  ArgumentRowsPtr rows;            // null: a single task
  std::vector<TaskId> replaces;    // one for each, when it is tried again
};

// Validated as SubmitTasks is; the nodes in an order in which each comes after those that it needs. All of it is accepted
// or none. Answered by WorkflowAnswer.
struct SubmitWorkflow {
  CallId call;
  RequestKey request;
  WorkflowSpecPtr workflow;
  std::vector<NewNode> nodes;
  bool id_is_taken = false;  // as SubmitTasks'
};

// New nodes of a workflow that is open, with their tasks. Answered by WorkflowAnswer.
struct AddToWorkflow {
  CallId call;
  RequestKey request;
  TaskId workflow;
  WorkflowSpecPtr before;  // its specification that the nodes were checked with
  WorkflowSpecPtr after;   // the same, and the new nodes behind those that it had
  std::vector<NewNode> nodes;
  bool id_is_taken = false;
};

// More tasks of a workflow that has ended: for those of its nodes that are to be tried again. Answered by WorkflowAnswer.
struct RetryWorkflow {
  CallId call;
  RequestKey request;
  WorkflowRow workflow;
  std::vector<WorkflowPartRow> parts;   // that it has
  std::vector<RecoveredEnd> kept;       // ends of what is not tried again
  std::vector<NewNode> nodes;
  bool id_is_taken = false;
};

// Answered by WorkflowAnswer.
struct CancelWorkflow {
  CallId call;
  TaskId workflow;
  std::string by;
  std::string reason;
};

// Selectors are resolved to ids before. Answered by CancelAnswer.
struct CancelTasks {
  CallId call;
  std::vector<TaskRange> tasks;
  std::string by;
  std::string reason;
};

struct WorkerJoin {
  CallId call;  // answered by JoinAnswer
  std::string name;
  Incarnation incarnation;
  std::string address;
  std::string version;
  WorkerOffer offer;
  WorkerLoad load;
  bool draining = false;
};

struct WorkerHeartbeat {
  CallId call;  // answered by HeartbeatAnswer
  std::string name;
  Incarnation incarnation;
  WorkerLoad load;
  std::optional<WorkerOffer> offer;
  bool draining = false;
};

struct HeldAttempt {
  AttemptKey key;
  enum class Phase : uint8_t { kAccepted, kRunning, kFinished, kValidating } phase;
};

// The worker's Hello on the session that the core asked for with OpenSession.
struct SessionOpened {
  WorkerId worker;
  SessionNumber session;
  Incarnation incarnation;
  std::vector<HeldAttempt> held;
};

// The stream ended, or never came to be. The core asks for a new one after a delay while the worker heartbeats.
struct SessionClosed {
  WorkerId worker;
  SessionNumber session;
  std::string reason;
};

struct AttemptStartedReport {
  AttemptKey key;
  absl::Time time;
};
struct AttemptRefusal {
  AttemptKey key;
  std::string reason;
};

// What one message of a session said, in this order: started, then validating, results, given back, refused.
struct WorkerReports {
  WorkerId worker;
  SessionNumber session;
  std::vector<AttemptStartedReport> started;
  std::vector<AttemptReportPtr> results;
  std::vector<AttemptKey> given_back;
  std::vector<AttemptRefusal> refused;
  std::vector<AttemptStartedReport> validating;  // their commands have ended well
};

// Answered by WorkerAnswer.
struct UpdateWorker {
  CallId call;
  std::string name;
  std::optional<uint32_t> weight;
};
struct DrainWorker {
  CallId call;
  std::string name;
  absl::Duration deadline = absl::InfiniteDuration();
  std::string reason;
};
// It takes nothing new, and is not told: what it has goes on.
struct QuarantineWorker {
  CallId call;
  std::string name;
  std::string reason;
};
// Ends a drain, and a quarantine whoever wished it.
struct ResumeWorker {
  CallId call;
  std::string name;
  bool drain_only = false;
};

// Answered by QueueAnswer, as the two below. The queue need not be known.
struct UpdateQueue {
  CallId call;
  std::string name;
  bool reset = false;                 // first back to the configuration
  std::optional<QueueChange> change;  // then this
  std::string by;
};
struct PauseQueue {
  CallId call;
  std::string name;
  absl::Time until = absl::InfiniteFuture();
  std::optional<absl::Duration> length;  // from now; then `until` does not count
  std::string reason;
  std::string by;
};
struct ResumeQueue {
  CallId call;
  std::string name;
  std::string by;
};

// Answered by PlacementAnswer. Takes effect with the next placement.
struct UpdatePlacement {
  CallId call;
  bool reset = false;      // first back to the configuration
  PlacementChange change;  // then this
  std::string by;
};

// No more submits; `reason` is for people. Undone only by a restart.
struct StopAdmission {
  std::string reason;
};

// The master is about to end: extends leases, writes the clean-end record, tells watchers. Effects end with Stopped.
struct StopMaster {
  std::string reason;
  std::vector<std::string> resume;  // workers whose drain was for this end alone: the next master uses them again
};

// Refusals made at the edge, for the activity log.
struct NoteRefusals {
  std::string cause;
  std::string by;
  int64_t count = 0;
};

// A purge by hand is durable; so will be its record, by the end of the turn.
struct NotePurge {
  std::string by;
  absl::Time ended_before;
  int64_t count = 0;
};

// What can be done to a schedule.
struct AddSchedule {
  ScheduleSpec spec;     // read and checked, named
  absl::TimeZone zone;   // the one that its times name
  std::string owner;
};
struct RemoveSchedule {};
struct PauseSchedule {
  std::string reason;
};
struct ResumeSchedule {};
struct RunSchedule {
  std::string request_id;  // empty: none
};

// What the store says to FindEnds.
struct EndsFound {
  std::vector<RangeEnds> ends;
};

// Answered by ScheduleAnswer.
struct ChangeSchedule {
  CallId call;
  std::string name;
  std::string by;
  std::variant<AddSchedule, RemoveSchedule, PauseSchedule, ResumeSchedule, RunSchedule> what;
};

// What an event is to start of one schedule.
struct EventRun {
  std::string schedule;
  ScheduledWorkPtr work;          // that it was made of
  RequestKey request;             // of this event and this schedule: what was started under it is not started again
  bool id_is_taken = false;       // as SubmitTasks'
  absl::Status status;            // not OK: why nothing can be made of the event, and `what` is none
  std::variant<TaskSpecPtr, SubmitWorkflow> what;
};

// Answered by EventAnswer.
struct FireEvent {
  CallId call;
  std::string event;
  std::string id;
  absl::Time received;  // of the calendar
  std::vector<EventRun> runs;
};

using Event = std::variant<SubmitTasks, SubmitWorkflow, AddToWorkflow, RetryWorkflow, CancelWorkflow, CancelTasks, WorkerJoin, WorkerHeartbeat, SessionOpened, SessionClosed,
                           WorkerReports, UpdateWorker, DrainWorker, QuarantineWorker, ResumeWorker, UpdateQueue,
                           PauseQueue, ResumeQueue, UpdatePlacement, StopAdmission, StopMaster, NoteRefusals, NotePurge, EndsFound,
                           ChangeSchedule, FireEvent>;

}  // namespace muster::core
