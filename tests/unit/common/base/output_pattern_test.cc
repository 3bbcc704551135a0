#include "common/base/output_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace muster {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<OutputPattern> Pattern(const std::string& text) {
  auto pattern = OutputPattern::Compile(text);
  EXPECT_TRUE(pattern.ok()) << pattern.status();
  return *std::move(pattern);
}

bool Finds(const std::string& pattern, const std::string& output) {
  const auto compiled = Pattern(pattern);
  compiled->Feed(0, output);
  compiled->Close();
  return compiled->found();
}

TEST(OutputPatternTest, ItLooksAtOneLineAfterTheOther) {
  EXPECT_TRUE(Finds("^all \\d+ tests passed$", "begin\nall 12 tests passed\nend\n"));
  EXPECT_TRUE(Finds("passed$", "all passed")) << "a last line needs no end";
  EXPECT_FALSE(Finds("begin.*end", "begin\nend\n"));
  EXPECT_FALSE(Finds("x", ""));
  EXPECT_FALSE(Finds("^$", "x\ny\n"));
  EXPECT_TRUE(Finds("^$", "x\n\ny\n"));
}

TEST(OutputPatternTest, WhatComesInPiecesIsFoundAsInOne) {
  const std::string output = "one\ntwo\nthe needle is here\nfour";
  for (size_t size = 1; size <= output.size(); ++size) {
    for (const auto& [pattern, found] : {std::pair{"^the needle is here$", true}, {"^four$", true}, {"two.the", false}}) {
      const auto compiled = Pattern(pattern);
      for (size_t at = 0; at < output.size(); at += size) compiled->Feed(0, std::string_view(output).substr(at, size));
      compiled->Close();
      EXPECT_EQ(compiled->found(), found) << pattern << " in pieces of " << size;
    }
  }
}

TEST(OutputPatternTest, LinesOfTwoStreamsAreNotMixed) {
  const auto pattern = Pattern("ab");
  pattern->Feed(0, "a");
  pattern->Feed(1, "b");
  pattern->Close();
  EXPECT_FALSE(pattern->found());
}

TEST(OutputPatternTest, ALineWithoutAnEndIsCutAndStillLookedAt) {
  const std::string filler(OutputPattern::kLongestLine, 'x');
  EXPECT_TRUE(Finds("^needle", filler + "needle"));
  EXPECT_FALSE(Finds("xneedle", filler + "needle"));
  EXPECT_TRUE(Finds("^needle", filler + filler + filler + "needle"));
}

TEST(OutputPatternTest, BytesThatAreNoTextDoNotHideTheRest) {
  EXPECT_TRUE(Finds("needle", std::string("\xff\xfe\0\x80\n", 5) + "needle\n"));
  EXPECT_TRUE(Finds("needle", std::string("\xff\0needle\x80", 9)));
}

TEST(OutputPatternTest, WhatIsNoExpressionIsSaid) {
  EXPECT_THAT(std::string(OutputPattern::Compile("(").status().message()), HasSubstr("is no regular expression"));
  EXPECT_THAT(std::string(OutputPattern::Compile("((((a{1000}){1000}){1000}){1000})").status().message()),
              HasSubstr("is no regular expression"));
  EXPECT_THAT(std::string(OutputPattern::Compile(std::string(5000, 'a')).status().message()), HasSubstr("512"));
}

std::string Times(const std::string& text, int count) {
  std::string all;
  while (count-- > 0) all += text;
  return all;
}

TEST(OutputPatternTest, WhatWouldBeSlowIsRefusedAndWhatPeopleWriteIsNot) {
  for (const std::string& slow : {Times("a{0,99}", 70), std::string("(a{1000})(a{1000})(a{900})b"), std::string("(ab?c?d?e?){500}z"),
                                  Times("a{0,900}", 8) + "b", Times("\\pL", 170), Times(".{1000}", 70)}) {
    EXPECT_THAT(std::string(OutputPattern::Compile(slow).status().message()), HasSubstr("repeats too much")) << slow;
  }
  for (const char* usual : {"[a-z]{3,200}@[a-z]{3,200}\\.com", "error.{0,200}timeout", "^.*rows: [0-9]{1,6} .*ok$", "(?i)\\pL+ done",
                            "[\\x{4e00}-\\x{9fff}]{2,9}"}) {
    EXPECT_TRUE(OutputPattern::Compile(usual).ok()) << usual;
  }
}

TEST(OutputPatternTest, AClassOfUnicodeCostsMoreToReadThanItsBytes) {
  EXPECT_EQ(OutputPattern::ReadingCost("plain"), 5u);
  EXPECT_EQ(OutputPattern::ReadingCost("\\\\pL"), 4u) << "a backslash, and pL";
  EXPECT_GT(OutputPattern::ReadingCost("\\pL\\PN"), 400u);
  EXPECT_EQ(OutputPattern::ReadingCost("x\\"), 2u);
}

}  // namespace
}  // namespace muster
