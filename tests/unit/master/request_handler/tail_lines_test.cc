#include "master/request_handler/tail_lines.h"

#include <string>

#include <gtest/gtest.h>

namespace muster::handler {
namespace {

std::string Last(std::string_view text, int64_t lines) {
  TailLines tail;
  tail.Add(0, text);
  return std::string(tail.Last(lines));
}

TEST(TailLines, TheLastLines) {
  EXPECT_EQ(Last("a\nb\nc\n", 1), "c\n");
  EXPECT_EQ(Last("a\nb\nc\n", 2), "b\nc\n");
  EXPECT_EQ(Last("a\nb\nc\n", 3), "a\nb\nc\n");
  EXPECT_EQ(Last("a\nb\nc\n", 9), "a\nb\nc\n");
}

TEST(TailLines, ALineWithoutItsNewlineCounts) { EXPECT_EQ(Last("a\nb", 1), "b"); }

TEST(TailLines, EmptyLinesCount) {
  EXPECT_EQ(Last("a\n\n\n", 2), "\n\n");
  EXPECT_EQ(Last("\n", 1), "\n");
  EXPECT_EQ(Last("", 3), "");
}

TEST(TailLines, PiecesAreOneStream) {
  TailLines tail;
  tail.Add(0, "ab");
  tail.Add(2, "c\nd");
  EXPECT_EQ(tail.Last(2), "abc\nd");
  EXPECT_EQ(tail.OffsetOf(tail.Last(1)), 4);
}

TEST(TailLines, AHoleEndsWhatCameBefore) {
  TailLines tail;
  tail.Add(0, "old\n");
  tail.Add(1000, "new\n");
  EXPECT_EQ(tail.Last(5), "new\n");
  EXPECT_EQ(tail.OffsetOf(tail.Last(5)), 1000);
}

TEST(TailLines, AnEndlessLineIsBounded) {
  TailLines tail;
  const std::string block(1 << 16, 'x');
  for (int64_t i = 0; i < 100; ++i) tail.Add(i * (1 << 16), block);
  EXPECT_EQ(tail.Last(1).size(), TailLines::kMostBytes);
  EXPECT_EQ(tail.OffsetOf(tail.Last(1)), 100 * (1 << 16) - static_cast<int64_t>(TailLines::kMostBytes));
}

}  // namespace
}  // namespace muster::handler
