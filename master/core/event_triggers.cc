#include "master/core/event_triggers.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/domain/scheduled_work.h"

namespace muster::core {
namespace {

CallSize SizeOfRun(const EventRun& run) {
  if (const auto* workflow = std::get_if<SubmitWorkflow>(&run.what)) return SizeOfNodes(workflow->nodes);
  CallSize size;
  if (const TaskSpecPtr& task = std::get<TaskSpecPtr>(run.what)) size.Add(*task, 1);
  return size;
}

// The same event may be taken later.
bool IsForNow(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
}

absl::Status TooManyRuns(const Schedule& schedule) {
  return RefuseForNow("SCHEDULE_BUSY", absl::StrCat(schedule.running.size(), " runs of schedule ", schedule.name(), " go on, which is the most"),
                      absl::Seconds(1));
}

}  // namespace

void EventTriggers::OnEvent(const Moment& turn, FireEvent event) {
  EventAnswer answer{.call = event.call, .runs = {}};
  for (EventRun& run : event.runs) answer.runs.push_back(Start(turn, event, &run));
  turn.Emit(std::move(answer));
}

EventRunAnswer EventTriggers::Start(const Moment& turn, const FireEvent& event, EventRun* run) {
  EventRunAnswer answer;
  answer.schedule = run->schedule;
  answer.is_workflow = run->work->is_workflow();
  answer.run.request_id = event.id;
  if (AnswerRepeated(*run, &answer)) return answer;
  Schedule* const schedule = cluster_.schedules.Find(run->schedule);
  if (schedule == nullptr || schedule->row.spec.work != run->work) {
    answer.status = RefuseForNow("SCHEDULE_CHANGED", absl::StrCat("schedule ", run->schedule, " was changed just now"), absl::Milliseconds(100));
    return answer;
  }
  answer.status = CheckMayStart();
  if (!answer.status.ok()) return answer;
  const schedules::ScheduleState::ByHand now = schedule->state.RunByHand(event.received);
  answer.run.due = answer.run.last_due = now.run;
  const auto* const skip = std::get_if<schedules::SkipRuns>(&now.decisions.front());
  const auto undo = [&] { (void)schedule->state.RunEnded(now.run); };
  if (schedule->row.spec.paused) {
    undo();
    Skip(turn, schedule, std::string(SkipWords(schedules::SkipCause::kPaused)), &answer);
  } else if (skip != nullptr && skip->cause == schedules::SkipCause::kTooManyRuns) {
    Refuse(turn, schedule, TooManyRuns(*schedule), &answer);
  } else if (skip != nullptr) {
    Skip(turn, schedule, std::string(SkipWords(skip->cause)), &answer);
  } else if (absl::StatusOr<TaskId> task = Accept(turn, run); !task.ok()) {
    undo();
    Refuse(turn, schedule, task.status(), &answer);
  } else {
    answer.run.task = *task;
    answer.run.started = event.received;
    ++cluster_.counters.schedule_runs;
    turn.Log(activity::ScheduleDecided{schedule->name(), now.run, *task, absl::StrCat("started by event ", event.event)});
    cluster_.schedules.AddRun(schedule, answer.run);
  }
  cluster_.schedules.Changed(schedule);
  return answer;
}

bool EventTriggers::AnswerRepeated(const EventRun& run, EventRunAnswer* answer) {
  const auto before = admission_.FindRepeated(run.request, run.id_is_taken, SizeOfRun(run));
  if (!before.has_value()) return false;
  answer->status = before->status();
  answer->repeated = before->ok();
  if (!before->ok()) return true;
  answer->is_workflow = bool((*before)->batch);
  answer->run.task = answer->is_workflow ? (*before)->batch : (*before)->tasks.front().first;
  return true;
}

absl::Status EventTriggers::CheckMayStart() const {
  if (cluster_.around.low_on_room) return RefuseForNow("DISK_FULL", "the master has little room, and takes no new work", absl::Seconds(5));
  if (cluster_.admission_open && !cluster_.stopping) return absl::OkStatus();
  return RefuseForNow("SHUTTING_DOWN", absl::StrCat("no new tasks: ", cluster_.admission_closed_because), absl::Seconds(5));
}

void EventTriggers::Skip(const Moment& turn, Schedule* schedule, std::string why, EventRunAnswer* answer) {
  answer->run.result = RunResult::kSkipped;
  answer->run.reason = std::move(why);
  ++cluster_.counters.schedule_skips;
  turn.Log(activity::ScheduleDecided{schedule->name(), answer->run.due, TaskId(), absl::StrCat("skipped: ", answer->run.reason)});
  cluster_.schedules.Note(schedule, answer->run);
}

// What is refused for now is to be sent again, and then decided.
void EventTriggers::Refuse(const Moment& turn, Schedule* schedule, const absl::Status& why, EventRunAnswer* answer) {
  ++cluster_.counters.schedule_refusals;
  answer->run.result = RunResult::kRefused;
  answer->run.reason = std::string(why.message());
  turn.Log(activity::ScheduleDecided{schedule->name(), answer->run.due, TaskId(), absl::StrCat("refused: ", answer->run.reason)});
  if (IsForNow(why)) {
    answer->status = why;
  } else {
    cluster_.schedules.Note(schedule, answer->run);
  }
}

absl::StatusOr<TaskId> EventTriggers::Accept(const Moment& turn, EventRun* run) {
  if (!run->status.ok()) return run->status;
  if (auto* const task = std::get_if<TaskSpecPtr>(&run->what)) return admission_.Accept(turn, *task, run->request);
  SubmitWorkflow& workflow = std::get<SubmitWorkflow>(run->what);
  workflow.request = run->request;
  return workflows_.Accept(turn, std::move(workflow));
}

}  // namespace muster::core
