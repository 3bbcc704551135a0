// TaskQueues against the obvious implementation, under random schedules, and at full size.
#include <malloc.h>

#include <map>
#include <random>
#include <set>

#include "gtest/gtest.h"
#include "master/scheduler/task_queues.h"

namespace muster::scheduler {
namespace {

const absl::Time kModelStart = absl::FromUnixSeconds(1'000'000);
constexpr int64_t kAgingSeconds = 60;

ClassKey KeyNumber(uint64_t number) {
  ClassKey key;
  key.requirements.executor = "command";
  key.requirements.resources.slots = 1 + static_cast<uint32_t>(number);
  return key;
}

struct ModelTask {
  uint64_t id;
  std::string queue;
  int32_t priority;
  uint64_t key;
  int64_t since_seconds;

  std::pair<int64_t, uint64_t> Order() const { return {since_seconds - priority * kAgingSeconds, id}; }
};

// Every task in one list; asks each of them every time.
class Model {
 public:
  void Add(const ModelTask& task) { tasks_[task.id] = task; }
  void Remove(uint64_t id) {
    uint64_t key = tasks_.at(id).key;
    tasks_.erase(id);
    for (const auto& task : tasks_) {
      if (task.second.key == key) return;
    }
    parked_.erase(key);
  }
  void Park(uint64_t key) { parked_.insert(key); }
  void Wake(uint64_t key) { parked_.erase(key); }
  const std::map<uint64_t, ModelTask>& tasks() const { return tasks_; }
  const std::set<uint64_t>& parked() const { return parked_; }

  // The task that each queue would serve next, when of the parked keys these fit.
  std::map<std::string, uint64_t> FirstOfEachQueue(const std::set<uint64_t>& fits = {}) const {
    std::map<std::string, uint64_t> first;
    for (const auto& entry : tasks_) {
      const ModelTask& task = entry.second;
      if (parked_.contains(task.key) && !fits.contains(task.key)) continue;
      auto place = first.try_emplace(task.queue, task.id);
      if (task.Order() < tasks_.at(place.first->second).Order()) place.first->second = task.id;
    }
    return first;
  }

