// Random schedules through a master that is killed at any step, before its commit or after it: each due time that is
// decided was started once, skipped with a cause, refused, or waits; none twice, none lost. And events that are sent again and
// again: each starts one run at most.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "master/core/schedule_table.h"
#include "tests/support/sanitized.h"
#include "tests/unit/master/core/schedule_by_hand.h"

namespace muster::core {
namespace {

using testing::AddScheduleEvent;
using testing::MemoryStore;
using testing::RunName;
using testing::ScheduleConfig;
using testing::StartAWorkflow;

constexpr int kStepsOfSeed = 120;
constexpr int kStepsBetweenChecks = 12;  // a check looks at all that ever was

class KilledMaster {
 public:
  explicit KilledMaster(uint64_t seed) : random_(seed) { Start(); }

  std::string Run() {
    const std::string wrong = AddAll();
    if (!wrong.empty()) return wrong;
    for (int step = 0; step < kStepsOfSeed; ++step) {
      if (std::string bad = Step(); !bad.empty()) return absl::StrCat("step ", step, ": ", bad);
      if (step % kStepsBetweenChecks != 0 && step + 1 < kStepsOfSeed) continue;
      if (std::string bad = CheckAll(); !bad.empty()) return absl::StrCat("step ", step, ": ", bad);
    }
    return started_ > 0 && kills_ > 0 ? "" : "nothing happened";
  }

 private:
  struct Known {
    ScheduleSpec spec;
    absl::Time added;
  };

  uint64_t Draw(uint64_t below) { return std::uniform_int_distribution<uint64_t>(0, below - 1)(random_); }

  void Start() {
    core_ = std::make_unique<ClusterCore>(ScheduleConfig(), store_.LoadOpen());
    Effects effects;
    core_->Start(now_, &effects);
    core_->Turn(now_, &effects);
    (void)End(std::move(effects));
  }

  // A turn's end: the commit, or a death on either side of it.
  std::string End(Effects effects) {
    const uint64_t fate = Draw(10);
    std::string wrong;
    if (fate != 0) wrong = store_.Commit(effects.transaction);
    if (fate > 1) {
      core_->CheckInvariants();
    } else {
      ++kills_;
      Start();
    }
    return wrong;
  }

  std::string AddAll() {
    for (int i = 0; i < 3; ++i) {
      const std::string name = absl::StrCat("s", i);
      ScheduleTimes times = Draw(3) == 0 ? ScheduleTimes(CronTimes{"*/2 * * * *", "UTC"})
                                         : ScheduleTimes(IntervalTimes{absl::Seconds(1 + Draw(40)), absl::Time()});
      ChangeSchedule event = AddScheduleEvent(name, std::move(times), now_, [this](ScheduleSpec& spec) {
        spec.missed = static_cast<MissedRuns>(Draw(3));
        spec.missed_limit = static_cast<uint32_t>(1 + Draw(5));
        spec.overlap = static_cast<Overlap>(Draw(3));
        if (Draw(2) == 0) StartAWorkflow(spec);
      });
      known_[name] = {std::get<AddSchedule>(event.what).spec, now_};
      if (std::string wrong = AddOne(event); !wrong.empty()) return wrong;
    }
    return AddOne(AddScheduleEvent("e", EventTimes{"push"}, now_));
  }

  // Until it is there: the master may die before it is.
  std::string AddOne(const ChangeSchedule& event) {
    while (!core_->FindSchedule(event.name)) {
      Effects effects;
      core_->Apply(event, now_, &effects);
      core_->Turn(now_, &effects);
      if (std::string wrong = End(std::move(effects)); !wrong.empty()) return wrong;
    }
    return "";
  }

  // As the edge does: what the store knows by its id is not sent on.
  void SendEvent(Effects* effects) {
    const std::string id = absl::StrCat("e@", Draw(20));
    if (store_.FindRequest("ann@host", id) != nullptr) return;
    auto spec = std::make_shared<TaskSpec>(*testing::Spec());
    spec->name = id;
    FireEvent fire{.call = CallId(1), .event = "push", .id = id, .received = now_, .runs = {}};
    for (const EventTrigger& trigger : core_->TriggersOf("push")) {
      EventRun& run = fire.runs.emplace_back();
      run.schedule = trigger.schedule;
      run.work = trigger.work;
      run.request = {.owner = "ann@host", .id = id, .digest = {}};
      run.what = TaskSpecPtr(spec);
    }
    core_->Apply(std::move(fire), now_, effects);
  }

