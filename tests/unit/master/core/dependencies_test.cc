// The index alone, and against a model that looks at everything anew after each step.
#include "master/core/dependencies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"

namespace muster::core {
namespace {

using Standing = Dependencies::Standing;
using Condition = DependencyCondition;

TaskRange Ids(uint64_t first, uint64_t count = 1) { return {TaskId(first), count}; }

TaskSpecPtr Needing(std::vector<Dependency> dependencies) {
  auto spec = std::make_shared<TaskSpec>();
  spec->dependencies = std::move(dependencies);
  return spec;
}

// Tasks by hand: groups, who is open, how the others ended.
class Tasks {
 public:
  void Add(TaskRange group) {
    for (uint64_t i = 0; i < group.count; ++i) groups_[TaskId(group.first.value() + i)] = group;
  }
  TaskRange GroupOf(TaskId task) const { return groups_.at(task); }
  void End(TaskId task, TaskState state) { ended_[task] = state; }
  bool IsOpen(TaskId task) const { return groups_.contains(task) && !ended_.contains(task); }
  TaskState StateOf(TaskId task) const { return ended_.at(task); }
  Dependencies::OpenIn open_in() const {
    return [this](TaskRange range) {
      uint64_t open = 0;
      for (uint64_t i = 0; i < range.count; ++i) open += IsOpen(TaskId(range.first.value() + i)) ? 1 : 0;
      return open;
    };
  }
  RangeEnds Look(AskedRange asked) const {
    RangeEnds ends{asked, TaskId(), TaskState::kNone};
    for (uint64_t i = 0; i < asked.tasks.count && !ends.failed; ++i) {
      const TaskId task(asked.tasks.first.value() + i);
      if (IsOpen(task) || StateOf(task) == TaskState::kSucceeded) continue;
      ends.failed = task;
      ends.failed_as = StateOf(task);
    }
    return ends;
  }

 private:
  std::map<TaskId, TaskRange> groups_;
  std::map<TaskId, TaskState> ended_;
};

class DependenciesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (uint64_t id = 1; id <= 9; ++id) tasks.Add(Ids(id));
    tasks.Add(Ids(10, 10));  // a batch
    tasks.Add(Ids(30, 5));   // more rows of it
  }
  void End(uint64_t id, TaskState state = TaskState::kSucceeded) {
    tasks.End(TaskId(id), state);
    dependencies.OnEnd(TaskId(id), tasks.GroupOf(TaskId(id)), state);
    Check();
  }
  void EndAll(TaskRange range) {
    for (uint64_t i = 0; i < range.count; ++i) End(range.first.value() + i);
  }
  Standing Wait(uint64_t first, std::vector<Dependency> needs, uint64_t count = 1) {
    const Standing standing = dependencies.Add(Ids(first, count), Needing(std::move(needs)), tasks.open_in());
    for (uint64_t i = 0; standing == Standing::kWaits && i < count; ++i) dependencies.Enter(TaskId(first));
    Check();
    return standing;
  }
  void Check() { dependencies.CheckInvariants(tasks.open_in()); }
  void TellAll() {
    for (const AskedRange& asked : dependencies.TakeUnknown(100)) dependencies.OnFound(tasks.Look(asked));
    Check();
  }
  // "100", "100 CANCELLED for 3 FAILED", "".
  std::string Next() {
    const auto decided = dependencies.TakeDecided();
    if (!decided) return "";
    for (uint64_t i = 0; i < decided->waiter.count; ++i) dependencies.Leave(decided->waiter.first);
    Check();
    const uint64_t waiter = decided->waiter.first.value();
    if (decided->met) return absl::StrCat(waiter);
    return absl::StrCat(waiter, " CANCELLED for ", decided->impossible.failed.value(), " ",
                        std::string(TaskStateName(decided->impossible.failed_as)));
  }

  Tasks tasks;
  Dependencies dependencies;
};

TEST_F(DependenciesTest, ATaskIsReleasedByTheLastOfThoseThatItWaitsFor) {
  ASSERT_EQ(Wait(100, {{Ids(1)}, {Ids(2)}}), Standing::kWaits);
  End(1);
  EXPECT_EQ(Next(), "");
  End(2);
  EXPECT_EQ(Next(), "100");
  EXPECT_EQ(dependencies.groups(), 0u);
  EXPECT_EQ(dependencies.sources(), 0u);
}

