// What one turn of the loop makes durable: rows that are only ever added, committed together or not at all.
//
// The core fills it, the store writes it. Recovery reads the same rows back (recovered_state.h).
// tests/support/memory_store.h folds transactions into a RecoveredState: it is the meaning below in code.
//
// What the rows of one task mean (in the order of their commits; within a commit, in the order of the vectors):
//  - The task exists when a SpecificationRow covers its id, and is open while no OutcomeRow names it. Neither comes
//    twice. A task may be accepted and dispatched, or accepted and ended, by one transaction.
//  - Attempts have rising numbers. The task's current attempt is its highest AttemptRow, if no AttemptEndRow names it;
//    every lower attempt has exactly one AttemptEndRow. An attempt that ended with the task has no AttemptEndRow: its
//    end is in the OutcomeRow (whose `attempt` may also be one that ended before, when nothing was current).
//  - With a current attempt the task is DISPATCHED (or RUNNING; the difference is not stored), or UNKNOWN when an
//    UnknownRow names that attempt. UnknownRows of other attempts mean nothing any more.
//  - Without one it is PENDING until `retry_at` of the highest attempt's end, or QUEUED when that is past; before the
//    first attempt, PENDING until its specification's start_time, or QUEUED.
//  - Budgets used up: how many AttemptEndRows have used_attempt, and how many used_worker_loss.
//  - A CancelRow holds for every task of its range that was open when it was committed. It is written also when the
//    tasks end by the same transaction (so that a reader sees who wished it). A range never reaches past ids given out.
//    When several cover a task, the first one counts.
//  - next_id is one more than the highest id that a SpecificationRow gave out: first + count - 1, of any task.
// Thread rule: a value, moved from the core to the store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/digest.h"
#include "common/domain/activity.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/placement_settings.h"
#include "common/domain/queue_settings.h"
#include "common/domain/run_times.h"
#include "common/domain/task_spec.h"
#include "common/domain/task_state.h"
#include "master/core/schedule_rows.h"
#include "common/domain/workflow.h"

namespace muster::core {

// One per accepted specification: a task, or a batch (part) whose tasks are the ids first .. first+count-1.
// A batch takes one id S for itself: its first part has batch = S, first = S + 1, first_index = 1. A later part of it
// has batch = S, first = any later id (it takes no id but its tasks'), first_index = tasks before it + 1.
struct SpecificationRow {
  TaskId first;
  uint64_t count = 1;
  TaskId batch;             // 0: a single task
  uint64_t first_index = 0;  // 1-based place of `first` in the batch
  TaskSpecPtr spec;
  ArgumentRowsPtr rows;     // null, or `count` rows
  absl::Time created;
  TaskId retry_of;
};

// One per dispatch; durable before the assignment is sent.
struct AttemptRow {
  AttemptKey key;
  std::string worker;
  Incarnation incarnation;
  absl::Time dispatched;
};

// How an attempt ended that was not the task's last, and what it used up. An attempt that never started (refused, given
// back, missing in a Hello) ends so too: reason kRejected or kPreempted or kLost, nothing used.
struct AttemptEndRow {
  AttemptKey key;
  AttemptReportPtr report;       // null when nothing was reported (given back, lost)
  EndReason reason = EndReason::kNone;
  bool used_attempt = false;     // counts against max_attempts
  bool used_worker_loss = false; // counts against max_worker_losses
  absl::Time ended;
  absl::Time retry_at = absl::InfinitePast();  // PENDING until then; past: QUEUED again
  std::string message;
};

// A task's end. Written once.
struct OutcomeRow {
  TaskId task;
  TaskState state = TaskState::kNone;
  AttemptNumber attempt;    // 0: none
  AttemptReportPtr report;  // null when nothing was reported
  EndReason reason = EndReason::kNone;
  std::string message;
  absl::Time ended;
};

// UNKNOWN begins: HOLD, and the worker is lost. At most once per attempt and loss; the newest of an attempt holds.
struct UnknownRow {
  AttemptKey key;
  absl::Time give_up;
};

// One per call that carries a request id. The answer can be made again from it.
struct RequestRow {
  std::string owner;
  std::string request_id;
  Digest digest{};
  std::vector<TaskRange> tasks;
  TaskId batch;
  absl::Time time;
};

// A cancel that is wished for and may not be confirmed yet.
struct CancelRow {
  TaskRange tasks;
  std::string by;
  std::string reason;
  absl::Time time;
};

// What people set on a worker; survives restarts of both sides. The newest row of a name holds.
struct WorkerSettingRow {
  std::string name;
  uint32_t weight = 0;  // 0: the default
  bool draining = false;
  std::string reason;  // of the quarantine, else of the drain
  bool quarantined = false;
};

// What people set of a queue. The newest row of a name holds; an empty one takes it out of the store.
struct QueueSettingRow {
  std::string name;
  std::optional<QueueSettings> by_hand;  // empty: as the master's configuration has it
  QueuePause pause;

