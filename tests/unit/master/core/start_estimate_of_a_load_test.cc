// A steady load on virtual time: what explain said of a start against when it came.
#include <gtest/gtest.h>

#include <map>
#include <queue>
#include <random>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Report;
using testing::Spec;
using testing::TestCluster;

CoreConfig Patient() {
  CoreConfig config;
  config.heartbeat = absl::Hours(1000);
  config.lost_after = absl::Hours(10000);
  return config;
}

// Tasks of four kinds arrive as a Poisson process at a shade less than the workers can do; each runs as long as its
// kind does, give or take a third.
class SteadyLoad {
 public:
  SteadyLoad() {
    for (const char* name : {"a", "b", "c", "d"}) cluster_.Join(name, 2);
  }

  void Run(int tasks) {
    absl::Time arrival = cluster_.now();
    for (int i = 0; i < tasks; ++i) {
      arrival += absl::Seconds(std::exponential_distribution<>(8 * 0.97 / kMeanSeconds)(random_));
      EndUntil(arrival);
      MoveTo(arrival);
      Arrive();
    }
    EndUntil(absl::InfiniteFuture());
  }

  // Of the tasks that were told to wait a second or more: the share whose start was within a factor of two.
  double WithinTwice() const {
    int good = 0;
    for (const Said& said : judged_) {
      const double ratio = absl::FDivDuration(said.started - said.asked, said.p50);
      if (ratio >= 0.5 && ratio <= 2) ++good;
    }
    return static_cast<double>(good) / static_cast<double>(judged_.size());
  }
  double WithinP90() const {
    int good = 0;
    for (const Said& said : judged_) good += said.started - said.asked <= said.p90 ? 1 : 0;
    return static_cast<double>(good) / static_cast<double>(judged_.size());
  }
  size_t judged() const { return judged_.size(); }

 private:
  static constexpr double kMeanSeconds = 25;

  struct Said {
    absl::Time asked;
    absl::Duration p50;
    absl::Duration p90;
    absl::Time started;
  };
  struct End {
    absl::Time time;
    TaskId task;
    bool operator<(const End& other) const { return time > other.time; }  // the earliest on top
  };

  void MoveTo(absl::Time time) {
    if (time > cluster_.now()) cluster_.Advance(time - cluster_.now());
    NoteStarts();
  }

  void EndUntil(absl::Time time) {
    while (!running_.empty() && running_.top().time <= time) {
      const TaskId task = running_.top().task;
      const absl::Time end = running_.top().time;
      running_.pop();
      MoveTo(end);
      auto report = std::make_shared<AttemptReport>(*Report(cluster_.KeyOf(task), EndReason::kExited, 0));
      report->end.usage.wall_time = times_[task];
      cluster_.ReportAs(cluster_.WorkerOf(task), std::move(report));
      NoteStarts();
    }
  }

  void Arrive() {
    static constexpr double kKinds[] = {4, 16, 30, 50};  // seconds
    const uint64_t kind = random_() % 4;
    const TaskId task = cluster_.Submit(Spec([kind](TaskSpec& spec) { spec.fingerprint = 100 + kind; }));
    times_[task] = absl::Seconds(kKinds[kind] * std::uniform_real_distribution<>(0.67, 1.33)(random_));
    waiting_[task] = {cluster_.now(), absl::ZeroDuration(), absl::ZeroDuration(), absl::InfinitePast()};
    const auto told = cluster_.core().Explain(task);
    if (told && told->start_model != nullptr) {
      if (const auto estimate = scheduler::EstimateStart(*told->start_model, task.value())) {
        waiting_[task].p50 = estimate->p50;
        waiting_[task].p90 = estimate->p90;
      }
    }
    NoteStarts();
  }

  void NoteStarts() {
    std::vector<TaskId> placed;
    for (const auto& waiting : waiting_) {
      if (cluster_.StateOf(waiting.first) == TaskState::kDispatched) placed.push_back(waiting.first);
    }
    for (const TaskId task : placed) {
      cluster_.Started(task);
      running_.push({cluster_.now() + times_[task], task});
      Said& said = waiting_[task];
      said.started = cluster_.now();
      if (said.p50 >= absl::Seconds(1)) judged_.push_back(said);
      waiting_.erase(task);
    }
  }

  TestCluster cluster_{Patient()};
  std::mt19937_64 random_{42};
  std::map<TaskId, absl::Duration> times_;
  std::map<TaskId, Said> waiting_;
  std::priority_queue<End> running_;
  std::vector<Said> judged_;
};

TEST(StartEstimateOfALoad, IsWithinAFactorOfTwoForEightStartsInTen) {
  SteadyLoad load;
  load.Run(3000);
  ASSERT_GT(load.judged(), 1000u);
  RecordProperty("within_twice", std::to_string(load.WithinTwice()));
  EXPECT_GT(load.WithinTwice(), 0.8) << load.judged() << " starts judged";
  EXPECT_GT(load.WithinP90(), 0.8);
  EXPECT_LT(load.WithinP90(), 0.99) << "p90 is no promise of the worst";
}

}  // namespace
}  // namespace muster::core
