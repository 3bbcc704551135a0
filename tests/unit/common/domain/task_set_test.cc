#include "common/domain/task_set.h"

#include <limits>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TaskSetTest, NeighboursBecomeOneRange) {
  TaskSet set;
  for (const uint64_t id : {5, 7, 6, 9, 8, 6}) set.Add(TaskId(id));
  EXPECT_EQ(set.range_count(), 1u);
  EXPECT_THAT(set.Missing({TaskId(4), 8}), ElementsAre(TaskRange{TaskId(4), 1}, TaskRange{TaskId(10), 2}));
  EXPECT_THAT(set.Missing({TaskId(5), 5}), IsEmpty());
}

TEST(TaskSetTest, EmptyAndEndlessRangesAreHarmless) {
  TaskSet set;
  set.Add({TaskId(3), 0});
  EXPECT_EQ(set.range_count(), 0u);
  set.Add({TaskId(10), std::numeric_limits<uint64_t>::max()});
  EXPECT_TRUE(set.Contains(TaskId(1'000'000)));
  EXPECT_THAT(set.Missing({TaskId(8), 100}), ElementsAre(TaskRange{TaskId(8), 2}));
}

TEST(TaskSetTest, IsTheSetOfItsIdsWhateverTheOrder) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](uint64_t bound) { return random() % bound; };
    TaskSet set;
    std::set<uint64_t> model;
    for (int step = 0; step < 60; ++step) {
      const TaskRange range{TaskId(1 + below(100)), below(9)};
      uint64_t missing = 0;
      for (const TaskRange& part : set.Missing(range)) {
        for (uint64_t i = 0; i < part.count; ++i, ++missing) ASSERT_FALSE(model.contains(part.first.value() + i)) << "seed " << seed;
      }
      for (uint64_t i = 0; i < range.count; ++i) missing -= model.insert(range.first.value() + i).second ? 1 : 0;
      ASSERT_EQ(missing, 0u) << "seed " << seed;
      set.Add(range);
      for (uint64_t id = 1; id <= 110; ++id) ASSERT_EQ(set.Contains(TaskId(id)), model.contains(id)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace muster
