#include "cli/plan_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "cli/output.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

using ::testing::HasSubstr;

v1::WorkflowPlan SmallPlan() {
  v1::WorkflowPlan plan;
  const auto stage = [&plan](int64_t tasks, const std::vector<std::string>& nodes) {
    v1::WorkflowStage* const told = plan.add_stages();
    told->set_task_count(tasks);
    for (const std::string& node : nodes) told->add_nodes(node);
  };
  stage(1, {"fetch"});
  stage(6, {"lint", "build-1", "build-2", "build-3", "build-4", "docs"});
  stage(1, {"ship"});
  plan.set_task_count(8);
  plan.set_need_count(9);
  plan.set_width(6);
  for (const char* const name : {"fetch", "docs", "ship"}) plan.add_critical_path(name);
  convert::ToProto(absl::Seconds(13), plan.mutable_critical_path_time());
  convert::ToProto(absl::Seconds(42), plan.mutable_total_work());
  plan.set_slots_to_reach_critical_path(4);
  plan.set_unknown_count(2);
  convert::ToProto(absl::Seconds(7), plan.mutable_assumed());
  return plan;
}

std::string TextOf(const v1::WorkflowPlan& plan, size_t width = 80) {
  std::string text;
  for (const StyledLine& line : PlanLines(plan, width)) {
    EXPECT_LE(DisplayWidth(PlainText(line)), width);
    absl::StrAppend(&text, PlainText(line), "\n");
  }
  return text;
}

TEST(PlanPage, SaysStagesWayWorkAndSlots) {
  EXPECT_EQ(TextOf(SmallPlan()),
            "Plan:          8 tasks in 3 stages, at most 6 side by side; 9 needs\n"
            "Critical path: 13s\n"
            "               fetch -> docs -> ship\n"
            "Work:          42s in all; at best 3.2 times as fast as on one slot\n"
            "Slots:         4 reach about the time of the critical path\n"
            "Run times:     not known of 2 of 8 tasks: each counts as 7s, the others' median\n"
            "\n"
            "STAGE    TASKS  NODES (* on the critical path)\n"
            "    1        1  *fetch\n"
            "    2        6  *docs, lint, build-* (4)\n"
            "    3        1  *ship\n");
}

TEST(PlanPage, AHundredThousandStagesAndNodesStayAPage) {
  v1::WorkflowPlan plan = SmallPlan();
  plan.clear_critical_path();
  for (int i = 0; i < 100'000; ++i) {
    plan.add_critical_path(absl::StrCat("step-", i));
    plan.add_stages()->add_nodes(absl::StrCat("step-", i));
  }
  for (int i = 0; i < 100'000; ++i) plan.mutable_stages(0)->add_nodes(absl::StrCat(std::string(3, static_cast<char>('a' + i % 26)), "x", i));
  const std::string text = TextOf(plan);
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 60);
  EXPECT_THAT(text, HasSubstr("(99988 more) ->"));
  EXPECT_THAT(text, HasSubstr("more stages"));
}

TEST(PlanPage, NamesOfOthersOrderNoTerminal) {
  v1::WorkflowPlan plan = SmallPlan();
  plan.set_critical_path(0, "\033[2J\n");
  plan.mutable_stages(0)->set_nodes(0, "\033[2J\n");
  plan.mutable_stages(1)->set_nodes(1, "\033[1m");
  const std::string text = TextOf(plan);
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
}

TEST(PlanDot, NamesAreEscapedAndTheLongestWayIsMarked) {
  v1::WorkflowSpec spec;
  spec.set_name("night\"ly\\");
  for (const char* const name : {"fe\"tch", "docs", "mend"}) spec.add_nodes()->set_name(name);
  spec.mutable_nodes(0)->add_rows();
  spec.mutable_nodes(0)->add_rows();
  spec.mutable_nodes(1)->add_needs()->set_node("fe\"tch");
  spec.mutable_nodes(2)->add_needs()->set_node("docs");
  spec.mutable_nodes(2)->mutable_needs(0)->set_condition(v1::DEPENDENCY_CONDITION_FAILURE);
  v1::PlanWorkflowResponse answer;
  answer.mutable_plan()->add_critical_path("fe\"tch");
  answer.mutable_plan()->add_critical_path("docs");
  for (const int seconds : {2, 3, 0}) convert::ToProto(absl::Seconds(seconds), answer.add_node_times());
  EXPECT_EQ(PlanDot(spec, answer),
            "digraph \"night\\\"ly\\\\\" {\n"
            "  rankdir=LR;\n"
            "  node [shape=box];\n"
            "  \"fe\\\"tch\" [label=\"fe\\\"tch x 2\\n2s\", color=red, penwidth=2];\n"
            "  \"docs\" [label=\"docs\\n3s\", color=red, penwidth=2];\n"
            "  \"mend\" [label=\"mend\\n0s\"];\n"
            "  \"fe\\\"tch\" -> \"docs\" [color=red, penwidth=2];\n"
            "  \"docs\" -> \"mend\" [style=dashed, label=\"failure\"];\n"
            "}\n");
}

}  // namespace
}  // namespace muster::cli