  bool Empty() const { return !by_hand.has_value() && pause == QueuePause(); }
};

// What people set of the placement, all of it. The newest one holds.
struct PlacementRow {
  PlacementChange by_hand;
};

// An executor that a worker offered for the first time: tasks for it are accepted from then on. One per name.
struct ExecutorRow {
  std::string name;
};

// A report that came too late, kept with its attempt (of an open, finished or purged task).
struct NoteRow {
  AttemptKey key;
  std::string note;
  absl::Time time;
};

// What is known of run times is advice: it rides with commits that happen anyway, now and then, and a kill may lose the
// newest of it. The newest row of a fingerprint holds; `dropped` are fingerprints that are not known any more.
struct RunTimeRows {
  std::vector<LearnedRunTimes> learned;
  std::vector<uint64_t> dropped;
};

// A workflow that was accepted, with the tasks of its first part: `id` is one of their sequence. One that is there already
// has more nodes now, behind those that it had, and comes with a part that has their tasks.
struct WorkflowRow {
  TaskId id;
  WorkflowSpecPtr spec;
  absl::Time created;
};

// Tasks that one call made of a workflow, in the order in which they were numbered; each has its SpecificationRow. What
// they depend on is not in their specifications: it follows from the parts (workflow_layout.h).
struct WorkflowPartRow {
  TaskId workflow;
  std::vector<NodeTasks> tasks;  // not empty; the first has the lowest id
  absl::Time created;
};

// How the tasks of a workflow stand: the current ones of each node, whether open or ended.
struct WorkflowTally {
  uint64_t by_state[16] = {};
  uint64_t skipped = 0;  // of the CANCELLED ones: a need or a condition did not hold, or a failure stopped the workflow
  uint64_t retries = 0;  // how often what had failed was tried again
};

// Where a workflow is. The newest row of one holds; a new workflow comes with one.
struct WorkflowStateRow {
  TaskId workflow;
  WorkflowState state = WorkflowState::kPending;
  absl::Time started = absl::InfinitePast();
  absl::Time ended = absl::InfinitePast();
  std::string cancelled_by;  // empty: nobody asked for it
  std::string reason;        // of the end; else of the cancel
  WorkflowTally tally;       // at that time
};

struct Transaction {
  std::vector<SpecificationRow> specifications;
  std::vector<AttemptRow> attempts;
  std::vector<AttemptEndRow> attempt_ends;
  std::vector<OutcomeRow> outcomes;
  std::vector<UnknownRow> unknowns;
  std::vector<RequestRow> requests;
  std::vector<CancelRow> cancels;
  std::vector<WorkerSettingRow> worker_settings;
  std::vector<QueueSettingRow> queue_settings;
  std::optional<PlacementRow> placement;
  std::vector<WorkflowRow> workflows;
  std::vector<WorkflowPartRow> workflow_parts;
  std::vector<WorkflowPartRow> reopened_parts;  // earlier ones of a workflow that goes on: not written, and to be kept again
  std::vector<WorkflowStateRow> workflow_states;
  std::vector<ExecutorRow> executors;
  std::vector<NoteRow> notes;
  RunTimeRows run_times;
  ScheduleRows schedules;
  std::vector<activity::Record> activity;
  bool clean_end = false;      // the master's last words
  bool sync_activity = false;  // somebody waits for it: it does not ride

  // Activity alone does not make a commit of its own worth a sync: it may ride with the next (see MasterLoop).
  bool NeedsSync() const {
    return !specifications.empty() || !attempts.empty() || !attempt_ends.empty() || !outcomes.empty() ||
           !unknowns.empty() || !requests.empty() || !cancels.empty() || !worker_settings.empty() ||
           !queue_settings.empty() || placement.has_value() || !schedules.empty() || !workflows.empty() || !workflow_parts.empty() ||
           !workflow_states.empty() || !executors.empty() || !notes.empty() || clean_end || sync_activity;
  }
  bool Empty() const { return !NeedsSync() && activity.empty(); }
};

}  // namespace muster::core
