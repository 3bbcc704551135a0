// Events over real gRPC and as HTTP serves them, with the real core and store behind both.
#include "master/request_handler/event_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "master/request_handler/event_http.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

using ::testing::HasSubstr;

class EventCallsTest : public ::testing::Test {
 protected:
  absl::Status Add(const std::string& name, const std::function<void(v1::ScheduleSpec*)>& change) {
    v1::AddScheduleRequest request;
    request.set_name(name);
    request.mutable_spec()->set_times("on push");
    change(request.mutable_spec());
    v1::AddScheduleResponse response;
    grpc::ClientContext context;
    return rpc::FromGrpc(stub_->AddSchedule(&context, request, &response));
  }
  absl::Status AddTask(const std::string& name = "show", const std::vector<std::string>& argv = {"echo", "{{ branch }}"}, bool shell = false) {
    return Add(name, [&](v1::ScheduleSpec* spec) {
      for (const std::string& word : argv) spec->mutable_task()->mutable_command()->add_argv(word);
      spec->mutable_task()->mutable_command()->set_shell(shell);
      spec->mutable_task()->set_owner("ann@host");
    });
  }
  absl::StatusOr<v1::SendEventResponse> Send(const std::string& id, const std::map<std::string, std::string>& parameters = {{"branch", "main"}}) {
    v1::SendEventRequest request;
    request.set_event("push");
    request.set_id(id);
    for (const auto& [name, value] : parameters) (*request.mutable_parameters())[name] = value;
    v1::SendEventResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->SendEvent(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }
  void Remove(const std::string& name) {
    v1::RemoveScheduleRequest request;
    request.set_name(name);
    v1::RemoveScheduleResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->RemoveSchedule(&context, request, &response).ok());
  }
  int64_t CreatedMillis(const std::string& name) {
    v1::GetScheduleRequest request;
    request.set_name(name);
    v1::GetScheduleResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->GetSchedule(&context, request, &response).ok());
    const auto& created = response.schedule().create_time();
    return created.seconds() * 1000 + created.nanos() / 1'000'000;
  }
  v1::Command CommandOf(const v1::SendEventResponse& sent) { return master_.Get(sent.runs(0).task_id()).spec().command(); }

  LiveMaster master_;
  std::unique_ptr<v1::ScheduleService::Stub> stub_ = master_.Schedules();
};

TEST_F(EventCallsTest, WhatItSaysIsPutIntoTheTaskAndTheSameAgainIsTheSameTask) {
  ASSERT_TRUE(AddTask().ok());
  const auto sent = Send("7");
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(sent->id(), "7");
  ASSERT_EQ(sent->runs_size(), 1);
  EXPECT_EQ(sent->runs(0).result(), v1::EVENT_RUN_RESULT_STARTED);
  const v1::Command command = CommandOf(*sent);
  EXPECT_EQ(command.argv(1), "main");
  std::map<std::string, std::string> environment;
  for (const auto& variable : command.environment()) environment[variable.name()] = variable.value();
  EXPECT_EQ(environment["MUSTER_EVENT"], "push");
  EXPECT_EQ(environment["MUSTER_EVENT_ID"], "7");
  EXPECT_EQ(environment["MUSTER_SCHEDULE"], "show");
  EXPECT_THAT(environment["MUSTER_DUE_TIME"], HasSubstr("."));
  const auto again = Send("7", {{"branch", "another"}});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->runs(0).result(), v1::EVENT_RUN_RESULT_REPEATED);
  EXPECT_EQ(again->runs(0).task_id(), sent->runs(0).task_id());
  EXPECT_NE(Send("8")->runs(0).task_id(), sent->runs(0).task_id());
  const auto fresh = Send("");
  EXPECT_EQ(fresh->id().size(), 32u);
}

TEST_F(EventCallsTest, ALineForAShellGetsOneQuotedWordOrIsRefused) {
  ASSERT_TRUE(AddTask("line", {"echo {{ branch }}"}, true).ok());
  const auto sent = Send("7", {{"branch", "x'; rm -rf /"}});
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_THAT(CommandOf(*sent).argv(0), HasSubstr("'\\''"));
  ASSERT_TRUE(AddTask("other", {"echo {{ brunch }}"}, true).ok());
  const auto both = Send("8", {{"branch", "$(id)"}});
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->runs(1).result(), v1::EVENT_RUN_RESULT_REFUSED);
  EXPECT_THAT(both->runs(1).reason(), HasSubstr("is no parameter; did you mean branch?"));
}