TEST_F(DependenciesTest, TheFirstThatFailsDecidesThoughOthersAreOpen) {
  Wait(100, {{Ids(1)}, {Ids(2)}});
  End(2, TaskState::kTimedOut);
  EXPECT_EQ(Next(), "100 CANCELLED for 2 TIMED_OUT");
  EXPECT_EQ(dependencies.sources(), 0u) << "task 1 is waited for by nobody any more";
}

TEST_F(DependenciesTest, EveryEndButSuccessIsAFailure) {
  const TaskState ends[] = {TaskState::kFailed, TaskState::kCancelled, TaskState::kTimedOut, TaskState::kLost, TaskState::kPoisoned};
  uint64_t task = 1;
  for (const TaskState end : ends) {
    Wait(100 + task, {{Ids(task)}});
    Wait(200 + task, {{Ids(task), Condition::kFailure}});
    End(task, end);
    EXPECT_EQ(Next(), absl::StrCat(100 + task, " CANCELLED for ", task, " ", std::string(TaskStateName(end))));
    EXPECT_EQ(Next(), absl::StrCat(200 + task));
    ++task;
  }
}

TEST_F(DependenciesTest, AFailureThatDoesNotComeMakesItImpossibleOnlyWhenAllHaveEnded) {
  Wait(100, {{Ids(10, 10), Condition::kFailure}});
  EndAll(Ids(10, 9));
  EXPECT_EQ(Next(), "");
  End(19);
  EXPECT_EQ(Next(), "100 CANCELLED for 0 NONE");
}

TEST_F(DependenciesTest, AFailureIsNotEnoughWhileOthersOfTheBatchRun) {
  Wait(100, {{Ids(10, 10), Condition::kFailure}});
  End(12, TaskState::kFailed);
  EXPECT_EQ(Next(), "");
  EndAll(Ids(13, 7));
  EndAll(Ids(10, 2));
  EXPECT_EQ(Next(), "100");
}

TEST_F(DependenciesTest, ABatchThatGotMoreRowsIsOneDependency) {
  Wait(100, {{Ids(10, 10), Condition::kFailure}, {Ids(30, 5), Condition::kFailure, true}});
  Wait(101, {{Ids(10, 10), Condition::kFailure}, {Ids(30, 5), Condition::kFailure}});
  End(30, TaskState::kFailed);
  EndAll(Ids(10, 10));
  EXPECT_EQ(Next(), "101 CANCELLED for 0 NONE") << "none of the first ten failed";
  EndAll(Ids(31, 4));
  EXPECT_EQ(Next(), "100");
}

TEST_F(DependenciesTest, WhatHadEndedBeforeIsAskedForOnce) {
  tasks.End(TaskId(1), TaskState::kSucceeded);
  Wait(100, {{Ids(1)}});
  Wait(101, {{Ids(1), Condition::kFailure}});
  ASSERT_EQ(Wait(102, {{Ids(1), Condition::kAny}}), Standing::kMet) << "that it has ended is known";
  const auto asked = dependencies.TakeUnknown(100);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(Next(), "");
  dependencies.OnFound(tasks.Look(asked.front()));
  EXPECT_EQ(Next(), "100");
  EXPECT_EQ(Next(), "101 CANCELLED for 0 NONE");
}

TEST_F(DependenciesTest, OfABatchThatHalfHasEndedTheOtherHalfIsWaitedFor) {
  tasks.End(TaskId(10), TaskState::kSucceeded);
  Wait(100, {{Ids(10, 10)}});
  EndAll(Ids(11, 8));
  TellAll();
  EXPECT_EQ(Next(), "");
  End(19);
  EXPECT_EQ(Next(), "100");
}

TEST_F(DependenciesTest, TheStoresAnswerMayComeAfterTheLastEnd) {
  tasks.End(TaskId(10), TaskState::kFailed);
  Wait(100, {{Ids(10, 10)}});
  Wait(101, {{Ids(10, 10), Condition::kAny}});
  EndAll(Ids(11, 9));
  EXPECT_EQ(Next(), "101");
  EXPECT_EQ(Next(), "");
  TellAll();
  EXPECT_EQ(Next(), "100 CANCELLED for 10 FAILED");
}

