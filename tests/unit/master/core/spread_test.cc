// Tasks that are spread are counted where they are, as long as they are there.
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Spec;
using testing::TestCluster;

TaskSpecPtr Spread(OnWorkerLoss mode = OnWorkerLoss::kRerun) {
  return Spec([mode](TaskSpec& spec) {
    spec.fingerprint = 7;
    spec.on_worker_loss = mode;
    spec.requirements.arrangement = Arrangement::kSpread;
  });
}

class SpreadTest : public ::testing::Test {
 protected:
  SpreadTest() {
    for (const char* name : {"a", "b", "c"}) cluster.Join(name, 8);
  }
  std::string PlaceOne() {
    const std::string worker = cluster.WorkerOf(cluster.Submit(Spread()));
    cluster.core().CheckInvariants();
    return worker;
  }

  TestCluster cluster;
};

TEST_F(SpreadTest, EachOfThreeIsOnAWorkerOfItsOwnThoughOneIsBusy) {
  for (int i = 0; i < 7; ++i) cluster.Submit(Spec([](TaskSpec& spec) { spec.requirements.resources.slots = 2; }));
  EXPECT_EQ((std::set<std::string>{PlaceOne(), PlaceOne(), PlaceOne()}), (std::set<std::string>{"a", "b", "c"}));
}

TEST_F(SpreadTest, WhatHasEndedIsNotCounted) {
  const TaskId wide = cluster.Submit(Spec([](TaskSpec& spec) { spec.requirements.resources.slots = 4; }));
  PlaceOne();
  PlaceOne();
  const TaskId third = cluster.Submit(Spread());
  ASSERT_EQ(cluster.WorkerOf(third), cluster.WorkerOf(wide)) << "the busiest, but it has none of them";
  cluster.Exit(third, 0);
  EXPECT_EQ(PlaceOne(), cluster.WorkerOf(wide)) << "again it has none";
}

TEST_F(SpreadTest, WhatRunsThroughARestartOfTheMasterIsCounted) {
  const TaskId first = cluster.Submit(Spread());
  const TaskId second = cluster.Submit(Spread());
  cluster.Started(first);
  cluster.Started(second);
  std::set<std::string> workers = {cluster.WorkerOf(first), cluster.WorkerOf(second)};
  ASSERT_EQ(workers.size(), 2u);
  std::map<std::string, std::vector<HeldAttempt>> held;
  for (const TaskId task : {first, second}) held[cluster.WorkerOf(task)] = {{cluster.KeyOf(task), HeldAttempt::Phase::kRunning}};
  cluster.Restart();
  for (const char* name : {"a", "b", "c"}) cluster.Join(name, 8, held[name]);
  workers.insert(PlaceOne());
  EXPECT_EQ(workers.size(), 3u);
}

TEST_F(SpreadTest, WhatIsLostWithItsWorkerIsNotCountedThere) {
  const TaskId first = cluster.Submit(Spread());
  const std::string worker = cluster.WorkerOf(first);
  cluster.Started(first);
  cluster.Reincarnate(worker);
  cluster.core().CheckInvariants();
  EXPECT_NE(cluster.StateOf(first), TaskState::kRunning);
}

}  // namespace
}  // namespace muster::core
