#include "cli/workflow_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/fold_names.h"
#include "cli/output.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

class Statuses {
 public:
  Statuses& Add(const std::string& name, v1::TaskState state, const std::vector<std::string>& needs = {}) {
    v1::WorkflowNodeStatus& node = nodes_.emplace_back();
    node.set_name(name);
    v1::StateCount* const count = node.add_counts();
    count->set_state(state);
    count->set_count(1);
    for (const std::string& need : needs) node.add_needs()->set_node(need);
    if (state >= v1::TASK_STATE_RUNNING) convert::ToProto(kNow - absl::Seconds(90), node.mutable_start_time());
    if (state >= v1::TASK_STATE_SUCCEEDED) convert::ToProto(kNow - absl::Seconds(78), node.mutable_end_time());
    return *this;
  }
  v1::WorkflowNodeStatus& last() { return nodes_.back(); }
  std::string Text(bool fold = true, size_t width = 80) const {
    std::string text;
    for (const StyledLine& line : WorkflowGraphLines(nodes_, fold, kNow, width)) absl::StrAppend(&text, PlainText(line), "\n");
    return text;
  }

 private:
  std::vector<v1::WorkflowNodeStatus> nodes_;
};

TEST(WorkflowPage, FiveNodesAreDrawnWithWhatWaitsForWhat) {
  Statuses nodes;
  nodes.Add("fetch", v1::TASK_STATE_SUCCEEDED);
  nodes.Add("build", v1::TASK_STATE_RUNNING, {"fetch"});
  nodes.Add("lint", v1::TASK_STATE_FAILED, {"fetch"});
  nodes.last().set_reason("exit code 2");
  nodes.Add("ship", v1::TASK_STATE_PENDING, {"build"});
  nodes.Add("tell", v1::TASK_STATE_PENDING, {"build", "lint"});
  nodes.last().mutable_needs(0)->set_condition(v1::DEPENDENCY_CONDITION_ANY);
  EXPECT_EQ(nodes.Text(),
            "○     fetch  SUCCEEDED  12s\n"
            "├─●   build  RUNNING    1m30s\n"
            "● │   lint   FAILED     12s    exit code 2\n"
            "│ ├─● ship   PENDING    -      waits for build\n"
            "●─┘   tell   PENDING    -      waits for build:any\n");
}

// Three bands of a hundred projections, their differences, and a mosaic of each.
Statuses ThousandNodes() {
  Statuses nodes;
  for (int i = 0; i < 300; ++i) nodes.Add(absl::StrCat("project_", i), v1::TASK_STATE_SUCCEEDED);
  for (int i = 0; i < 900; ++i) {
    nodes.Add(absl::StrCat("diff_", i), i < 850 ? v1::TASK_STATE_SUCCEEDED : v1::TASK_STATE_QUEUED,
              {absl::StrCat("project_", i % 300), absl::StrCat("project_", (i + 1) % 300)});
  }
  std::vector<std::string> diffs;
  for (int i = 0; i < 900; ++i) diffs.push_back(absl::StrCat("diff_", i));
  nodes.Add("mosaic", v1::TASK_STATE_PENDING, diffs);
  return nodes;
}

TEST(WorkflowPage, AThousandLikeNodesAreALineForEachKindAtEightyColumns) {
  EXPECT_EQ(ThousandNodes().Text(),
            "○ project_* (300)  SUCCEEDED          12s\n"
            "● diff_* (900)     850 done, 50 left  1m30s\n"
            "● mosaic           PENDING            -      waits for diff_* (900)\n");
}

TEST(WorkflowPage, UnfoldedEachNodeHasItsLineAndWaitsForAFoldedList) {
  const std::string text = ThousandNodes().Text(false, 80);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1201);
  EXPECT_THAT(text, HasSubstr("mosaic       PENDING    -    waits for diff_* (50)"));
  // Too many side by side for a drawing: what it needed is said.
  EXPECT_THAT(text, HasSubstr("diff_0       SUCCEEDED  12s  after project_0, project_1"));
}

TEST(WorkflowPage, SkippedNodesAreNotCalledCancelled) {
  Statuses nodes;
  nodes.Add("build", v1::TASK_STATE_SUCCEEDED);
  nodes.Add("mend", v1::TASK_STATE_CANCELLED, {"build"});
  nodes.last().set_skipped(true);
  nodes.last().set_reason("needs a failure of build, which succeeded");
  EXPECT_THAT(nodes.Text(), HasSubstr("mend   SKIPPED    12s  needs a failure of build"));
}

