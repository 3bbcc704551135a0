// Submit, SubmitBatch, Cancel and Retry over real gRPC, real core and real store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class SubmitTest : public testing::Test {
 protected:
  grpc::Status Submit(const v1::SubmitRequest& request, v1::SubmitResponse* response) {
    grpc::ClientContext context;
    return stub->Submit(&context, request, response);
  }
  grpc::Status SubmitBatch(const v1::SubmitBatchRequest& request, v1::SubmitBatchResponse* response) {
    grpc::ClientContext context;
    return stub->SubmitBatch(&context, request, response);
  }
  v1::CancelResponse Cancel(const std::string& selector) {
    v1::CancelRequest request;
    request.add_selectors(selector);
    request.set_reason("not wanted");
    v1::CancelResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub->Cancel(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  grpc::Status Retry(const v1::RetryRequest& request, v1::RetryResponse* response) {
    grpc::ClientContext context;
    return stub->Retry(&context, request, response);
  }
  v1::SubmitRequest Echo(const std::string& request_id = "") {
    v1::SubmitRequest request;
    request.mutable_task()->mutable_command()->add_argv("echo");
    request.mutable_task()->set_owner("me@here");
    request.set_request_id(request_id);
    return request;
  }
  v1::SubmitBatchRequest Rows(std::vector<std::string> values) {
    v1::SubmitBatchRequest request;
    request.mutable_template_()->mutable_command()->add_argv("echo");
    request.mutable_template_()->mutable_command()->add_argv("<{}>");
    for (const auto& value : values) request.add_rows()->add_values(value);
    return request;
  }

  LiveMaster master;
  std::unique_ptr<v1::TaskService::Stub> stub = master.Stub();
};

TEST_F(SubmitTest, ARefusalForManyReasonsArrives) {
  v1::SubmitRequest request = Echo();
  for (int i = 0; i < 64; ++i) request.mutable_task()->add_labels()->set_key("not a key");
  v1::SubmitResponse response;
  const absl::Status status = rpc::FromGrpc(Submit(request, &response));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_EQ(ReasonOf(status), "BAD_LABEL");
}

TEST_F(SubmitTest, AfterAnOkGetFindsTheTask) {
  v1::SubmitResponse response;
  ASSERT_TRUE(Submit(Echo(), &response).ok());
  EXPECT_EQ(response.task().state(), v1::TASK_STATE_QUEUED);
  const v1::Task task = master.Get(response.task().id());
  EXPECT_EQ(task.id(), response.task().id());
  EXPECT_EQ(task.owner(), "me@here");
  EXPECT_EQ(task.spec().command().argv(0), "echo");
  EXPECT_GT(task.commit(), 0);
}

TEST_F(SubmitTest, ABadTaskIsRefusedWithFieldReasonAndNoTrace) {
  v1::SubmitRequest request = Echo();
  request.mutable_task()->mutable_command()->clear_argv();
  v1::SubmitResponse response;
  const absl::Status status = rpc::FromGrpc(Submit(request, &response));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(ReasonOf(status), "NO_COMMAND");
  ASSERT_THAT(ViolationsOf(status), SizeIs(1));
  EXPECT_EQ(ViolationsOf(status)[0].field, "task.command.argv");
}

TEST_F(SubmitTest, AnExecutorThatNobodyKnowsIsRefused) {
  v1::SubmitRequest request;
  request.mutable_task()->set_executor("teleport");
  v1::SubmitResponse response;
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(Submit(request, &response))), "UNKNOWN_EXECUTOR");
}

TEST_F(SubmitTest, TheSameRequestIdGivesTheSameTask) {
  v1::SubmitResponse first;
  v1::SubmitResponse again;
  ASSERT_TRUE(Submit(Echo("r-1"), &first).ok());
  ASSERT_TRUE(Submit(Echo("r-1"), &again).ok());
  EXPECT_EQ(first.task().id(), again.task().id());
}

TEST_F(SubmitTest, TheSameRequestIdWithOtherContentIsRefused) {
  v1::SubmitResponse response;
  ASSERT_TRUE(Submit(Echo("r-1"), &response).ok());
  v1::SubmitRequest other = Echo("r-1");
  other.mutable_task()->set_priority(5);
  const absl::Status status = rpc::FromGrpc(Submit(other, &response));
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_EQ(ReasonOf(status), "REQUEST_ID_REUSED");
}

