// The open workflows: how far each is, which of its tasks may start, and what a failed one means.
//
// A workflow's tasks are tasks as all others; they know it by their group. Those whose needs hold stand at its `gate`
// (PENDING) until the workflow has a place for one more: at most max_parallel of them are queued or running at a time,
// and few of each workflow are queued (workflow_line.h), so that a wide workflow and a narrow one share a queue fairly:
// each released task goes to the end of the line. At the gate the lowest id is first, which is the one with the longest
// way to the end behind it, for so they were numbered.
//
// Kept by Transitions with each change of a task; acted on by WorkflowEvents (workflow_events.h), once a turn.
// Thread rule: one thread. Ownership: the table owns its workflows; a Workflow* is valid until Remove.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/task_state.h"
#include "common/domain/workflow.h"
#include "master/core/recovered_state.h"
#include "master/core/task_table.h"
#include "master/core/transaction.h"
#include "master/core/workflow_forecast.h"
#include "master/core/workflow_layout.h"
#include "master/core/workflow_line.h"
#include "master/core/workflow_values.h"

namespace muster::core {

struct WorkflowCounts : WorkflowTally {
  uint64_t broken = 0;   // of the CANCELLED ones: a value was wanting
  uint64_t failed = 0;   // ended otherwise than SUCCEEDED or skipped, and may not
  TaskId first_failed;   // 0: none
  TaskState failed_as = TaskState::kNone;
  std::string broke_at;  // what the first one lacked, when it could not start for want of a value
};

struct Workflow {
  Workflow(TaskId number, WorkflowSpecPtr what) : id(number), spec(std::move(what)), layout(spec->nodes.size()) {}

  TaskId id;
  WorkflowSpecPtr spec;
  WorkflowLayout layout;
  WorkflowState state = WorkflowState::kPending;
  TaskId arrival;  // no later than its newest tasks: its place among those that wait for their turn
  absl::Time created = absl::InfinitePast();
  absl::Time started = absl::InfinitePast();
  std::string cancelled_by;   // empty: nobody asked for it
  std::string cancel_reason;
  std::string broken;         // at what, in words
  WorkflowCounts counts;
  uint64_t open = 0;
  uint64_t in_flight = 0;            // past the gate and not ended
  uint64_t queued = 0;               // of those
  WorkflowLine line;                 // how many may be
  mutable WorkflowForecast forecast;  // for those who look; nothing is decided by it
  absl::btree_set<TaskId> gate;
  absl::btree_set<TaskId> unjudged;  // of those at the gate: values decide whether they start
  WorkflowValues values;
  bool stopping = false;             // its failure rule was applied, or is being
  uint32_t next_to_stop = 0;         // node

  bool Stops() const { return counts.failed > 0 && spec->on_failure != FailureRule::kContinue; }
};

// At once; 0: no bound of its own.
uint64_t MaxParallelOf(const struct CoreConfig& config, const Workflow& workflow);

// "workflow 4F (nightly) runs at most 2 tasks at once, and 2 are on their way", of a task at the gate.
std::string WaitsForWorkflowWords(const struct Cluster& cluster, const Task& task);

// A CANCELLED task that nobody cancelled: it never had an attempt, and its end has no reason of an attempt.
bool WasSkipped(TaskState state, EndReason reason);
// A CANCELLED task that a value was wanting for: as if it had failed to start.
bool BrokeAtValue(TaskState state, EndReason reason);

class WorkflowTable {
 public:
  using ById = absl::btree_map<TaskId, std::unique_ptr<Workflow>>;

  Workflow* Add(TaskId id, WorkflowSpecPtr spec);
  void Remove(TaskId id);
  Workflow* Find(TaskId id);
  const Workflow* Find(TaskId id) const;
  const ById& all() const { return workflows_; }

  // As the store knows it: how a task of a node ended.
  void CountEnd(Workflow* workflow, const RecoveredEnd& end);
  // What a task of the node that SUCCEEDED has written.
  void KeepValues(Workflow* workflow, uint32_t node, const NamedValues& written);
  // Of all open workflows.
  int64_t value_bytes() const { return value_bytes_; }
  void SetState(Workflow* workflow, WorkflowState state);
  using Pending = absl::btree_set<std::pair<TaskId, TaskId>>;  // by arrival
  const Pending& pending() const { return pending_; }

  // Around each change of an open task of a workflow; nothing for others.
  void Enter(const Task& task);
  void Leave(const Task& task);
  // It has ended, after Leave.
  void End(const Task& task, TaskState state, EndReason reason, const AttemptReport* report, const std::string& why);

  // Those that something happened to, each once; the caller takes them.
  absl::btree_set<TaskId> TakeTouched();
  void Touch(TaskId id) { touched_.insert(id); }
  void TouchAll();
  bool any_touched() const { return !touched_.empty(); }

  // Those that run and have more to let go.
  const absl::btree_set<TaskId>& sharing() const { return sharing_; }
  uint64_t sharers() const { return sharing_.size(); }
  // The cluster's, as they were counted last.
  uint64_t slots() const { return slots_; }
  void SetSlots(uint64_t slots) { slots_ = slots; }

 private:
  void CountShare(Workflow* workflow);

  ById workflows_;
  Pending pending_;
  absl::btree_set<TaskId> touched_;
  absl::btree_set<TaskId> sharing_;
  int64_t value_bytes_ = 0;
  uint64_t slots_ = 0;
};

}  // namespace muster::core
