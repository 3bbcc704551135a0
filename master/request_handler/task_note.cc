#include "master/request_handler/task_note.h"

#include <algorithm>
#include <variant>

namespace muster::handler {
namespace {

constexpr int kTimedOutCode = 124;
constexpr int kMusterCode = 125;

void SetPlace(const StateData& state, TaskNote* note) {
  const auto place = [note](AttemptNumber attempt, WorkerId worker, Incarnation incarnation) {
    note->attempt = attempt;
    note->worker_id = worker;
    note->incarnation = incarnation;
  };
  if (const auto* dispatched = std::get_if<Dispatched>(&state)) {
    place(dispatched->attempt, dispatched->worker, dispatched->incarnation);
  } else if (const auto* running = std::get_if<Running>(&state)) {
    place(running->attempt, running->worker, running->incarnation);
  } else if (const auto* validating = std::get_if<Validating>(&state)) {
    place(validating->attempt, validating->worker, validating->incarnation);
  } else if (const auto* unknown = std::get_if<Unknown>(&state)) {
    place(unknown->attempt, unknown->worker, unknown->incarnation);
  }
}

void SetReport(const AttemptReport& report, TaskNote* note) {
  note->end = report.end;
  note->started = report.start_time;
  note->stdout_bytes = report.stdout_output.total_bytes;
  note->stderr_bytes = report.stderr_output.total_bytes;
  note->outputs = report.outputs;
}

}  // namespace

TaskNote NoteOf(const core::OpenTaskView& view) {
  TaskNote note;
  note.id = view.id;
  note.state = StateOf(view.state);
  note.reason = view.reason;
  note.spec = view.spec;
  note.batch = view.batch;
  note.batch_index = view.batch_index;
  if (view.arguments != nullptr) note.arguments = *view.arguments;
  note.retry_of = view.retry_of;
  note.cancel_requested = view.cancel_requested;
  note.cancel_reason = view.cancel_reason;
  note.created = view.created;
  SetPlace(view.state, &note);
  note.worker = view.worker;
  note.dispatched = view.dispatched;
  note.started = view.started;
  note.straggles = view.straggles;
  return note;
}

TaskNote NoteOf(const core::TaskChanged& change) {
  TaskNote note;
  note.id = change.task;
  note.state = change.state;
  note.reason = change.reason;
  note.spec = change.spec;
  note.batch = change.batch;
  note.batch_index = change.batch_index;
  note.attempt = change.attempt;
  note.worker_id = change.worker;
  note.end_reason = change.end_reason;
  if (change.report != nullptr) {
    SetReport(*change.report, &note);
    note.attempt = change.report->key.number;
  }
  if (note.terminal()) note.ended = change.time;
  if (note.state == TaskState::kDispatched) note.dispatched = change.time;
  if (note.state == TaskState::kRunning) note.started = change.time;
  return note;
}

TaskNote NoteOf(const store::StoredTask& task) {
  TaskNote note;
  note.id = task.id;
  note.spec = task.specification.spec;
  note.batch = task.specification.batch;
  note.batch_index = task.batch_index;
  if (const auto* row = RowOf(task.specification, task.id)) note.arguments = *row;
  note.retry_of = task.specification.retry_of;
  note.created = task.specification.created;
  note.commit = task.commit.value();
  if (task.cancel) {
    note.cancel_requested = true;
    note.cancel_reason = task.cancel->reason;
  }
  if (!task.outcome) return note;
  note.state = task.outcome->state;
  note.reason = task.outcome->message;
  note.ended = task.outcome->ended;
  note.attempt = task.outcome->attempt;
  note.end_reason = task.outcome->reason;
  if (task.outcome->report != nullptr) SetReport(*task.outcome->report, &note);
  for (const core::AttemptRow& attempt : task.attempts) {
    if (attempt.key.number != note.attempt) continue;
    note.worker = attempt.worker;
    note.incarnation = attempt.incarnation;
    note.dispatched = attempt.dispatched;
  }
  return note;
}

int ExitCodeOf(TaskState state, EndReason reason, const AttemptEnd* end) {
  switch (state) {
    case TaskState::kSucceeded: return 0;
    case TaskState::kFailed: {
      AttemptEnd unreported;
      unreported.reason = reason;
      const int code = ExitCodeFor(end != nullptr ? *end : unreported);
      return code != 0 ? code : 1;
    }
    case TaskState::kTimedOut:
      // A run that was cut off has reported so; a wait in the queue that was too long reports nothing.
      return end != nullptr && end->reason == EndReason::kTimeout ? kTimedOutCode : kMusterCode;
    default: return kMusterCode;
  }
}

int ExitCodeOf(const TaskNote& note) {
  return ExitCodeOf(note.state, note.end_reason, note.end ? &*note.end : nullptr);
}

const std::vector<std::string>* RowOf(const core::SpecificationRow& specification, TaskId task) {
  if (specification.rows == nullptr || task < specification.first) return nullptr;
  const uint64_t index = task.value() - specification.first.value();
  return index < specification.rows->size() ? &(*specification.rows)[index] : nullptr;
}

}  // namespace muster::handler
