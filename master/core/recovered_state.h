// What a store knows at a start: everything that is open, and what goes on where the last master ended. What the rows
// mean is said in transaction.h.
//
// Of a million tasks that wait nothing is known but their specifications: a record of each is 16 bytes, and what they
// share is made by those who read it (in several threads), so that the core only has to take it over.
// Thread rule: a value, moved from the store to the core.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/domain/ids.h"
#include "master/core/task_group.h"
#include "master/core/transaction.h"

namespace muster::core {

// What has happened to an open task.
struct TaskHistory {
  std::vector<AttemptRow> attempts;         // by number
  std::vector<AttemptEndRow> attempt_ends;  // by number
  std::optional<UnknownRow> unknown;
  std::optional<CancelRow> cancel;
};

// An open task, as the store knows it at start.
class RecoveredTask {
 public:
  explicit RecoveredTask(TaskId task) : id(task) {}

  const TaskHistory& history() const {
    static const auto& nothing = *new TaskHistory();
    return history_ == nullptr ? nothing : *history_;
  }
  TaskHistory& AddHistory() {  // or what there is already
    if (history_ == nullptr) history_ = std::make_unique<TaskHistory>();
    return *history_;
  }

  TaskId id;

 private:
  std::unique_ptr<TaskHistory> history_;
};

// How a task of an open workflow ended that its node is now.
struct RecoveredEnd {
  TaskId task;
  uint32_t node = 0;
  TaskState state = TaskState::kNone;
  EndReason reason = EndReason::kNone;
  NamedValues outputs;  // of a success
  std::string message;  // of one that broke at a value
};

// A workflow that has not ended. Its open tasks are among the others, and their groups know it.
struct RecoveredWorkflow {
  WorkflowRow row;
  std::vector<WorkflowPartRow> parts;  // oldest first
  WorkflowStateRow state;
  std::vector<RecoveredEnd> ends;
};

struct RecoveredState {
  std::string cluster_id;
  Epoch epoch;             // already raised and durable
  CommitNumber last_commit;
  TaskId next_id{1};       // the first id never given out
  // What a copy of the store that was lost may have given out: these ids, which no task here has, and attempts up to
  // this number of the tasks below that one.
  std::vector<TaskRange> skipped_ids;
  TaskId copied_below;
  AttemptNumber copied_attempts;
  bool last_end_clean = true;
  std::vector<TaskGroupPtr> groups;     // of every specification that has an open task, by first id
  std::vector<RecoveredTask> tasks;     // every open task, by id
  std::vector<RecoveredWorkflow> workflows;  // by id
  std::vector<WorkerSettingRow> worker_settings;
  std::vector<QueueSettingRow> queue_settings;
  PlacementRow placement;
  std::vector<ExecutorRow> executors;
  std::vector<LearnedRunTimes> run_times;  // the least recently seen first
  ScheduleRows schedules;               // of each name that is there its row, and its progress if that is
  uint64_t damaged_run_times = 0;          // rows of them that cannot be read: only advice, so the rest goes on
};

}  // namespace muster::core
