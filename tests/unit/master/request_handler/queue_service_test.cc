// QueueService over real gRPC, with the real core and store behind it; and what its settings do to submits.
#include "common/convert/convert.h"
#include "master/request_handler/queue_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc/status.h"
#include "master/request_handler/queue_board.h"
#include "master/request_handler/queue_change.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

using ::testing::HasSubstr;

class QueueServiceTest : public ::testing::Test {
 protected:
  absl::StatusOr<v1::Queue> Update(const std::function<void(v1::UpdateQueueRequest*)>& change) {
    v1::UpdateQueueRequest request;
    request.set_name("nightly");
    change(&request);
    v1::UpdateQueueResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->UpdateQueue(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response.queue();
  }
  v1::Queue Get(const std::string& name = "nightly") {
    v1::GetQueueRequest request;
    request.set_name(name);
    v1::GetQueueResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->GetQueue(&context, request, &response).ok());
    return response.queue();
  }
  std::string Submit(const std::function<void(v1::SubmitRequest*)>& change = nullptr) {
    return master_.Submit([&change](v1::SubmitRequest* request) {
      request->mutable_task()->set_queue("nightly");
      if (change) change(request);
    });
  }

  LiveMaster master_;
  std::unique_ptr<v1::QueueService::Stub> stub_ = master_.Queues();
};

TEST_F(QueueServiceTest, WhatIsSetIsAnsweredAndSeenByEveryReader) {
  const auto set = Update([](v1::UpdateQueueRequest* request) {
    request->mutable_settings()->set_weight(3);
    request->mutable_settings()->set_max_running(8);
  });
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->settings().weight(), 3u);
  EXPECT_TRUE(set->set_by_hand());
  EXPECT_EQ(Get().settings().max_running(), 8);
  v1::ListQueuesResponse list;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->ListQueues(&context, {}, &list).ok());
  ASSERT_EQ(list.queues_size(), 1);
  EXPECT_EQ(list.queues(0).name(), "nightly");
}

TEST_F(QueueServiceTest, AMaskAlsoTakesAwayWhatItNames) {
  ASSERT_TRUE(Update([](v1::UpdateQueueRequest* request) {
                request->mutable_settings()->set_max_running(8);
                request->mutable_settings()->set_max_queued(9);
                request->mutable_settings()->mutable_defaults()->set_priority(5);
              }).ok());
  ASSERT_TRUE(Update([](v1::UpdateQueueRequest* request) {
                request->mutable_update_mask()->add_paths("max_running");
                request->mutable_update_mask()->add_paths("defaults.priority");
              }).ok());
  EXPECT_EQ(Get().settings().max_running(), 0);
  EXPECT_EQ(Get().settings().max_queued(), 9);
  EXPECT_FALSE(Get().settings().defaults().has_priority());
}

TEST_F(QueueServiceTest, WhatASubmitterLeavesUnsetIsTheQueuesAndWhatItSetsIsItsOwn) {
  ASSERT_TRUE(Update([](v1::UpdateQueueRequest* request) {
                v1::QueueDefaults* defaults = request->mutable_settings()->mutable_defaults();
                defaults->set_priority(-7);
                defaults->mutable_retry()->set_max_attempts(4);
                defaults->set_on_worker_loss(v1::ON_WORKER_LOSS_HOLD);
                defaults->mutable_run_timeout()->set_seconds(90);
              }).ok());
  const v1::TaskSpec filled = master_.Get(Submit()).spec();
  EXPECT_EQ(filled.priority(), -7);
  EXPECT_EQ(filled.retry().max_attempts(), 4u);
  EXPECT_EQ(filled.on_worker_loss(), v1::ON_WORKER_LOSS_HOLD);
  EXPECT_EQ(filled.run_timeout().seconds(), 90);
  const v1::TaskSpec own = master_.Get(Submit([](v1::SubmitRequest* request) {
    request->mutable_task()->set_priority(0);
    request->mutable_task()->mutable_retry()->set_max_attempts(1);
    request->mutable_task()->mutable_run_timeout()->set_seconds(5);
  })).spec();
  EXPECT_EQ(own.priority(), 0);
  EXPECT_EQ(own.retry().max_attempts(), 1u);
  EXPECT_EQ(own.run_timeout().seconds(), 5);
  EXPECT_EQ(own.on_worker_loss(), v1::ON_WORKER_LOSS_HOLD);
  EXPECT_FALSE(master_.Get(master_.Submit()).spec().has_priority()) << "of another queue";
}

TEST_F(QueueServiceTest, ARepeatedCallFindsItsTaskAlsoWhenTheDefaultsHaveChanged) {
  const auto with_id = [](v1::SubmitRequest* request) { request->set_request_id("r-1"); };
  const std::string id = Submit(with_id);
  ASSERT_TRUE(Update([](v1::UpdateQueueRequest* request) {
                request->mutable_settings()->mutable_defaults()->set_priority(50);
              }).ok());
  EXPECT_EQ(Submit(with_id), id);
}

