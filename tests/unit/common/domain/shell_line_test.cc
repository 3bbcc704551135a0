// Where values may be put into lines for a shell: what a shell makes of them is asked of the shell.
#include "common/domain/shell_line.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "common/domain/batch_arguments.h"
#include "tests/support/sanitized.h"

namespace muster {
namespace {

bool TakesWordAfter(std::string_view text) {
  ShellLine line;
  line.Read(text);
  return line.TakesWord();
}

TEST(ShellLine, AWordMayStandOutsideOfQuotes) {
  for (const char* text : {"", "echo ", "a=", "a", "echo 'a' \"b\"", "echo \"a\"", "echo \\\"", "echo \\'", "echo \"$HOME\" ", "echo \"${HOME}\" ", "echo $HOME/",
                           "x=$(cat ", "(cd ", "f() { cat ", "cat < ", "diff <(cat ", "# it's\ncat ", "a#'b'", "echo $# ", "echo \"cost \\$(\" ",
                           "[ a = ", "if true; then\n  echo ", "a && b | c; d & ", "x=$(date); echo ", "find . -exec rm {} + ; echo "}) {
    EXPECT_TRUE(TakesWordAfter(text)) << text;
  }
}

TEST(ShellLine, AndNotWithinThem) {
  for (const char* text : {"echo '", "echo \"", "echo \"a\\\"", "sh -c 'cat ", "echo '\\", "# a ", "echo \"it's ", "echo \\", "echo $", "echo ${", "echo \"$"}) {
    EXPECT_FALSE(TakesWordAfter(text)) << text;
  }
}

TEST(ShellLine, NorAfterWhatIsNotFollowed) {
  for (const char* text : {"echo $(( ", "echo \"$(( ", "(( ", "echo \"cost \\$(\"; echo \"$(", "echo \"$(cat ", "echo \"${x:-\"", "echo ${x:-", "x `cat ", "echo \"`cat ",
                           "cat <<EOF\n", "cat <<EOF\nx\nEOF\n", "cat <\\\n<E\n", "echo a\\\n#'\n", "case x in x) ", "x) ", "echo $'\\'", "echo $[ ", "echo $$ ", "[[ a -eq ", "eval ", "let ",
                           "a[", "x=1; echo \"$(case x in x) echo \""}) {
    EXPECT_FALSE(TakesWordAfter(text)) << text;
  }
}

// Its quotes are none: counted, they would let a value in between quotes of what follows, where it runs what it likes.
TEST(ShellLine, ACommentBeginsWhereAWordWould) {
  for (const char* before : {"a ", "a\t", "a\n", "a;", "a&", "a|", "(", "f()", "$("}) {
    EXPECT_FALSE(TakesWordAfter(std::string(before) + "# ")) << before;
    EXPECT_TRUE(TakesWordAfter(std::string(before) + "# it's\necho ")) << before;
    EXPECT_FALSE(TakesWordAfter(std::string(before) + "# it's\necho 'a ")) << before;
  }
  for (const char* word : {"a\\ #'\n", "a\\;#'\n", "a\\(#'\n", "''#'\n", "$x#'\n"}) EXPECT_FALSE(TakesWordAfter(word)) << word;
}

TEST(ShellLine, PiecesAreOneLine) {
  ShellLine line;
  line.Read("echo $");
  line.Read("(cat ");
  EXPECT_TRUE(line.TakesWord());
  line.Read("''");
  line.Read("#");  // goes on with the value's word
  EXPECT_TRUE(line.TakesWord());
}

class Shells : public ::testing::Test {
 protected:
  Shells() : directory_(std::filesystem::temp_directory_path() / ("muster-shell-line-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(directory_);
    mark_ = directory_ / "ran";
  }
  ~Shells() override { std::filesystem::remove_all(directory_); }

  // Whether a shell that runs the line leaves the mark.
  bool Runs(const char* shell, const std::string& line) {
    const pid_t pid = fork();
    if (pid == 0) {
      (void)!chdir(directory_.c_str());
      (void)!freopen("/dev/null", "w", stdout);
      (void)!freopen("/dev/null", "w", stderr);
      (void)!freopen("/dev/null", "r", stdin);
      execl(shell, shell, "-c", line.c_str(), nullptr);
      _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return std::filesystem::remove(mark_);
  }

  std::string Quoted(const std::string& value) { return FillText("{1}", {value}, 1, FillFor::kShell); }

  const std::filesystem::path directory_;
  std::filesystem::path mark_;
};

// What may stand around a value, with what ends it.
struct Frame {
  const char* before;
  const char* after;
};
constexpr Frame kFrames[] = {
    {"echo ", ""},        {"echo a", ""},           {"echo \"", "\""},          {"echo '", "'"},
    {"x=", ""},           {"x=$(", ")"},            {"echo \"$(", ")\""},       {"(", ")"},
    {"{ ", "; }"},        {"true; ", ""},           {"echo $(( ", " + 1 ))"},   {"echo \"$(( ", " ))\""},
    {"echo `", "`"},      {"echo ${x:-", "}"},      {"echo \"${x:-\"", "\"}\""}, {"case x in x) ", ";; esac"},
    {"cat <<E\n", "\nE\n"}, {"cat <\\\n<E\n", "\nE\n"}, {"echo a\\ #'\n", "'"},   {"echo a\\;#'\n", "'"},
    {"echo a\\\n#'\n", "'"}, {"# it's\n", ""},        {"echo a#'", "'"},          {"echo $'\\'", "'"},
    {"echo \"\\$(", ")\""}, {"echo \"$$(", ")\""},  {"[ a = ", " ]"},           {"[[ 1 -eq ", " ]]"},
    {"if true; then ", "; fi"}, {"(( x = ", " ))"},   {"echo $[ ", " ]"},         {"a[", "]=1"},
    {"echo \"a\" ", ""},  {"echo $HOME\"", "\""},   {"cat < ", ""},             {"echo ''#'\n", "'"},
    {"f() { ", "; }; f"}, {"let x=", ""},           {"echo ${HOME} ", ""},      {"eval ", ""},
};

// Frames within frames with a hostile value in the midst: where a word is taken, no shell runs it.
TEST_F(Shells, NoLineThatTakesAValueRunsIt) {
  const std::string touch = "touch " + mark_.string();
  const std::vector<std::string> values = {"$(" + touch + ")", "`" + touch + "`", "\";" + touch + ";\"", "';" + touch + ";'", "a[$(" + touch + ")]", ");" + touch + ";(", "\n" + touch + "\n"};
  std::vector<const char*> shells;
  for (const char* shell : {"/bin/dash", "/bin/bash"}) {
    if (access(shell, X_OK) == 0) shells.push_back(shell);
  }
  ASSERT_FALSE(shells.empty());
  std::mt19937 random(7);
  const auto frame = [&random] { return kFrames[random() % std::size(kFrames)]; };
  int taken = 0;
  for (int round = 0; round < (kSanitized ? 600 : 2'500); ++round) {
    std::string before, after;
    for (size_t depth = random() % 3; depth > 0; --depth) {
      const Frame around = frame();
      before += around.before;
      after = around.after + after;
    }
    // Where a command would begin the value would be one, as its author wishes.
    const Frame inner = random() % 2 == 0 ? kFrames[0] : frame();
    const std::string end = before + inner.before;
    if (std::string_view(" ").find(end.back()) != std::string_view::npos && !end.ends_with("echo ") && !end.ends_with("= ") && !end.ends_with("eq ") &&
        !end.ends_with("[ ") && !end.ends_with("(( ") && !end.ends_with("\" ") && !end.ends_with("} ") && !end.ends_with("< ")) {
      continue;
    }
    if (end.back() == '(' || end.back() == '\n' || end.back() == '`') continue;
    if (!TakesWordAfter(end)) continue;
    ++taken;
    const std::string line = end + Quoted(values[random() % values.size()]) + inner.after + after;
    for (const char* shell : shells) ASSERT_FALSE(Runs(shell, line)) << shell << " runs a value of: " << line;
  }
  EXPECT_GT(taken, kSanitized ? 50 : 300) << "hardly any line takes a value";
}

TEST_F(Shells, TheTestSeesAValueThatRuns) {
  EXPECT_TRUE(Runs("/bin/sh", "echo $(( " + Quoted("$(touch " + mark_.string() + ")") + " ))") || Runs("/bin/sh", "echo \"" + Quoted("$(touch " + mark_.string() + ")") + "\""));
}

}  // namespace
}  // namespace muster