TEST_F(SubmitTest, TriesOfOneCallThatArriveTogetherMakeOneTask) {
  std::vector<std::thread> threads;
  std::vector<std::string> ids(8);
  for (size_t i = 0; i < ids.size(); ++i) {
    threads.emplace_back([&, i] {
      v1::SubmitResponse response;
      if (Submit(Echo("together"), &response).ok()) ids[i] = response.task().id();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(ids, testing::Each(testing::AllOf(testing::Eq(ids[0]), testing::Ne(""))));
}

TEST_F(SubmitTest, AFullMailboxIsARefusalWithADelay) {
  master.loop().SetFull(true);
  v1::SubmitResponse response;
  const absl::Status status = rpc::FromGrpc(Submit(Echo(), &response));
  master.loop().SetFull(false);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(RetryAfterOf(status).has_value());
}

TEST_F(SubmitTest, RefusalsAreInTheActivityLogOncePerCauseAndIdentity) {
  v1::SubmitRequest bad = Echo();
  bad.mutable_task()->set_priority(999);
  v1::SubmitResponse response;
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(Submit(bad, &response).ok());
  int64_t count = 0;
  EXPECT_TRUE(Eventually([&] {
    count = 0;
    // Activity rides with the next commit: something must be committed.
    master.Submit();
    const auto entries = master.store().ReadActivity(CommitNumber(0), absl::InfinitePast(), 1000);
    for (const store::ActivityEntry& entry : *entries) {
      const auto* refused = std::get_if<activity::RequestsRefused>(&entry.record.event);
      if (refused == nullptr) continue;
      EXPECT_EQ(refused->cause, "BAD_PRIORITY");
      EXPECT_EQ(refused->by, "me@here");
      count += refused->count;
    }
    return count >= 5;
  }));
  EXPECT_EQ(count, 5);
}

TEST_F(SubmitTest, ABatchIsOneResourceWithItsCounts) {
  v1::SubmitBatchResponse response;
  ASSERT_TRUE(SubmitBatch(Rows({"a", "b", "c"}), &response).ok());
  EXPECT_EQ(response.batch().task_count(), 3);
  v1::GetRequest request;
  request.set_selector(response.batch().id());
  v1::GetResponse got;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->Get(&context, request, &got).ok());
  ASSERT_TRUE(got.has_batch());
  ASSERT_EQ(got.batch().counts_size(), 1);
  EXPECT_EQ(got.batch().counts(0).state(), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(got.batch().counts(0).count(), 3);
  const v1::Task second = master.Get(response.batch().id() + "/2");
  EXPECT_EQ(second.batch_index(), 2);
  EXPECT_EQ(second.spec().command().argv(1), "<b>");
}

TEST_F(SubmitTest, RowsCanBeAddedToABatch) {
  v1::SubmitBatchResponse response;
  ASSERT_TRUE(SubmitBatch(Rows({"a", "b"}), &response).ok());
  v1::SubmitBatchRequest more;
  more.set_batch_id(response.batch().id());
  more.add_rows()->add_values("c");
  v1::SubmitBatchResponse extended;
  const grpc::Status status = SubmitBatch(more, &extended);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(extended.batch().id(), response.batch().id());
  EXPECT_EQ(extended.batch().task_count(), 3);
  EXPECT_EQ(master.Get(response.batch().id() + "/3").spec().command().argv(1), "<c>");
}

TEST_F(SubmitTest, TasksOfOneCallAreAcceptedAllOrNone) {
  v1::SubmitBatchRequest request;
  for (int i = 0; i < 3; ++i) request.add_tasks()->mutable_command()->add_argv("true");
  v1::SubmitBatchResponse response;
  ASSERT_TRUE(SubmitBatch(request, &response).ok());
  EXPECT_EQ(response.task_ids_size(), 3);
  request.mutable_tasks(1)->set_priority(999);
  const absl::Status status = rpc::FromGrpc(SubmitBatch(request, &response));
  ASSERT_THAT(ViolationsOf(status), SizeIs(1));
  EXPECT_EQ(ViolationsOf(status)[0].field, "tasks[1].priority");
}

TEST_F(SubmitTest, WhatATaskWaitsForIsResolvedWhenItIsAccepted) {
  v1::SubmitRequest first = Echo();
  first.mutable_task()->set_name("fetch");
  v1::SubmitResponse response;
  ASSERT_TRUE(Submit(first, &response).ok());
  const std::string fetch = response.task().id();
  v1::SubmitRequest request = Echo();
  request.mutable_task()->add_dependencies()->set_task("fetch");
  v1::SubmitResponse waits;
  const grpc::Status status = Submit(request, &waits);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(waits.task().state(), v1::TASK_STATE_PENDING);
  ASSERT_TRUE(Submit(first, &response).ok());  // a newer one of that name
  const v1::Task task = master.Get(waits.task().id());
  ASSERT_EQ(task.spec().dependencies_size(), 1);
  EXPECT_EQ(task.spec().dependencies(0).task(), fetch);
  EXPECT_EQ(task.spec().dependencies(0).condition(), v1::DEPENDENCY_CONDITION_SUCCESS);
  EXPECT_EQ(task.reason(), "waits for 1 task: fetch");
}

TEST_F(SubmitTest, ADependencyThatIsNotThereIsOneLineThatNamesTheField) {
  v1::SubmitBatchRequest request;
  for (int i = 0; i < 3; ++i) request.add_tasks()->mutable_command()->add_argv("true");
  request.mutable_tasks(1)->add_dependencies()->set_task("nobody");
  request.mutable_tasks(2)->add_dependencies()->set_task("nobody/0");
  v1::SubmitBatchResponse response;
  absl::Status status = rpc::FromGrpc(SubmitBatch(request, &response));
  EXPECT_EQ(ReasonOf(status), "BAD_DEPENDENCY");
  EXPECT_EQ(ViolationsOf(status)[0].field, "tasks[2].dependencies[0].task");
  request.mutable_tasks(2)->clear_dependencies();
  status = rpc::FromGrpc(SubmitBatch(request, &response));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(ReasonOf(status), "UNKNOWN_DEPENDENCY");
  ASSERT_THAT(ViolationsOf(status), SizeIs(1));
  EXPECT_EQ(ViolationsOf(status)[0].field, "tasks[1].dependencies[0].task");
  EXPECT_THAT(ViolationsOf(status)[0].description, HasSubstr("no task nobody"));
}

TEST_F(SubmitTest, MoreDependenciesThanMayBeAreRefused) {
  v1::SubmitRequest request = Echo();
  for (int i = 0; i < 10'001; ++i) request.mutable_task()->add_dependencies()->set_task("1");
  v1::SubmitResponse response;
  const absl::Status status = rpc::FromGrpc(Submit(request, &response));
  EXPECT_EQ(ReasonOf(status), "BAD_DEPENDENCY");
  ASSERT_THAT(ViolationsOf(status), SizeIs(1));
  EXPECT_THAT(ViolationsOf(status)[0].description, HasSubstr("at most 10000"));
}

TEST_F(SubmitTest, AWholeWhoseIdItsFirstPartHasIsTooLargeAgainAndNotReused) {
  v1::UpdateQueueRequest bound;
  bound.set_name("default");
  bound.mutable_settings()->set_max_queued(2);
  bound.mutable_update_mask()->add_paths("max_queued");
  v1::UpdateQueueResponse updated;
  grpc::ClientContext context;
  ASSERT_TRUE(master.Queues()->UpdateQueue(&context, bound, &updated).ok());
  v1::SubmitBatchRequest part = Rows({"a", "b"});
  v1::SubmitBatchRequest whole = Rows({"a", "b", "c"});
  part.set_request_id("r.0");
  whole.set_request_id("r.0");
  v1::SubmitBatchResponse response;
  ASSERT_TRUE(SubmitBatch(part, &response).ok());
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(SubmitBatch(whole, &response))), "CALL_TOO_LARGE");
  EXPECT_TRUE(SubmitBatch(part, &response).ok()) << "the part is still answered";
}

TEST_F(SubmitTest, ACallThatIsRepeatedIsAnsweredThoughWhatItNamedIsGone) {
  const std::string first = master.Submit();
  v1::SubmitRequest request = Echo("r-1");
  request.mutable_task()->add_dependencies()->set_task(first);
  v1::SubmitResponse response;
  ASSERT_TRUE(Submit(request, &response).ok());
  const std::string id = response.task().id();
  ASSERT_TRUE(Submit(request, &response).ok());
  EXPECT_EQ(response.task().id(), id);
  request.mutable_task()->mutable_dependencies(0)->set_condition(v1::DEPENDENCY_CONDITION_ANY);
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(Submit(request, &response))), "REQUEST_ID_REUSED");
}

