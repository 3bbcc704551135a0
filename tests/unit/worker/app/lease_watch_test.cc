#include "worker/app/lease_watch.h"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(LeaseWatchTest, AServerThatDoesNotFenceIsKilledWhenItsPatienceIsOver) {
  LeaseWatch watch;
  EXPECT_FALSE(watch.MustKill(9 * kSecond, 10 * kSecond, 1, 2 * kSecond));
  EXPECT_FALSE(watch.MustKill(11 * kSecond, 10 * kSecond, 1, 2 * kSecond));
  EXPECT_FALSE(watch.MustKill(12 * kSecond, 10 * kSecond, 1, 2 * kSecond));
  EXPECT_TRUE(watch.MustKill(13 * kSecond, 10 * kSecond, 1, 2 * kSecond));
}

TEST(LeaseWatchTest, ALeaseThatIsExtendedInTheLastMomentSavesIt) {
  LeaseWatch watch;
  EXPECT_FALSE(watch.MustKill(11 * kSecond, 10 * kSecond, 1, 2 * kSecond));
  EXPECT_FALSE(watch.MustKill(12 * kSecond, 20 * kSecond, 1, 2 * kSecond));
  EXPECT_FALSE(watch.MustKill(21 * kSecond, 20 * kSecond, 1, 2 * kSecond)) << "its patience begins anew";
  EXPECT_TRUE(watch.MustKill(23 * kSecond, 20 * kSecond, 1, 2 * kSecond));
}

TEST(LeaseWatchTest, WithoutAFencedAttemptTheLeaseMeansNothing) {
  LeaseWatch watch;
  EXPECT_FALSE(watch.MustKill(11 * kSecond, 10 * kSecond, 0, 2 * kSecond));
  EXPECT_FALSE(watch.MustKill(99 * kSecond, 10 * kSecond, 0, 2 * kSecond));
  EXPECT_FALSE(watch.MustKill(100 * kSecond, 10 * kSecond, 1, 2 * kSecond)) << "the server may still end it";
  EXPECT_TRUE(watch.MustKill(102 * kSecond, 10 * kSecond, 1, 2 * kSecond));
}

}  // namespace
}  // namespace muster::worker
