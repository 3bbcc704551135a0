#include "common/convert/workflow_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/refusal.h"

namespace muster::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::WorkflowNode* Add(v1::WorkflowSpec* spec, const std::string& name, const std::vector<std::string>& needs = {}) {
  v1::WorkflowNode* const node = spec->add_nodes();
  node->set_name(name);
  for (const std::string& need : needs) node->add_needs()->set_node(need);
  return node;
}

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  for (const FieldViolation& violation : ViolationsOf(status)) fields.push_back(violation.field);
  return fields;
}

absl::Status StatusOf(const v1::WorkflowSpec& spec) { return MakeWorkflowGraph(spec).status(); }

TEST(WorkflowGraphOfASpec, CountsRowsAndReadsConditions) {
  v1::WorkflowSpec spec;
  Add(&spec, "mend", {"build"})->mutable_needs(0)->set_condition(v1::DEPENDENCY_CONDITION_FAILURE);
  v1::WorkflowNode* const build = Add(&spec, "build");
  for (int row = 0; row < 3; ++row) build->add_rows()->add_values("x");
  Add(&spec, "tell", {"build", "mend"})->mutable_needs(1)->set_condition(v1::DEPENDENCY_CONDITION_ANY);
  const absl::StatusOr<WorkflowGraph> graph = MakeWorkflowGraph(spec);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->task_count(), 5u);
  EXPECT_EQ(graph->tasks(1), 3u);
  EXPECT_EQ(graph->needs(0)[0], (WorkflowEdge{1, DependencyCondition::kFailure}));
  EXPECT_EQ(graph->needs(2)[0], (WorkflowEdge{1, DependencyCondition::kSuccess}));
  EXPECT_EQ(graph->needs(2)[1], (WorkflowEdge{0, DependencyCondition::kAny}));
  EXPECT_THAT(graph->order(), ElementsAre(1, 0, 2));
}

TEST(WorkflowGraphOfASpec, AnUnknownNeedIsNamedWithTheNearest) {
  v1::WorkflowSpec spec;
  Add(&spec, "compile-linux");
  Add(&spec, "test", {"compile-linux", "compile-linxu"});
  Add(&spec, "ship", {"upload"});
  const absl::Status status = StatusOf(spec);
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_NODE");
  EXPECT_THAT(FieldsOf(status), ElementsAre("workflow.nodes[1].needs[1]", "workflow.nodes[2].needs[0]"));
  EXPECT_THAT(ViolationsOf(status)[0].description, "there is no task 'compile-linxu'; did you mean 'compile-linux'?");
  EXPECT_THAT(ViolationsOf(status)[1].description, "there is no task 'upload'");
}

TEST(WorkflowGraphOfASpec, ADuplicateNameIsRefusedAtTheSecond) {
  v1::WorkflowSpec spec;
  Add(&spec, "a");
  Add(&spec, "b");
  Add(&spec, "a", {"nobody"});
  const absl::Status status = StatusOf(spec);
  EXPECT_EQ(ReasonOf(status), "DUPLICATE_NODE");
  EXPECT_THAT(FieldsOf(status), ElementsAre("workflow.nodes[2].name"));
  EXPECT_THAT(status.message(), HasSubstr("nodes[0]"));
}

TEST(WorkflowGraphOfASpec, ANeedOnItselfOrTwiceOrOfNoConditionIsRefused) {
  v1::WorkflowSpec spec;
  Add(&spec, "a", {"a"});
  Add(&spec, "b", {"a", "a"});
  Add(&spec, "c", {"a"})->mutable_needs(0)->set_condition(static_cast<v1::DependencyCondition>(9));
  const absl::Status status = StatusOf(spec);
  EXPECT_EQ(ReasonOf(status), "BAD_NEED");
  EXPECT_THAT(FieldsOf(status), ElementsAre("workflow.nodes[0].needs[0]", "workflow.nodes[1].needs[1]",
                                            "workflow.nodes[2].needs[0].condition"));
}

