#include "master/core/schedule_events.h"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/planted_fault.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/domain/scheduled_work.h"
#include "master/schedules/times_text.h"

namespace muster::core {
namespace {

constexpr size_t kMostStartsPerTurn = 1000;

bool SameWork(const ScheduleSpec& a, const ScheduleSpec& b) {
  const auto* one = std::get_if<IntervalTimes>(&a.times);
  const auto* other = std::get_if<IntervalTimes>(&b.times);
  const bool same_times = one != nullptr && other != nullptr ? one->period == other->period : a.times == b.times;
  return same_times && a.missed == b.missed && a.missed_limit == b.missed_limit && a.overlap == b.overlap &&
         StartTheSame(*a.work, *b.work);
}

// "30 2 * * *, Europe/Berlin"
std::string TimesInWords(const ScheduleTimes& times) {
  const auto* cron = std::get_if<CronTimes>(&times);
  return absl::StrCat(schedules::TimesText(times), cron == nullptr ? "" : absl::StrCat(", ", cron->zone));
}

std::string ZoneOf(const ScheduleSpec& spec) {
  const auto* cron = std::get_if<CronTimes>(&spec.times);
  return cron == nullptr ? "UTC" : cron->zone;
}

schedules::Timetable TimetableOf(const ScheduleSpec& spec, absl::TimeZone zone) {
  absl::StatusOr<schedules::Timetable> timetable = schedules::Timetable::Make(spec.times, zone);
  MUSTER_CHECK(timetable.ok());  // the edge and the store have read it
  return *std::move(timetable);
}

absl::Status CheckDisk(const Surroundings& around) {
  if (!around.low_on_room) return absl::OkStatus();
  return RefuseForNow("DISK_FULL", "the master has little room, and takes no new work", absl::Seconds(5));
}

absl::Status RefuseHeld(const Schedule& schedule) {
  return Refuse(absl::StatusCode::kFailedPrecondition, "SCHEDULE_HELD",
                absl::StrCat("schedule ", schedule.name(), " is held: ", schedule.held_because));
}

// Whether a run by hand would be skipped.
absl::Status CheckBusy(const Schedule& schedule) {
  const size_t running = schedule.running.size();
  const ScheduleSpec& spec = schedule.row.spec;
  if (spec.overlap == Overlap::kForbid && spec.missed != MissedRuns::kRunAll && running > 0) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "SCHEDULE_BUSY",
                  absl::StrCat("a run of schedule ", schedule.name(), " still goes on, and its overlap rule is forbid"));
  }
  if (spec.overlap == Overlap::kAllow && running >= schedules::ScheduleState::kMostRuns) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "SCHEDULE_BUSY",
                  absl::StrCat(running, " runs of schedule ", schedule.name(), " go on, which is the most"));
  }
  return absl::OkStatus();
}

ScheduledRun Skipped(const schedules::SkipRuns& skip) {
  return {.due = skip.first, .last_due = skip.last, .result = RunResult::kSkipped, .reason = std::string(SkipWords(skip.cause))};
}

}  // namespace

void ScheduleEvents::Restore(const ScheduleRows& rows) {
  std::map<std::string, const ScheduleProgressRow*> progress;
  for (const ScheduleProgressRow& row : rows.progress) progress[row.name] = &row;
  for (const ScheduleRow& row : rows.schedules) {
    const auto found = progress.find(row.spec.name);
    const absl::StatusOr<absl::TimeZone> zone = cluster_.config.load_zone(ZoneOf(row.spec));
    schedules::ScheduleProgress at{.decided_until = row.created};
    std::map<absl::Time, ScheduledRun> running;
    if (found != progress.end()) {
      for (const ScheduledRun& run : found->second->running) running[run.due] = run;
      at = {found->second->decided_until, {}, found->second->waiting};
      for (const auto& [due, run] : running) at.running.push_back(due);
    }
    Schedule schedule(row, TimetableOf(row.spec, zone.value_or(absl::UTCTimeZone())), std::move(at));
    if (!zone.ok()) schedule.held_because = absl::StrCat(std::string(zone.status().message()), "; restart the master when it is there");
    schedule.running = std::move(running);
    if (found != progress.end()) schedule.recent.assign(found->second->recent.begin(), found->second->recent.end());
    if (found == progress.end()) without_progress_.push_back(row.spec.name);
    cluster_.schedules.Add(std::move(schedule));
  }
}

