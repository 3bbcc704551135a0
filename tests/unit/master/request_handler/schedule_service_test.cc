// ScheduleService over real gRPC, with the real core and store behind it: what is refused in which words, and what a run is
// told of where it comes from.
#include "master/request_handler/schedule_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/convert/convert.h"
#include "common/rpc/status.h"
#include "master/request_handler/schedule_request.h"
#include "master/request_handler/scheduled_run.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;

v1::AddScheduleRequest Request(const std::string& times, const std::function<void(v1::AddScheduleRequest*)>& change = nullptr) {
  v1::AddScheduleRequest request;
  request.set_name("nightly");
  request.mutable_spec()->set_times(times);
  request.mutable_spec()->mutable_task()->mutable_command()->add_argv("true");
  request.mutable_spec()->mutable_task()->set_owner("ann@host");
  if (change) change(&request);
  return request;
}

v1::WorkflowNode* AddFlowNode(const std::string& name, const std::string& need, v1::AddScheduleRequest* request) {
  v1::WorkflowNode* const node = request->mutable_spec()->mutable_workflow()->mutable_spec()->add_nodes();
  node->set_name(name);
  node->mutable_task()->set_owner("ann@host");
  node->mutable_task()->mutable_command()->add_argv("echo");
  if (!need.empty()) node->add_needs()->set_node(need);
  return node;
}

std::map<std::string, std::string> EnvironmentOf(const v1::Task& task) {
  std::map<std::string, std::string> environment;
  for (const auto& variable : task.spec().command().environment()) environment[variable.name()] = variable.value();
  return environment;
}

