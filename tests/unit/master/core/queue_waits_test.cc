#include "master/core/queue_waits.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/master/core/cluster_by_hand.h"

namespace muster::core {
namespace {

using muster::testing::Spec;
using muster::testing::TestCluster;

Requirements Gpu() {
  Requirements gpu = Spec()->requirements;
  gpu.needs = {{"gpu", "", false}};
  return gpu;
}

TEST(QueueWaits, APageOfWaitingTasksCostsOneLookAtTheWorkersPerKind) {
  testing::ClusterByHand hand;
  for (int i = 0; i < 100; ++i) {
    const WorkerId worker = hand.AddWorker(absl::StrCat("w", i), 2);
    hand.cluster.workers.Adopt(worker, {.slots = 2});
  }
  QueueWaits waits;
  const Requirements command = Spec()->requirements;
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(waits.Of(hand.cluster, command).used, 200u);
    EXPECT_EQ(waits.Of(hand.cluster, command).slots, 200u);
    EXPECT_EQ(waits.Of(hand.cluster, Gpu()).infeasible, "no worker has label gpu");
  }
  EXPECT_EQ(hand.cluster.balancer.explained(), 2u);
  waits.Clear();
  waits.Of(hand.cluster, command);
  EXPECT_EQ(hand.cluster.balancer.explained(), 3u);
}

TEST(QueueWaits, WhatIsShownIsOfThisTurn) {
  TestCluster cluster;
  cluster.Join("a", 1);
  cluster.Submit(Spec());
  const TaskId waiting = cluster.Submit(Spec());
  EXPECT_EQ(cluster.ReasonOf(waiting), "waits for a free slot: 1 of 1 busy");
  cluster.Join("b", 1);
  const TaskId third = cluster.Submit(Spec());
  EXPECT_EQ(cluster.ReasonOf(third), "waits for a free slot: 2 of 2 busy");
  cluster.CloseSession("a");
  cluster.CloseSession("b");
  EXPECT_EQ(cluster.ReasonOf(third), "waits: worker a is SUSPECT: no session");
}

}  // namespace
}  // namespace muster::core
