#include "master/request_handler/pattern_check.h"

#include <gmock/gmock.h>

namespace muster::handler {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(PatternCheckTest, OneThatIsGivenAThousandTimesIsReadOnce) {
  PatternCheck patterns;
  const std::string long_one(500, 'a');
  for (int i = 0; i < 10'000; ++i) EXPECT_THAT(patterns.WhyWrong(long_one), IsEmpty());
  for (int i = 0; i < 10'000; ++i) EXPECT_THAT(patterns.WhyWrong("("), HasSubstr("is no regular expression"));
}

TEST(PatternCheckTest, AThousandDifferentOrdinaryOnesAreTakenAndTheCostOfACallIsBounded) {
  PatternCheck ordinary;
  for (int i = 0; i < 1024; ++i) EXPECT_THAT(ordinary.WhyWrong("^all " + std::to_string(i) + " tests passed$"), IsEmpty());
  PatternCheck costly;
  int taken = 0;
  const std::string classes = [] {
    std::string all;
    for (int i = 0; i < 160; ++i) all += "\\pL";
    return all;
  }();
  while (taken < 100 && costly.WhyWrong(classes + std::to_string(taken)).find("too many different") == std::string::npos) ++taken;
  EXPECT_LE(taken, 8);
  EXPECT_THAT(costly.WhyWrong("x"), IsEmpty()) << "what fits is still taken";
}

}  // namespace
}  // namespace muster::handler
