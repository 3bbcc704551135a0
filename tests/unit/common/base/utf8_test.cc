#include "common/base/utf8.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(Utf8, BytesThatAreNoTextAreFound) {
  EXPECT_TRUE(IsUtf8("naïve 日本 🙂"));
  EXPECT_FALSE(IsUtf8("caf\xe9"));
  EXPECT_FALSE(IsUtf8("\xc0\xaf")) << "overlong";
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80")) << "a surrogate";
  EXPECT_FALSE(IsUtf8("\xf0\x9f\x99"));
}

TEST(Utf8, BytesThatBelongToNoCharacterBecomeQuestionMarks) {
  EXPECT_EQ(ToUtf8("plain, \xc3\xa4 and \xf0\x9f\x8e\x89"), "plain, \xc3\xa4 and \xf0\x9f\x8e\x89");
  EXPECT_EQ(ToUtf8("\xff\x80 \xc3"), "?? ?");
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), "???");  // half of a surrogate pair
}

TEST(Utf8, ALineHasNoControlCharacters) {
  EXPECT_EQ(ToLine("two\nlines\x1b[31m\x7f"), "two lines [31m ");
  EXPECT_EQ(ToLine(""), "");
}

TEST(Utf8, ALineIsNotCutWithinACharacter) {
  EXPECT_EQ(ToLine("abcd", 4), "abcd");
  EXPECT_EQ(ToLine("abcde", 4), "abcd...");
  EXPECT_EQ(ToLine("abc\xc3\xa4", 4), "abc...");
}

}  // namespace
}  // namespace muster
