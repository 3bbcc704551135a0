// The master from the outside: its services, its workers, its end and its next start.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/integration/master_fixture.h"

namespace muster::test {
namespace {

// Of those that the worker was sent.
v1::Assignment FirstAssignment(const FakeWorker& worker) {
  for (const v1::SessionRequest& message : worker.messages()) {
    if (message.assignments_size() > 0) return message.assignments(0);
  }
  ADD_FAILURE() << "nothing was assigned";
  return {};
}

using ::testing::HasSubstr;

class MasterTest : public MasterFixture {};

TEST_F(MasterTest, ATaskGoesToAWorkerAndItsEndIsFound) {
  FakeWorker worker;
  worker.FinishEverything();
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  const std::string id = Submit("hello");
  ASSERT_TRUE(Eventually([&] { return TaskStateOf(id) == v1::TASK_STATE_SUCCEEDED; }));
  EXPECT_EQ(TaskStateOf("hello"), v1::TASK_STATE_SUCCEEDED);
  EXPECT_TRUE(worker.Await([&] { return worker.acknowledged() == 1; }));
}

TEST_F(MasterTest, AfterAnOkEveryReaderFindsTheTask) {
  ASSERT_TRUE(StartMaster().ok());
  std::atomic<int> missing{0};
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        if (TaskStateOf(Submit()) == v1::TASK_STATE_UNSPECIFIED) ++missing;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(missing, 0);
  EXPECT_EQ(Summary().accepted_count(), 200);
}

TEST_F(MasterTest, WhatWasAcceptedIsThereAfterARestartAndRuns) {
  ASSERT_TRUE(StartMaster().ok());
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.insert(Submit());
  ASSERT_EQ(ids.size(), 20u);
  ASSERT_TRUE(StopMaster().ok());
  ASSERT_TRUE(StartMaster().ok());
  EXPECT_EQ(Summary().epoch(), 2);
  FakeWorker worker;
  worker.FinishEverything();
  ASSERT_TRUE(JoinWorker("w1", &worker));
  for (const std::string& id : ids) {
    EXPECT_TRUE(Eventually([&] { return TaskStateOf(id) == v1::TASK_STATE_SUCCEEDED; })) << id;
  }
}

TEST_F(MasterTest, AMasterThatIsReadySaysSoAndASecondOneOnItsStoreIsRefused) {
  ASSERT_TRUE(StartMaster().ok());
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(health->Check(Call().get(), {}, &response).ok());
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  const auto second = master::Master::Start(config_, "test", {});
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

TEST_F(MasterTest, APortThatIsTakenIsOneClearErrorAndLeavesACleanStore) {
  ASSERT_TRUE(StartMaster().ok());
  master::MasterConfig other = config_;
  other.grpc_listen = master_->grpc_address();
  other.store_path = directory_ + "/other";
  const auto refused = master::Master::Start(other, "test", {});
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(other.grpc_listen));
  other.grpc_listen = "127.0.0.1:0";
  const auto started = master::Master::Start(other, "test", {});
  ASSERT_TRUE(started.ok()) << started.status();
  const auto cluster = v1::ClusterService::NewStub(
      rpc::MakeChannel((*started)->grpc_address(), grpc::InsecureChannelCredentials()));
  bool clean = false;
  EXPECT_TRUE(Eventually([&] {
    auto context = Call();
    auto reader = cluster->ReadActivity(context.get(), {});
    v1::ReadActivityResponse response;
    while (reader->Read(&response)) {
      for (const v1::ActivityRecord& record : response.records()) {
        if (record.master_started().epoch() == 2) clean = record.master_started().last_end_clean();
      }
    }
    return reader->Finish().ok() && clean;
  }));
}

TEST_F(MasterTest, AWorkerThatDescribesItselfWronglyIsToldEveryField) {
  FakeWorker worker;
  ASSERT_TRUE(StartMaster().ok());
  v1::JoinRequest join = JoinOf("bad name", worker, 0);
  join.set_address("nowhere");
  const absl::Status status = rpc::FromGrpc(Join(join));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "BAD_WORKER");
  EXPECT_EQ(ViolationsOf(status).size(), 3u);
}

TEST_F(MasterTest, ASecondWorkerUnderALiveNameIsRefused) {
  FakeWorker first, second;
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &first));
  const grpc::Status status = Join(JoinOf("w1", second, 8));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(status.error_message(), HasSubstr(first.address()));
  EXPECT_THAT(status.error_message(), HasSubstr(second.address()));
}

