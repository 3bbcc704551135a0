// The latest that is known of one task, without its output: what watchers and attached readers are told.
//
// Made from the core's view, from a change, or from the store's rows; turned into a v1::Task by task_view.h.
// Thread rule: values; specifications are shared.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/named_value.h"
#include "common/domain/task_spec.h"
#include "common/domain/task_state.h"
#include "master/core/cluster_core.h"
#include "master/core/effects.h"
#include "master/store/store.h"

namespace muster::handler {

struct TaskNote {
  TaskId id;
  TaskState state = TaskState::kNone;
  std::string reason;
  TaskSpecPtr spec;
  TaskId batch;
  uint64_t batch_index = 0;
  std::vector<std::string> arguments;  // of the batch's row, where it is known
  TaskId retry_of;
  bool cancel_requested = false;
  std::string cancel_reason;
  absl::Time created = absl::InfinitePast();  // infinite: not known here
  absl::Time ended = absl::InfinitePast();

  // Its newest attempt; 0: none.
  AttemptNumber attempt;
  WorkerId worker_id;
  std::string worker;
  Incarnation incarnation;
  absl::Time dispatched = absl::InfinitePast();
  absl::Time started = absl::InfinitePast();
  // How that attempt ended, once it has.
  EndReason end_reason = EndReason::kNone;
  std::optional<AttemptEnd> end;
  int64_t stdout_bytes = 0;
  int64_t stderr_bytes = 0;
  NamedValues outputs;

  std::optional<UsualRunTime> straggles;  // it runs much longer than this

  int64_t commit = 0;

  bool terminal() const { return IsTerminal(state); }
};

// Valid beyond the turn: copies what the view only points to.
TaskNote NoteOf(const core::OpenTaskView& view);
TaskNote NoteOf(const core::TaskChanged& change);
// Only for a task that has ended.
TaskNote NoteOf(const store::StoredTask& task);

// What a client should exit with. CANCELLED, LOST and POISONED are 125; TIMED_OUT is 124 when its run was cut off, and
// 125 when it never ran (its time in the queue was over: muster could not do it).
int ExitCodeOf(TaskState state, EndReason reason, const AttemptEnd* end);
int ExitCodeOf(const TaskNote& note);

// The row of a batch's task; null for a single one.
const std::vector<std::string>* RowOf(const core::SpecificationRow& specification, TaskId task);

}  // namespace muster::handler