  std::string Step() {
    if (Draw(12) == 0) now_ += absl::Seconds(Draw(400));  // the machine slept
    now_ += absl::Milliseconds(Draw(20'000));
    Effects effects;
    const std::string name = absl::StrCat("s", Draw(3));
    if (Draw(2) == 0) SendEvent(&effects);
    switch (Draw(8)) {
      case 0: core_->Apply(ChangeSchedule{CallId(1), name, "ann", PauseSchedule{"why"}}, now_, &effects); break;
      case 1:
      case 2: core_->Apply(ChangeSchedule{CallId(1), name, "ann", ResumeSchedule{}}, now_, &effects); break;
      case 3: core_->Apply(ChangeSchedule{CallId(1), name, "ann", RunSchedule{}}, now_, &effects); break;
      case 4:
      case 5:
      case 6: {
        const std::vector<TaskId> open = core_->OpenTasks(TaskId(UINT64_MAX), 1000);
        if (!open.empty()) core_->Apply(CancelTasks{CallId(1), {{open[Draw(open.size())], 1}}, "ann", "ended"}, now_, &effects);
        break;
      }
      default: core_->SetSurroundings({.low_on_room = Draw(2) == 0}); break;
    }
    core_->Turn(now_, &effects);
    return End(std::move(effects));
  }

  // Whatever is durable, and it alone.
  std::string CheckAll() {
    std::map<std::string, int> runs;            // by name
    std::map<std::string, int> open;            // by schedule
    for (const auto& [id, task] : store_.tasks()) {
      const std::string& name = store_.SpecOf(id).name;
      if (name.find('/') != std::string::npos) continue;  // a workflow's
      if (++runs[name] > 1) return name + " was started twice";
      if (!task.outcome) ++open[name.substr(0, name.find('@'))];
    }
    for (const auto& [id, workflow] : store_.workflows()) {
      const std::string& name = workflow.row.spec->name;
      if (++runs[name] > 1) return name + " was started twice";
      if (workflow.parts.size() != 1) return name + " is not whole";
      if (!HasEnded(workflow.state.state)) ++open[name.substr(0, name.find('@'))];
    }
    started_ = runs.size();
    std::map<std::string, std::vector<activity::ScheduleDecided>> decided;
    for (const activity::Record& record : store_.activity()) {
      if (const auto* one = std::get_if<activity::ScheduleDecided>(&record.event)) decided[one->schedule].push_back(*one);
    }
    for (const auto& [name, schedule] : known_) {
      if (std::string wrong = CheckOne(name, schedule, runs, decided[name]); !wrong.empty()) return wrong;
      if (schedule.spec.overlap != Overlap::kAllow && open[name] > 1) return name + " has two runs at once";
    }
    return "";
  }

  std::string CheckOne(const std::string& name, const Known& schedule, const std::map<std::string, int>& runs,
                       const std::vector<activity::ScheduleDecided>& decided) {
    const ScheduleProgressRow* const progress = store_.FindProgress(name);
    if (progress == nullptr) return name + " is gone";
    const auto timetable = *schedules::Timetable::Make(schedule.spec.times, absl::UTCTimeZone());
    for (absl::Time due = timetable.NextAfter(schedule.added); due <= progress->decided_until; due = timetable.NextAfter(due)) {
      const int waits = static_cast<int>(std::count(progress->waiting.begin(), progress->waiting.end(), due));
      int times = static_cast<int>(runs.count(RunName(name, due))) + waits;
      for (const activity::ScheduleDecided& one : decided) times += Skips(one, due) ? 1 : 0;
      if (times != 1) return absl::StrCat(RunName(name, due), " was decided ", times, " times");
    }
    return "";
  }

  static bool Skips(const activity::ScheduleDecided& one, absl::Time due) {
    if (one.what == "started" || due < one.due) return false;
    const size_t until = one.what.rfind("until ");
    if (until == std::string::npos) return due == one.due;
    return schedules::DueText(due) <= one.what.substr(until + 6);
  }

  std::mt19937_64 random_;
  MemoryStore store_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::unique_ptr<ClusterCore> core_;
  std::map<std::string, Known> known_;
  size_t started_ = 0;
  int kills_ = 0;
};

TEST(ScheduleKillTest, EachDueTimeIsDecidedOnceWhereverTheMasterDies) {
  const char* const asked = std::getenv("MUSTER_SCHEDULE_KILLS");  // for `./test long`
  const uint64_t seeds = asked == nullptr ? (kSanitized ? 8 : 60) : std::strtoull(asked, nullptr, 10);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    ASSERT_EQ(KilledMaster(seed).Run(), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace muster::core