TEST_F(SubmitTest, HowTasksEndedBeforeIsReadFromTheStore) {
  master.Join("w1", 1);
  const std::string failed = master.Submit();
  master.End(master.AwaitAssignment(), 7);
  ASSERT_TRUE(master.AwaitState(failed, v1::TASK_STATE_FAILED));
  v1::SubmitRequest request = Echo();
  request.mutable_task()->add_dependencies()->set_task(failed);
  v1::SubmitResponse never, goes;
  ASSERT_TRUE(Submit(request, &never).ok());
  request.mutable_task()->mutable_dependencies(0)->set_condition(v1::DEPENDENCY_CONDITION_FAILURE);
  ASSERT_TRUE(Submit(request, &goes).ok());
  EXPECT_TRUE(master.AwaitState(never.task().id(), v1::TASK_STATE_CANCELLED));
  EXPECT_TRUE(master.AwaitState(goes.task().id(), v1::TASK_STATE_DISPATCHED));
  v1::ExplainRequest ask;
  *ask.mutable_task() = Echo().task();
  ask.mutable_task()->add_dependencies()->set_task(failed);
  v1::ExplainResponse told;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->Explain(&context, ask, &told).ok());
  EXPECT_EQ(told.explanations(0).code(), v1::REASON_CODE_DEPENDENCY);
  EXPECT_EQ(told.explanations(0).sentence(), "It would be CANCELLED at once: task " + failed + " ended FAILED.");
}

