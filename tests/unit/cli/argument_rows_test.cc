#include "cli/argument_rows.h"

#include <unistd.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/errors.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;
using Row = std::vector<std::string>;

std::vector<Row> AllRows(const std::vector<ArgumentSource>& sources, char delimiter = '\n') {
  auto rows = ArgumentRows::Open(sources, delimiter);
  EXPECT_TRUE(rows.ok()) << rows.status();
  std::vector<Row> all;
  Row row;
  while (rows.ok() && (*rows)->Next(&row).value_or(false)) all.push_back(row);
  return all;
}

std::string FileWith(const std::string& content) {
  std::string path = testing::TempDir() + "/rows-XXXXXX";
  close(mkstemp(path.data()));
  std::ofstream(path) << content;
  return path;
}

TEST(MapWords, TheCommandEndsWhereTheFirstSourceBegins) {
  const auto words = SplitMapWords({"echo", "{1}", ":::", "a", "b", ":::+", "c", ":::", "d", "::::", "f1", "f2"});
  ASSERT_TRUE(words.ok());
  EXPECT_THAT(words->argv, ElementsAre("echo", "{1}"));
  EXPECT_THAT(words->sources,
              ElementsAre(ArgumentSource{.words = {"a", "b"}}, ArgumentSource{.words = {"c"}, .linked = true}, ArgumentSource{.words = {"d"}},
                          ArgumentSource{.file = "f1"}, ArgumentSource{.file = "f2"}));
}

TEST(MapWords, ALinkNeedsSomethingToLinkTo) {
  EXPECT_EQ(ExitCodeOf(SplitMapWords({"echo", ":::+", "a"}).status()), kExitUsage);
}

TEST(MapWords, ArgumentsThatAreNoTextAreRefused) {
  EXPECT_EQ(ExitCodeOf(SplitMapWords({"echo", ":::", "caf\xe9"}).status()), kExitUsage);
}

TEST(ArgumentRows, SourcesAreCrossedAndTheLastTurnsFastest) {
  EXPECT_THAT(AllRows({{.words = {"A", "B"}}, {.words = {"1", "2"}}}),
              ElementsAre(Row{"A", "1"}, Row{"A", "2"}, Row{"B", "1"}, Row{"B", "2"}));
}

TEST(ArgumentRows, LinkedSourcesEndWithTheShorterOne) {
  EXPECT_THAT(AllRows({{.words = {"A", "B", "C"}}, {.words = {"1", "2"}, .linked = true}}), ElementsAre(Row{"A", "1"}, Row{"B", "2"}));
}

TEST(ArgumentRows, ALinkedPairIsCrossedAsOne) {
  EXPECT_THAT(AllRows({{.words = {"A", "B"}}, {.words = {"1", "2"}, .linked = true}, {.words = {"x", "y"}}}),
              ElementsAre(Row{"A", "1", "x"}, Row{"A", "1", "y"}, Row{"B", "2", "x"}, Row{"B", "2", "y"}));
}

TEST(ArgumentRows, AnEmptySourceGivesNothing) { EXPECT_TRUE(AllRows({{.words = {"A"}}, {.words = {}}}).empty()); }

TEST(ArgumentRows, TheTotalIsKnownForWordsAlone) {
  EXPECT_EQ((*ArgumentRows::Open({{.words = {"A", "B"}}, {.words = {"1", "2", "3"}}}, '\n'))->total(), 6);
  EXPECT_EQ((*ArgumentRows::Open({{.file = FileWith("a\n")}}, '\n'))->total(), std::nullopt);
}

TEST(ArgumentRows, EachLineIsARowEmptyOnesAndTheLastWithoutNewlineToo) {
  EXPECT_THAT(AllRows({{.file = FileWith("a b\n\nc")}}), ElementsAre(Row{"a b"}, Row{""}, Row{"c"}));
}

TEST(ArgumentRows, LinesMayEndWithNul) {
  EXPECT_THAT(AllRows({{.file = FileWith(std::string("a\nb\0c\0", 6))}}, '\0'), ElementsAre(Row{"a\nb"}, Row{"c"}));
}

TEST(ArgumentRows, FilesAndWordsAreCrossed) {
  EXPECT_THAT(AllRows({{.file = FileWith("a\nb\n")}, {.words = {"1"}}}), ElementsAre(Row{"a", "1"}, Row{"b", "1"}));
}

TEST(ArgumentRows, AMissingFileIsWrongUsage) {
  EXPECT_EQ(ExitCodeOf(ArgumentRows::Open({{.file = "/no/such/file"}}, '\n').status()), kExitUsage);
}

TEST(ArgumentRows, ALineThatIsNoTextIsNamed) {
  const auto rows = ArgumentRows::Open({{.file = FileWith("ok\ncaf\xe9\n")}}, '\n');
  Row row;
  EXPECT_TRUE(*(*rows)->Next(&row));
  const absl::Status status = (*rows)->Next(&row).status();
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(":2: not UTF-8"));
}

TEST(ArgumentRows, APipeIsReadAsItComes) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string path = "/dev/fd/" + std::to_string(ends[0]);
  const auto rows = ArgumentRows::Open({{.file = path}}, '\n');
  ASSERT_EQ(write(ends[1], "a\nb", 3), 3);
  Row row;
  EXPECT_TRUE(*(*rows)->Next(&row));
  EXPECT_THAT(row, ElementsAre("a"));
  EXPECT_FALSE((*rows)->HasMoreNow()) << "half a line is no row yet";
  ASSERT_EQ(write(ends[1], "\n", 1), 1);
  EXPECT_TRUE((*rows)->HasMoreNow());
  EXPECT_TRUE(*(*rows)->Next(&row));
  EXPECT_THAT(row, ElementsAre("b"));
  close(ends[1]);
  close(ends[0]);
  EXPECT_FALSE(*(*rows)->Next(&row));
}

}  // namespace
}  // namespace muster::cli
