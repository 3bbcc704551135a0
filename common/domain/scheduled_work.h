// What each run of a schedule starts: a task, or a workflow.
//
// Thread rule: immutable once shared.
#pragma once

#include <string>

#include "common/domain/schedule.h"
#include "common/domain/task_spec.h"

namespace muster {

// As it was accepted with the schedule; what a run adds to it is its owner's (core::CoreConfig::make_run, make_workflow).
struct ScheduledWork {
  TaskSpecPtr task = nullptr;  // null: a workflow
  // The serialized muster.v1.ScheduledWorkflow, which only the edge can read. Its parameters are filled in, but for one that
  // waits for an event.
  std::string workflow = {};

  bool is_workflow() const { return task == nullptr; }
  size_t bytes() const { return is_workflow() ? workflow.size() : task->payload.size(); }
};

inline bool StartTheSame(const ScheduledWork& a, const ScheduledWork& b) {
  if (a.is_workflow() || b.is_workflow()) return a.is_workflow() == b.is_workflow() && a.workflow == b.workflow;
  return a.task->payload == b.task->payload;
}

}  // namespace muster
