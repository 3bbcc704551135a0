// What a round looks at again, and what it leaves alone.
#include "master/core/placing.h"

#include <gtest/gtest.h>

#include "tests/unit/master/core/cluster_by_hand.h"

namespace muster::core {
namespace {

using muster::testing::Spec;

class PlacingTest : public ::testing::Test {
 protected:
  // b's only slot is taken, a has one left, and a task that a failed waits for b.
  PlacingTest() {
    b_ = hand_.AddWorker("b", 1);
    in_the_way_ = hand_.AddTask(Spec());
    placing_.Round(hand_.turn());
    a_ = hand_.AddWorker("a", 1);
    avoiding_ = hand_.AddTask(Spec(), a_);
    placing_.Round(hand_.turn());
    EXPECT_EQ(hand_.WorkerOf(in_the_way_), b_);
    EXPECT_FALSE(hand_.WorkerOf(avoiding_));
  }

  testing::ClusterByHand hand_;
  Dispatching dispatching_{&hand_.cluster, &hand_.transitions};
  Prefetch prefetch_{&hand_.cluster, &dispatching_};
  Placing placing_{&hand_.cluster, &hand_.transitions, &dispatching_, &prefetch_};
  WorkerId a_, b_;
  TaskId in_the_way_, avoiding_;
};

TEST_F(PlacingTest, ATaskThatAvoidsAWorkerIsNotLookedAtForWhatChangesNothingForIt) {
  const uint64_t before = hand_.cluster.balancer.looked_at();
  hand_.cluster.touched = {a_, b_};
  placing_.Round(hand_.turn());
  EXPECT_EQ(hand_.cluster.balancer.looked_at(), before);
}

TEST_F(PlacingTest, ATaskThatAvoidsAWorkerTakesTheRoomThatAppearsElsewhere) {
  hand_.Succeed(in_the_way_);
  placing_.Round(hand_.turn());
  EXPECT_EQ(hand_.WorkerOf(avoiding_), b_);
}

TEST_F(PlacingTest, ATaskThatAvoidsAWorkerTakesItAfterAllWhenTheOthersTakeNothing) {
  hand_.cluster.workers.SetDraining(b_, true, "by hand");
  hand_.Changed(b_);
  placing_.Round(hand_.turn());
  EXPECT_EQ(hand_.WorkerOf(avoiding_), a_);
}

TEST(PlacingOfManyClassesTest, OneFreedSlotGoesToTheFirstInLineThatFitsAndTwoToTheWideOneBeforeIt) {
  testing::ClusterByHand hand;
  Dispatching dispatching{&hand.cluster, &hand.transitions};
  Prefetch prefetch{&hand.cluster, &dispatching};
  Placing placing{&hand.cluster, &hand.transitions, &dispatching, &prefetch};
  const WorkerId worker = hand.AddWorker("a", 2);
  const TaskId first = hand.AddTask(Spec()), second = hand.AddTask(Spec());
  placing.Round(hand.turn());
  const auto with = [](uint32_t slots, int64_t memory) {
    auto spec = std::make_shared<TaskSpec>(*Spec());
    spec->requirements.resources.slots = slots;
    spec->requirements.resources.memory_bytes = memory;
    return spec;
  };
  const TaskId wide = hand.AddTask(with(2, 0));
  std::vector<TaskId> narrow;
  for (int64_t kind = 1; kind <= 1000; ++kind) narrow.push_back(hand.AddTask(with(1, kind)));
  placing.Round(hand.turn());
  hand.Succeed(first);
  placing.Round(hand.turn());
  EXPECT_EQ(hand.WorkerOf(narrow[0]), worker);
  hand.Succeed(second);
  hand.Succeed(narrow[0]);
  placing.Round(hand.turn());
  EXPECT_EQ(hand.WorkerOf(wide), worker);
  EXPECT_FALSE(hand.WorkerOf(narrow[1]));
}

}  // namespace
}  // namespace muster::core