TEST_F(EventCallsTest, ATaskThatNoEventCouldFillInIsRefusedWhenItIsAdded) {
  EXPECT_THAT(std::string(AddTask("quoted", {"echo \"{{ branch }}\""}, true).message()), HasSubstr("within quotes"));
  EXPECT_THAT(std::string(AddTask("dotted", {"{{ pick.model }}"}).message()), HasSubstr("is no name that a parameter can have"));
  EXPECT_TRUE(AddTask("braces", {"echo '\\{{ branch }}'"}, true).ok());
}

TEST_F(EventCallsTest, AWorkflowTakesWhatItDeclaresOverWhatTheScheduleSays) {
  const auto flow = [](v1::ScheduleSpec* spec) {
    v1::ScheduledWorkflow* const workflow = spec->mutable_workflow();
    for (const char* name : {"branch", "city"}) workflow->mutable_spec()->add_parameters()->set_name(name);
    v1::WorkflowNode* const node = workflow->mutable_spec()->add_nodes();
    node->set_name("test");
    node->mutable_task()->set_owner("ann@host");
    for (const char* word : {"echo", "{{ branch }}", "{{ city }}"}) node->mutable_task()->mutable_command()->add_argv(word);
    for (const char* name : {"branch", "city"}) {
      v1::ParameterValue* const value = workflow->add_parameters();
      value->set_name(name);
      value->set_value("Bonn");
    }
  };
  ASSERT_TRUE(Add("deploy", flow).ok());
  ASSERT_TRUE(Add("deploy", flow).ok()) << "the same again is the same";
  master_.Join("w1", 1);
  const auto sent = Send("7", {{"branch", "main"}, {"sender", "somebody"}});
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_FALSE(sent->runs(0).workflow_id().empty());
  const AttemptKey key = master_.AwaitAssignment();
  const v1::Command command = master_.Get(IdToText(key.task.value())).spec().command();
  EXPECT_EQ(command.argv(1), "main");
  EXPECT_EQ(command.argv(2), "Bonn");
  EXPECT_EQ(Send("7")->runs(0).workflow_id(), sent->runs(0).workflow_id());
}

TEST_F(EventCallsTest, AWorkflowThatCouldNeverBeFilledInIsRefusedWhenItIsAdded) {
  const auto with = [this](const std::string& line) {
    return Add("deploy", [&](v1::ScheduleSpec* spec) {
      v1::WorkflowSpec* const workflow = spec->mutable_workflow()->mutable_spec();
      workflow->add_parameters()->set_name("branch");
      v1::WorkflowNode* const node = workflow->add_nodes();
      node->set_name("test");
      node->mutable_task()->mutable_command()->add_argv(line);
      node->mutable_task()->mutable_command()->set_shell(true);
    });
  };
  EXPECT_THAT(std::string(with("echo {{ brunch }}").message()), HasSubstr("did you mean branch?"));
  EXPECT_THAT(std::string(with("echo '{{ branch }}'").message()), HasSubstr("within quotes"));
  EXPECT_TRUE(with("echo {{ branch }}").ok());
  EXPECT_THAT(std::string(Send("7", {}).status().message()), HasSubstr("no value for the parameter branch"));
}

