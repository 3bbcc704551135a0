// The activity log's records, to and from the API.
#include <charconv>
#include <variant>

#include "common/base/id_text.h"
#include "common/convert/convert.h"

namespace muster::convert {
namespace {

std::string Text(TaskId id) { return id ? IdToText(id.value()) : std::string(); }
TaskId Id(const std::string& text) { return TaskId(TextToId(text).value_or(0)); }

Incarnation ParseIncarnation(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return Incarnation(value);
}

EndReason ReasonFromProto(v1::EndReason reason) {
  return v1::EndReason_IsValid(reason) ? static_cast<EndReason>(reason) : EndReason::kNone;
}
v1::EndReason ToProto(EndReason reason) { return static_cast<v1::EndReason>(reason); }

WorkerState StateFromProto(v1::WorkerState state) {
  return v1::WorkerState_IsValid(state) ? static_cast<WorkerState>(state) : WorkerState::kNone;
}

template <typename Message>
void SetKey(AttemptKey key, Message* to) {
  to->set_task_id(Text(key.task));
  to->set_attempt(key.number.value());
}
template <typename Message>
AttemptKey Key(const Message& from) {
  return {Id(from.task_id()), AttemptNumber(from.attempt())};
}

struct Writer {
  v1::ActivityRecord* to;