TEST_F(SubmitTest, RowsThatAreAddedToABatchWaitForWhatItWaitsFor) {
  const std::string first = master.Submit();
  v1::SubmitBatchRequest request = Rows({"a"});
  request.mutable_template_()->add_dependencies()->set_task(first);
  v1::SubmitBatchResponse response;
  ASSERT_TRUE(SubmitBatch(request, &response).ok());
  EXPECT_EQ(response.batch().counts(0).state(), v1::TASK_STATE_PENDING);
  v1::SubmitBatchRequest more;
  more.set_batch_id(response.batch().id());
  more.add_rows()->add_values("b");
  ASSERT_TRUE(SubmitBatch(more, &response).ok());
  EXPECT_EQ(master.Get(response.batch().id() + "/2").state(), v1::TASK_STATE_PENDING);
}

TEST_F(SubmitTest, ARetryWaitsForNothing) {
  const std::string first = master.Submit();
  v1::SubmitRequest submit = Echo();
  submit.mutable_task()->add_dependencies()->set_task(first);
  v1::SubmitResponse submitted;
  ASSERT_TRUE(Submit(submit, &submitted).ok());
  Cancel(submitted.task().id());
  v1::RetryRequest request;
  request.add_selectors(submitted.task().id());
  v1::RetryResponse response;
  ASSERT_TRUE(Retry(request, &response).ok());
  const v1::Task again = master.Get(response.task_ids(0));
  EXPECT_EQ(again.spec().dependencies_size(), 0);
  EXPECT_EQ(again.state(), v1::TASK_STATE_QUEUED);
}

TEST_F(SubmitTest, ATemplateTogetherWithABatchIdIsRefused) {
  v1::SubmitBatchRequest request = Rows({"a"});
  request.set_batch_id("1");
  v1::SubmitBatchResponse response;
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(SubmitBatch(request, &response))), "BAD_CALL");
}

TEST_F(SubmitTest, AddingToABatchThatIsNotThereIsNotFound) {
  v1::SubmitBatchRequest request;
  request.set_batch_id("ZZZ");
  request.add_rows()->add_values("a");
  v1::SubmitBatchResponse response;
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(SubmitBatch(request, &response))), "NO_SUCH_BATCH");
}