TEST_F(MasterTest, AHeartbeatOfAnUnknownWorkerIsToldToJoinAgain) {
  ASSERT_TRUE(StartMaster().ok());
  v1::HeartbeatRequest request;
  request.set_name("stranger");
  request.set_incarnation(1);
  v1::HeartbeatResponse response;
  ASSERT_TRUE(registry_->Heartbeat(Call().get(), request, &response).ok());
  EXPECT_TRUE(response.join_again());
}

TEST_F(MasterTest, WorkersAreListedAndTheirWeightIsSet) {
  FakeWorker worker;
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  v1::UpdateWorkerRequest update;
  update.set_name("w1");
  update.set_weight(5);
  v1::UpdateWorkerResponse updated;
  ASSERT_TRUE(cluster_->UpdateWorker(Call().get(), update, &updated).ok());
  v1::ListWorkersResponse list;
  ASSERT_TRUE(cluster_->ListWorkers(Call().get(), {}, &list).ok());
  ASSERT_EQ(list.workers_size(), 1);
  EXPECT_EQ(list.workers(0).weight(), 5u);
  update.set_weight(5000);
  EXPECT_EQ(cluster_->UpdateWorker(Call().get(), update, &updated).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  update.set_weight(5);
  update.set_name("w2");
  EXPECT_EQ(cluster_->UpdateWorker(Call().get(), update, &updated).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(MasterTest, WhatAnyServiceRefusesIsInTheActivityLogUnderItsReason) {
  ASSERT_TRUE(StartMaster().ok());
  v1::UpdateWorkerRequest update;
  update.set_name("w1");
  update.set_weight(5000);
  v1::UpdateWorkerResponse updated;
  EXPECT_FALSE(cluster_->UpdateWorker(Call().get(), update, &updated).ok());
  FakeWorker worker;
  EXPECT_FALSE(Join(JoinOf("no/name", worker)).ok());
  v1::SubmitRequest submit;
  submit.mutable_task()->set_executor("nosuch");
  v1::SubmitResponse submitted;
  EXPECT_FALSE(tasks_->Submit(Call().get(), submit, &submitted).ok());
  std::set<std::string> causes;
  EXPECT_TRUE(Eventually([&] {
    auto context = Call();
    auto reader = cluster_->ReadActivity(context.get(), {});
    v1::ReadActivityResponse response;
    while (reader->Read(&response)) {
      for (const v1::ActivityRecord& record : response.records()) {
        if (record.has_requests_refused()) causes.insert(record.requests_refused().cause());
      }
    }
    return causes.size() == 3;
  }));
  EXPECT_THAT(causes, ::testing::UnorderedElementsAre("BAD_WEIGHT", "BAD_WORKER", "UNKNOWN_EXECUTOR"));
}

TEST_F(MasterTest, APurgeByHandIsInTheActivityLogWhenItIsAnswered) {
  ASSERT_TRUE(StartMaster().ok());
  const auto purged = [this] {
    std::vector<v1::TasksPurged> all;
    auto context = Call();
    auto reader = cluster_->ReadActivity(context.get(), {});
    v1::ReadActivityResponse response;
    while (reader->Read(&response)) {
      for (const v1::ActivityRecord& record : response.records()) {
        if (record.has_tasks_purged()) all.push_back(record.tasks_purged());
      }
    }
    return all;
  };
  for (int i = 0; i < 2; ++i) {
    v1::CancelRequest cancel;
    cancel.add_selectors(Submit());
    v1::CancelResponse cancelled;
    ASSERT_TRUE(tasks_->Cancel(Call().get(), cancel, &cancelled).ok());
  }
  ASSERT_FALSE(Submit().empty()) << "open, and the newest";
  v1::PurgeTasksRequest request;
  v1::PurgeTasksResponse response;
  request.set_dry_run(true);
  ASSERT_TRUE(cluster_->PurgeTasks(Call().get(), request, &response).ok());
  EXPECT_EQ(response.count(), 2);
  EXPECT_THAT(purged(), ::testing::IsEmpty()) << "nothing has gone";
  request.set_dry_run(false);
  const absl::Time before = absl::Now();
  ASSERT_TRUE(cluster_->PurgeTasks(Call().get(), request, &response).ok());
  ASSERT_EQ(purged().size(), 1u);
  EXPECT_EQ(purged()[0].count(), 2);
  EXPECT_EQ(purged()[0].by(), "127.0.0.1");
  EXPECT_GE(purged()[0].ended_before().seconds(), absl::ToUnixSeconds(before));
  ASSERT_TRUE(cluster_->PurgeTasks(Call().get(), request, &response).ok());
  EXPECT_EQ(response.count(), 0);
  EXPECT_EQ(purged().size(), 1u) << "nothing more has gone";
}

TEST_F(MasterTest, ADrainTellsWhatIsLeftUntilNothingIs) {
  FakeWorker worker;
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  const std::string id = Submit();
  ASSERT_TRUE(worker.Await([&] { return worker.assigned() == 1; }));
  v1::DrainWorkerRequest request;
  request.set_name("w1");
  auto context = Call();
  auto reader = cluster_->DrainWorker(context.get(), request);
  v1::DrainWorkerResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.remaining(), 1u);
  EXPECT_THAT(response.task_ids(), ::testing::ElementsAre(id));
  EXPECT_FALSE(response.has_time_left()) << "no deadline was given";
  EXPECT_FALSE(response.done());
  v1::SessionResponse ended;
  v1::AttemptResult* result = ended.add_results();
  *result->mutable_key() = FirstAssignment(worker).key();
  result->mutable_end()->set_reason(v1::END_REASON_EXITED);
  result->set_started(true);
  ASSERT_TRUE(worker.Say(ended));
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.done());
  EXPECT_EQ(response.requeued_task_ids_size(), 0) << "it ended";
  EXPECT_EQ(response.worker().state(), v1::WORKER_STATE_DRAINING);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(TaskStateOf(id), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(MasterTest, ADrainTellsWhatItStoppedAndHowMuchTimeWasLeft) {
  FakeWorker worker;
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  const std::string id = Submit();
  ASSERT_TRUE(worker.Await([&] { return worker.assigned() == 1; }));
  v1::DrainWorkerRequest request;
  request.set_name("w1");
  request.mutable_deadline()->set_seconds(60);
  auto context = Call();
  auto reader = cluster_->DrainWorker(context.get(), request);
  v1::DrainWorkerResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_GT(response.time_left().seconds(), 50);
  EXPECT_LE(response.time_left().seconds(), 60);
  v1::SessionResponse stopped;
  v1::AttemptResult* result = stopped.add_results();
  *result->mutable_key() = FirstAssignment(worker).key();
  result->mutable_end()->set_reason(v1::END_REASON_PREEMPTED);
  result->set_started(true);
  ASSERT_TRUE(worker.Say(stopped));
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.done());
  EXPECT_THAT(response.requeued_task_ids(), ::testing::ElementsAre(id));
  EXPECT_EQ(TaskStateOf(id), v1::TASK_STATE_QUEUED);
}

TEST_F(MasterTest, AFollowerOfTheActivityLogSeesWhatHappensNextAndEndsWithTheMaster) {
  ASSERT_TRUE(StartMaster().ok());
  v1::ReadActivityRequest request;
  request.set_follow(true);
  auto context = Call();
  auto reader = cluster_->ReadActivity(context.get(), request);
  const std::string id = Submit();
  v1::ReadActivityResponse response;
  bool accepted = false;
  while (!accepted && reader->Read(&response)) {
    for (const v1::ActivityRecord& record : response.records()) {
      accepted = accepted || record.task_accepted().task_id() == id;
    }
  }
  EXPECT_TRUE(accepted);
  ASSERT_TRUE(StopMaster().ok());
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(MasterTest, TheActivityLogIsFilteredByTask) {
  FakeWorker worker;
  worker.FinishEverything();
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return TaskStateOf(id) == v1::TASK_STATE_SUCCEEDED; }));
  const std::string other = Submit();
  ASSERT_TRUE(Eventually([&] { return TaskStateOf(other) == v1::TASK_STATE_SUCCEEDED; }));
  v1::ReadActivityRequest request;
  request.set_task(id);
  auto context = Call();
  auto reader = cluster_->ReadActivity(context.get(), request);
  v1::ReadActivityResponse response;
  std::vector<int> events;
  while (reader->Read(&response)) {
    for (const v1::ActivityRecord& record : response.records()) events.push_back(record.event_case());
  }
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_THAT(events, ::testing::Contains(v1::ActivityRecord::kTaskAccepted).Times(1));
  EXPECT_THAT(events, ::testing::Contains(v1::ActivityRecord::kAttemptDispatched).Times(1));
  EXPECT_THAT(events, ::testing::Contains(v1::ActivityRecord::kTaskEnded).Times(1));
  EXPECT_THAT(events, ::testing::Not(::testing::Contains(v1::ActivityRecord::kWorkerJoined)));
  request.set_task("nosuch");
  auto second = Call();
  auto none = cluster_->ReadActivity(second.get(), request);
  EXPECT_FALSE(none->Read(&response));
  EXPECT_EQ(none->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(MasterTest, AShutDownIsToldToItsEnd) {
  FakeWorker worker;
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  v1::ShutdownRequest request;
  request.set_drain(true);
  auto context = Call();
  auto reader = cluster_->Shutdown(context.get(), request);
  ASSERT_TRUE(Eventually([&] { return stop_requests_ == 1; }));
  EXPECT_EQ(master_->stop_reason(), "muster shutdown");
  ASSERT_TRUE(StopMaster().ok());
  std::string told;
  v1::ShutdownResponse response;
  while (reader->Read(&response)) absl::StrAppend(&told, response.message(), "\n");
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_TRUE(response.done());
  EXPECT_THAT(told, HasSubstr("draining w1"));
}

TEST_F(MasterTest, AfterADrainedShutDownTheNextMasterUsesTheWorkersAgain) {
  FakeWorker worker;
  worker.FinishEverything();
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  v1::ShutdownRequest request;
  request.set_drain(true);
  auto context = Call();
  auto reader = cluster_->Shutdown(context.get(), request);
  ASSERT_TRUE(Eventually([&] { return stop_requests_ == 1; }));
  ASSERT_TRUE(StopMaster().ok());
  EXPECT_TRUE(worker.messages().back().resume());
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  const std::string id = Submit();
  EXPECT_TRUE(Eventually([&] { return TaskStateOf(id) == v1::TASK_STATE_SUCCEEDED; }));
}

TEST_F(MasterTest, NewWorkIsRefusedOnceTheMasterStops) {
  ASSERT_TRUE(StartMaster().ok());
  v1::ShutdownRequest request;
  auto context = Call();
  auto reader = cluster_->Shutdown(context.get(), request);
  ASSERT_TRUE(Eventually([&] { return stop_requests_ == 1; }));
  v1::SubmitRequest submit;
  submit.mutable_task()->set_executor("noop");
  v1::SubmitResponse response;
  const grpc::Status refused = tasks_->Submit(Call().get(), submit, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE) << refused.error_message();
}

TEST_F(MasterTest, AStopIsQuickThoughReadersAndWorkersHangOn) {
  FakeWorker worker;
  ASSERT_TRUE(StartMaster().ok());
  ASSERT_TRUE(JoinWorker("w1", &worker));
  v1::ReadActivityRequest activity;
  activity.set_follow(true);
  auto activity_context = Call();
  auto activity_reader = cluster_->ReadActivity(activity_context.get(), activity);
  auto watch_context = Call();
  auto watch_reader = tasks_->Watch(watch_context.get(), {});
  auto attach_context = Call();
  auto attach = tasks_->Attach(attach_context.get());
  v1::AttachRequest request;
  request.add_selectors(Submit());
  attach->Write(request);
  const absl::Time began = absl::Now();
  EXPECT_TRUE(StopMaster().ok());
  EXPECT_LT(absl::Now() - began, absl::Seconds(5));
}

}  // namespace
}  // namespace muster::test
