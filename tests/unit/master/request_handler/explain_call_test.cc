// Explain over real gRPC, real core and real store.
#include "master/request_handler/explain_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

using testing::HasSubstr;

class ExplainCallTest : public testing::Test {
 protected:
  grpc::Status Explain(const v1::ExplainRequest& request, v1::ExplainResponse* response) {
    grpc::ClientContext context;
    return stub->Explain(&context, request, response);
  }
  v1::ExplainResponse Of(const std::vector<std::string>& selectors, int max_tasks = 0) {
    v1::ExplainRequest request;
    request.mutable_selectors()->Assign(selectors.begin(), selectors.end());
    request.set_max_tasks(max_tasks);
    v1::ExplainResponse response;
    const grpc::Status status = Explain(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  std::string RefusedFor(const v1::ExplainRequest& request) {
    v1::ExplainResponse response;
    return ReasonOf(rpc::FromGrpc(Explain(request, &response)));
  }

  LiveMaster master;
  std::unique_ptr<v1::TaskService::Stub> stub = master.Stub();
};

TEST(ReasonCodes, AreNamedTheSameInTheApi) {
  for (const core::ReasonRow& row : core::Reasons()) {
    EXPECT_EQ(v1::ReasonCode_Name(static_cast<v1::ReasonCode>(row.code)), absl::StrCat("REASON_CODE_", std::string(row.name)));
  }
  EXPECT_EQ(core::Reasons().size(), static_cast<size_t>(v1::ReasonCode_ARRAYSIZE - 1));
}

TEST_F(ExplainCallTest, OpenOnesComeFirstAndEndedOnesSayHow) {
  const std::string ended = master.Submit();
  const std::string waiting = master.Submit();
  master.Join("w1", 1);
  const AttemptKey key = master.AwaitAssignment();
  master.Started(key);
  master.End(key, 3);
  ASSERT_TRUE(master.AwaitState(ended, v1::TASK_STATE_FAILED));
  const v1::ExplainResponse response = Of({ended, waiting});
  ASSERT_EQ(response.explanations_size(), 2);
  EXPECT_EQ(response.explanations(0).task_id(), waiting);
  EXPECT_EQ(response.explanations(0).code(), v1::REASON_CODE_STARTING);
  EXPECT_EQ(response.explanations(0).worker(), "w1");
  EXPECT_EQ(response.explanations(1).code(), v1::REASON_CODE_ENDED);
  EXPECT_EQ(response.explanations(1).state(), v1::TASK_STATE_FAILED);
  EXPECT_EQ(response.explanations(1).sentence(), "It ended FAILED: exited with 3.");
  EXPECT_TRUE(response.explanations(1).has_since());
}

TEST_F(ExplainCallTest, WhatIsBeyondTheLimitIsCounted) {
  v1::SubmitBatchRequest batch;
  batch.mutable_template_()->mutable_command()->add_argv("echo");
  for (int i = 0; i < 20; ++i) batch.add_rows()->add_values("x");
  v1::SubmitBatchResponse accepted;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->SubmitBatch(&context, batch, &accepted).ok());
  EXPECT_THAT(accepted.warnings(), testing::ElementsAre("no worker has joined"));
  const v1::ExplainResponse few = Of({accepted.batch().id()}, 3);
  EXPECT_EQ(few.explanations_size(), 3);
  EXPECT_EQ(few.not_explained_count(), 17);
  EXPECT_EQ(few.explanations(2).code(), v1::REASON_CODE_NO_WORKERS);
  EXPECT_EQ(few.explanations(2).position().ahead_count(), 2);
  EXPECT_NE(few.explanations(2).advice(), "");
  EXPECT_EQ(Of({accepted.batch().id()}, 100).not_explained_count(), 0);
}

TEST_F(ExplainCallTest, ATaskThatIsNotSubmittedIsCheckedLikeOneThatIs) {
  master.Join("w1", 2);
  v1::ExplainRequest request;
  request.mutable_task()->mutable_command()->add_argv("true");
  request.mutable_task()->mutable_requirements()->set_slots(3);
  v1::ExplainResponse response;
  ASSERT_TRUE(Eventually([&] {  // its session opens a moment after it joined
    return Explain(request, &response).ok() && response.explanations(0).would_start_now() == "with 2 slots";
  }));
  ASSERT_EQ(response.explanations_size(), 1);
  const v1::Explanation& told = response.explanations(0);
  EXPECT_EQ(told.task_id(), "");
  EXPECT_EQ(told.state(), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(told.code(), v1::REASON_CODE_NO_WORKER_EVER_FITS);
  EXPECT_EQ(told.nearest_worker().worker(), "w1");
  EXPECT_EQ(master.workers().assigned_count(), 0u);

  request.mutable_task()->clear_command();
  EXPECT_EQ(RefusedFor(request), "NO_COMMAND");
  request.mutable_task()->mutable_command()->add_argv("true");
  request.mutable_task()->set_executor("sql");
  EXPECT_EQ(RefusedFor(request), "UNKNOWN_EXECUTOR");
}

TEST_F(ExplainCallTest, ACallWithoutSenseIsRefused) {
  v1::ExplainRequest request;
  EXPECT_EQ(RefusedFor(request), "BAD_CALL");
  request.add_selectors("nobody");
  EXPECT_EQ(RefusedFor(request), "NO_SUCH_TASK");
  request.set_max_tasks(101);
  EXPECT_EQ(RefusedFor(request), "BAD_CALL");
  request.set_max_tasks(0);
  request.mutable_task()->mutable_command()->add_argv("true");
  EXPECT_EQ(RefusedFor(request), "BAD_CALL");
}

TEST_F(ExplainCallTest, AnEstimateComesWithWhatWasLearned) {
  master.Join("w1", 1);
  std::vector<std::string> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(master.Submit());
  EXPECT_FALSE(Of({tasks[2]}).explanations(0).has_estimate());
  for (int i = 0; i < 3; ++i) {
    const AttemptKey key = master.AwaitAssignment();
    master.Started(key);
    master.End(key, 0);
  }
  ASSERT_TRUE(master.AwaitState(tasks[2], v1::TASK_STATE_SUCCEEDED));
  // Three quick ones: the next is sent ahead of a slot, so what waits for one asks for the slot and something else.
  v1::ExplainRequest request;
  request.mutable_task()->mutable_command()->add_argv("true");
  request.mutable_task()->set_on_worker_loss(v1::ON_WORKER_LOSS_HOLD);
  v1::ExplainResponse response;
  ASSERT_TRUE(Explain(request, &response).ok());
  EXPECT_THAT(response.explanations(0).sentence(), HasSubstr("slot"));
  EXPECT_TRUE(response.explanations(0).has_estimate());
}

}  // namespace
}  // namespace muster::handler
