// WorkflowService over real gRPC, with the real core and store behind it: calls in parts, refusals, pages, a retry.
#include "master/request_handler/workflow_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/rpc/status.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

using ::testing::HasSubstr;

v1::WorkflowNode* AddNode(const std::string& name, const std::vector<std::string>& needs, v1::WorkflowSpec* spec) {
  v1::WorkflowNode* const node = spec->add_nodes();
  node->set_name(name);
  node->mutable_task()->mutable_command()->add_argv("true");
  node->mutable_task()->set_owner("ann@host");
  for (const std::string& need : needs) node->add_needs()->set_node(need);
  return node;
}

class WorkflowServiceTest : public ::testing::Test {
 protected:
  absl::StatusOr<v1::Workflow> Run(const std::vector<v1::RunWorkflowRequest>& parts) {
    v1::RunWorkflowResponse response;
    grpc::ClientContext context;
    const auto writer = stub_->Run(&context, &response);
    for (const v1::RunWorkflowRequest& part : parts) writer->Write(part);
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (!status.ok()) return rpc::FromGrpc(status);
    return response.workflow();
  }
  absl::StatusOr<v1::Workflow> RunOne(const std::function<void(v1::RunWorkflowRequest*)>& change) {
    v1::RunWorkflowRequest request;
    request.mutable_workflow()->set_name("nightly");
    change(&request);
    return Run({request});
  }
  v1::GetWorkflowResponse Get(const std::string& selector, int32_t page = 0, const std::string& token = "") {
    v1::GetWorkflowRequest request;
    request.set_selector(selector);
    request.set_page_size(page);
    request.set_page_token(token);
    v1::GetWorkflowResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->Get(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  absl::StatusOr<v1::RetryWorkflowResponse> Retry(const std::string& selector) {
    v1::RetryWorkflowRequest request;
    request.set_selector(selector);
    v1::RetryWorkflowResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->Retry(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }
  absl::StatusOr<v1::AddToWorkflowResponse> Add(const std::string& selector, const std::function<void(v1::WorkflowSpec*)>& change,
                                                const std::string& request_id = "") {
    v1::AddToWorkflowRequest request;
    request.set_selector(selector);
    request.set_request_id(request_id);
    change(request.mutable_workflow());
    v1::AddToWorkflowResponse response;
    grpc::ClientContext context;
    const auto writer = stub_->Add(&context, &response);
    writer->Write(request);
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }
  size_t KnownWorkflows() { return master_.store().ListWorkflows({.ended_too = true})->size(); }
  void AwaitState(const std::string& selector, v1::WorkflowState state) {
    for (const absl::Time deadline = absl::Now() + absl::Seconds(20); Get(selector).workflow().state() != state;) {
      ASSERT_LT(absl::Now(), deadline) << "it never was " << v1::WorkflowState_Name(state);
    }
  }

  LiveMaster master_;
  std::unique_ptr<v1::WorkflowService::Stub> stub_ = master_.Workflows();
};

TEST_F(WorkflowServiceTest, PartsAreOneWorkflowAndPagesAreAllOfIt) {
  v1::RunWorkflowRequest first, second;
  AddNode("fetch", {}, first.mutable_workflow());
  AddNode("load", {"fetch"}, second.mutable_workflow());
  first.set_node_count(2);
  const auto run = Run({first, second});
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->task_count(), 2);
  EXPECT_EQ(run->owner(), "ann@host");
  const v1::GetWorkflowResponse page = Get(run->id(), 1);
  ASSERT_EQ(page.nodes_size(), 1);
  EXPECT_EQ(page.nodes(0).name(), "fetch");
  const v1::GetWorkflowResponse rest = Get(run->id(), 1, page.next_page_token());
  ASSERT_EQ(rest.nodes_size(), 1);
  EXPECT_EQ(rest.nodes(0).needs(0).node(), "fetch");
  EXPECT_TRUE(rest.next_page_token().empty());
}

TEST_F(WorkflowServiceTest, ACallThatBrokeOffIsNoWorkflow) {
  v1::RunWorkflowRequest first;
  AddNode("fetch", {}, first.mutable_workflow());
  first.set_node_count(2);
  EXPECT_THAT(std::string(Run({first}).status().message()), HasSubstr("node_count: says 2, and 1 came"));
  v1::RunWorkflowRequest uncounted = first;
  uncounted.clear_node_count();
  v1::RunWorkflowResponse response;
  grpc::ClientContext context;
  const auto writer = stub_->Run(&context, &response);
  writer->Write(uncounted);
  context.TryCancel();
  EXPECT_FALSE(writer->Finish().ok());
  ASSERT_TRUE(RunOne([](auto* request) { AddNode("a", {}, request->mutable_workflow()); }).ok());
  EXPECT_EQ(KnownWorkflows(), 1u);
}

TEST_F(WorkflowServiceTest, WhatIsWrongNamesItsField) {
  const auto refusal = [this](const std::function<void(v1::RunWorkflowRequest*)>& change) { return std::string(RunOne(change).status().message()); };
  EXPECT_THAT(refusal([](auto*) {}), HasSubstr("workflow"));
  EXPECT_THAT(refusal([](auto* request) { AddNode("a", {"b"}, request->mutable_workflow()); }), HasSubstr("workflow.nodes[0].needs[0]"));
  EXPECT_THAT(refusal([](auto* request) { AddNode("a b", {}, request->mutable_workflow()); }), HasSubstr("workflow.nodes[0].name"));
  EXPECT_THAT(refusal([](auto* request) { AddNode("a", {}, request->mutable_workflow())->mutable_task()->clear_command(); }),
              HasSubstr("workflow.nodes[0].task"));
  EXPECT_THAT(refusal([](auto* request) { AddNode("a", {}, request->mutable_workflow())->mutable_task()->set_name("b"); }),
              HasSubstr("workflow.nodes[0].task.name"));
  EXPECT_THAT(refusal([](auto* request) {
                AddNode("a", {}, request->mutable_workflow());
                for (int i = 0; i < 65; ++i) request->mutable_workflow()->add_labels()->set_key("k");
              }),
              HasSubstr("workflow.labels"));
  EXPECT_THAT(refusal([](auto* request) {
                AddNode("a", {}, request->mutable_workflow());
                request->mutable_workflow()->add_labels()->set_key("no key");
              }),
              HasSubstr("labels"));
  EXPECT_THAT(refusal([](auto* request) {
                AddNode("a", {}, request->mutable_workflow());
                request->mutable_workflow()->set_on_failure(static_cast<v1::FailureRule>(77));
              }),
              HasSubstr("workflow.on_failure"));
  EXPECT_EQ(KnownWorkflows(), 0u);
}

v1::WorkflowNode* AddReader(v1::WorkflowSpec* spec) {
  v1::WorkflowNode* const node = AddNode("load", {"fetch"}, spec);
  v1::OutputVariable* const variable = node->add_variables();
  variable->set_name("VERSION");
  variable->set_node("fetch");
  variable->set_output("version");
  return node;
}

TEST_F(WorkflowServiceTest, AValueThatCannotBeHadIsRefusedWithItsField) {
  const auto refusal = [this](const std::function<void(v1::WorkflowNode* from, v1::WorkflowNode* to)>& change) {
    return std::string(RunOne([&](auto* request) {
                         v1::WorkflowNode* from = AddNode("fetch", {}, request->mutable_workflow());
                         from->add_outputs("version");
                         AddReader(request->mutable_workflow());
                         change(request->mutable_workflow()->mutable_nodes(0), request->mutable_workflow()->mutable_nodes(1));
                       }).status().message());
  };
  EXPECT_EQ(refusal([](auto*, auto*) {}), "");
  EXPECT_THAT(refusal([](auto*, auto* to) { to->mutable_variables(0)->set_node("fecth"); }),
              HasSubstr("workflow.nodes[1].variables[0].node: there is no task 'fecth'"));
  EXPECT_THAT(refusal([](auto*, auto* to) { to->mutable_variables(0)->set_output("rows"); }), HasSubstr("has no output 'rows'"));
  EXPECT_THAT(refusal([](auto*, auto* to) { to->clear_needs(); }), HasSubstr("is not needed by this task"));
  EXPECT_THAT(refusal([](auto*, auto* to) { to->mutable_variables(0)->set_name("MUSTER_TASK_ID"); }), HasSubstr("variables[0].name"));
  EXPECT_THAT(refusal([](auto*, auto* to) { to->mutable_variables(0)->set_name("A=B"); }), HasSubstr("variables[0].name"));
  EXPECT_THAT(refusal([](auto*, auto* to) { *to->add_variables() = to->variables(0); }), HasSubstr("is set twice"));
  EXPECT_THAT(refusal([](auto*, auto* to) { to->mutable_condition()->set_node("nobody"); }), HasSubstr("workflow.nodes[1].condition.node"));
  EXPECT_THAT(refusal([](auto*, auto* to) { to->mutable_condition()->set_output("version"); }), HasSubstr("name the task"));
  EXPECT_THAT(refusal([](auto*, auto* to) { to->mutable_condition()->set_right(std::string(5000, 'x')); }), HasSubstr("more than 4096 bytes"));
  EXPECT_THAT(refusal([](auto* from, auto*) { from->mutable_task()->add_outputs("version"); }), HasSubstr("`outputs` of the node says it"));
  EXPECT_THAT(refusal([](auto* from, auto*) { from->add_rows()->add_values("a"); }), HasSubstr("are not for a batch"));
}

TEST_F(WorkflowServiceTest, AddedTasksAreTheWorkflowsOwnAndTheSameOnesAreAddedOnce) {
  const auto run = RunOne([](auto* request) {
    AddNode("fetch", {}, request->mutable_workflow())->add_outputs("version");
    v1::Label* const label = request->mutable_workflow()->add_labels();
    label->set_key("team");
    label->set_value("data");
  });
  ASSERT_TRUE(run.ok()) << run.status();
  const auto more = [](v1::WorkflowSpec* spec) {
    v1::WorkflowNode* const node = AddReader(spec);
    node->mutable_task()->set_owner("mallory@host");
    node->add_rows()->add_values("1");
    node->add_rows()->add_values("2");
    node->mutable_task()->mutable_command()->add_argv("{{ word }} {1}");
    spec->add_parameters()->set_name("word");
    spec->mutable_parameters(0)->set_default_value("hello");
  };
  for (int i = 0; i < 2; ++i) {
    const auto added = Add("nightly", more);
    ASSERT_TRUE(added.ok()) << added.status();
    EXPECT_EQ(added->task_count(), 2);
    EXPECT_EQ(added->workflow().task_count(), 3);
    EXPECT_EQ(added->workflow().retry_count(), 0);
  }
  const v1::GetWorkflowResponse now = Get("nightly");
  ASSERT_EQ(now.nodes_size(), 2);
  EXPECT_EQ(now.nodes(1).name(), "load");
  const v1::Task task = master_.Get(now.nodes(1).tasks(0).first_id());
  EXPECT_EQ(task.spec().owner(), "ann@host");
  ASSERT_EQ(task.spec().labels_size(), 1);
  EXPECT_EQ(task.spec().labels(0).value(), "data");
  EXPECT_THAT(std::string(Add("nightly", more, "another").status().message()), HasSubstr("'load' is the name of nodes[1], too"));
}

TEST_F(WorkflowServiceTest, ARequestIdThatAddedToOneWorkflowIsTakenForAllElse) {
  const auto fetch = [](auto* request) { AddNode("fetch", {}, request->mutable_workflow()); };
  const auto more = [](v1::WorkflowSpec* spec) { AddNode("more", {}, spec); };
  const auto first = RunOne(fetch), second = RunOne(fetch);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE(Add(first->id(), more, "x").ok());
  EXPECT_EQ(Add(second->id(), more, "x").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(RunOne([&](auto* request) { request->mutable_workflow()->clear_name(), more(request->mutable_workflow()), request->set_request_id("x"); })
                .status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(Add(second->id(), more).ok());
}

TEST_F(WorkflowServiceTest, ManyThatAddAtOnceAllGetTheirTurn) {
  const auto run = RunOne([](auto* request) { AddNode("fetch", {}, request->mutable_workflow()); });
  ASSERT_TRUE(run.ok());
  std::vector<std::thread> adders;
  for (int i = 0; i < 16; ++i) {
    adders.emplace_back([this, i] { EXPECT_TRUE(Add("nightly", [i](v1::WorkflowSpec* spec) { AddNode(absl::StrCat("more", i), {"fetch"}, spec); }).ok()); });
  }
  for (std::thread& adder : adders) adder.join();
  EXPECT_EQ(Get("nightly").workflow().task_count(), 17);
}

TEST_F(WorkflowServiceTest, WhatCannotBeAddedIsRefusedAndNothingIsAdded) {
  ASSERT_TRUE(RunOne([](auto* request) { AddNode("fetch", {}, request->mutable_workflow()); }).ok());
  const auto refusal = [this](const std::function<void(v1::WorkflowSpec*)>& change) { return std::string(Add("nightly", change).status().message()); };
  EXPECT_THAT(refusal([](auto*) {}), HasSubstr("there is nothing to add"));
  EXPECT_THAT(refusal([](auto* spec) { AddNode("a", {"fecth"}, spec); }), HasSubstr("did you mean 'fetch'?"));
  EXPECT_THAT(refusal([](auto* spec) { AddNode("a", {"b"}, spec), AddNode("b", {"a"}, spec); }), HasSubstr("circle"));
  EXPECT_THAT(refusal([](auto* spec) { AddNode("a", {}, spec), spec->set_name("x"); }), HasSubstr("workflow.name: stays unset"));
  EXPECT_THAT(refusal([](auto* spec) { AddNode("a", {}, spec), spec->set_max_parallel(3); }), HasSubstr("workflow.max_parallel"));
  EXPECT_THAT(refusal([](auto* spec) { AddNode("a", {}, spec)->mutable_task()->clear_command(); }), HasSubstr("workflow.nodes[1].task"));
  EXPECT_THAT(std::string(Add("nobody", [](auto* spec) { AddNode("a", {}, spec); }).status().message()), HasSubstr("nobody"));
  EXPECT_EQ(Get("nightly").workflow().task_count(), 1);
}

TEST_F(WorkflowServiceTest, ARowThatFailedIsTriedAgainWithItsValuesAndItsPlace) {
  master_.Join("w1", 4);
  const auto run = RunOne([](auto* request) {
    v1::WorkflowNode* const node = AddNode("score", {}, request->mutable_workflow());
    node->mutable_task()->mutable_command()->add_argv("{1}-{#}");
    for (const char* const value : {"a", "b", "c"}) node->add_rows()->add_values(value);
  });
  ASSERT_TRUE(run.ok()) << run.status();
  for (int i = 0; i < 3; ++i) {
    const AttemptKey key = master_.AwaitAssignment();
    master_.Started(key);
    master_.End(key, master_.Get(IdToText(key.task.value())).batch_index() == 2 ? 1 : 0);
  }
  AwaitState("nightly", v1::WORKFLOW_STATE_FAILED);
  const auto retry = Retry("nightly");
  ASSERT_TRUE(retry.ok()) << retry.status();
  EXPECT_EQ(retry->task_count(), 1);
  const AttemptKey again = master_.AwaitAssignment();
  const v1::Task task = master_.Get(IdToText(again.task.value()));
  EXPECT_EQ(task.spec().command().argv(1), "b-2");
  EXPECT_FALSE(task.retry_of().empty());
  EXPECT_FALSE(Retry("nightly").ok()) << "it is open";
  master_.Started(again);
  master_.End(again, 0);
  AwaitState("nightly", v1::WORKFLOW_STATE_SUCCEEDED);
  EXPECT_THAT(std::string(Retry("nightly").status().message()), HasSubstr("nothing of it failed"));
}

}  // namespace
}  // namespace muster::handler
