#include "cli/backoff.h"

#include <set>

#include <gtest/gtest.h>

namespace muster::cli {
namespace {

constexpr absl::Duration kBase = absl::Milliseconds(100);
constexpr absl::Duration kCap = absl::Seconds(1);

TEST(Backoff, GrowsToItsCapAndStaysThere) {
  Backoff backoff(kBase, kCap, 1);
  absl::Duration longest;
  for (int i = 0; i < 100; ++i) {
    const absl::Duration delay = backoff.Next(absl::UnavailableError("away"));
    EXPECT_GE(delay, kBase / 2);
    EXPECT_LE(delay, kBase / 2 + kCap);
    longest = std::max(longest, delay);
  }
  EXPECT_GT(longest, kCap / 2);
  backoff.Reset();
  EXPECT_LE(backoff.Next(absl::UnavailableError("away")), kBase * 1.5);
}

TEST(Backoff, TheServersDelayIsHonouredWithALittleMoreAndNeverLess) {
  Backoff backoff(kBase, kCap, 1);
  std::set<absl::Duration> drawn;
  for (int i = 0; i < 100; ++i) {
    const absl::Duration delay = backoff.Next(RefuseForNow("QUEUE_FULL", "full", absl::Seconds(4)));
    EXPECT_GE(delay, absl::Seconds(4));
    EXPECT_LE(delay, absl::Seconds(5));
    drawn.insert(delay);
  }
  EXPECT_GT(drawn.size(), 90u) << "jitter: the refused must not come back together";
  EXPECT_LE(backoff.Next(RefuseForNow("QUEUE_FULL", "full", absl::Hours(5))), absl::Seconds(75)) << "nobody waits for ever";
}

TEST(Backoff, ManyClientsOfOneMasterDoNotComeBackTogether) {
  std::set<absl::Duration> drawn;
  for (int client = 0; client < 100; ++client) drawn.insert(Backoff(kBase, kCap).Next(absl::UnavailableError("away")));
  EXPECT_GT(drawn.size(), 90u);
}

}  // namespace
}  // namespace muster::cli