bool ScheduleEvents::GoesOn(const Schedule& schedule, TaskId run) const {
  if (schedule.row.spec.work->is_workflow()) return cluster_.workflows.Find(run) != nullptr;
  return cluster_.tasks.Find(run) != nullptr;
}

// Runs that ended while no master lived, or in the last commit of one, are told as ended.
void ScheduleEvents::Start(const Moment& turn) {
  std::vector<RunEnd> ends;
  for (const auto& [task, run] : cluster_.schedules.by_task()) {
    if (GoesOn(*cluster_.schedules.Find(run.first), task)) continue;
    ends.push_back({run.first, run.second, TaskState::kNone, "", turn.now});
  }
  std::sort(ends.begin(), ends.end(), [](const RunEnd& a, const RunEnd& b) {
    return std::tie(a.schedule, a.due) < std::tie(b.schedule, b.due);
  });
  for (const RunEnd& end : ends) {
    const TaskId task = cluster_.schedules.Find(end.schedule)->running.at(end.due).task;
    cluster_.schedules.OnTaskEnd(task, TaskState::kNone, "", turn.now);
  }
  for (const std::string& name : std::exchange(without_progress_, {})) {
    Schedule* const schedule = cluster_.schedules.Find(name);
    schedule->state = schedules::ScheduleState(schedule->row.spec, schedule->timetable, {.decided_until = Calendar(turn)});
    cluster_.schedules.Changed(schedule);
  }
}

void ScheduleEvents::OnChange(const Moment& turn, ChangeSchedule event) {
  ScheduleAnswer answer;
  answer.call = event.call;
  answer.status = std::visit([&](auto& what) { return Do(turn, event, what, &answer); }, event.what);
  if (const Schedule* const schedule = cluster_.schedules.Find(event.name); schedule != nullptr && answer.status.ok()) {
    answer.schedule = ViewOfSchedule(*schedule);
  }
  turn.Emit(std::move(answer));
}

absl::StatusOr<Schedule*> ScheduleEvents::FindFor(const std::string& name) {
  Schedule* const schedule = cluster_.schedules.Find(name);
  if (schedule != nullptr) return schedule;
  return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_SCHEDULE", absl::StrCat("no schedule ", name));
}

absl::Status ScheduleEvents::Do(const Moment& turn, const ChangeSchedule& event, AddSchedule& add, ScheduleAnswer*) {
  if (const Schedule* const there = cluster_.schedules.Find(event.name)) {
    if (SameWork(there->row.spec, add.spec)) return absl::OkStatus();
    return Refuse(absl::StatusCode::kAlreadyExists, "SCHEDULE_EXISTS",
                  absl::StrCat("schedule ", event.name, " is there already, and another one; take another name, or remove it first"));
  }
  MUSTER_RETURN_IF_ERROR(CheckDisk(cluster_.around));
  ScheduleRow row{.spec = std::move(add.spec), .owner = std::move(add.owner), .created = Calendar(turn)};
  absl::Time from = absl::FromUnixSeconds(absl::ToUnixSeconds(Calendar(turn)));
  // It was to come when it was asked for; that it has come since does not end it without a run.
  if (const auto* once = std::get_if<OneTime>(&row.spec.times)) from = std::min(from, once->at - absl::Seconds(1));
  const schedules::Timetable timetable = TimetableOf(row.spec, add.zone);
  Schedule schedule(std::move(row), timetable, {.decided_until = from});
  if (const std::string* const event = schedule.row.spec.event()) {
    MUSTER_RETURN_IF_ERROR(CheckEventRoom(*event));
  }
  if (schedule.row.spec.event() == nullptr || !schedule.row.spec.work->is_workflow()) {  // whose parameters are yet to come
    MUSTER_RETURN_IF_ERROR(WouldNeverTake(schedule, Calendar(turn)));
  }
  for (const std::string& gone : cluster_.schedules.MakeRoom(schedule.bytes())) {
    turn.Log(activity::ScheduleChanged{gone, "removed: it had ended, and its place was needed", ""});
  }
  if (!cluster_.schedules.HasRoom(schedule.bytes())) {
    return Refuse(absl::StatusCode::kResourceExhausted, "TOO_MANY_SCHEDULES",
                  absl::StrCat("there are ", cluster_.schedules.all().size(), " schedules, of at most ", ScheduleTable::kMostSchedules,
                               ", with at most ", ScheduleTable::kMostBytes >> 20, " MiB of tasks and workflows; remove some with muster schedule rm NAME"));
  }
  Schedule* const added = cluster_.schedules.Add(std::move(schedule));
  cluster_.schedules.ChangedWhole(added);
  turn.Log(activity::ScheduleChanged{event.name, absl::StrCat("added: ", TimesInWords(added->row.spec.times)), event.by});
  return absl::OkStatus();
}

