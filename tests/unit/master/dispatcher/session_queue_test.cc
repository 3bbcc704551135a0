#include "master/dispatcher/session_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/id_text.h"
#include "muster/v1/worker_service.pb.h"

namespace muster::dispatcher {
namespace {

TaskSpecPtr Spec(size_t bytes) {
  auto spec = std::make_shared<TaskSpec>();
  spec->payload = std::string(bytes, 's');
  return spec;
}

core::Assign Assignment(uint64_t task, TaskSpecPtr spec) {
  return {.worker = WorkerId(1), .session = SessionNumber(1), .key = {TaskId(task), AttemptNumber(1)},
          .spec = std::move(spec)};
}

OutputOrder Acknowledged(uint64_t task, int64_t offset) {
  return {{TaskId(task), AttemptNumber(1)}, core::OutputStreamKind::kStdout, OutputOrder::Action::kAcknowledge, offset,
          false};
}
OutputOrder Subscribed(uint64_t task, int64_t offset) {
  return {{TaskId(task), AttemptNumber(1)}, core::OutputStreamKind::kStdout, OutputOrder::Action::kSubscribe, offset,
          true};
}

class SessionQueueTest : public ::testing::Test {
 protected:
  std::vector<v1::SessionRequest> All(SessionQueue* queue) {
    std::vector<v1::SessionRequest> all;
    v1::SessionRequest message;
    while (queue->Fill(&message)) {
      all.push_back(message);
      message.Clear();
    }
    return all;
  }

  MessageBounds bounds_{.assignments = 256, .orders = 1000, .full_bytes = 64 * 1024, .most_bytes = 1 << 20};
  std::vector<AttemptKey> too_large_;
  SessionQueue queue_{bounds_, [this](const core::Assign& assign) { too_large_.push_back(assign.key); }};
};

TEST_F(SessionQueueTest, NothingWaitsNothingIsSent) {
  v1::SessionRequest message;
  EXPECT_FALSE(queue_.Fill(&message));
}

TEST_F(SessionQueueTest, WhatATaskWaitedForIsNotSent) {
  auto spec = std::make_shared<TaskSpec>(*Spec(10));
  spec->payload += std::string(2 << 20, 'd');  // more than fits into a message
  spec->dependency_bytes = 2 << 20;
  queue_.Add(Assignment(1, spec));
  const auto messages = All(&queue_);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].specs(0), std::string(10, 's'));
  EXPECT_TRUE(too_large_.empty());
}

TEST_F(SessionQueueTest, OutputsOfOthersAndTheWorkflowTravelWithTheAssignment) {
  core::Assign assign = Assignment(1, Spec(10));
  assign.workflow = TaskId(33);
  assign.variables = {{"VERSION", "1.4"}, {"EMPTY", ""}};
  queue_.Add(assign);
  queue_.Add(Assignment(2, Spec(10)));
  const auto messages = All(&queue_);
  ASSERT_EQ(messages.size(), 1u);
  const v1::Assignment& sent = messages[0].assignments(0);
  EXPECT_EQ(sent.workflow_id(), IdToText(33));
  ASSERT_EQ(sent.variables_size(), 2);
  EXPECT_EQ(sent.variables(0).name(), "VERSION");
  EXPECT_EQ(sent.variables(0).value(), "1.4");
  EXPECT_EQ(sent.variables(1).value(), "");
  EXPECT_EQ(messages[0].assignments(1).workflow_id(), "");
  EXPECT_EQ(messages[0].assignments(1).variables_size(), 0);
}

TEST_F(SessionQueueTest, OutputsOfOthersCountInAMessagesSize) {
  core::Assign assign = Assignment(1, Spec(10));
  for (int i = 0; i < 64; ++i) assign.variables.push_back({"V" + std::to_string(i), std::string(4096, 'x')});
  for (uint64_t task = 1; task <= 10; ++task) {
    assign.key.task = TaskId(task);
    queue_.Add(assign);
  }
  int assigned = 0;
  for (const auto& message : All(&queue_)) {
    EXPECT_LE(static_cast<int64_t>(message.ByteSizeLong()), bounds_.most_bytes);
    assigned += message.assignments_size();
  }
  EXPECT_EQ(assigned, 10);
}

TEST_F(SessionQueueTest, AllThatWaitsTravelsTogether) {
  queue_.Add(Assignment(1, Spec(10)));
  queue_.Add(core::Stop{.key = {TaskId(2), AttemptNumber(3)}, .reason = EndReason::kCancelled});
  queue_.Add(core::Recall{.key = {TaskId(3), AttemptNumber(1)}});
  queue_.Add(core::Acknowledge{.key = {TaskId(4), AttemptNumber(1)}});
  queue_.Add(Subscribed(1, 0));
  const auto messages = All(&queue_);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].assignments_size(), 1);
  EXPECT_EQ(messages[0].stops(0).reason(), v1::END_REASON_CANCELLED);
  EXPECT_EQ(messages[0].recalls(0).task(), 3u);
  EXPECT_EQ(messages[0].acknowledge(0).task(), 4u);
  EXPECT_TRUE(messages[0].output(0).lossless());
}

