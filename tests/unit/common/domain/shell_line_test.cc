#include "common/domain/shell_line.h"

#include <gtest/gtest.h>

#include <string>

namespace muster {
namespace {

bool TakesWordAfter(std::string_view text) {
  ShellLine line;
  line.Read(text);
  return line.TakesWord();
}

TEST(ShellLine, AWordMayStandOutsideOfQuotes) {
  for (const char* text : {"", "echo ", "a=", "echo 'a' \"b\"", "echo \\\"", "echo \\'", "echo \"$(cat ", "x `cat ", "(cd ", "f() { cat ", "# it's\ncat ", "a#'b'", "case x) cat "}) {
    EXPECT_TRUE(TakesWordAfter(text)) << text;
  }
}

TEST(ShellLine, AndNotWithinThem) {
  for (const char* text : {"echo '", "echo \"", "echo \"a\\\"", "sh -c 'cat ", "echo \"$(cat \"", "echo \"$(cat x)", "echo \"`cat x`", "echo '\\", "# a ", "cat <<EOF\n", "cat <<EOF\nx\nEOF\n",
                           "echo \"it's "}) {
    EXPECT_FALSE(TakesWordAfter(text)) << text;
  }
}

// Its quotes are none: counted, they would let a value in between quotes of what follows, where it runs what it likes.
TEST(ShellLine, ACommentBeginsAfterWhateverEndsAWord) {
  for (const char* before : {"a ", "a\t", "a\n", "a;", "a&", "a|", "(", "f()", "$("}) {
    EXPECT_FALSE(TakesWordAfter(std::string(before) + "# ")) << before;
    EXPECT_TRUE(TakesWordAfter(std::string(before) + "# it's\necho ")) << before;
    EXPECT_FALSE(TakesWordAfter(std::string(before) + "# it's\necho 'a ")) << before;
  }
}

TEST(ShellLine, PiecesAreOneLine) {
  ShellLine line;
  line.Read("echo \"a$");
  line.Read("(cat ");
  EXPECT_TRUE(line.TakesWord());
  line.Read(")");
  EXPECT_FALSE(line.TakesWord());
}

}  // namespace
}  // namespace muster
