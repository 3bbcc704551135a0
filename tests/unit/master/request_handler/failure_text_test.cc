#include "master/request_handler/failure_text.h"

#include "gtest/gtest.h"

namespace muster::handler {
namespace {

struct Line {
  const char* text;
  const char* normalised;
};

class FailureTextTest : public ::testing::TestWithParam<Line> {};

TEST_P(FailureTextTest, WhatDiffersFromOneTimeToTheNextIsReplaced) {
  EXPECT_EQ(NormaliseFailure(GetParam().text), GetParam().normalised);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, FailureTextTest,
    ::testing::Values(
        Line{"cat: /data/17/x.csv: No such file or directory", "cat: <path>: No such file or directory"},
        Line{"2026-11-27T23:04:24.123Z ERROR retry 3 of 5", "<time> ERROR retry <n> of <n>"},
        Line{"2026-11-27 23:04:24,5+01:00 broken", "<time> broken"},
        Line{"[23:04:24] timeout after 30s", "[<time>] timeout after <n>s"},
        Line{"segfault at 0x7ffee3b1 ip 00007f12a4", "segfault at <hex> ip <hex>"},
        Line{"object 1b4e28ba-2fa1-11d2-883f-0016d3cca427 is gone", "object <id> is gone"},
        Line{"task 3F2A of w7 failed", "task <id> of w<n> failed"},
        Line{"ratio 0.25 < 1e-3", "ratio <n>.<n> < <n>e-<n>"},
        Line{"cannot write to /tmp/a.b. Stop.", "cannot write to <path>. Stop."},
        Line{"10.0.0.7:8080: Connection refused", "<n>.<n>.<n>.<n>:<n>: Connection refused"},
        Line{"either / or", "either / or"},
        Line{"dead beef is no number", "dead beef is no number"},
        Line{"", ""}));

TEST(LastLineTest, BlankLinesColoursAndRubbishAreLeftOut) {
  EXPECT_EQ(LastLine("Traceback\n  File x\nKeyError: 'a'\n\n  \n"), "KeyError: 'a'");
  EXPECT_EQ(LastLine("\033[31mfatal:\033[0m no\tway\r\n"), "fatal: no way");
  EXPECT_EQ(LastLine(std::string("a\xff\xfe\0b", 5)), "ab");
  EXPECT_EQ(LastLine("progress 1\rprogress 2\r"), "progress 2");
  EXPECT_EQ(LastLine("one"), "one");
  EXPECT_EQ(LastLine(""), "");
  EXPECT_EQ(LastLine("\n \n\xff\n"), "");
  EXPECT_EQ(LastLine("\033["), "");
}

TEST(LastLineTest, ALineWithoutEndIsCut) { EXPECT_EQ(LastLine(std::string(5000, 'x')).size(), 200u); }

}  // namespace
}  // namespace muster::handler
