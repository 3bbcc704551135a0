#include "master/core/schedule_table.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/domain/scheduled_work.h"
#include "master/schedules/times_text.h"

namespace muster::core {
namespace {

constexpr int64_t kScheduleBytes = 4096;  // but for its work
constexpr size_t kUpcomingShown = 5;

bool GoOn(const ScheduledRun& earlier, const ScheduledRun& later) {
  return earlier.result == RunResult::kSkipped && later.result == RunResult::kSkipped && earlier.reason == later.reason &&
         !IsByHand(earlier.last_due) && !IsByHand(later.due) && earlier.last_due < later.due;
}

}  // namespace

Schedule::Schedule(ScheduleRow its_row, schedules::Timetable its_timetable, schedules::ScheduleProgress progress)
    : row(std::move(its_row)), timetable(its_timetable), state(row.spec, std::move(its_timetable), std::move(progress)) {}

int64_t Schedule::bytes() const { return kScheduleBytes + static_cast<int64_t>(row.spec.work->bytes()); }

const ScheduledRun* Schedule::FindRequest(const std::string& request_id) const {
  if (request_id.empty()) return nullptr;
  for (const auto& [due, run] : running) {
    if (run.request_id == request_id) return &run;
  }
  const auto past = std::find_if(recent.begin(), recent.end(),
                                 [&request_id](const ScheduledRun& run) { return run.request_id == request_id; });
  return past == recent.end() ? nullptr : &*past;
}

Schedule* ScheduleTable::Add(Schedule schedule) {
  auto owned = std::make_unique<Schedule>(std::move(schedule));
  Schedule* const added = owned.get();
  bytes_ += added->bytes();
  schedules_[added->name()] = std::move(owned);
  if (const std::string* const event = added->row.spec.event()) by_event_[*event].insert(added->name());
  for (const auto& [due, run] : added->running) by_task_[run.task] = {added->name(), due};
  if (added->NextAt() != absl::InfiniteFuture()) due_.emplace(added->listed_at = added->NextAt(), added->name());
  return added;
}

void ScheduleTable::Remove(const std::string& name) {
  const auto found = schedules_.find(name);
  if (found == schedules_.end()) return;
  Unlist(found->second.get());
  for (const auto& [due, run] : found->second->running) by_task_.erase(run.task);
  if (const std::string* const event = found->second->row.spec.event()) {
    const auto waiting = by_event_.find(*event);
    waiting->second.erase(name);
    if (waiting->second.empty()) by_event_.erase(waiting);
  }
  bytes_ -= found->second->bytes();
  to_write_.insert(name);
  schedules_.erase(found);
}

Schedule* ScheduleTable::Find(const std::string& name) {
  const auto found = schedules_.find(name);
  return found == schedules_.end() ? nullptr : found->second.get();
}

const Schedule* ScheduleTable::Find(const std::string& name) const {
  const auto found = schedules_.find(name);
  return found == schedules_.end() ? nullptr : found->second.get();
}

std::vector<std::string> ScheduleTable::MakeRoom(int64_t bytes) {
  const auto fits = [this, bytes](size_t fewer, int64_t freed) {
    return schedules_.size() - fewer < kMostSchedules && bytes_ - freed + bytes <= kMostBytes;
  };
  if (fits(0, 0)) return {};
  std::vector<std::pair<absl::Time, std::string>> ended;
  for (const auto& [name, schedule] : schedules_) {
    if (schedule->HasEnded()) ended.emplace_back(schedule->row.created, name);
  }
  std::sort(ended.begin(), ended.end());
  std::vector<std::string> names;
  int64_t freed = 0;
  for (auto next = ended.begin(); next != ended.end() && !fits(names.size(), freed); ++next) {
    freed += schedules_.at(next->second)->bytes();
    names.push_back(next->second);
  }
  if (!fits(names.size(), freed)) return {};
  for (const std::string& name : names) Remove(name);
  return names;
}

void ScheduleTable::Unlist(Schedule* schedule) {
  if (schedule->listed_at != absl::InfiniteFuture()) due_.erase({schedule->listed_at, schedule->name()});
  schedule->listed_at = absl::InfiniteFuture();
}

void ScheduleTable::Changed(Schedule* schedule) {
  schedule->changed = true;
  to_write_.insert(schedule->name());
  if (schedule->listed_at == schedule->NextAt()) return;
  Unlist(schedule);
  if (schedule->NextAt() == absl::InfiniteFuture()) return;
  schedule->listed_at = schedule->NextAt();
  due_.emplace(schedule->listed_at, schedule->name());
}

void ScheduleTable::ChangedWhole(Schedule* schedule) {
  schedule->is_new = true;
  Changed(schedule);
}

ScheduleRows ScheduleTable::TakeRows() {
  ScheduleRows rows;
  for (const std::string& name : to_write_) {
    Schedule* const schedule = Find(name);
    if (schedule == nullptr) {
      ScheduleRow& gone = rows.schedules.emplace_back();
      gone.spec.name = name;
      gone.removed = true;
      continue;
    }
    if (std::exchange(schedule->is_new, false)) rows.schedules.push_back(schedule->row);
    if (std::exchange(schedule->changed, false)) rows.progress.push_back(ProgressRowOf(*schedule));
  }
  to_write_.clear();
  return rows;
}

const absl::btree_set<std::string>& ScheduleTable::WaitingFor(const std::string& event) const {
  static const absl::btree_set<std::string> none;
  const auto found = by_event_.find(event);
  return found == by_event_.end() ? none : found->second;
}

Schedule* ScheduleTable::FirstDue(absl::Time now) { return NextAt() > now ? nullptr : Find(due_.begin()->second); }

void ScheduleTable::AddRun(Schedule* schedule, ScheduledRun run) {
  by_task_[run.task] = {schedule->name(), run.due};
  schedule->running[run.due] = std::move(run);
}

void ScheduleTable::Settle(Schedule* schedule, ScheduledRun run) {
  schedule->running.erase(run.due);
  Note(schedule, std::move(run));
}

void ScheduleTable::Note(Schedule* schedule, ScheduledRun run) {
  std::deque<ScheduledRun>& recent = schedule->recent;
  if (!recent.empty() && GoOn(recent.front(), run)) {
    recent.front().last_due = run.last_due;
    return;
  }
  recent.push_front(std::move(run));
  if (recent.size() > kRecentRuns) recent.pop_back();
}

void ScheduleTable::OnTaskEnd(TaskId task, TaskState state, const std::string& reason, absl::Time now) {
  if (by_task_.empty()) return;
  const auto found = by_task_.find(task);
  if (found == by_task_.end()) return;
  ends_.push_back({found->second.first, found->second.second, state, reason, now});
  by_task_.erase(found);
}

void ScheduleTable::OnWorkflowEnd(TaskId workflow, WorkflowState state, const std::string& reason, absl::Time now) {
  TaskState ended_as = TaskState::kFailed;
  if (state == WorkflowState::kSucceeded) ended_as = TaskState::kSucceeded;
  if (state == WorkflowState::kCancelled) ended_as = TaskState::kCancelled;
  OnTaskEnd(workflow, ended_as, reason, now);
}

ScheduleProgressRow ProgressRowOf(const Schedule& schedule) {
  const schedules::ScheduleProgress& progress = schedule.state.progress();
  ScheduleProgressRow row{schedule.name(), progress.decided_until, {}, progress.waiting, {}};
  for (const auto& [due, run] : schedule.running) row.running.push_back(run);
  row.recent.assign(schedule.recent.begin(), schedule.recent.end());
  return row;
}

namespace {

std::vector<absl::Time> NextTimes(const Schedule& schedule, size_t most) {
  std::vector<absl::Time> times;
  for (absl::Time next = schedule.state.next(); next != absl::InfiniteFuture();) {
    times.push_back(next);
    if (times.size() == most) break;
    next = schedule.timetable.NextAfter(next);  // the dear part: a page asks for none
  }
  return times;
}

// `upcoming`: how many due times to come, `runs`: how many that go on, and of the last ones.
ScheduleView ViewWith(const Schedule& schedule, size_t upcoming, size_t runs) {
  ScheduleView view{.spec = schedule.row.spec,
                    .times = schedules::TimesText(schedule.row.spec.times),
                    .owner = schedule.row.owner,
                    .created = schedule.row.created};
  if (!schedule.held_because.empty()) {
    view.standing = ScheduleStanding::kHeld;
    view.reason = schedule.held_because;
  } else if (schedule.HasEnded()) {
    view.standing = ScheduleStanding::kEnded;
    view.reason = "nothing is due any more";
  } else if (schedule.row.spec.paused) {
    view.standing = ScheduleStanding::kPaused;
    view.reason = schedule.row.pause_reason;
  }
  if (schedule.held_because.empty()) view.next = NextTimes(schedule, upcoming);
  const size_t ahead = schedule.running.size() - std::min(runs, schedule.running.size());
  for (auto run = std::next(schedule.running.begin(), static_cast<std::ptrdiff_t>(ahead)); run != schedule.running.end(); ++run) {
    view.running.push_back(run->second);
  }
  view.waiting = schedule.state.progress().waiting;
  const size_t shown = std::min(runs, schedule.recent.size());
  view.recent.assign(schedule.recent.begin(), schedule.recent.begin() + static_cast<std::ptrdiff_t>(shown));
  return view;
}

}  // namespace

ScheduleView ViewOfSchedule(const Schedule& schedule) {
  return ViewWith(schedule, kUpcomingShown, schedules::ScheduleState::kMostRuns);
}

std::vector<ScheduleView> ViewOfSchedules(const ScheduleTable& table, const std::string& after, size_t limit) {
  std::vector<ScheduleView> views;
  for (auto next = table.all().upper_bound(after); next != table.all().end() && views.size() < limit; ++next) {
    views.push_back(ViewWith(*next->second, 1, 1));
  }
  return views;
}

}  // namespace muster::core
