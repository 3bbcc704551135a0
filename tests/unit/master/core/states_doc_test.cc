// docs/states.md, the code's table, and the tests agree.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/domain/task_state.h"
#include "common/domain/workflow.h"

namespace muster::core {
namespace {

struct Row {
  std::string from;
  std::string to;
  std::string test;
};

std::vector<Row> RowsOfTheDocument() {
  std::ifstream file(std::string(MUSTER_SOURCE_DIR) + "/docs/states.md");
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 6) continue;
    for (std::string& cell : cells) cell = std::string(absl::StripAsciiWhitespace(cell));
    if (cells[1] == "From" || cells[1].rfind("---", 0) == 0) continue;
    rows.push_back({cells[1], cells[2], cells[4]});
  }
  return rows;
}

std::set<std::string> NamesOfTests() {
  std::set<std::string> names;
  const auto& unit = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < unit.total_test_suite_count(); ++i) {
    const auto& suite = *unit.GetTestSuite(i);
    if (std::string(suite.name()) != "StateTable") continue;
    for (int j = 0; j < suite.total_test_count(); ++j) names.insert(suite.GetTestInfo(j)->name());
  }
  return names;
}

TEST(StatesDocument, ListsExactlyTheMovesThatTheCodeAllows) {
  std::set<std::pair<std::string, std::string>> documented;
  for (const Row& row : RowsOfTheDocument()) documented.insert({row.from, row.to});
  std::set<std::pair<std::string, std::string>> allowed;
  for (uint8_t from = 0; from <= 12; ++from) {
    for (uint8_t to = 0; to <= 12; ++to) {
      const auto a = static_cast<TaskState>(from);
      const auto b = static_cast<TaskState>(to);
      if (CanMove(a, b)) allowed.insert({std::string(TaskStateName(a)), std::string(TaskStateName(b))});
    }
  }
  EXPECT_EQ(documented, allowed);
}

TEST(StatesDocument, EachRowNamesATestThatExistsAndEachTestARow) {
  const std::set<std::string> tests = NamesOfTests();
  std::set<std::string> named;
  for (const Row& row : RowsOfTheDocument()) {
    if (row.test == "-") continue;
    EXPECT_TRUE(tests.count(row.test) == 1) << row.from << " to " << row.to << ": no test " << row.test;
    named.insert(row.test);
  }
  EXPECT_EQ(named, tests);
}

// | move of a worker | when | test |
TEST(StatesDocument, EachMoveOfAWorkerNamesATestThatExists) {
  std::set<std::string> tests;
  const auto& unit = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < unit.total_test_suite_count(); ++i) {
    const auto& suite = *unit.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      const std::vector<std::string> name = absl::StrSplit(suite.GetTestInfo(j)->name(), '/');
      tests.insert(name.front());
    }
  }
  std::ifstream file(std::string(MUSTER_SOURCE_DIR) + "/docs/states.md");
  int moves = 0;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5 || cells[1].find("→") == std::string::npos) continue;
    ++moves;
    EXPECT_TRUE(tests.contains(std::string(absl::StripAsciiWhitespace(cells[3])))) << line;
  }
  EXPECT_GE(moves, 4);
}

TEST(StatesDocument, ListsExactlyTheMovesOfAWorkflowThatTheCodeAllows) {
  std::ifstream file(std::string(MUSTER_SOURCE_DIR) + "/docs/states.md");
  std::set<std::string> documented;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    if (cells.size() != 5 || cells[1].find(" workflow ") != 0 || cells[1].find("→") == std::string::npos) continue;
    documented.insert(std::string(absl::StripAsciiWhitespace(cells[1])));
  }
  std::set<std::string> allowed;
  for (uint8_t from = 0; from <= 5; ++from) {
    for (uint8_t to = 0; to <= 5; ++to) {
      const auto a = static_cast<WorkflowState>(from);
      const auto b = static_cast<WorkflowState>(to);
      if (CanMove(a, b)) allowed.insert(absl::StrCat("workflow ", std::string(WorkflowStateName(a)), " → ", std::string(WorkflowStateName(b))));
    }
  }
  EXPECT_EQ(documented, allowed);
}

}  // namespace
}  // namespace muster::core