TEST(WorkflowPage, NamesOfOthersOrderNoTerminal) {
  Statuses nodes;
  nodes.Add("\033[2Jfetch\n\xC2\x9B", v1::TASK_STATE_FAILED);
  nodes.last().set_reason("\033]0;x\007");
  nodes.Add("build", v1::TASK_STATE_PENDING, {"\033[2Jfetch\n\xC2\x9B", "nobody"});
  const std::string text = nodes.Text();
  EXPECT_EQ(text.find_first_of("\033\007"), std::string::npos);
  EXPECT_EQ(text.find("\xC2\x9B"), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(WorkflowPage, ACircleThatAPeerClaimsIsShownWithoutItsNeeds) {
  Statuses nodes;
  nodes.Add("a", v1::TASK_STATE_PENDING, {"b"});
  nodes.Add("b", v1::TASK_STATE_PENDING, {"a"});
  EXPECT_EQ(nodes.Text(), "○ a  PENDING  -\n○ b  PENDING  -\n");
}

TEST(WorkflowPage, TheBarIsWholeAndSaysDoneRunningFailedLeftAndTheTimeLeft) {
  v1::Workflow workflow;
  workflow.set_state(v1::WORKFLOW_STATE_RUNNING);
  const auto add = [&workflow](v1::TaskState state, int64_t count) {
    v1::StateCount* const each = workflow.add_counts();
    each->set_state(state);
    each->set_count(count);
  };
  add(v1::TASK_STATE_SUCCEEDED, 12);
  add(v1::TASK_STATE_RUNNING, 2);
  add(v1::TASK_STATE_VALIDATING, 1);
  add(v1::TASK_STATE_TIMED_OUT, 1);
  add(v1::TASK_STATE_CANCELLED, 3);
  add(v1::TASK_STATE_PENDING, 11);
  add(v1::TASK_STATE_QUEUED, 6);
  workflow.set_skipped_count(2);
  convert::ToProto(absl::Seconds(252), workflow.mutable_time_left());
  const std::string text = PlainText(WorkflowProgress(workflow));
  EXPECT_EQ(text, "███████╌╌▒▒░░░░░░░░░  44%  12 done, 3 running, 1 failed, 2 skipped, 1 cancelled, 17 left, about 4m12s to go");
  EXPECT_EQ(PlainText(WorkflowProgress(v1::Workflow())), "nothing has started");
}

TEST(WorkflowPage, TheSummarySaysStateRuleAndTries) {
  v1::Workflow workflow;
  workflow.set_id("4F");
  workflow.set_name("nightly");
  workflow.set_state(v1::WORKFLOW_STATE_FAILED);
  workflow.set_reason("lint failed");
  convert::ToProto(kNow - absl::Minutes(10), workflow.mutable_start_time());
  convert::ToProto(kNow - absl::Minutes(6), workflow.mutable_end_time());
  workflow.set_retry_count(1);
  std::string text;
  for (const StyledLine& line : WorkflowSummary(workflow, kNow)) absl::StrAppend(&text, PlainText(line), "\n");
  EXPECT_THAT(text, HasSubstr("Workflow:      4F nightly\n"));
  EXPECT_THAT(text, HasSubstr("State:         FAILED after 4m00s, 6m ago\n"));
  EXPECT_THAT(text, HasSubstr("Tried again:   once\n"));
  EXPECT_THAT(text, Not(HasSubstr("At a failure")));
  EXPECT_EQ(WorkflowListHeader(true).size(), WorkflowListRow(workflow, true, kNow).size());
}

TEST(FoldNames, LikeNamesBecomeOneAndWhatDoesNotFitIsCounted) {
  EXPECT_EQ(FoldedName("map_17_of_200"), "map_*_of_*");
  EXPECT_EQ(FoldedName("sol2sanger_ID0017"), "sol2sanger_ID*");
  EXPECT_EQ(FoldedList({"a1", "b", "a2", "a3"}, 3, 80), "a* (3), b");
  EXPECT_EQ(FoldedList({"a1", "b", "a2"}, 3, 80), "a1, b, a2");
  EXPECT_EQ(FoldedList({"alpha", "beta", "gamma", "delta", "epsilon"}, 3, 30), "alpha, beta and 3 more");
}

}  // namespace
}  // namespace muster::cli