class ScheduleServiceTest : public ::testing::Test {
 protected:
  absl::StatusOr<v1::Schedule> Add(const std::string& times, const std::function<void(v1::AddScheduleRequest*)>& change = nullptr) {
    v1::AddScheduleResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->AddSchedule(&context, Request(times, change), &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response.schedule();
  }
  absl::Status Refusal(const std::string& times, const std::function<void(v1::AddScheduleRequest*)>& change = nullptr) {
    return Add(times, change).status();
  }
  absl::StatusOr<v1::Schedule> Get(const std::string& name = "nightly") {
    v1::GetScheduleRequest request;
    request.set_name(name);
    v1::GetScheduleResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->GetSchedule(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response.schedule();
  }
  v1::RunScheduleResponse Run(const std::string& request_id = "") {
    v1::RunScheduleRequest request;
    request.set_name("nightly");
    request.set_request_id(request_id);
    v1::RunScheduleResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->RunSchedule(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  LiveMaster master_;
  std::unique_ptr<v1::ScheduleService::Stub> stub_ = master_.Schedules();
};

TEST_F(ScheduleServiceTest, WhatIsAddedIsShownWholeWithItsNextDueTimes) {
  const auto added = Add("30 2 * * MON-FRI", [](v1::AddScheduleRequest* request) {
    request->mutable_spec()->set_time_zone("Europe/Berlin");
    request->mutable_spec()->set_missed_runs(v1::MISSED_RUNS_RUN_ALL);
    request->mutable_spec()->set_overlap(v1::RUN_OVERLAP_FORBID);
  });
  ASSERT_TRUE(added.ok()) << added.status();
  const auto shown = Get();
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->spec().times(), "30 2 * * MON-FRI");
  EXPECT_EQ(shown->spec().time_zone(), "Europe/Berlin");
  EXPECT_EQ(shown->spec().missed_runs(), v1::MISSED_RUNS_RUN_ALL);
  EXPECT_EQ(shown->spec().missed_limit(), 10u);
  EXPECT_EQ(shown->spec().overlap(), v1::RUN_OVERLAP_FORBID);
  EXPECT_EQ(shown->spec().task().command().argv(0), "true");
  EXPECT_EQ(shown->owner(), "ann@host");
  EXPECT_EQ(shown->state(), v1::SCHEDULE_STATE_ACTIVE);
  ASSERT_EQ(shown->next_times_size(), 5);
  EXPECT_LT(shown->next_times(0).seconds(), shown->next_times(4).seconds());
}

TEST_F(ScheduleServiceTest, WhatIsWrongWithTheTimesIsToldWithColumnAndFix) {
  const auto message = [this](const std::string& times) { return std::string(Refusal(times).message()); };
  EXPECT_THAT(message("61 2 * * *"), HasSubstr("minute 61 at column 1: 0 to 59"));
  EXPECT_THAT(message("0 0 30 FEB *"), HasSubstr("never comes in month FEB: 1 to 29"));
  EXPECT_THAT(message("0 0 1 FEV *"), HasSubstr("did you mean FEB?"));
  EXPECT_THAT(message("at 2027-02-30 10:00"), HasSubstr("there is no day 30 in 2027-02"));
  EXPECT_THAT(message("at 2001-02-03 10:00"), HasSubstr("it has passed"));
  EXPECT_THAT(message("every 5"), HasSubstr("a number with a unit"));
  EXPECT_EQ(ReasonOf(Refusal("61 2 * * *")), "BAD_TIMES");
  const absl::Status zone = Refusal("@daily", [](v1::AddScheduleRequest* request) { request->mutable_spec()->set_time_zone("Europe/Berlim"); });
  EXPECT_EQ(ReasonOf(zone), "BAD_TIME_ZONE");
  EXPECT_THAT(std::string(zone.message()), HasSubstr("Europe/Berlin"));
}

TEST_F(ScheduleServiceTest, WhatSaysNothingToAScheduleIsRefused) {
  const auto reason = [this](const std::function<void(v1::AddScheduleRequest*)>& change) { return ReasonOf(Refusal("@daily", change)); };
  EXPECT_EQ(reason([](auto* r) { r->set_name("no spaces"); }), "BAD_NAME");
  EXPECT_EQ(reason([](auto* r) { r->clear_name(); }), "BAD_NAME");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->clear_task(); }), "NO_WORK");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->mutable_task()->clear_command(); }), "NO_COMMAND");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->mutable_task()->mutable_start_time()->set_seconds(5); }), "BAD_WORK");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->mutable_task()->add_dependencies()->set_task("last"); }), "BAD_WORK");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->mutable_task()->set_lossless_output(true); }), "BAD_WORK");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->set_missed_limit(3); }), "BAD_MISSED_RUNS");
  EXPECT_EQ(reason([](auto* r) {
              r->mutable_spec()->set_missed_runs(v1::MISSED_RUNS_RUN_ALL);
              r->mutable_spec()->set_missed_limit(1001);
            }),
            "BAD_MISSED_RUNS");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->set_missed_runs(static_cast<v1::MissedRuns>(9)); }), "BAD_MISSED_RUNS");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->set_overlap(static_cast<v1::RunOverlap>(9)); }), "BAD_OVERLAP");
  EXPECT_EQ(reason([](auto* r) { r->mutable_spec()->mutable_workflow(); }), "BAD_WORKFLOW") << "it has no nodes";
  EXPECT_EQ(reason([](auto* r) { AddFlowNode("load", "fetch", r); }), "UNKNOWN_NODE");
  EXPECT_EQ(reason([](auto* r) { AddFlowNode("fetch", "", r)->mutable_task()->mutable_command()->add_argv("{{ city }}"); }), "BAD_PARAMETERS");
  EXPECT_EQ(reason([](auto* r) {
              for (int i = 0; i <= kMostScheduledNodes; ++i) r->mutable_spec()->mutable_workflow()->mutable_spec()->add_nodes();
            }),
            "BAD_WORKFLOW");
  EXPECT_EQ(Get().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ScheduleServiceTest, WhatWouldBeTooMuchForOneTurnIsRefused) {
  const auto with = [](uint32_t limit, int rows) {
    return [limit, rows](v1::AddScheduleRequest* request) {
      request->mutable_spec()->set_missed_runs(v1::MISSED_RUNS_RUN_ALL);
      request->mutable_spec()->set_missed_limit(limit);
      v1::WorkflowNode* const node = AddFlowNode("fetch", "", request);
      for (int i = 0; i < rows; ++i) node->add_rows()->add_values("x");
    };
  };
  const absl::Status refused = Refusal("@hourly", with(1000, 10));
  EXPECT_EQ(ReasonOf(refused), "BAD_MISSED_RUNS");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("10010 at once, of at most 10000"));
  EXPECT_EQ(ReasonOf(Refusal("@hourly", with(0, 910))), "BAD_MISSED_RUNS") << "the limit is 10 where none is given";
  EXPECT_TRUE(Add("@hourly", with(999, 10)).ok());
}

