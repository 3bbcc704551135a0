// Random schedules with random policies through time that passes and leaps, runs that end, pauses, changes, and masters
// that die before a commit or after it: no due time is lost or decided twice, and no policy is broken.
// MUSTER_SCHEDULE_SEEDS: as many (600); MUSTER_SEED=n replays one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <set>

#include "master/schedules/schedule_state.h"
#include "tests/unit/master/schedules/cron_model.h"
#include "tests/unit/master/schedules/zones.h"

namespace muster::schedules {
namespace {

// A cluster with one schedule. What it has stored is all that a new master knows.
class OneSchedule {
 public:
  explicit OneSchedule(uint64_t seed) : random_(seed), now_(Instant("2026-10-24 00:00+02:00")) {
    now_ += absl::Minutes(RandomIn(&random_, 0, 4000));
    times_ = RandomTimes();
    spec_ = RandomSpec();
    stored_.decided_until = expected_until_ = now_;
    StartMaster();
  }

  void Step() {
    PassTime();
    const int event = RandomIn(&random_, 0, 19);
    if (event == 0) return Pause();
    if (event <= 2) return CommitOrDie(state_->Resume(now_));
    if (event == 3) return Change();
    if (event == 4) return StartMaster();
    if (event <= 9 && !stored_.running.empty()) return EndRun(stored_.running[random_() % stored_.running.size()]);
    Look();
  }

  // All that runs ends, and time is looked at once more.
  void ComeToRest() {
    Commit(state_->Resume(now_));
    Look(/*may_die=*/false);
    while (!stored_.running.empty() && !testing::Test::HasFailure()) {
      const absl::Time run = stored_.running.front();
      live_.erase(run);
      Commit(state_->RunEnded(run));
    }
    EXPECT_TRUE(stored_.waiting.empty());
    EXPECT_GT(state_->NextAt(), now_);
    EXPECT_EQ(decided_.size(), expected_.size());
    for (const absl::Time due : expected_) EXPECT_EQ(decided_[due], 1) << DueText(due);
    EXPECT_EQ(state_->HasEnded(), state_->next() == absl::InfiniteFuture());
  }

  size_t started() const { return started_; }

 private:
  ScheduleTimes RandomTimes() {
    const absl::Time second = absl::FromUnixSeconds(absl::ToUnixSeconds(now_));
    switch (RandomIn(&random_, 0, 5)) {
      case 0: return IntervalTimes{absl::Seconds(RandomIn(&random_, 40, 4000)), second};
      case 1: return OneTime{second + absl::Seconds(RandomIn(&random_, -100, 10000))};
      case 2: return CronTimes{"0,30 1-3 * * *", ""};
      default: return CronTimes{absl::StrCat("*/", RandomIn(&random_, 1, 30), " * * * *"), ""};
    }
  }
  ScheduleSpec RandomSpec() {
    return {.missed = static_cast<MissedRuns>(RandomIn(&random_, 0, 2)),
            .missed_limit = static_cast<uint32_t>(RandomIn(&random_, 1, 5)),
            .overlap = static_cast<Overlap>(RandomIn(&random_, 0, 2)),
            .paused = RandomIn(&random_, 0, 9) == 0};
  }
  static Timetable TableOf(const ScheduleTimes& times) { return *Timetable::Make(times, Zone("Europe/Berlin")); }

