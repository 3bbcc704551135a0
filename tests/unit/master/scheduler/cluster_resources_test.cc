// What the cluster has as a whole: who may take it, for whom it is kept; at last random histories against the contract.
#include "master/scheduler/cluster_resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace muster::scheduler {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Amounts = ClusterResources::Amounts;
using Lack = ClusterResources::Lack;

constexpr absl::Time kBegin = absl::FromUnixSeconds(1'700'000'000);
constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr char kMatlab[] = "license.matlab";

class ClusterResourcesTest : public ::testing::Test {
 protected:
  // Tasks stand in the order of their ids.
  std::optional<Lack> LackOf(uint64_t task, const Amounts& amounts) {
    return resources.LackOf({TaskId(task), ClassId(task), OrderOf(task), amounts}, now, [this](TaskId id) { return !stopped.contains(id); });
  }
  bool MayStart(uint64_t task, const Amounts& amounts) { return !LackOf(task, amounts).has_value(); }
  TaskId KeptFor(uint64_t task, const Amounts& amounts) {
    const auto lack = LackOf(task, amounts);
    return lack.has_value() ? lack->kept_for : TaskId();
  }
  void Wait(uint64_t task, const Amounts& amounts) {
    resources.Wait({TaskId(task), ClassId(task), OrderOf(task), amounts}, LackOf(task, amounts).value_or(Lack{}), now);
    resources.CheckInvariants();
  }
  static absl::Time OrderOf(uint64_t task) { return kBegin + absl::Seconds(static_cast<int64_t>(task)); }

  ClusterResources resources{{{kMatlab, 4}, {"api", 10}}, kPatience};
  absl::Time now = kBegin;
  std::set<TaskId> stopped;
};

TEST_F(ClusterResourcesTest, NobodyTakesMoreThanIsThereAndAHeldClassIsFreedWhenOneStops) {
  resources.Start(TaskId(1), {{kMatlab, 3}});
  EXPECT_TRUE(MayStart(2, {{kMatlab, 1}}));
  EXPECT_FALSE(MayStart(2, {{kMatlab, 2}}));
  EXPECT_TRUE(MayStart(2, {{"api", 10}}));
  Wait(2, {{kMatlab, 2}});
  EXPECT_THAT(resources.TakeFreed(), IsEmpty());
  resources.Stop(TaskId(1), {{kMatlab, 3}});
  EXPECT_THAT(resources.TakeFreed(), ElementsAre(ClassId(2)));
  EXPECT_TRUE(MayStart(2, {{kMatlab, 2}}));
  resources.CheckInvariants();
}

TEST_F(ClusterResourcesTest, AfterARestartWithLessNothingStartsUntilEnoughHasEnded) {
  resources.Start(TaskId(1), {{kMatlab, 3}});
  resources.Start(TaskId(2), {{kMatlab, 3}});
  EXPECT_EQ(resources.StatusOf(kMatlab).used, 6);
  EXPECT_FALSE(MayStart(3, {{kMatlab, 1}}));
  resources.Stop(TaskId(1), {{kMatlab, 3}});
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}}));
}

TEST_F(ClusterResourcesTest, WhatIsFreeIsKeptForAWideOneThatHasWaitedLongEnough) {
  resources.Start(TaskId(1), {{kMatlab, 2}});
  Wait(2, {{kMatlab, 4}});
  now += kPatience - absl::Seconds(1);
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}})) << "it has not waited for long yet";
  now += absl::Seconds(1);
  EXPECT_EQ(KeptFor(3, {{kMatlab, 1}}), TaskId(2));
  EXPECT_TRUE(MayStart(1, {{kMatlab, 1}})) << "who is before it in line takes as before";
  EXPECT_TRUE(MayStart(3, {{"api", 1}}));
}

TEST_F(ClusterResourcesTest, WhoComesAfterItTakesWhatItCanDoWithout) {
  resources.Start(TaskId(1), {{"api", 7}});
  Wait(2, {{"api", 2}, {kMatlab, 5}});  // never: it has no claim
  Wait(3, {{"api", 4}});
  now += kPatience;
  EXPECT_EQ(KeptFor(4, {{"api", 1}}), TaskId(3));
  resources.Stop(TaskId(1), {{"api", 7}});
  EXPECT_TRUE(MayStart(4, {{"api", 6}}));
  EXPECT_EQ(KeptFor(4, {{"api", 7}}), TaskId(3));
}