 private:
  std::map<uint64_t, ModelTask> tasks_;
  std::set<uint64_t> parked_;
};

class TaskQueuesModelTest : public ::testing::TestWithParam<int> {};

TEST_P(TaskQueuesModelTest, ServesInOrderAndLosesNoTask) {
  for (int seed = GetParam() * 50; seed < (GetParam() + 1) * 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    TaskQueues queues(absl::Seconds(kAgingSeconds));
    Model model;
    uint64_t next_id = 1;
    for (int step = 0; step < 150; ++step) {
      switch (random() % 9) {
        case 0:
        case 1:
        case 2: {
          ModelTask task{.id = next_id++,
                         .queue = std::string(1, static_cast<char>('a' + random() % 3)),
                         .priority = static_cast<int32_t>(random() % 5) - 2,
                         .key = random() % 4,
                         .since_seconds = static_cast<int64_t>(random() % 300)};
          queues.Add(TaskId(task.id), task.queue, task.priority, KeyNumber(task.key),
                     kModelStart + absl::Seconds(task.since_seconds));
          model.Add(task);
          break;
        }
        case 3: {
          uint64_t id = 1 + random() % next_id;
          ASSERT_EQ(queues.Remove(TaskId(id)), model.tasks().contains(id));
          if (model.tasks().contains(id)) model.Remove(id);
          break;
        }
        case 4: {
          auto next = queues.Peek();
          if (!next.has_value()) break;
          model.Park(model.tasks().at(next->task.value()).key);
          queues.Park(next->cls);
          break;
        }
        case 5: {
          const std::set<uint64_t> fits = {random() % 4, random() % 4};
          const auto next = queues.Peek([&fits](const NextTask&, const ClassKey& key) {
            return fits.contains(key.requirements.resources.slots - 1);
          });
          const std::map<std::string, uint64_t> first = model.FirstOfEachQueue(fits);
          ASSERT_EQ(next.has_value(), !first.empty());
          if (!next.has_value()) break;
          const ModelTask& task = model.tasks().at(next->task.value());
          ASSERT_EQ(first.at(task.queue), task.id);
          ASSERT_EQ(next->parked, model.parked().contains(task.key));
          model.Remove(task.id);
          queues.Take(next->task);
          break;
        }
        case 6: {
          if (queues.parked().empty()) break;
          ClassId cls = *queues.parked().rbegin();
          model.Wake(queues.key(cls).requirements.resources.slots - 1);
          queues.Wake(cls);
          break;
        }
        default: {
          auto next = queues.Peek();
          std::map<std::string, uint64_t> first = model.FirstOfEachQueue();
          ASSERT_EQ(next.has_value(), !first.empty());
          if (!next.has_value()) break;
          ASSERT_EQ(first.at(model.tasks().at(next->task.value()).queue), next->task.value());
          model.Remove(next->task.value());
          queues.Take(queues.Peek()->task);
        }
      }
      ASSERT_EQ(queues.size(), model.tasks().size());
      ASSERT_EQ(queues.parked().size(), model.parked().size());
      queues.CheckInvariants();
    }
    queues.WakeAll();
    while (queues.Peek().has_value()) queues.Take(queues.Peek()->task);
    ASSERT_EQ(queues.size(), 0u);
  }
}

TEST_P(TaskQueuesModelTest, BackloggedQueuesNeverDriftMoreThanOneTaskFromTheirShares) {
  for (int seed = GetParam() * 50; seed < (GetParam() + 1) * 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    TaskQueues queues(absl::Seconds(kAgingSeconds));
    std::vector<uint64_t> weights;
    uint64_t total_weight = 0;
    uint64_t id = 1;
    for (size_t queue = 0; queue < 2 + random() % 4; ++queue) {
      weights.push_back(1 + random() % 7);
      total_weight += weights.back();
      queues.SetWeight(std::to_string(queue), static_cast<uint32_t>(weights.back()));
      for (int i = 0; i < 200; ++i) {
        queues.Add(TaskId(id++), std::to_string(queue), static_cast<int32_t>(random() % 3), KeyNumber(random() % 3),
                   kModelStart);
      }
    }
    for (uint64_t served = 1; served <= 200; ++served) {
      queues.Take(queues.Peek()->task);
      for (const QueueStatus& queue : queues.Queues()) {
        double share = static_cast<double>(served * queue.weight) / static_cast<double>(total_weight);
        ASSERT_NEAR(static_cast<double>(queue.served), share, static_cast<double>(weights.size()) / 2 + 0.01);
        if (served % total_weight == 0) {
          ASSERT_EQ(queue.served * total_weight, served * queue.weight);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TaskQueuesModelTest, ::testing::Range(0, 8));

TEST(TaskQueuesScaleTest, AMillionQueuedTasksStayLean) {
  constexpr uint64_t kTasks = 1'000'000;
  TaskQueues queues(absl::Seconds(kAgingSeconds));
  auto bytes_in_use = [] {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  size_t before = bytes_in_use();
  ClassKey keys[3] = {KeyNumber(0), KeyNumber(1), KeyNumber(2)};
  for (uint64_t id = 1; id <= kTasks; ++id) {
    queues.Add(TaskId(id), id % 2 == 0 ? "a" : "b", static_cast<int32_t>(id % 5), keys[id % 3],
               kModelStart + absl::Microseconds(id));
  }
  size_t after = bytes_in_use();
  EXPECT_EQ(queues.size(), kTasks);
  // A sanitizer's allocator reports nothing here.
  if (after > before) {
    EXPECT_LE((after - before) / kTasks, 100u);
  }
  // A cancel in the middle, and a class that waits, cost no more for the million.
  for (uint64_t id = 3; id <= 30'000; id += 3) ASSERT_TRUE(queues.Remove(TaskId(id)));
  for (int i = 0; i < 10'000; ++i) {
    NextTask next = *queues.Peek();
    queues.Park(next.cls);
    queues.Wake(next.cls);
    queues.Take(queues.Peek()->task);
  }
  EXPECT_EQ(queues.size(), kTasks - 20'000);
}

}  // namespace
}  // namespace muster::scheduler