  // Some minutes, to the next due time, a long time that nobody was there, or a step back of the clock.
  void PassTime() {
    switch (RandomIn(&random_, 0, 9)) {
      case 0: now_ += absl::Minutes(RandomIn(&random_, 30, 600)); return;
      case 1: now_ -= absl::Seconds(RandomIn(&random_, 1, 4000)); return;
      case 2:
      case 3:
      case 4: now_ = std::max(now_, std::min(state_->NextAt(), now_ + absl::Hours(24))); return;
      default: now_ += absl::Milliseconds(RandomIn(&random_, 1, 300'000));
    }
  }

  // --- Events, each committed whole or not at all.
  void StartMaster() { state_ = std::make_unique<ScheduleState>(spec_, TableOf(times_), stored_); }
  bool Dies() {
    if (RandomIn(&random_, 0, 4) != 0) return false;
    StartMaster();
    return true;
  }
  void CommitOrDie(const ScheduleDecisions& decisions) {
    if (!Dies()) Commit(decisions);
  }
  void Look(bool may_die = true) {
    const ScheduleDecisions decisions = state_->Due(now_);
    if (may_die && Dies()) return;
    EXPECT_TRUE(decisions.empty() || !spec_.paused);
    CheckMissed(decisions);
    Commit(decisions);
  }
  void Pause() {
    const ScheduleDecisions decisions = state_->Pause(now_);
    if (Dies()) return;
    Commit(decisions);
    EXPECT_EQ(state_->NextAt(), absl::InfiniteFuture());
  }
  void EndRun(absl::Time run) {
    const ScheduleDecisions decisions = state_->RunEnded(run);
    if (Dies()) return;
    EXPECT_TRUE(decisions.empty() || !spec_.paused);
    live_.erase(run);
    Commit(decisions);
  }
  void Change() {
    const ScheduleTimes times = RandomTimes();
    const ScheduleDecisions decisions = state_->Change(RandomSpec(), TableOf(times), now_);
    if (Dies()) return;
    ExpectUntil(std::max(stored_.decided_until, now_));
    Commit(decisions);
    times_ = times;
  }

  // --- What was committed, against what must be.
  void Commit(const ScheduleDecisions& decisions) {
    ExpectUntil(state_->progress().decided_until);
    for (const ScheduleDecision& decision : decisions) {
      if (const auto* start = std::get_if<StartRun>(&decision)) Started(start->due);
      if (const auto* skip = std::get_if<SkipRuns>(&decision)) Skipped(*skip);
      if (const auto* stop = std::get_if<StopRun>(&decision)) Stopped(stop->due);
    }
    EXPECT_GE(state_->progress().decided_until, stored_.decided_until);
    stored_ = state_->progress();
    spec_ = state_->spec();
    EXPECT_EQ(live_, std::set<absl::Time>(stored_.running.begin(), stored_.running.end()));
    EXPECT_TRUE(stored_.waiting.empty() || !stored_.running.empty()) << "it waits for nothing";
    EXPECT_LE(stored_.waiting.size(), spec_.missed_limit);
  }
  void ExpectUntil(absl::Time until) {
    if (until <= expected_until_) return;
    const Timetable table = TableOf(times_);
    for (absl::Time due = table.NextAfter(expected_until_); due <= until; due = table.NextAfter(due)) expected_.insert(due);
    expected_until_ = until;
  }
  void Started(absl::Time due) {
    EXPECT_TRUE(expected_.contains(due)) << DueText(due) << " was not due";
    EXPECT_EQ(++decided_[due], 1) << DueText(due);
    EXPECT_TRUE(live_.empty() || spec_.overlap == Overlap::kAllow) << "two at once";
    live_.insert(due);
    ++started_;
  }
  void Stopped(absl::Time due) { EXPECT_TRUE(live_.contains(due)) << DueText(due) << " does not run"; }
  void Skipped(const SkipRuns& skip) {
    EXPECT_TRUE(expected_.contains(skip.first) && expected_.contains(skip.last)) << DueText(skip.first);
    const auto end = expected_.upper_bound(skip.last);
    for (auto due = expected_.lower_bound(skip.first); due != end; ++due) EXPECT_EQ(++decided_[*due], 1) << DueText(*due);
  }
  // Skipping starts nothing late; running all gives up none while fewer than the limit are made up for.
  void CheckMissed(const ScheduleDecisions& decisions) {
    ExpectUntil(state_->progress().decided_until);
    for (const ScheduleDecision& decision : decisions) {
      const auto* start = std::get_if<StartRun>(&decision);
      const bool is_late = start != nullptr && now_ - start->due > absl::Minutes(1);
      EXPECT_FALSE(is_late && spec_.missed == MissedRuns::kSkip);
      const auto* skip = std::get_if<SkipRuns>(&decision);
      if (skip == nullptr || skip->cause != SkipCause::kMissed) continue;
      const auto kept = std::distance(expected_.upper_bound(skip->last), expected_.end());
      const bool keeps_one = spec_.missed == MissedRuns::kRunOnce || spec_.overlap == Overlap::kReplace;
      EXPECT_GE(kept, spec_.missed == MissedRuns::kSkip ? 0 : keeps_one ? 1 : spec_.missed_limit);
    }
  }

  Random random_;
  absl::Time now_;
  ScheduleTimes times_;
  ScheduleSpec spec_;       // stored, as the next two are
  ScheduleProgress stored_;
  std::set<absl::Time> live_;
  std::unique_ptr<ScheduleState> state_;
  std::set<absl::Time> expected_;  // due times that must be decided
  absl::Time expected_until_;
  std::map<absl::Time, int> decided_;
  size_t started_ = 0;
};

TEST(ScheduleStateModelTest, NoDueTimeIsLostOrDecidedTwiceWhenMastersDieAtRandom) {
  const char* const more = std::getenv("MUSTER_SCHEDULE_SEEDS");
  const char* const one = std::getenv("MUSTER_SEED");
  const uint64_t first = one == nullptr ? 1 : std::strtoull(one, nullptr, 10);
  const uint64_t last = one != nullptr ? first : more == nullptr ? 600 : std::strtoull(more, nullptr, 10);
  size_t started = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(absl::StrCat("MUSTER_SEED=", seed, " replays it"));
    OneSchedule schedule(seed);
    for (int step = 0; step < 80 && !testing::Test::HasFailure(); ++step) schedule.Step();
    schedule.ComeToRest();
    ASSERT_FALSE(testing::Test::HasFailure());
    started += schedule.started();
  }
  EXPECT_GT(started, last - first) << "hardly anything was started";
}

}  // namespace
}  // namespace muster::schedules
