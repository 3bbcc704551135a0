#include "common/domain/shell_line.h"

#include <gtest/gtest.h>

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