TEST_F(ClusterResourcesTest, OneThatCouldNotStartAnywayHasNoClaim) {
  resources.Start(TaskId(1), {{kMatlab, 2}});
  Wait(2, {{kMatlab, 4}});
  now += kPatience;
  Wait(3, {{kMatlab, 1}});
  stopped.insert(TaskId(2));
  EXPECT_TRUE(resources.LookAgain());
  EXPECT_FALSE(resources.LookAgain());
  EXPECT_THAT(resources.TakeFreed(), ElementsAre(ClassId(3)));
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}}));
}

TEST_F(ClusterResourcesTest, AWaitForSomethingElseFreesTheOthersAndIsNoNewBeginning) {
  resources.Start(TaskId(1), {{kMatlab, 2}});
  Wait(2, {{kMatlab, 4}});
  now += kPatience;
  Wait(3, {{kMatlab, 1}});
  resources.StepOut({TaskId(2), ClassId(2), OrderOf(2), {{kMatlab, 4}}});
  EXPECT_THAT(resources.TakeFreed(), ElementsAre(ClassId(2), ClassId(3)));
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}}));
  Wait(2, {{kMatlab, 4}});
  EXPECT_EQ(KeptFor(3, {{kMatlab, 1}}), TaskId(2));
  resources.Leave(TaskId(2));
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}}));
  Wait(2, {{kMatlab, 4}});
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}})) << "it has left, and begins anew";
}

TEST_F(ClusterResourcesTest, AClaimHoldsNobodyOfItsOwnClassAndTheClassWaitsForSomethingElseTogether) {
  const Amounts both{{kMatlab, 2}};
  const ClusterResources::Asker first{TaskId(2), ClassId(9), OrderOf(2), both}, mate{TaskId(3), ClassId(9), OrderOf(3), both};
  const auto yes = [](TaskId) { return true; };
  resources.Start(TaskId(1), {{kMatlab, 3}});
  resources.Wait(first, *resources.LackOf(first, now, yes), now);
  now += kPatience;
  resources.Stop(TaskId(1), {{kMatlab, 3}});
  resources.Start(TaskId(7), {{kMatlab, 1}});
  EXPECT_EQ(KeptFor(4, {{kMatlab, 2}}), TaskId(2));
  EXPECT_FALSE(resources.LackOf(mate, now, yes).has_value()) << "or nobody would start: its queue may have the next turn";
  resources.StepOut(mate);
  EXPECT_TRUE(MayStart(4, {{kMatlab, 2}})) << "no worker has room for the class";
}

TEST_F(ClusterResourcesTest, MoreThanThereEverIsIsSaidAndHoldsUpNobody) {
  const auto never = resources.NeverEnough({{"api", 10}, {kMatlab, 5}});
  ASSERT_TRUE(never.has_value());
  EXPECT_EQ(never->name, kMatlab);
  EXPECT_EQ(never->total, 4);
  EXPECT_FALSE(resources.NeverEnough({{"api", 10}, {kMatlab, 4}}).has_value());
  Wait(1, {{kMatlab, 5}});
  now += absl::Hours(1);
  EXPECT_TRUE(MayStart(2, {{kMatlab, 4}}));
}

