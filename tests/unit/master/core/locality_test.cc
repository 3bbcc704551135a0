// The balancer `locality` in the core: what it learns from the ends of attempts, and over restarts.
#include <gtest/gtest.h>

#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using testing::Spec;
using testing::TestCluster;

CoreConfig WithLocality() {
  CoreConfig config;
  config.placement.balancer = BalancerKind::kLocality;
  config.prefetch_limit = 0;
  return config;
}

TaskSpecPtr Kind(uint64_t fingerprint) {
  return Spec([fingerprint](TaskSpec& spec) { spec.fingerprint = fingerprint; });
}

class LocalityInTheCoreTest : public ::testing::Test {
 protected:
  void JoinAll() {
    for (const char* worker : {"a", "b", "c"}) cluster_.Join(worker, 1);
  }
  std::string Run(uint64_t fingerprint, int code = 0) {
    const TaskId task = cluster_.Submit(Kind(fingerprint));
    std::string worker = cluster_.WorkerOf(task);
    cluster_.Exit(task, code);
    return worker;
  }

  TestCluster cluster_{WithLocality()};
};

TEST_F(LocalityInTheCoreTest, EachKindReturnsToItsOwnWorker) {
  JoinAll();
  const TaskId there = cluster_.Submit(Kind(1));
  EXPECT_EQ(Run(2), "b");
  cluster_.Exit(there, 0);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Run(1), "a");
    EXPECT_EQ(Run(2), "b");
  }
}

TEST_F(LocalityInTheCoreTest, AFailureSendsTheNextOneElsewhere) {
  JoinAll();
  EXPECT_EQ(Run(1), "a");
  EXPECT_EQ(Run(1, 1), "a");
  const TaskId there = cluster_.Submit(Kind(2));
  EXPECT_EQ(cluster_.WorkerOf(there), "a");
  EXPECT_EQ(Run(1), "b");
  cluster_.Exit(there, 0);
  EXPECT_EQ(Run(1), "b");
}

TEST_F(LocalityInTheCoreTest, WhereAKindRanMostIsKnownAfterARestart) {
  JoinAll();
  const TaskId on_a = cluster_.Submit(Kind(2));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Run(1), "b");
  cluster_.Exit(on_a, 0);
  cluster_.AdvanceBeating(absl::Seconds(12), {"a", "b", "c"});  // what was learned is stored with a commit
  EXPECT_EQ(Run(1), "b");
  cluster_.Restart(WithLocality());
  JoinAll();
  EXPECT_EQ(Run(1), "b");
  EXPECT_EQ(Run(3), "a");
}

}  // namespace
}  // namespace muster::core
