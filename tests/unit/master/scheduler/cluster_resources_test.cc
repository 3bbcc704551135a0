// What the cluster has as a whole: who may take it, and for whom it is kept.
#include "master/scheduler/cluster_resources.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace muster::scheduler {
namespace {

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
    resources.Wait({TaskId(task), ClassId(task), OrderOf(task), amounts}, now);
    resources.CheckInvariants();
  }
  static absl::Time OrderOf(uint64_t task) { return kBegin + absl::Seconds(static_cast<int64_t>(task)); }

  ClusterResources resources{{{kMatlab, 4}, {"api", 10}}, kPatience};
  absl::Time now = kBegin;
  std::set<TaskId> stopped;
};

TEST_F(ClusterResourcesTest, NobodyTakesMoreThanIsThere) {
  resources.Start(TaskId(1), {{kMatlab, 3}});
  EXPECT_TRUE(MayStart(2, {{kMatlab, 1}}));
  EXPECT_FALSE(MayStart(2, {{kMatlab, 2}}));
  EXPECT_TRUE(MayStart(2, {{"api", 10}}));
  Wait(2, {{kMatlab, 2}});
  EXPECT_FALSE(resources.TakeChanged());
  resources.Stop(TaskId(1), {{kMatlab, 3}});
  EXPECT_TRUE(resources.TakeChanged());
  EXPECT_EQ(resources.TimesFree({{kMatlab, 2}}), 2u);
  EXPECT_EQ(resources.TimesFree({{kMatlab, 3}, {"api", 1}}), 1u);
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
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}}));
}

TEST_F(ClusterResourcesTest, AWaitForSomethingElseHoldsUpNobodyAndIsNoNewBeginning) {
  resources.Start(TaskId(1), {{kMatlab, 2}});
  Wait(2, {{kMatlab, 4}});
  now += kPatience;
  Wait(3, {{kMatlab, 1}});
  resources.StepOut({TaskId(2), ClassId(2), OrderOf(2), {{kMatlab, 4}}});
  EXPECT_TRUE(resources.TakeChanged());
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}}));
  Wait(2, {{kMatlab, 4}});
  EXPECT_EQ(KeptFor(3, {{kMatlab, 1}}), TaskId(2));
  resources.Leave(TaskId(2));
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}}));
  Wait(2, {{kMatlab, 4}});
  EXPECT_TRUE(MayStart(3, {{kMatlab, 1}})) << "it has left, and begins anew";
}

TEST_F(ClusterResourcesTest, OfThoseWhoHaveWaitedForLongTheFirstInLineHasTheClaimAlsoWhenTheyAreNotSortedOut) {
  resources.Start(TaskId(1), {{"api", 5}});
  Wait(4, {{"api", 9}});
  now += kPatience;
  resources.Ripen(now);
  Wait(3, {{"api", 8}});
  EXPECT_EQ(KeptFor(5, {{"api", 1}}), TaskId(4));
  now += kPatience;
  EXPECT_EQ(KeptFor(5, {{"api", 1}}), TaskId(3)) << "nobody has sorted it out";
  resources.Ripen(now);
  resources.CheckInvariants();
  EXPECT_EQ(KeptFor(5, {{"api", 1}}), TaskId(3));
  Wait(2, {{"api", 7}});
  EXPECT_EQ(KeptFor(5, {{"api", 1}}), TaskId(3)) << "the first one is there for a moment only";
}

TEST_F(ClusterResourcesTest, AClaimHoldsNobodyOfItsOwnClassAndTheClassWaitsForSomethingElseTogether) {
  const Amounts both{{kMatlab, 2}};
  const ClusterResources::Asker first{TaskId(2), ClassId(9), OrderOf(2), both}, mate{TaskId(3), ClassId(9), OrderOf(3), both};
  const auto yes = [](TaskId) { return true; };
  resources.Start(TaskId(1), {{kMatlab, 3}});
  resources.Wait(first, now);
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
  ASSERT_TRUE(resources.LackOf(wide, now, yes).has_value());
  resources.Wait(wide, now);
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
