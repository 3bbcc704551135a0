#include "master/request_handler/workflow_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/convert/convert.h"
#include "common/convert/workflow_graph.h"

namespace muster::handler {
namespace {

using ::testing::ElementsAre;

TEST(WorkflowPlanAnswer, HasNamesForIndicesAndTheTimesInTheOrderOfTheFile) {
  v1::WorkflowSpec spec;
  for (const char* const name : {"merge", "left", "right"}) spec.add_nodes()->set_name(name);
  spec.mutable_nodes(0)->add_needs()->set_node("left");
  spec.mutable_nodes(0)->add_needs()->set_node("right");
  spec.mutable_nodes(2)->add_rows();
  spec.mutable_nodes(2)->add_rows();
  const absl::StatusOr<WorkflowGraph> graph = convert::MakeWorkflowGraph(spec);
  ASSERT_TRUE(graph.ok());
  const std::optional<absl::Duration> known[] = {absl::Seconds(2), std::nullopt, absl::Seconds(4)};
  v1::PlanWorkflowResponse answer;
  ToProto(workflows::MakePlan(*graph, known), *graph, spec, &answer);
  const v1::WorkflowPlan& plan = answer.plan();
  ASSERT_EQ(plan.stages_size(), 2);
  EXPECT_THAT(plan.stages(0).nodes(), ElementsAre("left", "right"));
  EXPECT_EQ(plan.stages(0).task_count(), 3);
  EXPECT_THAT(plan.critical_path(), ElementsAre("left", "merge"));
  EXPECT_EQ(convert::FromProto(plan.critical_path_time()), absl::Seconds(6));
  EXPECT_EQ(convert::FromProto(plan.total_work()), absl::Seconds(2 + 4 + 8));
  EXPECT_EQ(plan.task_count(), 4);
  EXPECT_EQ(plan.need_count(), 2);
  EXPECT_EQ(plan.width(), 3);
  EXPECT_EQ(plan.unknown_count(), 1);
  EXPECT_EQ(plan.slots_to_reach_critical_path(), 3);
  ASSERT_EQ(answer.node_times_size(), 3);
  EXPECT_EQ(convert::FromProto(answer.node_times(1)), absl::Seconds(4));
}

}  // namespace
}  // namespace muster::handler
