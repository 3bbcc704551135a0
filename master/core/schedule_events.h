// Schedules being added, removed, paused, resumed and run by hand; their due times coming; their runs ending.
//
//   due time ─▶ ScheduleState ─StartRun─▶ an ordinary task, or workflow, accepted in this turn
//                             ─StopRun──▶ a cancel of one
//                             ─SkipRuns─▶ said in the activity log and in the schedule's recent runs
//
// What is decided is written with what it starts, by the same commit. Due times are of the calendar
// (Surroundings). While the master takes no new tasks (it stops, or has little room) nothing is decided: what comes due
// meanwhile was missed, and its schedule's rule for that holds afterwards. A run that cannot be accepted for another
// reason (its queue is full) is told as refused.
// Thread rule: one thread. Cost: what is due, bounded in a turn. Errors, in the answers: SCHEDULE_EXISTS, NO_SUCH_SCHEDULE,
// TOO_MANY_SCHEDULES, SCHEDULE_BUSY, SCHEDULE_HELD, and those of a submit; then nothing happened.
#pragma once

#include <string>
#include <vector>

#include "master/core/admission.h"
#include "master/core/cancels.h"
#include "master/core/cluster.h"
#include "master/core/events.h"
#include "master/core/workflow_events.h"

namespace muster::core {

class ScheduleEvents {
 public:
  ScheduleEvents(Cluster* cluster, Admission* admission, Cancels* cancels, WorkflowEvents* workflows)
      : cluster_(*cluster), admission_(*admission), cancels_(*cancels), workflows_(*workflows) {}

  // What is stored; before tasks are recovered, so that ends of theirs are seen.
  void Restore(const ScheduleRows& rows);
  // Once, after tasks are recovered.
  void Start(const Moment& turn);

  void OnChange(const Moment& turn, ChangeSchedule event);
  void OnTurn(const Moment& turn);
  // When OnTurn has something to do, in the loop's time.
  absl::Time NextAt() const;

 private:
  // One for each change, chosen by overloading. The answer has its schedule filled in afterwards.
  absl::Status Do(const Moment& turn, const ChangeSchedule& event, AddSchedule& add, ScheduleAnswer* answer);
  absl::Status Do(const Moment& turn, const ChangeSchedule& event, RemoveSchedule& remove, ScheduleAnswer* answer);
  absl::Status Do(const Moment& turn, const ChangeSchedule& event, PauseSchedule& pause, ScheduleAnswer* answer);
  absl::Status Do(const Moment& turn, const ChangeSchedule& event, ResumeSchedule& resume, ScheduleAnswer* answer);
  absl::Status Do(const Moment& turn, const ChangeSchedule& event, RunSchedule& run, ScheduleAnswer* answer);

  absl::StatusOr<Schedule*> FindFor(const std::string& name);
  bool MayStart() const;
  absl::Time Calendar(const Moment& turn) const { return turn.now + cluster_.around.calendar_ahead; }

  void TakeEnds(const Moment& turn);
  void TakeDue(const Moment& turn);
  void WriteRows(const Moment& turn);
  // Does what was decided, and what comes of that.
  void Carry(const Moment& turn, Schedule* schedule, schedules::ScheduleDecisions decisions, const std::string& request_id = "");
  // False: it was refused.
  bool StartRun(const Moment& turn, Schedule* schedule, absl::Time due, const std::string& request_id);
  void StopRun(const Moment& turn, Schedule* schedule, absl::Time due);
  void SkipRuns(const Moment& turn, Schedule* schedule, const schedules::SkipRuns& skip);
  TaskSpecPtr SpecOf(const Schedule& schedule, absl::Time due) const;
  absl::StatusOr<SubmitWorkflow> WorkflowOf(const Schedule& schedule, absl::Time due) const;
  absl::StatusOr<TaskId> AcceptRun(const Moment& turn, const Schedule& schedule, absl::Time due);
  absl::Status CheckEventRoom(const std::string& event) const;
  absl::Status WouldNeverTake(const Schedule& schedule, absl::Time now) const;
  absl::Status WouldRefuse(const Schedule& schedule, absl::Time due, absl::Time now) const;
  bool GoesOn(const Schedule& schedule, TaskId run) const;

  Cluster& cluster_;
  Admission& admission_;
  Cancels& cancels_;
  WorkflowEvents& workflows_;
  size_t started_ = 0;  // in this turn: tasks, those of workflows too
  std::vector<std::string> without_progress_;  // until Start
};

}  // namespace muster::core