TEST_F(EventCallsTest, WhatIsNoEventIsRefused) {
  EXPECT_EQ(Send("7").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(AddTask().ok());
  EXPECT_EQ(ReasonOf(Send(std::string(129, 'x')).status()), "BAD_EVENT");
  EXPECT_EQ(ReasonOf(Send("7", {{"branch", std::string(70 << 10, 'x')}}).status()), "BAD_EVENT");
  EXPECT_EQ(Send("7", {{"brunch", "x"}}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Send("7", {{"branch", std::string("a\0b", 3)}}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(EventCallsTest, AnIdThatACallHasTakenForItselfIsNoEventsOwn) {
  ASSERT_TRUE(AddTask().ok());
  master_.Submit([this](v1::SubmitRequest* request) {
    request->mutable_task()->set_owner("ann@host");
    request->set_request_id(absl::StrCat("event/show/", CreatedMillis("show"), "/push/7"));
  });
  EXPECT_EQ(Send("7").status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(EventCallsTest, AScheduleThatWasAddedAgainStartsForAnEventThatIsSentAgain) {
  ASSERT_TRUE(AddTask().ok());
  const auto first = Send("7");
  ASSERT_TRUE(first.ok()) << first.status();
  const int64_t created = CreatedMillis("show");
  // Until a millisecond has passed, in which it is the same one.
  for (const absl::Time give_up = absl::Now() + absl::Seconds(10); CreatedMillis("show") == created && absl::Now() < give_up;) {
    Remove("show");
    ASSERT_TRUE(AddTask().ok());
  }
  const auto second = Send("7");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->runs(0).result(), v1::EVENT_RUN_RESULT_STARTED);
  EXPECT_NE(second->runs(0).task_id(), first->runs(0).task_id());
}

TEST_F(EventCallsTest, AParameterThatNoReferenceCanHaveIsPassedOver) {
  ASSERT_TRUE(AddTask().ok());
  const auto sent = Send("7", {{"branch", "main"}, {"head-commit", "x"}, {"ref.name", "x"}, {"1st", "x"}, {std::string(200, 'a'), "x"}});
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(CommandOf(*sent).argv(1), "main");
}

TEST_F(EventCallsTest, ARefusalForNowNamesTheIdThatWasDrawn) {
  ASSERT_TRUE(AddTask().ok());
  master_.loop().SetFull(true);
  const absl::Status drawn = Send("").status();
  const absl::Status given = Send("7").status();
  master_.loop().SetFull(false);
  EXPECT_THAT(std::string(drawn.message()), HasSubstr("; send it again with id "));
  EXPECT_EQ(ReasonOf(drawn), ReasonOf(given));
  EXPECT_EQ(RetryAfterOf(drawn), RetryAfterOf(given));
  EXPECT_EQ(std::string(given.message()).find("with id"), std::string::npos) << given;
}

TEST_F(EventCallsTest, AWorkflowOfManyTasksIsStartedByNoEvent) {
  const auto with_rows = [this](const std::string& name, int rows) {
    return Add(name, [rows](v1::ScheduleSpec* spec) {
      v1::WorkflowNode* const node = spec->mutable_workflow()->mutable_spec()->add_nodes();
      node->set_name("test");
      node->mutable_task()->mutable_command()->add_argv("true");
      for (int i = 0; i < rows; ++i) node->add_rows()->add_values("x");
    });
  };
  const absl::Status refused = with_rows("many", 1001);
  EXPECT_EQ(ReasonOf(refused), "BAD_WORKFLOW");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("muster flow add"));
  EXPECT_TRUE(with_rows("some", 1000).ok());
}

TEST_F(EventCallsTest, HttpTellsInCodesAndJson) {
  const auto post = [this](const std::string& name, const std::string& body) { return ServeEvent(&master_.events(), nullptr, name, body); };
  EXPECT_EQ(post("push", "{}").code, 404);
  ASSERT_TRUE(AddTask().ok());
  EXPECT_EQ(post("no/name", "{}").code, 400);
  EXPECT_EQ(post("push", "{").code, 400);
  const telemetry::HttpReply started = post("push", R"({"id": "7", "parameters": {"branch": "main"}})");
  EXPECT_EQ(started.code, 200);
  EXPECT_THAT(started.body, HasSubstr("\"task_id\""));
  EXPECT_THAT(post("push", R"({"id": "7"})").body, HasSubstr("EVENT_RUN_RESULT_REPEATED"));
  master_.loop().SetFull(true);
  const telemetry::HttpReply full = post("push", R"({"id": "8", "parameters": {"branch": "main"}})");
  EXPECT_GE(full.code, 429);
  master_.loop().SetFull(false);
}

}  // namespace
}  // namespace muster::handler
