// Events that start what schedules wait for.
//
//   event ─▶ each schedule whose times are "on EVENT" ─▶ an ordinary task, or workflow, accepted in this turn
//
// What an event starts is remembered with a request id of its own, by the commit that makes the run durable: sent again, it
// is answered with what it has started, also by the next master. A schedule that is paused, or whose overlap rule says no,
// skips the event; what is refused for now (a queue is full) is told in the answer, and may be sent again.
// Thread rule: one thread. Cost: the tasks that are started.
#pragma once

#include "master/core/admission.h"
#include "master/core/cluster.h"
#include "master/core/events.h"
#include "master/core/workflow_events.h"

namespace muster::core {

class EventTriggers {
 public:
  EventTriggers(Cluster* cluster, Admission* admission, WorkflowEvents* workflows)
      : cluster_(*cluster), admission_(*admission), workflows_(*workflows) {}

  void OnEvent(const Moment& turn, FireEvent event);

 private:
  EventRunAnswer Start(const Moment& turn, const FireEvent& event, EventRun* run);
  // True: it was started before, or its request id has another's content.
  bool AnswerRepeated(const EventRun& run, EventRunAnswer* answer);
  absl::Status CheckMayStart() const;
  void Skip(const Moment& turn, Schedule* schedule, std::string why, EventRunAnswer* answer);
  void Refuse(const Moment& turn, Schedule* schedule, const absl::Status& why, EventRunAnswer* answer);
  absl::StatusOr<TaskId> Accept(const Moment& turn, EventRun* run);

  Cluster& cluster_;
  Admission& admission_;
  WorkflowEvents& workflows_;
};

}  // namespace muster::core
