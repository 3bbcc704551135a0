// Limits by key: who may start, and in which order those with a limit of 1 do; at last against a plain model.
#include "master/scheduler/key_limits.h"

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

const std::string kAnn = "user=ann";

TEST(KeyLimitsTest, AsManyRunAsTheLimitAndAHeldClassIsFreedWhenOneStops) {
  KeyLimits keys;
  keys.Start(kAnn);
  EXPECT_TRUE(keys.MayStart(kAnn, 2));
  keys.Start(kAnn);
  EXPECT_FALSE(keys.MayStart(kAnn, 2));
  EXPECT_TRUE(keys.MayStart("user=bob", 2));
  keys.Hold(kAnn, ClassId(7));
  EXPECT_THAT(keys.TakeFreed(), IsEmpty());
  keys.Stop(kAnn);
  EXPECT_TRUE(keys.MayStart(kAnn, 2));
  EXPECT_THAT(keys.TakeFreed(), ElementsAre(ClassId(7)));
  EXPECT_THAT(keys.TakeFreed(), IsEmpty());
  keys.Stop(kAnn);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(KeyLimitsTest, TheOldestIsFirstUntilSomebodyWasDispatched) {
  KeyLimits keys;
  keys.Join(kAnn, TaskId(5));
  EXPECT_EQ(keys.First(kAnn), TaskId(5));
  keys.Join(kAnn, TaskId(3));  // it had to wait for its start time
  EXPECT_EQ(keys.First(kAnn), TaskId(3));
  EXPECT_EQ(keys.SecondOldest(kAnn), TaskId(5));
  keys.Take(kAnn, TaskId(3));
  keys.Join(kAnn, TaskId(2));
  EXPECT_EQ(keys.First(kAnn), TaskId(3)) << "who was dispatched keeps the key over its retries";
  keys.Leave(kAnn, TaskId(3));
  EXPECT_EQ(keys.First(kAnn), TaskId(2));
}

TEST(KeyLimitsTest, ShowsWhoseTurnIsBefore) {
  KeyLimits keys;
  for (const uint64_t id : {2, 4, 6, 8}) keys.Join(kAnn, TaskId(id));
  const auto before = [&keys](uint64_t task, size_t limit, bool all) {
    std::vector<uint64_t> shown;
    EXPECT_EQ(keys.VisitBefore(kAnn, TaskId(task), limit, [&shown](TaskId other) { shown.push_back(other.value()); }), all);
    return shown;
  };
  EXPECT_THAT(before(6, 9, true), ElementsAre(2, 4));
  EXPECT_THAT(before(2, 9, true), IsEmpty());
  EXPECT_THAT(before(99, 3, false), ElementsAre(2, 4, 6));
  keys.Take(kAnn, TaskId(4));  // it was dispatched while the older one waited for its start time
  EXPECT_THAT(before(2, 9, true), ElementsAre(4));
  EXPECT_THAT(before(4, 9, true), IsEmpty());
  EXPECT_THAT(before(8, 9, true), ElementsAre(4, 2, 6));
  EXPECT_THAT(before(8, 1, false), ElementsAre(4));
  EXPECT_TRUE(keys.VisitBefore("user=bob", TaskId(1), 9, [](TaskId) { FAIL(); }));
}

TEST(KeyLimitsTest, OneThatLeavesWithoutItsTurnIsForgotten) {
  KeyLimits keys;
  keys.Join(kAnn, TaskId(1));
  keys.Join(kAnn, TaskId(2));
  keys.Leave(kAnn, TaskId(1));
  EXPECT_EQ(keys.First(kAnn), TaskId(2));
  keys.Leave(kAnn, TaskId(9));
  keys.Leave(kAnn, TaskId(2));
  EXPECT_EQ(keys.First(kAnn), TaskId());
  EXPECT_EQ(keys.size(), 0u);
}

struct KeyModel {
  std::map<std::string, int> running;
  std::map<std::string, std::set<uint64_t>> line;
  std::map<std::string, uint64_t> holder;
};

TEST(KeyLimitsTest, ItAgreesWithAPlainModelOverRandomSteps) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    KeyLimits keys;
    KeyModel model;
    const std::vector<std::string> names = {"a=1", "b=2", "c=3"};
    for (int step = 0; step < 1000; ++step) {
      const std::string& key = names[random() % names.size()];
      const uint64_t task = 1 + random() % 20;
      auto& line = model.line[key];
      switch (random() % 5) {
        case 0:
          keys.Start(key);
          ++model.running[key];
          break;
        case 1:
          if (model.running[key] == 0) break;
          keys.Stop(key);
          --model.running[key];
          break;
        case 2:
          keys.Join(key, TaskId(task));
          line.insert(task);
          break;
        case 3: {
          const TaskId first = keys.First(key);
          if (!first) break;
          keys.Take(key, first);
          model.holder[key] = first.value();
          break;
        }
        default:
          keys.Leave(key, TaskId(task));
          line.erase(task);
          if (model.holder[key] == task) model.holder[key] = 0;
      }
      const uint64_t first = model.holder[key] != 0 ? model.holder[key] : line.empty() ? 0 : *line.begin();
      ASSERT_EQ(keys.First(key).value(), first);
      ASSERT_EQ(keys.running(key), static_cast<uint64_t>(model.running[key]));
      keys.CheckInvariants();
    }
  }
}

}  // namespace
}  // namespace muster::scheduler
