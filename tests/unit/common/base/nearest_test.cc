#include "common/base/nearest.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(NearestTest, ALetterPutInTakenOutOrChangedIsOneChange) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance("run", "runs"), 1u);
  EXPECT_EQ(EditDistance("run", "ru"), 1u);
  EXPECT_EQ(EditDistance("run", "rum"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

TEST(NearestTest, TheFirstOfTheNearestIsNamedAndNoneThatIsTooFar) {
  EXPECT_EQ(NearestOf("JUM", {"JAN", "JUN", "JUL"}, 2), 1u);
  EXPECT_EQ(NearestOf("JUX", {"JAN", "JUN", "JUL"}, 2), 1u);
  EXPECT_EQ(NearestOf("JUL", {"JAN", "JUN", "JUL"}, 2), 2u);
  EXPECT_EQ(NearestOf("XYZ", {"JAN", "JUN"}, 2), std::nullopt);
  EXPECT_EQ(NearestOf("JAN", {}, 2), std::nullopt);
}

}  // namespace
}  // namespace muster