absl::Status ScheduleEvents::Do(const Moment& turn, const ChangeSchedule& event, RemoveSchedule&, ScheduleAnswer* answer) {
  MUSTER_ASSIGN_OR_RETURN(const Schedule* const schedule, FindFor(event.name));
  answer->schedule = ViewOfSchedule(*schedule);
  cluster_.schedules.Remove(event.name);
  turn.Log(activity::ScheduleChanged{event.name, "removed", event.by});
  return absl::OkStatus();
}

absl::Status ScheduleEvents::Do(const Moment& turn, const ChangeSchedule& event, PauseSchedule& pause, ScheduleAnswer*) {
  MUSTER_ASSIGN_OR_RETURN(Schedule* const schedule, FindFor(event.name));
  if (!schedule->held_because.empty()) return RefuseHeld(*schedule);
  const bool was_paused = schedule->row.spec.paused;
  if (was_paused && schedule->row.pause_reason == pause.reason) return absl::OkStatus();
  if (!was_paused) {
    schedules::ScheduleDecisions decisions = schedule->state.Pause(Calendar(turn));
    schedule->row.spec.paused = true;
    Carry(turn, schedule, std::move(decisions));
  }
  schedule->row.pause_reason = pause.reason;
  cluster_.schedules.ChangedWhole(schedule);
  turn.Log(activity::ScheduleChanged{event.name, absl::StrCat("paused", pause.reason.empty() ? "" : ": ", pause.reason), event.by});
  return absl::OkStatus();
}

absl::Status ScheduleEvents::Do(const Moment& turn, const ChangeSchedule& event, ResumeSchedule&, ScheduleAnswer*) {
  MUSTER_ASSIGN_OR_RETURN(Schedule* const schedule, FindFor(event.name));
  if (!schedule->held_because.empty()) return RefuseHeld(*schedule);
  if (!schedule->row.spec.paused) return absl::OkStatus();
  schedules::ScheduleDecisions decisions = schedule->state.Resume(Calendar(turn));
  schedule->row.spec.paused = false;
  schedule->row.pause_reason.clear();
  Carry(turn, schedule, std::move(decisions));
  cluster_.schedules.ChangedWhole(schedule);
  turn.Log(activity::ScheduleChanged{event.name, "resumed", event.by});
  return absl::OkStatus();
}

absl::Status ScheduleEvents::Do(const Moment& turn, const ChangeSchedule& event, RunSchedule& run, ScheduleAnswer* answer) {
  MUSTER_ASSIGN_OR_RETURN(Schedule* const schedule, FindFor(event.name));
  if (const ScheduledRun* const before = schedule->FindRequest(run.request_id)) {
    answer->run = *before;
    return absl::OkStatus();
  }
  if (const std::string* const awaited = schedule->row.spec.event()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "SCHEDULE_WAITS_FOR_EVENT",
                  absl::StrCat("schedule ", event.name, " runs with what an event says; send one: muster event send ", *awaited));
  }
  MUSTER_RETURN_IF_ERROR(CheckDisk(cluster_.around));
  const absl::Time now = Calendar(turn);
  MUSTER_RETURN_IF_ERROR(WouldRefuse(*schedule, now, turn.now));
  MUSTER_RETURN_IF_ERROR(CheckBusy(*schedule));
  schedules::ScheduleState::ByHand by_hand = schedule->state.RunByHand(now);
  turn.Log(activity::ScheduleChanged{event.name, "run by hand", event.by});
  Carry(turn, schedule, std::move(by_hand.decisions), run.request_id);
  const auto running = schedule->running.find(by_hand.run);
  if (running != schedule->running.end()) {
    answer->run = running->second;
  } else {
    answer->run = {.due = by_hand.run, .last_due = by_hand.run};
  }
  return absl::OkStatus();
}