  void operator()(const activity::MasterStarted& event) const {
    auto* out = to->mutable_master_started();
    out->set_epoch(event.epoch.value());
    out->set_last_end_clean(event.last_end_clean);
    out->set_open_task_count(event.open_task_count);
    out->set_version(event.version);
  }
  void operator()(const activity::MasterStopped& event) const {
    to->mutable_master_stopped()->set_reason(event.reason);
  }
  void operator()(const activity::TaskAccepted& event) const {
    auto* out = to->mutable_task_accepted();
    out->set_task_id(Text(event.tasks.first));
    out->set_count(static_cast<int64_t>(event.tasks.count));
    out->set_batch_id(Text(event.batch));
    out->set_owner(event.owner);
    out->set_queue(event.queue);
  }
  void operator()(const activity::TaskStateChanged& event) const {
    auto* out = to->mutable_task_state_changed();
    out->set_task_id(Text(event.task));
    out->set_state(convert::ToProto(event.state));
    out->set_reason(event.reason);
  }
  void operator()(const activity::AttemptDispatched& event) const {
    auto* out = to->mutable_attempt_dispatched();
    SetKey(event.key, out);
    out->set_worker(event.worker);
  }
  void operator()(const activity::AttemptStarted& event) const {
    auto* out = to->mutable_attempt_started();
    SetKey(event.key, out);
    out->set_worker(event.worker);
  }
  void operator()(const activity::AttemptEnded& event) const {
    auto* out = to->mutable_attempt_ended();
    SetKey(event.key, out);
    out->set_worker(event.worker);
    out->set_reason(ToProto(event.reason));
    out->set_code(event.code);
    out->set_message(event.message);
  }
  void operator()(const activity::TaskEnded& event) const {
    auto* out = to->mutable_task_ended();
    SetKey(event.key, out);
    out->set_state(convert::ToProto(event.state));
    out->set_reason(ToProto(event.reason));
    out->set_code(event.code);
    out->set_message(event.message);
  }
  void operator()(const activity::CancelRequested& event) const {
    auto* out = to->mutable_cancel_requested();
    out->set_task_id(Text(event.task));
    out->set_by(event.by);
    out->set_reason(event.reason);
  }
  void operator()(const activity::WorkerJoined& event) const {
    auto* out = to->mutable_worker_joined();
    out->set_worker(event.worker);
    out->set_incarnation(IncarnationText(event.incarnation));
    out->set_address(event.address);
    out->set_slots(event.slots);
  }
  void operator()(const activity::WorkerStateChanged& event) const {
    auto* out = to->mutable_worker_state_changed();
    out->set_worker(event.worker);
    out->set_state(static_cast<v1::WorkerState>(event.state));
    out->set_reason(event.reason);
  }
  void operator()(const activity::WorkerLost& event) const {
    auto* out = to->mutable_worker_lost();
    out->set_worker(event.worker);
    out->set_incarnation(IncarnationText(event.incarnation));
    out->set_reason(event.reason);
  }
  void operator()(const activity::RequestsRefused& event) const {
    auto* out = to->mutable_requests_refused();
    out->set_cause(event.cause);
    out->set_by(event.by);
    out->set_count(event.count);
  }
  void operator()(const activity::StaleReport& event) const {
    auto* out = to->mutable_stale_report();
    SetKey(event.key, out);
    out->set_worker(event.worker);
    out->set_note(event.note);
  }
  void operator()(const activity::TasksPurged& event) const {
    auto* out = to->mutable_tasks_purged();
    out->set_by(event.by);
    convert::ToProto(event.ended_before, out->mutable_ended_before());
    out->set_count(event.count);
  }
  void operator()(const activity::QueueChanged& event) const {
    auto* out = to->mutable_queue_changed();
    out->set_queue(event.queue);
    out->set_what(event.what);
    out->set_by(event.by);
  }
  void operator()(const activity::PlacementChanged& event) const {
    auto* out = to->mutable_placement_changed();
    out->set_what(event.what);
    out->set_by(event.by);
  }
  void operator()(const activity::ScheduleChanged& event) const {
    auto* out = to->mutable_schedule_changed();
    out->set_schedule(event.schedule);
    out->set_what(event.what);
    out->set_by(event.by);
  }
  void operator()(const activity::ScheduleDecided& event) const {
    auto* out = to->mutable_schedule_decided();
    out->set_schedule(event.schedule);
    convert::ToProto(event.due, out->mutable_due_time());
    out->set_task_id(Text(event.task));
    out->set_what(event.what);
  }
  void operator()(const activity::WorkflowStateChanged& event) const {
    auto* out = to->mutable_workflow_state_changed();
    out->set_workflow_id(Text(event.workflow));
    out->set_state(static_cast<v1::WorkflowState>(event.state));
    out->set_reason(event.reason);
  }
};

activity::Event EventFromProto(const v1::ActivityRecord& from) {
  switch (from.event_case()) {
    case v1::ActivityRecord::kMasterStarted: {
      const auto& event = from.master_started();
      return activity::MasterStarted{Epoch(event.epoch()), event.last_end_clean(), event.open_task_count(),
                                     event.version()};
    }
    case v1::ActivityRecord::kMasterStopped: return activity::MasterStopped{from.master_stopped().reason()};
    case v1::ActivityRecord::kTaskAccepted: {
      const auto& event = from.task_accepted();
      return activity::TaskAccepted{{Id(event.task_id()), static_cast<uint64_t>(event.count())},
                                    Id(event.batch_id()),
                                    event.owner(),
                                    event.queue()};
    }
    case v1::ActivityRecord::kTaskStateChanged: {
      const auto& event = from.task_state_changed();
      return activity::TaskStateChanged{Id(event.task_id()), FromProto(event.state()), event.reason()};
    }
    case v1::ActivityRecord::kAttemptDispatched:
      return activity::AttemptDispatched{Key(from.attempt_dispatched()), from.attempt_dispatched().worker()};
    case v1::ActivityRecord::kAttemptStarted:
      return activity::AttemptStarted{Key(from.attempt_started()), from.attempt_started().worker()};
    case v1::ActivityRecord::kAttemptEnded: {
      const auto& event = from.attempt_ended();
      return activity::AttemptEnded{Key(event), event.worker(), ReasonFromProto(event.reason()), event.code(),
                                    event.message()};
    }
    case v1::ActivityRecord::kTaskEnded: {
      const auto& event = from.task_ended();
      return activity::TaskEnded{Key(event), FromProto(event.state()), ReasonFromProto(event.reason()), event.code(),
                                 event.message()};
    }
    case v1::ActivityRecord::kCancelRequested: {
      const auto& event = from.cancel_requested();
      return activity::CancelRequested{Id(event.task_id()), event.by(), event.reason()};
    }
    case v1::ActivityRecord::kWorkerJoined: {
      const auto& event = from.worker_joined();
      return activity::WorkerJoined{event.worker(), ParseIncarnation(event.incarnation()), event.address(),
                                    event.slots()};
    }
    case v1::ActivityRecord::kWorkerStateChanged: {
      const auto& event = from.worker_state_changed();
      return activity::WorkerStateChanged{event.worker(), StateFromProto(event.state()), event.reason()};
    }
    case v1::ActivityRecord::kWorkerLost: {
      const auto& event = from.worker_lost();
      return activity::WorkerLost{event.worker(), ParseIncarnation(event.incarnation()), event.reason()};
    }
    case v1::ActivityRecord::kRequestsRefused: {
      const auto& event = from.requests_refused();
      return activity::RequestsRefused{event.cause(), event.by(), event.count()};
    }
    case v1::ActivityRecord::kStaleReport:
      return activity::StaleReport{Key(from.stale_report()), from.stale_report().worker(), from.stale_report().note()};
    case v1::ActivityRecord::kTasksPurged: {
      const auto& event = from.tasks_purged();
      return activity::TasksPurged{event.by(), FromProto(event.ended_before()), event.count()};
    }
    case v1::ActivityRecord::kQueueChanged: {
      const auto& event = from.queue_changed();
      return activity::QueueChanged{event.queue(), event.what(), event.by()};
    }
    case v1::ActivityRecord::kPlacementChanged:
      return activity::PlacementChanged{from.placement_changed().what(), from.placement_changed().by()};
    case v1::ActivityRecord::kScheduleChanged: {
      const auto& e = from.schedule_changed();
      return activity::ScheduleChanged{e.schedule(), e.what(), e.by()};
    }
    case v1::ActivityRecord::kScheduleDecided: {
      const auto& e = from.schedule_decided();
      return activity::ScheduleDecided{e.schedule(), FromProto(e.due_time()), Id(e.task_id()), e.what()};
    }
    case v1::ActivityRecord::kWorkflowStateChanged: {
      const auto& event = from.workflow_state_changed();
      return activity::WorkflowStateChanged{Id(event.workflow_id()), FromProto(event.state()), event.reason()};
    }
    case v1::ActivityRecord::EVENT_NOT_SET: break;
  }
  return activity::MasterStopped{"unknown record"};  // written by a newer version
}

}  // namespace

void ToProto(const activity::Record& from, v1::ActivityRecord* to) {
  ToProto(from.time, to->mutable_time());
  std::visit(Writer{to}, from.event);
}

activity::Record FromProto(const v1::ActivityRecord& from) { return {FromProto(from.time()), EventFromProto(from)}; }

}  // namespace muster::convert