// Whoever asked first was cancelled; what failed since then was not noted, for nobody waited.
TEST_F(DependenciesTest, AnAnswerToAnOlderQuestionIsNotBelieved) {
  tasks.End(TaskId(10), TaskState::kSucceeded);
  Wait(100, {{Ids(10, 10)}});
  const auto asked = dependencies.TakeUnknown(100);
  const RangeEnds old = tasks.Look(asked.front());
  dependencies.Leave(TaskId(100));
  EXPECT_EQ(dependencies.sources(), 0u);
  End(11, TaskState::kFailed);
  Wait(101, {{Ids(10, 10)}});
  dependencies.OnFound(old);
  EndAll(Ids(12, 8));
  EXPECT_EQ(Next(), "");
  TellAll();
  EXPECT_EQ(Next(), "101 CANCELLED for 11 FAILED");
}

TEST_F(DependenciesTest, WhatNobodyKnowsAnyMoreMeetsNothing) {
  Wait(100, {{Ids(99)}});
  Wait(101, {{Ids(99), Condition::kFailure}});
  for (const AskedRange& asked : dependencies.TakeUnknown(100)) dependencies.OnFound({asked, TaskId(99), TaskState::kUnknown});
  EXPECT_EQ(Next(), "100 CANCELLED for 99 UNKNOWN");
  EXPECT_EQ(Next(), "101 CANCELLED for 99 UNKNOWN");
}

TEST_F(DependenciesTest, AGroupGoesOnWithThoseThatStillWait) {
  Wait(100, {{Ids(1)}}, 3);
  dependencies.Leave(TaskId(100));  // one was cancelled
  Check();
  End(1);
  const auto decided = dependencies.TakeDecided();
  ASSERT_TRUE(decided && decided->met);
  EXPECT_EQ(decided->waiter, Ids(100, 3));
}

TEST_F(DependenciesTest, WhoeverSubmitsAndCancelsForEverLeavesNothingBehind) {
  Wait(100, {{Ids(1)}});
  for (uint64_t i = 0; i < 1000; ++i) {
    Wait(200 + i, {{Ids(1)}, {Ids(10, 10), Condition::kAny}});
    dependencies.Leave(TaskId(200 + i));
    ASSERT_EQ(dependencies.sources(), 1u);
  }
  End(1);
  EXPECT_EQ(Next(), "100");
  EXPECT_EQ(Next(), "");
}

TEST_F(DependenciesTest, WhatIsNotMetIsTold) {
  Wait(100, {{Ids(1)}, {Ids(10, 10), Condition::kFailure}, {Ids(30, 5), Condition::kFailure, true}, {Ids(2)}});
  End(1);
  End(11);
  uint64_t count = 0;
  const auto unmet = dependencies.UnmetOf(TaskId(100), 1, &count);
  EXPECT_EQ(count, 2u);
  ASSERT_EQ(unmet.size(), 1u);
  EXPECT_EQ(unmet[0].tasks, Ids(10, 10));
  EXPECT_EQ(unmet[0].count, 15u);
  EXPECT_EQ(unmet[0].open, 14u);
}

// --- Against a model.

struct Wanted {
  TaskSpecPtr spec;
  bool gone = false;
};

class Model {
 public:
  // Met, impossible, or neither, by what has ended.
  static char Judge(const Tasks& tasks, const TaskSpec& spec) {
    bool met = true;
    for (size_t i = 0; i < spec.dependencies.size();) {
      const Condition condition = spec.dependencies[i].condition;
      bool open = false, failed = false;
      do {
        const TaskRange range = spec.dependencies[i].tasks;
        for (uint64_t t = 0; t < range.count; ++t) {
          const TaskId task(range.first.value() + t);
          open |= tasks.IsOpen(task);
          failed |= !tasks.IsOpen(task) && tasks.StateOf(task) != TaskState::kSucceeded;
        }
      } while (++i < spec.dependencies.size() && spec.dependencies[i].continues);
      if (condition == Condition::kSuccess && failed) return 'x';
      if (condition == Condition::kFailure && !open && !failed) return 'x';
      met &= !open;
    }
    return met ? 'm' : '-';
  }
};