absl::Status ScheduleEvents::CheckEventRoom(const std::string& event) const {
  const size_t waiting = cluster_.schedules.WaitingFor(event).size();
  if (waiting < ScheduleTable::kMostOfAnEvent) return absl::OkStatus();
  return Refuse(absl::StatusCode::kResourceExhausted, "TOO_MANY_SCHEDULES",
                absl::StrCat(waiting, " schedules wait for event ", event, ", which is the most; remove some, or let one start a workflow"));
}

bool ScheduleEvents::MayStart() const {
  return cluster_.admission_open && !cluster_.stopping && !cluster_.around.low_on_room;
}

absl::Time ScheduleEvents::NextAt() const {
  if (!MayStart()) return absl::InfiniteFuture();
  if (cluster_.schedules.has_ends()) return absl::InfinitePast();
  return cluster_.schedules.NextAt() - cluster_.around.calendar_ahead;
}

void ScheduleEvents::OnTurn(const Moment& turn) {
  started_ = 0;
  TakeEnds(turn);
  if (MayStart()) TakeDue(turn);
  WriteRows(turn);
}

void ScheduleEvents::TakeEnds(const Moment& turn) {
  if (!cluster_.schedules.has_ends()) return;
  for (RunEnd& end : cluster_.schedules.TakeEnds()) {
    Schedule* const schedule = cluster_.schedules.Find(end.schedule);
    if (schedule == nullptr) continue;  // removed meanwhile
    const auto found = schedule->running.find(end.due);
    if (found == schedule->running.end()) continue;  // of an earlier schedule of that name
    // What waits for it would be refused just now.
    if (!MayStart() && !schedule->state.progress().waiting.empty()) {
      cluster_.schedules.PutBack(std::move(end));
      continue;
    }
    ScheduledRun run = found->second;
    run.result = RunResult::kEnded;
    run.ended_as = end.state;
    run.ended = end.ended + cluster_.around.calendar_ahead;
    run.reason = std::move(end.reason);
    cluster_.schedules.Settle(schedule, std::move(run));
    Carry(turn, schedule, schedule->state.RunEnded(end.due));
  }
}

void ScheduleEvents::TakeDue(const Moment& turn) {
  const absl::Time now = Calendar(turn);
  while (Schedule* const schedule = cluster_.schedules.FirstDue(now)) {
    if (started_ >= kMostStartsPerTurn) return;  // the next turn is at once
    Carry(turn, schedule, schedule->state.Due(now));
  }
}

void ScheduleEvents::WriteRows(const Moment& turn) {
  // Mutant: what was decided is written with whatever comes next.
  if (Mutated("schedule_progress_apart") && !turn.rows().specifications.empty()) return;
  ScheduleRows rows = cluster_.schedules.TakeRows();
  if (!rows.empty()) turn.rows().schedules = std::move(rows);
}

void ScheduleEvents::Carry(const Moment& turn, Schedule* schedule, schedules::ScheduleDecisions decisions,
                           const std::string& request_id) {
  std::deque<schedules::ScheduleDecision> left(decisions.begin(), decisions.end());
  while (!left.empty()) {
    const schedules::ScheduleDecision decision = left.front();
    left.pop_front();
    if (const auto* start = std::get_if<schedules::StartRun>(&decision)) {
      if (StartRun(turn, schedule, start->due, request_id)) continue;
      const schedules::ScheduleDecisions after = schedule->state.RunEnded(start->due);
      left.insert(left.end(), after.begin(), after.end());
    } else if (const auto* stop = std::get_if<schedules::StopRun>(&decision)) {
      StopRun(turn, schedule, stop->due);
    } else {
      SkipRuns(turn, schedule, std::get<schedules::SkipRuns>(decision));
    }
  }
  cluster_.schedules.Changed(schedule);
}

