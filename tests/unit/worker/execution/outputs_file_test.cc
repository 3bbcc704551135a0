#include "worker/execution/outputs_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kDeclared = {"version", "digest", "_x1"};

NamedValues Parsed(std::string_view text) {
  const absl::StatusOr<NamedValues> values = ParseOutputs(text, kDeclared);
  EXPECT_TRUE(values.ok()) << values.status();
  return values.ok() ? *values : NamedValues();
}
std::string WhyNot(std::string_view text) {
  return std::string(ParseOutputs(text, kDeclared).status().message());
}

TEST(ParseOutputs, ValuesComeInTheOrderOfTheirDeclaration) {
  EXPECT_THAT(Parsed("digest=abc\nversion=1.4\n"), ElementsAre(NamedValue{"version", "1.4"}, NamedValue{"digest", "abc"}));
  EXPECT_THAT(Parsed(""), IsEmpty());
}

TEST(ParseOutputs, TheLastLineOfANameCountsAndTheFirstEqualsSignDivides) {
  EXPECT_THAT(Parsed("version=1\nversion=\nversion=a=b=c"), ElementsAre(NamedValue{"version", "a=b=c"}));
  EXPECT_THAT(Parsed("version=1\nversion="), ElementsAre(NamedValue{"version", ""}));
}

TEST(ParseOutputs, BlankLinesAndNamesThatNobodyDeclaredDoNotCount) {
  EXPECT_THAT(Parsed("\n \t\nother=\xff\nversion=1\n\r\n\n"), ElementsAre(NamedValue{"version", "1"}));
}

TEST(ParseOutputs, ACarriageReturnAtALinesEndIsNoPartOfItsValue) {
  EXPECT_THAT(Parsed("version=1\r\ndigest=a\rb\r"), ElementsAre(NamedValue{"version", "1"}, NamedValue{"digest", "a\rb"}));
}

TEST(ParseOutputs, SpacesBelongToTheValue) { EXPECT_THAT(Parsed("_x1= two words "), ElementsAre(NamedValue{"_x1", " two words "})); }

TEST(ParseOutputs, ALineThatIsNoneIsNamedByItsNumber) {
  for (const char* line : {"garbage", "=1", " version=1", "ver sion=1", "1=2", "version =1", "export version=1"}) {
    EXPECT_EQ(WhyNot(absl::StrCat("version=1\n\n", line, "\nversion=2\n")), "line 3 is no NAME=VALUE") << line;
  }
}

TEST(ParseOutputs, AValueThatCannotBeOneIsNamedByItsLine) {
  EXPECT_EQ(WhyNot("digest=caf\xe9"), "line 1 is not UTF-8");
  EXPECT_EQ(WhyNot(std::string_view("\nversion=a\0b", 12)), "line 2 has a NUL byte");
  EXPECT_EQ(WhyNot(absl::StrCat("version=", std::string(4097, 'x'))), "line 1 has a value of more than 4 KiB");
  EXPECT_THAT(Parsed(absl::StrCat("version=", std::string(4096, 'x'))), ElementsAre(NamedValue{"version", std::string(4096, 'x')}));
}

class OutputsFile : public ::testing::Test {
 protected:
  OutputsFile() : fd_(open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  ~OutputsFile() override { close(fd_); }

  std::string path() const { return absl::StrCat(directory_.path(), "/", kOutputsFile); }
  void Write(const std::string& text) const { std::ofstream(path()) << text; }
  absl::StatusOr<NamedValues> Read() const { return ReadOutputs(fd_, kDeclared); }
  std::string WhyNotRead() const { return std::string(Read().status().message()); }

  TemporaryDirectory directory_;
  const int fd_;
};

constexpr char kNoFile[] = "what MUSTER_OUTPUTS names is no regular file";

TEST_F(OutputsFile, NoFileIsNoOutput) {
  ASSERT_TRUE(Read().ok());
  EXPECT_THAT(*Read(), IsEmpty());
}

TEST_F(OutputsFile, ADirectoryThatIsGoneHasNone) {
  ASSERT_EQ(rmdir(directory_.path().c_str()), 0);
  ASSERT_TRUE(Read().ok());
  EXPECT_THAT(*Read(), IsEmpty());
}

TEST_F(OutputsFile, WhatWasWrittenIsRead) {
  Write("version=1.4\n");
  EXPECT_THAT(*Read(), ElementsAre(NamedValue{"version", "1.4"}));
}

TEST_F(OutputsFile, ALinkIsNotFollowed) {
  ASSERT_EQ(symlink("/proc/self/environ", path().c_str()), 0);
  EXPECT_EQ(WhyNotRead(), kNoFile);
}

TEST_F(OutputsFile, APipeThatNobodyWritesToStopsNobody) {
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(WhyNotRead(), kNoFile);
}

TEST_F(OutputsFile, ADirectoryInItsPlaceIsNoFile) {
  ASSERT_EQ(mkdir(path().c_str(), 0700), 0);
  EXPECT_EQ(WhyNotRead(), kNoFile);
}

TEST_F(OutputsFile, ASocketInItsPlaceIsNoFile) {
  const int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  ASSERT_LT(path().size(), sizeof(address.sun_path));
  path().copy(address.sun_path, path().size());
  ASSERT_EQ(bind(end, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(WhyNotRead(), kNoFile);
  close(end);
}

TEST_F(OutputsFile, AGigabyteOfNothingIsNotRead) {
  Write("version=1\n");
  ASSERT_EQ(truncate(path().c_str(), off_t{1} << 30), 0);
  EXPECT_EQ(WhyNotRead(), "the file has more than 64 KiB");
}

TEST_F(OutputsFile, TheLargestThatItMayBeIsRead) {
  std::string text;
  while (text.size() < kMostOutputsFileBytes) text += "version=0123456\n";
  ASSERT_EQ(text.size(), kMostOutputsFileBytes);
  Write(text);
  EXPECT_THAT(*Read(), ElementsAre(NamedValue{"version", "0123456"}));
  Write(text + "\n");
  EXPECT_EQ(WhyNotRead(), "the file has more than 64 KiB");
}

}  // namespace
}  // namespace muster::execution