// Tasks that want this and that come, start, end and find no worker at random, and are looked at again when they are freed.
// Never more is taken than there is, and everybody starts in the end.
TEST(ClusterResourcesProperty, NeverMoreThanThereIsAndNobodyStarves) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const auto below = [&random](uint64_t bound) { return std::uniform_int_distribution<uint64_t>(0, bound - 1)(random); };
    ClusterResources resources({{"a", 4}, {"b", 3}}, kPatience);
    absl::Time now = kBegin;
    std::map<TaskId, Amounts> queued, running;
    std::map<TaskId, absl::Time> orders;
    std::set<TaskId> parked;  // had all that they ask for, but no worker had room
    uint64_t next = 1;
    const auto look = [&](TaskId task) {
      const Amounts amounts = queued.at(task);
      parked.erase(task);
      const ClusterResources::Asker asker{task, ClassId(task.value()), orders.at(task), amounts};
      const auto lack = resources.LackOf(asker, now, [](TaskId) { return true; });
      if (lack.has_value()) return resources.Wait(asker, *lack, now);
      if (below(20) == 0) {
        parked.insert(task);
        return resources.StepOut(asker);
      }
      resources.Leave(task);
      resources.Start(task, amounts);
      running[task] = amounts;
      queued.erase(task);
    };
    const auto look_at_freed = [&] {
      for (auto freed = resources.TakeFreed(); !freed.empty(); freed = resources.TakeFreed()) {
        for (const ClassId cls : freed) {
          if (queued.contains(TaskId(cls.value()))) look(TaskId(cls.value()));
        }
      }
    };
    const auto check = [&] {
      resources.CheckInvariants();
      for (const auto& status : resources.All()) ASSERT_LE(status.used, status.total);
    };
    for (int step = 0; step < 400; ++step) {
      now += absl::Milliseconds(static_cast<int64_t>(below(2'000)));
      if (running.empty() || below(3) > 0) {
        const TaskId task(next++);
        Amounts amounts;
        const int64_t most = below(8) == 0 ? 4 : 1;  // few are wide
        if (below(2) == 0) amounts.emplace_back("a", 1 + static_cast<int64_t>(below(static_cast<uint64_t>(most))));
        if (amounts.empty() || below(3) == 0) amounts.emplace_back("b", 1 + static_cast<int64_t>(below(static_cast<uint64_t>(std::min<int64_t>(most, 3)))));
        queued[task] = amounts;
        orders[task] = now - absl::Seconds(5) * static_cast<int64_t>(below(3));
        look(task);
      } else {
        const auto ends = std::next(running.begin(), static_cast<std::ptrdiff_t>(below(running.size())));
        resources.Stop(ends->first, ends->second);
        running.erase(ends);
      }
      look_at_freed();
      check();
    }
    for (int rounds = 0; !queued.empty() || !running.empty(); ++rounds) {
      ASSERT_LT(rounds, 10'000) << queued.size() << " still wait";
      now += absl::Seconds(1);
      if (!running.empty()) {
        resources.Stop(running.begin()->first, running.begin()->second);
        running.erase(running.begin());
      } else {
        ASSERT_FALSE(parked.empty()) << "nothing wakes who waits";
        look(*parked.begin());  // room has come
      }
      look_at_freed();
      check();
    }
  }
}

// Two licences; short tasks of one each come without an end and always find a free one. One that wants both starts when it has
// waited for as long as it must, and what runs then has ended.
TEST(ClusterResourcesProperty, AStreamOfNarrowOnesDoesNotStarveAWideOne) {
  ClusterResources resources({{kMatlab, 2}}, kPatience);
  const Amounts one{{kMatlab, 1}}, both{{kMatlab, 2}};
  const auto yes = [](TaskId) { return true; };
  resources.Start(TaskId(1), one);
  resources.Start(TaskId(2), one);
  absl::Time now = kBegin;
  const ClusterResources::Asker wide{TaskId(3), ClassId(3), now, both};
  const auto lack = resources.LackOf(wide, now, yes);
  ASSERT_TRUE(lack.has_value());
  resources.Wait(wide, *lack, now);
  std::vector<TaskId> running{TaskId(1), TaskId(2)};
  for (uint64_t id = 4;; ++id) {
    now += absl::Seconds(1);
    ASSERT_FALSE(running.empty());
    resources.Stop(running.front(), one);
    running.erase(running.begin());
    const ClusterResources::Asker narrow{TaskId(id), ClassId(1), now, one};
    if (!resources.LackOf(wide, now, yes).has_value()) break;
    if (resources.LackOf(narrow, now, yes).has_value()) continue;
    resources.Start(narrow.task, one);
    running.push_back(narrow.task);
  }
  EXPECT_LE(now - kBegin, kPatience + absl::Seconds(2));
}

}  // namespace
}  // namespace muster::scheduler