TEST_F(SessionQueueTest, OneSpecificationForManyTasksIsCarriedOncePerMessage) {
  const TaskSpecPtr shared = Spec(1000);
  for (uint64_t task = 1; task <= 300; ++task) queue_.Add(Assignment(task, shared));
  queue_.Add(Assignment(301, Spec(1000)));
  const auto messages = All(&queue_);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].assignments_size(), 256);
  EXPECT_EQ(messages[0].specs_size(), 1);
  EXPECT_EQ(messages[1].assignments_size(), 45);
  EXPECT_EQ(messages[1].specs_size(), 2);
  EXPECT_EQ(messages[1].assignments(44).spec(), 1u);
}

TEST_F(SessionQueueTest, NoMessageOutgrowsItsBoundThoughSpecificationsAreLarge) {
  for (uint64_t task = 1; task <= 20; ++task) queue_.Add(Assignment(task, Spec(200'000)));
  int assigned = 0;
  for (const auto& message : All(&queue_)) {
    EXPECT_LE(static_cast<int64_t>(message.ByteSizeLong()), bounds_.most_bytes);
    assigned += message.assignments_size();
  }
  EXPECT_EQ(assigned, 20);
  EXPECT_TRUE(too_large_.empty());
}

TEST_F(SessionQueueTest, AnAssignmentThatFitsNowhereIsHandedBackAndTheRestGoesOn) {
  queue_.Add(Assignment(1, Spec(2 << 20)));
  queue_.Add(Assignment(2, Spec(10)));
  const auto messages = All(&queue_);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].assignments(0).key().task(), 2u);
  EXPECT_THAT(too_large_, ::testing::ElementsAre(AttemptKey{TaskId(1), AttemptNumber(1)}));
}

TEST_F(SessionQueueTest, AStopNeverOvertakesItsAssignment) {
  const TaskSpecPtr spec = Spec(10);
  for (uint64_t task = 1; task <= 600; ++task) queue_.Add(Assignment(task, spec));
  queue_.Add(core::Stop{.key = {TaskId(600), AttemptNumber(1)}, .reason = EndReason::kCancelled});
  const auto messages = All(&queue_);
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].stops_size() + messages[1].stops_size(), 0);
  EXPECT_EQ(messages[2].stops_size(), 1);
}

TEST_F(SessionQueueTest, WaitingOutputAcknowledgementsReplaceOneAnother) {
  queue_.Add(Subscribed(1, 0));
  for (int64_t offset = 1; offset <= 1000; ++offset) queue_.Add(Acknowledged(1, offset));
  queue_.Add(Acknowledged(2, 5));
  EXPECT_EQ(queue_.size(), 3u);
  const auto messages = All(&queue_);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].output(1).offset(), 1000);
  queue_.Add(Acknowledged(1, 2000));
  EXPECT_EQ(All(&queue_)[0].output(0).offset(), 2000);
}

TEST_F(SessionQueueTest, AnAcknowledgementStaysBehindANewSubscription) {
  queue_.Add(Acknowledged(1, 10));
  queue_.Add(Subscribed(1, 10));
  queue_.Add(Acknowledged(1, 20));
  const auto messages = All(&queue_);
  ASSERT_EQ(messages[0].output_size(), 3);
  EXPECT_EQ(messages[0].output(0).offset(), 10);
  EXPECT_EQ(messages[0].output(2).offset(), 20);
}

TEST_F(SessionQueueTest, TheNewestDrainOrderHolds) {
  queue_.Add(core::SendDrain{.deadline = absl::Seconds(5)});
  queue_.Add(core::SendDrain{.resume = true});
  auto messages = All(&queue_);
  EXPECT_FALSE(messages[0].has_drain());
  EXPECT_TRUE(messages[0].resume());
  queue_.Add(core::SendDrain{.resume = true});
  queue_.Add(core::SendDrain{.deadline = absl::Seconds(5)});
  messages = All(&queue_);
  EXPECT_EQ(messages[0].drain().deadline().seconds(), 5);
  EXPECT_FALSE(messages[0].resume());
}

TEST_F(SessionQueueTest, TheArgumentsOfABatchRowGoAlong) {
  core::Assign assign = Assignment(18, Spec(10));
  assign.rows = std::make_shared<ArgumentRows>(ArgumentRows{{"a"}, {"b", "c"}});
  assign.row_index = 1;
  assign.batch = TaskId(16);
  assign.batch_index = 2;
  queue_.Add(assign);
  const auto messages = All(&queue_);
  EXPECT_THAT(messages[0].assignments(0).arguments(), ::testing::ElementsAre("b", "c"));
  EXPECT_EQ(messages[0].assignments(0).batch_id(), "G");
  EXPECT_EQ(messages[0].assignments(0).batch_index(), 2);
}

}  // namespace
}  // namespace muster::dispatcher