TEST_F(QueueServiceTest, APausedQueueSaysSoAndAResumeStartsWhatWaits) {
  master_.Join("w1", 1);
  v1::PauseQueueRequest pause;
  pause.set_name("nightly");
  pause.set_reason("a deploy");
  v1::PauseQueueResponse paused;
  grpc::ClientContext first;
  ASSERT_TRUE(stub_->PauseQueue(&first, pause, &paused).ok());
  EXPECT_TRUE(paused.queue().paused());
  EXPECT_FALSE(paused.queue().has_pause_end_time());
  const std::string id = Submit();
  EXPECT_EQ(master_.Get(id).reason(), "queue nightly is paused until it is resumed: a deploy");
  v1::ResumeQueueRequest resume;
  resume.set_name("nightly");
  v1::ResumeQueueResponse resumed;
  grpc::ClientContext second;
  ASSERT_TRUE(stub_->ResumeQueue(&second, resume, &resumed).ok());
  EXPECT_FALSE(resumed.queue().paused());
  master_.End(master_.AwaitAssignment(), 0);
  EXPECT_TRUE(master_.AwaitState(id, v1::TASK_STATE_SUCCEEDED));
}

TEST_F(QueueServiceTest, BadRequestsNameTheField) {
  const auto message = [this](const std::function<void(v1::UpdateQueueRequest*)>& change) {
    return std::string(Update(change).status().message());
  };
  EXPECT_THAT(message([](auto* request) { request->set_name("a b"); }), HasSubstr("name"));
  EXPECT_THAT(message([](auto* request) { request->mutable_update_mask()->add_paths("colour"); }), HasSubstr("update_mask"));
  EXPECT_THAT(message([](auto*) {}), HasSubstr("say nothing"));
  EXPECT_THAT(message([](auto* request) { request->mutable_settings()->set_max_running(-1); }), HasSubstr("max_running"));
  EXPECT_THAT(message([](auto* request) { request->mutable_settings()->set_start_rate(-1); }), HasSubstr("start_rate"));
  EXPECT_THAT(message([](auto* request) {
                request->mutable_settings()->mutable_defaults()->mutable_retry()->add_on_exit_codes(300);
              }),
              HasSubstr("on_exit_codes"));
  EXPECT_THAT(message([](auto* request) {
                v1::RetryPolicy* retry = request->mutable_settings()->mutable_defaults()->mutable_retry();
                retry->add_on_exit_codes(3);
                retry->add_never_on_exit_codes(3);
              }),
              HasSubstr("never_on_exit_codes: has 3, and so has on_exit_codes"));
}

TEST(FillDefaultsTest, ARetryPolicyIsFilledFieldByFieldAndItsCodesAreNotMixed) {
  QueueSettings queue;
  queue.retry = RetryPolicy{5, absl::Seconds(2), absl::Seconds(30), {1, 2}, {64}};
  v1::TaskSpec spec;
  spec.mutable_retry()->add_on_exit_codes(75);
  FillDefaults(queue, &spec);
  EXPECT_EQ(spec.retry().max_attempts(), 5u);
  EXPECT_EQ(spec.retry().base_delay().seconds(), 2);
  EXPECT_THAT(spec.retry().on_exit_codes(), ::testing::ElementsAre(75));
  EXPECT_EQ(spec.retry().never_on_exit_codes_size(), 0);

  v1::TaskSpec only_never;
  only_never.mutable_retry()->add_never_on_exit_codes(1);
  FillDefaults(queue, &only_never);
  EXPECT_EQ(only_never.retry().on_exit_codes_size(), 0);
  EXPECT_THAT(only_never.retry().never_on_exit_codes(), ::testing::ElementsAre(1));

  v1::TaskSpec says_delays;
  says_delays.mutable_retry()->mutable_base_delay()->set_nanos(200'000'000);
  says_delays.mutable_retry()->mutable_max_delay();  // 0
  FillDefaults(queue, &says_delays);
  EXPECT_EQ(convert::FromProto(says_delays.retry().base_delay()), absl::Milliseconds(200)) << "not 2.2 s";
  EXPECT_EQ(convert::FromProto(says_delays.retry().max_delay()), absl::ZeroDuration());

  v1::TaskSpec says_nothing;
  FillDefaults(queue, &says_nothing);
  EXPECT_THAT(says_nothing.retry().on_exit_codes(), ::testing::ElementsAre(1, 2));
  EXPECT_THAT(says_nothing.retry().never_on_exit_codes(), ::testing::ElementsAre(64));
}

}  // namespace
}  // namespace muster::handler
