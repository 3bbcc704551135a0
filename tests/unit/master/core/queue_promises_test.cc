// What is promised of queues, keys and licences, held against a plain count over random schedules of the real core: submits, ends,
// attempts given back, pauses, limits, rates, time that passes, and masters that die. MUSTER_QUEUE_SEEDS: as many (20).
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using muster::testing::Spec;
using muster::testing::TestCluster;

constexpr uint32_t kSlots = 6;
constexpr int64_t kLicences = 3;
constexpr absl::Duration kAgingInterval = absl::Seconds(10);
const std::vector<std::string> kQueues = {"x", "y", "z"};

int64_t LicencesOf(const TaskSpec& spec) {
  return spec.requirements.resources.named.empty() ? 0 : spec.requirements.resources.named.front().second;
}

CoreConfig Configured() {
  CoreConfig config;
  config.aging_interval = kAgingInterval;
  config.resources = {{"license", kLicences}};
  return config;
}

class RandomSchedule {
 public:
  explicit RandomSchedule(uint32_t seed) : random_(seed) { cluster_.Join("a", kSlots); }

  void Run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFatalFailure(); ++step) {
      RandomStep();
      CheckStarts();
      CheckExplanations();
    }
  }

  // Nobody waits for ever: with nothing paused, all that was accepted ends.
  void RunOut() {
    for (const std::string& queue : kQueues) Do(ResumeQueue{CallId(1), queue, ""});
    for (int round = 0; round < 4000 && !Open().empty(); ++round) {
      for (const TaskId task : Open()) {
        if (OnWorker(task)) cluster_.Exit(task, 0);
        CheckStarts();
      }
      Pass(absl::Milliseconds(500));
      CheckStarts();
    }
    EXPECT_TRUE(Open().empty()) << Open().size() << " of " << tasks_.size() << " were never served";
  }

 private:
  struct Known {
    TaskSpecPtr spec;
    absl::Time since;
  };

  uint32_t Below(uint32_t end) { return random_() % end; }
  const std::string& AnyQueue() { return kQueues[Below(3)]; }

  void Do(Event event) { cluster_.Apply(std::move(event)); }

  void RandomStep() {
    switch (Below(13)) {
      case 0: return Do(PauseQueue{CallId(1), AnyQueue(), cluster_.now() + absl::Seconds(1 + Below(20)), std::nullopt, "", ""});
      case 1: return Do(ResumeQueue{CallId(1), AnyQueue(), ""});
      case 2: return Do(UpdateQueue{CallId(1), AnyQueue(), false, QueueChange{.max_running = Below(4)}, ""});
      case 3: return Do(UpdateQueue{CallId(1), AnyQueue(), false, QueueChange{.start_rate = Below(3) * 2.0}, ""});
      case 4: return Pass(absl::Seconds(Below(8)));
      case 5: return Below(10) == 0 ? DieAndComeBack() : Pass(absl::Milliseconds(300));
      case 6:
      case 7:
      case 8: return OfOneThatRuns([this](TaskId task) { cluster_.Exit(task, 0); });
      case 9: return OfOneThatRuns([this](TaskId task) {
        if (cluster_.StateOf(task) == TaskState::kDispatched) cluster_.GiveBack(task);
      });
      default: return SubmitOne();
    }
  }

  void SubmitOne() {
    const TaskSpecPtr spec = Spec([this](TaskSpec& made) {
      made.queue = AnyQueue();
      made.priority = static_cast<int32_t>(Below(7)) - 3;
      if (Below(4) == 0) made.requirements.resources.named = {{"license", 1 + Below(kLicences)}};
      if (Below(3) > 0) return;
      made.limit = 1 + Below(3);
      made.limit_key = absl::StrCat("user=", Below(2));
    });
    tasks_[cluster_.Submit(spec)] = {spec, cluster_.now()};
  }

  void OfOneThatRuns(const std::function<void(TaskId)>& happens) {
    std::vector<TaskId> running;
    for (const TaskId task : Open()) {
      if (OnWorker(task)) running.push_back(task);
    }
    if (!running.empty()) happens(running[Below(static_cast<uint32_t>(running.size()))]);
  }

  void Pass(absl::Duration time) {
    cluster_.Heartbeat("a");
    cluster_.Advance(time);
  }

  void DieAndComeBack() {
    std::vector<HeldAttempt> held;
    for (const TaskId task : Open()) {
      if (OnWorker(task)) held.push_back({cluster_.KeyOf(task), HeldAttempt::Phase::kRunning});
    }
    cluster_.Restart(Configured());
    cluster_.Join("a", kSlots, held);
  }

  std::vector<TaskId> Open() const {
    std::vector<TaskId> open;
    for (const auto& task : tasks_) {
      if (!IsTerminal(cluster_.StateOf(task.first))) open.push_back(task.first);
    }
    return open;
  }

  bool OnWorker(TaskId task) const {
    const TaskState state = cluster_.StateOf(task);
    return state == TaskState::kDispatched || state == TaskState::kRunning;
  }

  // Each start of the last step, in order, against what ran before it and what waited instead of it.
  void CheckStarts() {
    const std::vector<Assign> starts = cluster_.Seen<Assign>();
    std::map<std::string, uint64_t> in_queue;
    std::map<std::string, uint64_t> with_key;
    int64_t licences = 0;
    for (const TaskId task : Open()) {
      if (!OnWorker(task)) continue;
      licences += LicencesOf(*tasks_.at(task).spec);
      ++in_queue[tasks_.at(task).spec->queue];
      ++with_key[tasks_.at(task).spec->limit_key];
    }
    ASSERT_LE(licences, kLicences);
    for (const Assign& start : starts) {
      --in_queue[start.spec->queue];
      --with_key[start.spec->limit_key];
    }
    for (const Assign& start : starts) {
      const QueueView queue = cluster_.core().FindQueue(start.spec->queue, cluster_.now());
      const uint64_t most = queue.settings.max_running;
      ASSERT_TRUE(most == 0 || in_queue[queue.name] < most) << queue.name;
      ASSERT_FALSE(queue.paused) << queue.name;
      ++in_queue[queue.name];
      if (start.spec->limit > 0) {
        ASSERT_LT(with_key[start.spec->limit_key], start.spec->limit);
      }
      ++with_key[start.spec->limit_key];
      if (IsHeldByItsQueueAlone(start.key.task)) CheckNobodyWasBefore(start.key.task);
    }
  }

  bool IsHeldByItsQueueAlone(TaskId task) const {
    const TaskSpec& spec = *tasks_.at(task).spec;
    return spec.limit == 0 && LicencesOf(spec) == 0;
  }

  // In its queue, of those that neither a key nor a licence holds.
  void CheckNobodyWasBefore(TaskId started) {
    for (const TaskId waiting : Open()) {
      const Known& other = tasks_.at(waiting);
      if (cluster_.StateOf(waiting) != TaskState::kQueued || !IsHeldByItsQueueAlone(waiting)) continue;
      if (other.spec->queue != tasks_.at(started).spec->queue) continue;
      ASSERT_LT(OrderOf(started), OrderOf(waiting)) << started.value() << " was started, " << waiting.value() << " waits";
    }
  }

  std::pair<absl::Time, TaskId> OrderOf(TaskId task) const {
    const Known& known = tasks_.at(task);
    return {known.since - known.spec->priority * kAgingInterval, task};
  }

  // What could start has started: no explanation says otherwise, and each names what holds.
  void CheckExplanations() {
    for (const TaskId task : Open()) {
      if (cluster_.StateOf(task) != TaskState::kQueued || Below(4) > 0) continue;
      const Explanation explanation = *cluster_.core().Explain(task);
      const QueueView queue = cluster_.core().FindQueue(tasks_.at(task).spec->queue, cluster_.now());
      ASSERT_NE(explanation.code, ReasonCode::kStartsNow)
          << explanation.sentence << " task " << task.value() << " key " << tasks_.at(task).spec->limit_key << " limit "
          << tasks_.at(task).spec->limit << " queue held: " << queue.held_because;
      ASSERT_EQ(explanation.code == ReasonCode::kQueuePaused, queue.paused) << explanation.sentence;
      ASSERT_LT(explanation.position->ahead, explanation.position->queued);
      ASSERT_EQ(explanation.position->queued, queue.queued);
    }
  }

  std::mt19937 random_;
  TestCluster cluster_{Configured()};
  std::map<TaskId, Known> tasks_;
};

TEST(QueuePromisesTest, NoRandomScheduleBreaksALimitAnOrderOrAnExplanationAndAllAreServed) {
  const char* const more = std::getenv("MUSTER_QUEUE_SEEDS");
  const auto seeds = static_cast<uint32_t>(more == nullptr ? 20 : std::atoi(more));
  for (uint32_t seed = 1; seed <= seeds && !::testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomSchedule schedule(seed);
    schedule.Run(400);
    if (!::testing::Test::HasFatalFailure()) schedule.RunOut();
  }
}

}  // namespace
}  // namespace muster::core