bool ScheduleEvents::StartRun(const Moment& turn, Schedule* schedule, absl::Time due, const std::string& request_id) {
  ScheduledRun run{.due = due, .last_due = due, .started = Calendar(turn)};
  if (IsByHand(due)) run.request_id = request_id;
  const absl::StatusOr<TaskId> task = AcceptRun(turn, *schedule, due);
  if (!task.ok()) {
    run.result = RunResult::kRefused;
    run.reason = std::string(task.status().message());
    ++cluster_.counters.schedule_refusals;
    turn.Log(activity::ScheduleDecided{schedule->name(), due, TaskId(), absl::StrCat("refused: ", run.reason)});
    cluster_.schedules.Note(schedule, std::move(run));
    return false;
  }
  ++cluster_.counters.schedule_runs;
  run.task = *task;
  turn.Log(activity::ScheduleDecided{schedule->name(), due, *task, "started"});
  cluster_.schedules.AddRun(schedule, std::move(run));
  return true;
}

void ScheduleEvents::StopRun(const Moment& turn, Schedule* schedule, absl::Time due) {
  const auto run = schedule->running.find(due);
  if (run == schedule->running.end()) return;
  const std::string by = absl::StrCat("schedule ", schedule->name());
  constexpr char kReason[] = "a newer run takes its place";
  if (schedule->row.spec.work->is_workflow()) {
    workflows_.OnCancel(turn, {.workflow = run->second.task, .by = by, .reason = kReason});
  } else {
    cancels_.OnCancel(turn, {.tasks = {{run->second.task, 1}}, .by = by, .reason = kReason});
  }
}

void ScheduleEvents::SkipRuns(const Moment& turn, Schedule* schedule, const schedules::SkipRuns& skip) {
  ++cluster_.counters.schedule_skips;
  std::string what = absl::StrCat("skipped: ", std::string(SkipWords(skip.cause)));
  if (skip.last != skip.first) absl::StrAppend(&what, ", and so was all until ", schedules::DueText(skip.last));
  turn.Log(activity::ScheduleDecided{schedule->name(), skip.first, TaskId(), std::move(what)});
  cluster_.schedules.Note(schedule, Skipped(skip));
}

TaskSpecPtr ScheduleEvents::SpecOf(const Schedule& schedule, absl::Time due) const {
  return cluster_.config.make_run(schedule.row.spec.work->task, {schedule.name(), due});
}

absl::StatusOr<SubmitWorkflow> ScheduleEvents::WorkflowOf(const Schedule& schedule, absl::Time due) const {
  return cluster_.config.make_workflow(schedule.row.spec.work->workflow, {schedule.name(), due});
}

absl::StatusOr<TaskId> ScheduleEvents::AcceptRun(const Moment& turn, const Schedule& schedule, absl::Time due) {
  if (!schedule.row.spec.work->is_workflow()) {
    ++started_;
    return admission_.Accept(turn, SpecOf(schedule, due));
  }
  MUSTER_ASSIGN_OR_RETURN(SubmitWorkflow workflow, WorkflowOf(schedule, due));
  started_ += SizeOfNodes(workflow.nodes).count;
  return workflows_.Accept(turn, std::move(workflow));
}

absl::Status ScheduleEvents::WouldNeverTake(const Schedule& schedule, absl::Time now) const {
  if (!schedule.row.spec.work->is_workflow()) return admission_.WouldNeverTake(schedule.row.spec.work->task);
  MUSTER_ASSIGN_OR_RETURN(const SubmitWorkflow workflow, WorkflowOf(schedule, now));
  return admission_.WouldNeverTake(workflow.nodes);
}

absl::Status ScheduleEvents::WouldRefuse(const Schedule& schedule, absl::Time due, absl::Time now) const {
  if (!schedule.row.spec.work->is_workflow()) return admission_.WouldRefuse(SpecOf(schedule, due), now);
  MUSTER_ASSIGN_OR_RETURN(const SubmitWorkflow workflow, WorkflowOf(schedule, due));
  return admission_.WouldRefuse(workflow.nodes, now);
}

}  // namespace muster::core