TEST_F(SubmitTest, CancelEndsWhatIsQueuedAndCountsWhatHadEnded) {
  const std::string id = master.Submit();
  EXPECT_EQ(Cancel(id).requested_count(), 1);
  EXPECT_TRUE(master.AwaitState(id, v1::TASK_STATE_CANCELLED));
  const v1::Task task = master.Get(id);
  EXPECT_EQ(task.exit_code(), 125);
  EXPECT_EQ(task.cancel_reason(), "not wanted");
  EXPECT_EQ(Cancel(id).already_ended_count(), 1);
}

TEST_F(SubmitTest, ANameOfSeveralOpenTasksIsAnErrorForWhatChangesThem) {
  for (int i = 0; i < 2; ++i) master.Submit([](auto* r) { r->mutable_task()->set_name("nightly"); });
  v1::CancelRequest request;
  request.add_selectors("nightly");
  v1::CancelResponse response;
  grpc::ClientContext context;
  const absl::Status status = rpc::FromGrpc(stub->Cancel(&context, request, &response));
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(ReasonOf(status), "AMBIGUOUS_NAME");
}

TEST_F(SubmitTest, ABatchIsCancelledWholeByItsName) {
  v1::SubmitBatchRequest request = Rows({"a", "b", "c"});
  request.mutable_template_()->set_name("sweep");
  v1::SubmitBatchResponse response;
  ASSERT_TRUE(SubmitBatch(request, &response).ok());
  EXPECT_EQ(Cancel("sweep").requested_count(), 3);
}

TEST_F(SubmitTest, ARetriedTaskIsANewOneThatNamesTheOld) {
  master.Join("w1", 1);
  const std::string id = master.Submit();
  master.End(master.AwaitAssignment(), 7);
  ASSERT_TRUE(master.AwaitState(id, v1::TASK_STATE_FAILED));
  EXPECT_EQ(master.Get(id).exit_code(), 7);
  v1::RetryRequest request;
  request.add_selectors(id);
  v1::RetryResponse response;
  const grpc::Status status = Retry(request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.task_ids_size(), 1);
  EXPECT_NE(response.task_ids(0), id);
  EXPECT_EQ(master.Get(response.task_ids(0)).retry_of(), id);
}

TEST_F(SubmitTest, ARetriedTaskOfABatchHasItsArgumentsPutIn) {
  master.Join("w1", 1);
  v1::SubmitBatchResponse batch;
  ASSERT_TRUE(SubmitBatch(Rows({"a", "b"}), &batch).ok());
  for (int i = 0; i < 2; ++i) master.End(master.AwaitAssignment(), i);  // the second one fails
  ASSERT_TRUE(master.AwaitState(batch.batch().id() + "/2", v1::TASK_STATE_FAILED));
  v1::RetryRequest request;
  request.add_selectors(batch.batch().id());
  request.set_failed(true);
  request.set_dry_run(true);
  v1::RetryResponse response;
  ASSERT_TRUE(Retry(request, &response).ok());
  EXPECT_EQ(response.count(), 1);
  EXPECT_EQ(response.task_ids_size(), 0) << "a dry run does nothing";
  request.set_dry_run(false);
  ASSERT_TRUE(Retry(request, &response).ok());
  ASSERT_EQ(response.task_ids_size(), 1);
  const v1::Task again = master.Get(response.task_ids(0));
  EXPECT_EQ(again.batch_id(), "");
  EXPECT_EQ(again.spec().command().argv(1), "<b>");
}

class RetryFailedTest : public SubmitTest {
 protected:
  RetryFailedTest() { master.Join("w1", 1); }