class RandomSteps : public DependenciesTest, public ::testing::WithParamInterface<uint32_t> {};

TEST_P(RandomSteps, DecideWhatTheModelDecides) {
  std::mt19937 random(GetParam());
  const auto pick = [&random](uint64_t below) { return random() % below; };
  std::vector<TaskId> open;
  for (uint64_t id = 1; id < 35; ++id) {
    if (id < 20 || id >= 30) open.emplace_back(id);
  }
  std::map<TaskId, Wanted> waiters;
  std::vector<AskedRange> asked;
  std::vector<RangeEnds> answers;
  const std::vector<TaskRange> ranges = {Ids(1), Ids(2), Ids(3), Ids(4), Ids(5), Ids(12), Ids(31), Ids(10, 10), Ids(30, 5)};
  uint64_t next = 100;
  const auto drain = [&] {
    while (const auto decided = dependencies.TakeDecided()) {
      Wanted& wanted = waiters.at(decided->waiter.first);
      ASSERT_FALSE(wanted.gone);
      ASSERT_EQ(Model::Judge(tasks, *wanted.spec), decided->met ? 'm' : 'x');
      wanted.gone = true;
      for (uint64_t i = 0; i < decided->waiter.count; ++i) dependencies.Leave(decided->waiter.first);
    }
    Check();
  };
  for (int step = 0; step < 400; ++step) {
    switch (pick(6)) {
      case 0:
      case 1: {
        std::vector<Dependency> needs;
        for (uint64_t left = 1 + pick(3); left > 0; --left) {
          needs.push_back({ranges[pick(ranges.size())], static_cast<Condition>(1 + pick(3))});
          if (pick(4) == 0) needs.push_back({ranges[pick(ranges.size())], needs.back().condition, true});
        }
        const TaskSpecPtr spec = Needing(needs);
        const uint64_t count = 1 + pick(2);
        const char before = Model::Judge(tasks, *spec);
        if (dependencies.Add(Ids(next, count), spec, tasks.open_in()) == Standing::kMet) {
          ASSERT_EQ(before, 'm');
        } else {
          for (uint64_t i = 0; i < count; ++i) dependencies.Enter(TaskId(next));
          waiters[TaskId(next)] = {spec};
        }
        next += count;
        break;
      }
      case 2: {
        if (open.empty()) break;
        const size_t index = pick(open.size());
        const TaskId task = open[index];
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(index));
        End(task.value(), pick(3) > 0 ? TaskState::kSucceeded : TaskState::kFailed);
        break;
      }
      case 3: {  // somebody cancels
        if (waiters.empty()) break;
        auto at = std::next(waiters.begin(), static_cast<std::ptrdiff_t>(pick(waiters.size())));
        if (at->second.gone || pick(3) > 0) break;
        at->second.gone = true;
        while (dependencies.Waits(at->first)) dependencies.Leave(at->first);
        break;
      }
      case 4: {  // the store looks, and its answers come in any order
        for (const AskedRange& one : dependencies.TakeUnknown(1 + pick(3))) asked.push_back(one);
        if (asked.empty()) break;
        answers.push_back(tasks.Look(asked.back()));
        asked.pop_back();
        break;
      }
      default: {
        if (answers.empty()) break;
        const size_t index = pick(answers.size());
        dependencies.OnFound(answers[index]);
        if (pick(2) == 0) dependencies.OnFound(answers[index]);
        answers.erase(answers.begin() + static_cast<std::ptrdiff_t>(index));
      }
    }
    if (pick(2) == 0) drain();
    Check();
  }
  for (const TaskId task : open) End(task.value());
  for (const AskedRange& one : asked) dependencies.OnFound(tasks.Look(one));
  for (const RangeEnds& answer : answers) dependencies.OnFound(answer);
  TellAll();
  drain();
  for (const auto& [first, wanted] : waiters) ASSERT_TRUE(wanted.gone) << first.value() << " waits for ever";
  EXPECT_EQ(dependencies.groups(), 0u);
  EXPECT_EQ(dependencies.sources(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Dependencies, RandomSteps, ::testing::Range(1u, 201u));

}  // namespace
}  // namespace muster::core
