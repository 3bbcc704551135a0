// The activity log's records: what happened, named, in the order in which it became durable.
//
// Thread rule: values.
#pragma once

#include <string>
#include <variant>

#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/task_state.h"
#include "common/domain/worker.h"
#include "common/domain/workflow.h"

namespace muster::activity {

struct MasterStarted {
  Epoch epoch;
  bool last_end_clean = true;
  int64_t open_task_count = 0;
  std::string version;
};
struct MasterStopped {
  std::string reason;
};
// One for a whole call.
struct TaskAccepted {
  TaskRange tasks;
  TaskId batch;
  std::string owner;
  std::string queue;
};
struct TaskStateChanged {
  TaskId task;
  TaskState state;
  std::string reason;
};
struct AttemptDispatched {
  AttemptKey key;
  std::string worker;
};
struct AttemptStarted {
  AttemptKey key;
  std::string worker;
};
// An end that was not the task's last.
struct AttemptEnded {
  AttemptKey key;
  std::string worker;
  EndReason reason;
  int32_t code = 0;
  std::string message;
};
struct TaskEnded {
  AttemptKey key;
  TaskState state;
  EndReason reason;
  int32_t code = 0;
  std::string message;
};
struct CancelRequested {
  TaskId task;
  std::string by;
  std::string reason;
};
struct WorkerJoined {
  std::string worker;
  Incarnation incarnation;
  std::string address;
  uint32_t slots = 0;
};
struct WorkerStateChanged {
  std::string worker;
  WorkerState state;
  std::string reason;
};
struct WorkerLost {
  std::string worker;
  Incarnation incarnation;
  std::string reason;
};
// Refusals of one cause and identity within one second.
struct RequestsRefused {
  std::string cause;
  std::string by;
  int64_t count = 0;
};
struct StaleReport {
  AttemptKey key;
  std::string worker;
  std::string note;
};
// Finished tasks, before their retention was over: by hand. One for a whole call.
struct TasksPurged {
  std::string by;
  absl::Time ended_before;
  int64_t count = 0;
};
// What is set of a queue, or its pause.
struct QueueChanged {
  std::string queue;
  std::string what;  // in words
  std::string by;
};

// Which balancer decides, or which one runs beside it.
struct PlacementChanged {
  std::string what;  // in words
  std::string by;
};

// A schedule was added, removed, paused or resumed.
struct ScheduleChanged {
  std::string schedule;
  std::string what;  // in words
  std::string by;
};
// What became of a due time.
struct ScheduleDecided {
  std::string schedule;
  absl::Time due;
  TaskId task;       // the run, a task or a workflow; 0: none
  std::string what;  // in words
};
struct WorkflowStateChanged {
  TaskId workflow;
  WorkflowState state;
  std::string reason;
};

using Event = std::variant<MasterStarted, MasterStopped, TaskAccepted, TaskStateChanged, AttemptDispatched,
                           AttemptStarted, AttemptEnded, TaskEnded, CancelRequested, WorkerJoined,
                           WorkerStateChanged, WorkerLost, RequestsRefused, StaleReport, TasksPurged,
                           QueueChanged, PlacementChanged, ScheduleChanged, ScheduleDecided, WorkflowStateChanged>;

struct Record {
  absl::Time time;
  Event event;
};

}  // namespace muster::activity
