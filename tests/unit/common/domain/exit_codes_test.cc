#include "common/domain/exit_codes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ExitCodesTest, AListIsReadInAnyOrderAndNamesEachCodeOnce) {
  EXPECT_THAT(*ParseExitCodes("75,1,100-102,101"), ElementsAre(1, 75, 100, 101, 102));
  EXPECT_THAT(*ParseExitCodes("0,255"), ElementsAre(0, 255));
}

TEST(ExitCodesTest, WhatIsNoCodeIsNamed) {
  for (const std::string text : {"", "x", "256", "-1", "3-1", "1-2-3", "1,,2", "0x10", "99999999999999999999"}) {
    EXPECT_THAT(std::string(ParseExitCodes(text).status().message()), HasSubstr("is no exit code")) << text;
  }
  EXPECT_THAT(std::string(ParseExitCodes("1,300").status().message()), HasSubstr("'300'"));
}

TEST(ExitCodesTest, WhatIsWrittenIsReadBack) {
  for (const std::string text : {"0", "1,75", "1,2", "1-3", "1-3,75,100-110,255"}) {
    EXPECT_EQ(ExitCodesText(*ParseExitCodes(text)), text);
  }
  EXPECT_EQ(ExitCodesText({}), "");
}

TEST(ExitCodesTest, ACodeInBothListsIsFoundWhateverTheirOrder) {
  EXPECT_EQ(CodeInBoth({9, 75, 3}, {75, 3}), 3);
  EXPECT_EQ(CodeInBoth({1, 2}, {3}), std::nullopt);
}

}  // namespace
}  // namespace muster
