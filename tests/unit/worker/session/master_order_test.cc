#include "worker/session/master_order.h"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

TEST(MasterOrder, AnOlderMasterOfTheSameClusterCountsForNothing) {
  MasterOrder order;
  EXPECT_TRUE(order.Join("a", Epoch(5)).ok());
  EXPECT_TRUE(order.Answer(Epoch(5)).ok());
  EXPECT_EQ(ReasonOf(order.Answer(Epoch(4))), "OLDER_MASTER");
  EXPECT_EQ(ReasonOf(order.Join("a", Epoch(4))), "OLDER_MASTER");
  EXPECT_TRUE(order.Answer(Epoch(5)).ok()) << "what was refused changed nothing";
  EXPECT_TRUE(order.Join("a", Epoch(6)).ok());
  EXPECT_FALSE(order.Answer(Epoch(5)).ok());
}

TEST(MasterOrder, AnotherClusterCountsItsEpochsAnew) {
  MasterOrder order;
  EXPECT_TRUE(order.Join("a", Epoch(5)).ok());
  EXPECT_TRUE(order.Join("b", Epoch(1)).ok());
  EXPECT_TRUE(order.Answer(Epoch(1)).ok());
}

}  // namespace
}  // namespace muster::worker
