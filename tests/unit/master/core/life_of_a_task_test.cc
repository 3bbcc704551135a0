// The plain path, and what the effects of each step must say.
#include <gtest/gtest.h>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Report;
using testing::Spec;
using testing::TestCluster;

TEST(LifeOfATask, OneStepAcceptsAndDispatchesByOneCommit) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  EXPECT_EQ(cluster.transaction().specifications.size(), 1u);
  EXPECT_EQ(cluster.transaction().attempts.size(), 1u);
  const auto assigned = cluster.Seen<Assign>();
  ASSERT_EQ(assigned.size(), 1u);
  EXPECT_EQ(assigned[0].key, (AttemptKey{task, AttemptNumber(1)}));
  EXPECT_EQ(assigned[0].session, cluster.worker("a").session);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
}

TEST(LifeOfATask, AResultIsAcknowledgedByTheTurnThatMakesItDurable) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId task = cluster.Submit(Spec());
  cluster.Started(task);
  EXPECT_FALSE(cluster.transaction().NeedsSync()) << "a start is not worth a sync";
  cluster.Exit(task, 0);
  ASSERT_EQ(cluster.transaction().outcomes.size(), 1u);
  EXPECT_EQ(cluster.Seen<Acknowledge>().size(), 1u);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kSucceeded);
  EXPECT_FALSE(cluster.core().IsOpen(task));
}

TEST(LifeOfATask, TheEndAndTheDispatchThatTakesItsSlotShareACommit) {
  TestCluster cluster;
  cluster.Join("a", 1);
  const TaskId first = cluster.Submit(Spec());
  const TaskId second = cluster.Submit(Spec());
  EXPECT_EQ(cluster.StateOf(second), TaskState::kQueued);
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.transaction().outcomes.size(), 1u);
  EXPECT_EQ(cluster.transaction().attempts.size(), 1u);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kDispatched);
}

}  // namespace
}  // namespace muster::core
