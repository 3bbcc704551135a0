// Lists and what concurrent readers see.
#include <atomic>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

class ListTest : public testing::Test {
 protected:
  absl::StatusOr<v1::ListResponse> List(const v1::ListRequest& request) {
    v1::ListResponse response;
    grpc::ClientContext context;
    const absl::Status status = rpc::FromGrpc(stub->List(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  std::vector<std::string> Ids(const v1::ListResponse& response) {
    std::vector<std::string> ids;
    for (const v1::Task& task : response.tasks()) ids.push_back(task.id());
    return ids;
  }

  LiveMaster master;
  std::unique_ptr<v1::TaskService::Stub> stub = master.Stub();
};

TEST_F(ListTest, PagesAreNewestFirstAndTogetherWhole) {
  std::vector<std::string> submitted;
  for (int i = 0; i < 25; ++i) submitted.insert(submitted.begin(), master.Submit());
  v1::ListRequest request;
  request.set_page_size(10);
  std::vector<std::string> seen;
  int pages = 0;
  do {
    const auto page = List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->tasks_size(), 10);
    for (const std::string& id : Ids(*page)) seen.push_back(id);
    request.set_page_token(page->next_page_token());
    ASSERT_LT(++pages, 10);
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, submitted);
}

TEST_F(ListTest, WhatIsSubmittedMeanwhileDoesNotMoveThePages) {
  for (int i = 0; i < 4; ++i) master.Submit();
  v1::ListRequest request;
  request.set_page_size(2);
  const auto first = List(request);
  ASSERT_TRUE(first.ok());
  master.Submit();
  request.set_page_token(first->next_page_token());
  const auto second = List(request);
  ASSERT_TRUE(second.ok());
  std::set<std::string> all;
  for (const auto& id : Ids(*first)) all.insert(id);
  for (const auto& id : Ids(*second)) all.insert(id);
  EXPECT_EQ(all.size(), 4u);
}

TEST_F(ListTest, WhatATaskWroteIsShownWithItsAttemptOfAListAndOfAGet) {
  master.Join("w1", 1);
  const std::string id = master.Submit([](v1::SubmitRequest* request) { request->mutable_task()->add_outputs("version"); });
  master.End(master.AwaitAssignment(), 0, "", "", {{"version", "1.4"}});
  ASSERT_TRUE(master.AwaitState(id, v1::TASK_STATE_SUCCEEDED));
  v1::ListRequest request;
  request.mutable_filter()->set_include_finished(true);
  const auto page = List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  for (const v1::Task& task : {page->tasks(0), master.Get(id)}) {
    ASSERT_EQ(task.attempts_size(), 1);
    ASSERT_EQ(task.attempts(0).outputs_size(), 1);
    EXPECT_EQ(task.attempts(0).outputs(0).name(), "version");
    EXPECT_EQ(task.attempts(0).outputs(0).value(), "1.4");
  }
}

TEST_F(ListTest, AFilterSelectsByQueueOwnerLabelAndState) {
  const std::string other = master.Submit();
  const std::string wanted = master.Submit([](v1::SubmitRequest* request) {
    request->mutable_task()->set_queue("q");
    request->mutable_task()->set_owner("me@here");
    request->mutable_task()->add_labels()->set_key("k");
    request->mutable_task()->mutable_labels(0)->set_value("v");
  });
  for (int which = 0; which < 3; ++which) {
    v1::ListRequest request;
    if (which == 0) request.mutable_filter()->set_queue("q");
    if (which == 1) request.mutable_filter()->set_owner("me@here");
    if (which == 2) {
      request.mutable_filter()->add_labels()->set_key("k");
      request.mutable_filter()->mutable_labels(0)->set_value("v");
    }
    EXPECT_EQ(Ids(*List(request)), std::vector<std::string>{wanted}) << which;
  }
  v1::ListRequest request;
  request.mutable_filter()->add_states(v1::TASK_STATE_RUNNING);
  EXPECT_THAT(Ids(*List(request)), testing::IsEmpty());
  request.mutable_filter()->add_states(v1::TASK_STATE_QUEUED);
  EXPECT_THAT(Ids(*List(request)), testing::ElementsAre(wanted, other));
}

TEST_F(ListTest, FinishedOnesOnlyWhenAskedFor) {
  master.Join("w1", 1);
  const std::string done = master.Submit();
  master.End(master.AwaitAssignment(), 0);
  ASSERT_TRUE(master.AwaitState(done, v1::TASK_STATE_SUCCEEDED));
  const std::string open = master.Submit();
  v1::ListRequest request;
  EXPECT_EQ(Ids(*List(request)), std::vector<std::string>{open});
  request.mutable_filter()->set_include_finished(true);
  EXPECT_THAT(Ids(*List(request)), testing::ElementsAre(open, done));
  request.mutable_filter()->add_states(v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(Ids(*List(request)), std::vector<std::string>{done});
}

TEST_F(ListTest, ATokenOfAnotherFilterIsRefused) {
  for (int i = 0; i < 3; ++i) master.Submit();
  v1::ListRequest request;
  request.set_page_size(1);
  request.set_page_token(List(request)->next_page_token());
  ASSERT_FALSE(request.page_token().empty());
  request.mutable_filter()->set_queue("other");
  EXPECT_EQ(ReasonOf(List(request).status()), "BAD_PAGE_TOKEN");
  request.set_page_token("nonsense");
  EXPECT_EQ(ReasonOf(List(request).status()), "BAD_PAGE_TOKEN");
}

TEST_F(ListTest, AListShowsWhatRunsAndNotWhatItIsFed) {
  master.Submit([](v1::SubmitRequest* request) {
    request->mutable_task()->mutable_command()->set_stdin("secret");
    auto* variable = request->mutable_task()->mutable_command()->add_environment();
    variable->set_name("TOKEN");
    variable->set_value("secret");
  });
  const auto page = List({});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->tasks(0).spec().command().argv(0), "true");
  EXPECT_EQ(page->DebugString().find("secret"), std::string::npos);
}

// One slot: a commit that ends a task also dispatches the next. A reader who saw half of it would see two at work, or a
// batch whose counts do not add up, or an ended task that is open again.
TEST_F(ListTest, ConcurrentReadersNeverSeeHalfOfACommit) {
  master.Join("w1", 1);
  constexpr int kTasks = 150;
  v1::SubmitBatchRequest batch;
  batch.mutable_template_()->mutable_command()->add_argv("true");
  for (int i = 0; i < kTasks; ++i) batch.add_rows()->add_values("x");
  v1::SubmitBatchResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->SubmitBatch(&context, batch, &response).ok());
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  readers.emplace_back([&] {
    std::set<std::string> ended;
    while (!over) {
      v1::ListRequest request;
      request.set_page_size(1000);
      request.mutable_filter()->set_include_finished(true);
      const auto page = List(request);
      ASSERT_TRUE(page.ok()) << page.status();
      ASSERT_EQ(page->tasks_size(), kTasks);
      int at_work = 0;
      for (const v1::Task& task : page->tasks()) {
        at_work += task.state() == v1::TASK_STATE_DISPATCHED || task.state() == v1::TASK_STATE_RUNNING;
        if (task.state() >= v1::TASK_STATE_SUCCEEDED) {
          ended.insert(task.id());
        } else {
          EXPECT_FALSE(ended.contains(task.id()));
        }
      }
      EXPECT_LE(at_work, 1);
    }
  });
  readers.emplace_back([&] {
    while (!over) {
      v1::GetRequest request;
      request.set_selector(response.batch().id());
      v1::GetResponse got;
      grpc::ClientContext call;
      ASSERT_TRUE(stub->Get(&call, request, &got).ok());
      int64_t total = 0;
      for (const v1::StateCount& count : got.batch().counts()) total += count.count();
      EXPECT_EQ(total, kTasks);
    }
  });
  for (int i = 0; i < kTasks; ++i) {
    const AttemptKey key = master.AwaitAssignment();
    if (i % 2 == 0) master.Started(key);
    master.End(key, 0);
  }
  EXPECT_TRUE(master.AwaitState(response.batch().id() + "/" + std::to_string(kTasks), v1::TASK_STATE_SUCCEEDED));
  over = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace muster::handler