  // Each ends with that code before the next one starts.
  std::string Ended(int code, const std::string& queue = "") {
    const std::string id = master.Submit([&](v1::SubmitRequest* request) { request->mutable_task()->set_queue(queue); });
    master.End(master.AwaitAssignment(), code);
    EXPECT_TRUE(master.AwaitState(id, code == 0 ? v1::TASK_STATE_SUCCEEDED : v1::TASK_STATE_FAILED));
    return id;
  }
  v1::RetryResponse RetryFailed(const std::function<void(v1::RetryRequest*)>& change = {}) {
    v1::RetryRequest request;
    request.set_failed(true);
    if (change) change(&request);
    v1::RetryResponse response;
    const grpc::Status status = Retry(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
};

TEST_F(RetryFailedTest, AFailureIsTriedAgainOnceHoweverOftenItIsAsked) {
  Ended(7);
  Ended(0);
  const v1::RetryResponse first = RetryFailed();
  ASSERT_EQ(first.task_ids_size(), 1);
  EXPECT_EQ(RetryFailed().count(), 0);
  // The retry fails, too: it is the one to try again now.
  master.End(master.AwaitAssignment(), 8);
  ASSERT_TRUE(master.AwaitState(first.task_ids(0), v1::TASK_STATE_FAILED));
  const v1::RetryResponse third = RetryFailed();
  ASSERT_EQ(third.task_ids_size(), 1);
  EXPECT_EQ(master.Get(third.task_ids(0)).retry_of(), first.task_ids(0));
}

TEST_F(RetryFailedTest, TwoWhoAskAtOnceDoNotBothTryItAgain) {
  for (int i = 0; i < 5; ++i) Ended(7);
  std::atomic<int64_t> count = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] { count += RetryFailed().count(); });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(count, 5);
}

TEST_F(RetryFailedTest, ARepeatedCallIsAnsweredAsTheFirstAlthoughNothingIsLeftToRetry) {
  Ended(7);
  const auto with_id = [](v1::RetryRequest* request) { request->set_request_id("r1"); };
  const v1::RetryResponse first = RetryFailed(with_id);
  ASSERT_EQ(first.task_ids_size(), 1);
  const v1::RetryResponse again = RetryFailed(with_id);
  ASSERT_EQ(again.task_ids_size(), 1);
  EXPECT_EQ(again.task_ids(0), first.task_ids(0));
}

TEST_F(RetryFailedTest, ARehearsalIsNoUseOfItsRequestId) {
  Ended(7);
  const auto rehearsed = [this](bool dry_run) {
    return RetryFailed([dry_run](v1::RetryRequest* request) {
             request->set_request_id("r1");
             request->set_dry_run(dry_run);
           })
        .count();
  };
  EXPECT_EQ(rehearsed(true), 1);
  EXPECT_EQ(rehearsed(false), 1);
  EXPECT_EQ(rehearsed(true), 0);
}

TEST_F(RetryFailedTest, AQueueAndATimeNarrowItDown) {
  Ended(7, "nightly");
  Ended(7, "daily");
  const auto of = [this](const std::string& queue, std::optional<int64_t> seconds) {
    return RetryFailed([&](v1::RetryRequest* request) {
             request->set_dry_run(true);
             request->set_queue(queue);
             if (seconds) request->mutable_since()->set_seconds(*seconds);
           })
        .count();
  };
  EXPECT_EQ(of("", std::nullopt), 2);
  EXPECT_EQ(of("nightly", std::nullopt), 1);
  EXPECT_EQ(of("nightly", 3600), 1);
  EXPECT_EQ(of("nightly", 0), 0) << "it ended before now";
  EXPECT_EQ(of("weekly", std::nullopt), 0);
}

TEST_F(RetryFailedTest, WhatNarrowsDownFailuresIsRefusedForTasksByName) {
  v1::RetryRequest request;
  request.add_selectors(Ended(7));
  request.set_queue("nightly");
  v1::RetryResponse response;
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(Retry(request, &response))), "BAD_CALL");
}

TEST_F(SubmitTest, WhatIsStillOpenCannotBeRetried) {
  v1::RetryRequest request;
  request.add_selectors(master.Submit());
  v1::RetryResponse response;
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(Retry(request, &response))), "NOT_ENDED");
}

TEST_F(SubmitTest, ATaskThatIsNotThereIsNamedAndTheUserToldWhatToType) {
  v1::GetRequest request;
  request.set_selector("ZZZ");
  v1::GetResponse response;
  grpc::ClientContext context;
  const absl::Status status = rpc::FromGrpc(stub->Get(&context, request, &response));
  EXPECT_EQ(ReasonOf(status), "NO_SUCH_TASK");
  EXPECT_THAT(std::string(status.message()), HasSubstr("muster ps -a"));
}

}  // namespace
}  // namespace muster::handler