TEST_F(ScheduleServiceTest, AWorkflowThatItsParametersMakeTooLargeToKeepIsRefused) {
  const absl::Status refused = Refusal("@hourly", [](v1::AddScheduleRequest* request) {
    v1::ScheduledWorkflow* const workflow = request->mutable_spec()->mutable_workflow();
    for (int i = 0; i < 100; ++i) {
      AddFlowNode(absl::StrCat("n", i), "", request)->mutable_task()->mutable_command()->add_argv("{{ text }}");
    }
    workflow->mutable_spec()->add_parameters()->set_name("text");
    v1::ParameterValue* const value = workflow->add_parameters();
    value->set_name("text");
    value->set_value(std::string(60'000, 'x'));
  });
  EXPECT_EQ(ReasonOf(refused), "BAD_WORKFLOW");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("larger than 4 MiB"));
}

TEST_F(ScheduleServiceTest, ARunKnowsItsScheduleAndItsDueTimeAndTakesTheQueuesDefaultsOfThen) {
  ASSERT_TRUE(Add("@yearly", [](auto* r) { r->mutable_spec()->mutable_task()->set_queue("nightly"); }).ok());
  v1::UpdateQueueRequest queue;
  queue.set_name("nightly");
  queue.mutable_settings()->mutable_defaults()->set_priority(7);
  v1::UpdateQueueResponse set;
  grpc::ClientContext context;
  ASSERT_TRUE(master_.Queues()->UpdateQueue(&context, queue, &set).ok());
  const v1::RunScheduleResponse run = Run("r-1");
  EXPECT_TRUE(run.run().by_hand());
  EXPECT_EQ(run.run().result(), v1::SCHEDULED_RUN_RESULT_RUNNING);
  EXPECT_EQ(Run("r-1").run().task_id(), run.run().task_id());
  const v1::Task task = master_.Get(run.run().task_id());
  EXPECT_EQ(task.spec().name(), "nightly");
  EXPECT_EQ(task.spec().priority(), 7);
  EXPECT_EQ(task.owner(), "ann@host");
  std::map<std::string, std::string> environment, labels;
  for (const auto& variable : task.spec().command().environment()) environment[variable.name()] = variable.value();
  for (const auto& label : task.spec().labels()) labels[label.key()] = label.value();
  EXPECT_THAT(environment, Contains(Pair("MUSTER_SCHEDULE", "nightly")));
  EXPECT_THAT(environment, Contains(Pair("MUSTER_DUE_TIME", HasSubstr("Z"))));
  EXPECT_THAT(labels, Contains(Pair("muster/schedule", "nightly")));
  EXPECT_EQ(labels["muster/due"], environment["MUSTER_DUE_TIME"]);
  EXPECT_EQ(Get()->running_size(), 1);
}

TEST_F(ScheduleServiceTest, ARunOfAWorkflowHasItsParametersAndEachOfItsTasksKnowsItsDueTime) {
  master_.Join("w1", 1);
  const auto city = [](v1::AddScheduleRequest* request) {
    AddFlowNode("fetch", "", request)->mutable_task()->mutable_command()->add_argv("{{ city }}");
    AddFlowNode("load", "fetch", request);
    v1::ScheduledWorkflow* const workflow = request->mutable_spec()->mutable_workflow();
    workflow->mutable_spec()->add_parameters()->set_name("city");
    v1::ParameterValue* const value = workflow->add_parameters();
    value->set_name("city");
    value->set_value("Bonn");
  };
  const auto added = Add("@yearly", city);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->owner(), "ann@host");
  EXPECT_TRUE(Add("@yearly", city).ok()) << "the same again is the same";
  EXPECT_EQ(added->spec().workflow().spec().nodes(0).task().command().argv(1), "Bonn");

  const v1::ScheduledRun run = Run("r-1").run();
  EXPECT_TRUE(run.task_id().empty());
  ASSERT_FALSE(run.workflow_id().empty());
  EXPECT_EQ(Run("r-1").run().workflow_id(), run.workflow_id());
  for (const char* const name : {"fetch", "load"}) {
    const AttemptKey key = master_.AwaitAssignment();
    const v1::Task task = master_.Get(IdToText(key.task.value()));
    EXPECT_EQ(task.spec().name(), name);
    EXPECT_EQ(EnvironmentOf(task)["MUSTER_SCHEDULE"], "nightly");
    EXPECT_THAT(EnvironmentOf(task)["MUSTER_DUE_TIME"], HasSubstr("Z"));
    EXPECT_EQ(task.spec().labels(0).key(), "muster/schedule");
    master_.Started(key);
    master_.End(key, 0);
  }
  EXPECT_TRUE(Eventually([&] {
    const auto shown = Get();
    return shown->recent_runs_size() == 1 && shown->recent_runs(0).workflow_state() == v1::WORKFLOW_STATE_SUCCEEDED &&
           shown->recent_runs(0).workflow_id() == run.workflow_id();
  }));
  v1::GetWorkflowRequest request;
  request.set_selector("nightly");
  v1::GetWorkflowResponse workflow;
  grpc::ClientContext context;
  ASSERT_TRUE(master_.Workflows()->Get(&context, request, &workflow).ok()) << "it has the schedule's name";
  EXPECT_EQ(workflow.workflow().id(), run.workflow_id());
}

TEST_F(ScheduleServiceTest, ADueTimeComesByItselfAndItsEndIsSeen) {
  master_.Join("w1", 1);
  ASSERT_TRUE(Add("every 1s").ok());
  const AttemptKey key = master_.AwaitAssignment();
  master_.Started(key);
  master_.End(key, 0);
  EXPECT_TRUE(Eventually([this] {
    const auto shown = Get();
    for (const v1::ScheduledRun& run : shown->recent_runs()) {
      if (run.task_state() == v1::TASK_STATE_SUCCEEDED) return !run.by_hand() && run.due_time().nanos() == 0;
    }
    return false;
  }));
}

TEST_F(ScheduleServiceTest, AListGoesOnWhereItsPageEnded) {
  for (const char* name : {"b", "a", "c"}) ASSERT_TRUE(Add("@daily", [name](auto* r) { r->set_name(name); }).ok());
  v1::ListSchedulesRequest request;
  request.set_page_size(2);
  std::vector<std::string> names;
  for (int page = 0; page < 2; ++page) {
    v1::ListSchedulesResponse response;
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->ListSchedules(&context, request, &response).ok());
    for (const auto& schedule : response.schedules()) names.push_back(schedule.name());
    request.set_page_token(response.next_page_token());
    EXPECT_EQ(response.next_page_token().empty(), page == 1);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace muster::handler
