#include "worker/execution/output_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace muster::execution {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(OutputCheckTest, TheLineThatIsWantedEndsTheLooking) {
  OutputCheck check("^done$");
  check.Feed(0, "begin\ndo");
  check.Feed(1, "something else\n");
  check.Feed(0, "ne\n");
  EXPECT_THAT(check.Close(), IsEmpty());
  OutputCheck other("^done$");
  other.Feed(0, "do\n");
  EXPECT_EQ(other.Close(), "no line of its output matches ^done$");
}

TEST(OutputCheckTest, APatternThatIsSlowIsGivenUpAndSaysSo) {
  // Which of the last 900 letters were an a is what it would have to remember.
  OutputCheck check("a[ab]{900}c");
  std::mt19937 random(1);
  std::string line;
  while (line.size() < 2 * OutputPattern::kLongestLine) line += "ab"[random() % 2];
  for (int i = 0; i < 4000; ++i) check.Feed(0, line);  // 128 MB: minutes, were it all looked at
  const std::string why = check.Close();
  EXPECT_THAT(why, HasSubstr("its pattern takes too long"));
  EXPECT_THAT(why, HasSubstr("simplify a[ab]{900}c"));
}

TEST(OutputCheckTest, AnOrdinaryOneMayLookAtVeryMuch) {
  OutputCheck check("^all [0-9]+ tests passed$");
  const std::string lines = [] {
    std::string text;
    while (text.size() < 60'000) text += "running a test whose name is long enough to be a usual line of output\n";
    return text;
  }();
  for (int i = 0; i < 2000; ++i) check.Feed(0, lines);  // 120 MB
  check.Feed(0, "all 12 tests passed\n");
  EXPECT_THAT(check.Close(), IsEmpty());
}

TEST(OutputCheckTest, APatternThatCannotBeReadIsFoundNowhere) {
  OutputCheck check("(");
  check.Feed(0, "(\n");
  EXPECT_EQ(check.Close(), "no line of its output matches (");
}

}  // namespace
}  // namespace muster::execution