TEST(WorkflowGraphOfASpec, ACycleIsShown) {
  v1::WorkflowSpec spec;
  Add(&spec, "start");
  Add(&spec, "a", {"start", "b"});
  Add(&spec, "b", {"c"});
  Add(&spec, "c", {"a"});
  const absl::Status status = StatusOf(spec);
  EXPECT_EQ(ReasonOf(status), "CYCLE");
  EXPECT_THAT(FieldsOf(status), ElementsAre("workflow.nodes[1].needs"));
  EXPECT_THAT(status.message(), HasSubstr("a -> b -> c -> a"));
}

TEST(WorkflowGraphOfASpec, ALongCycleIsShownByItsEnds) {
  v1::WorkflowSpec spec;
  for (int i = 0; i < 1000; ++i) Add(&spec, absl::StrCat("n", i), {absl::StrCat("n", (i + 1) % 1000)});
  EXPECT_THAT(StatusOf(spec).message(), HasSubstr("n0 -> n1 -> n2 -> n3 -> (992 more) -> n996 -> n997 -> n998 -> n999 -> n0"));
}

TEST(WorkflowGraphOfASpec, TooManyTasksOrNeedsAndNoneAtAllAreRefused) {
  v1::WorkflowSpec spec;
  EXPECT_EQ(ReasonOf(StatusOf(spec)), "BAD_WORKFLOW");
  v1::WorkflowNode* const batch = Add(&spec, "batch");
  for (int row = 0; row < 5; ++row) batch->add_rows();
  Add(&spec, "end", {"batch"});
  EXPECT_TRUE(MakeWorkflowGraph(spec, {6, 1}).ok());
  EXPECT_THAT(MakeWorkflowGraph(spec, {5, 1}).status().message(), HasSubstr("6 tasks"));
  EXPECT_THAT(MakeWorkflowGraph(spec, {6, 0}).status().message(), HasSubstr("1 needs"));
}

TEST(WorkflowGraphOfASpec, WhatIsWrongIsOneLineThatOrdersNoTerminalAndHasABound) {
  v1::WorkflowSpec spec;
  for (int i = 0; i < 1000; ++i) Add(&spec, absl::StrCat(i), {absl::StrCat("\033[2J\n", std::string(100'000, 'x'))});
  const absl::Status status = StatusOf(spec);
  EXPECT_EQ(ViolationsOf(status).size(), 10u);
  EXPECT_LT(status.message().size(), 2500u);
  EXPECT_EQ(status.message().find_first_of("\033\n"), absl::string_view::npos);
}

// Each needs the ten before it. It takes about 0.2 s; the bound is for a machine that does other things, too.
TEST(WorkflowGraphOfASpec, AHundredThousandNodesWithAMillionNeedsAreReadInABlink) {
  v1::WorkflowSpec spec;
  for (int i = 0; i < 100'000; ++i) {
    v1::WorkflowNode* const node = Add(&spec, absl::StrCat("simulate-part-", i));
    for (int k = 1; k <= 10 && k <= i; ++k) node->add_needs()->set_node(absl::StrCat("simulate-part-", i - k));
  }
  const absl::Time before = absl::Now();
  const absl::StatusOr<WorkflowGraph> graph = MakeWorkflowGraph(spec);
  const absl::Duration took = absl::Now() - before;
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->need_count(), 999'945u);
  RecordProperty("milliseconds", static_cast<int>(absl::ToInt64Milliseconds(took)));
#ifdef NDEBUG
  EXPECT_LT(took, absl::Seconds(2));
#endif
}

TEST(WorkflowGraphOfASpec, AChainOfAHundredThousandNodesIsReadInTensOfMilliseconds) {
  v1::WorkflowSpec spec;
  Add(&spec, "0");
  for (int i = 1; i < 100'000; ++i) Add(&spec, absl::StrCat(i), {absl::StrCat(i - 1)});
  const absl::Time before = absl::Now();
  const absl::StatusOr<WorkflowGraph> graph = MakeWorkflowGraph(spec);
  const absl::Duration took = absl::Now() - before;
  ASSERT_TRUE(graph.ok()) << graph.status();
  RecordProperty("milliseconds", static_cast<int>(absl::ToInt64Milliseconds(took)));
#ifdef NDEBUG
  EXPECT_LT(took, absl::Milliseconds(500));
#endif
}

}  // namespace
}  // namespace muster::convert
