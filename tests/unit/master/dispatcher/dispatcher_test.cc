#include "master/dispatcher/dispatcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/rpc/server.h"
#include "tests/support/fake_worker.h"

namespace muster::dispatcher {
namespace {

class RecordingEvents final : public core::EventSink {
 public:
  bool Post(core::Event event) override {
    PostAlways(std::move(event));
    return true;
  }
  void PostAlways(core::Event event) override {
    absl::MutexLock lock(&mutex_);
    events_.push_back(std::move(event));
  }
  template <typename T>
  std::vector<T> All() const {
    absl::MutexLock lock(&mutex_);
    std::vector<T> all;
    for (const core::Event& event : events_) {
      if (const T* e = std::get_if<T>(&event)) all.push_back(*e);
    }
    return all;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<core::Event> events_ ABSL_GUARDED_BY(mutex_);
};

class RecordingOutput final : public core::OutputSink {
 public:
  void OnOutput(AttemptKey, core::OutputStreamKind, int64_t offset, std::string bytes, int64_t) override {
    absl::MutexLock lock(&mutex_);
    if (offset == static_cast<int64_t>(text_.size())) text_ += bytes;
  }
  void OnWorkerReachable(WorkerId) override { ++reachable_; }
  std::string text() const {
    absl::MutexLock lock(&mutex_);
    return text_;
  }
  int reachable() const { return reachable_; }

 private:
  mutable absl::Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int> reachable_{0};
};

constexpr WorkerId kWorker(3);

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() {
    SessionPorts ports;
    ports.cluster_id = "c1";
    ports.epoch = Epoch(5);
    ports.events = &events_;
    ports.output = &output_;
    ports.congested = [this] { return congested_.load(); };
    ports.metrics = &dispatcher_metrics_;
    ports.hello_timeout = absl::Milliseconds(300);
    dispatcher_ = std::make_unique<Dispatcher>(std::move(ports), [](const std::string&, const std::string& address) {
      return rpc::MakeChannel(address, grpc::InsecureChannelCredentials());
    });
  }

  void Tell(std::vector<core::Effect> effects) { dispatcher_->OnEffects(effects, CommitNumber(1)); }
  void Open(uint64_t session) {
    Tell({core::OpenSession{kWorker, "w", worker_.address(), SessionNumber(session)}});
  }
  core::Assign Assignment(uint64_t task, uint64_t session = 1) {
    return {.worker = kWorker, .session = SessionNumber(session), .key = {TaskId(task), AttemptNumber(1)},
            .spec = spec_};
  }
  bool OpenAndGreet(uint64_t session) {
    worker_.AnswerHello(Incarnation(7));
    Open(session);
    return worker_.Await([&] { return output_.reachable() > 0; });
  }
  std::vector<core::SessionClosed> Closed() { return events_.All<core::SessionClosed>(); }

  TaskSpecPtr spec_ = std::make_shared<TaskSpec>(TaskSpec{.payload = "spec"});
  test::FakeWorker worker_;
  telemetry::Metrics metrics_;
  DispatcherMetrics dispatcher_metrics_{&metrics_};
  RecordingEvents events_;
  RecordingOutput output_;
  std::atomic<bool> congested_{false};
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(DispatcherTest, ASessionSaysWhoTheMasterIsAndHelloBecomesAnEvent) {
  ASSERT_TRUE(OpenAndGreet(4));
  const auto opened = events_.All<core::SessionOpened>();
  ASSERT_EQ(opened.size(), 1u);
  EXPECT_EQ(opened[0].worker, kWorker);
  EXPECT_EQ(opened[0].session, SessionNumber(4));
  EXPECT_EQ(opened[0].incarnation, Incarnation(7));
  const v1::OpenSession open = worker_.messages()[0].open();
  EXPECT_EQ(open.cluster_id(), "c1");
  EXPECT_EQ(open.epoch(), 5);
  EXPECT_EQ(open.session(), 4u);
}

TEST_F(DispatcherTest, OneTurnsOrdersLeaveInOneMessage) {
  ASSERT_TRUE(OpenAndGreet(1));
  std::vector<core::Effect> effects;
  for (uint64_t task = 1; task <= 100; ++task) effects.push_back(Assignment(task));
  Tell(std::move(effects));
  ASSERT_TRUE(worker_.Await([&] { return worker_.assigned() == 100; }));
  EXPECT_EQ(worker_.messages().size(), 2u);  // open, and all of them
  EXPECT_EQ(worker_.messages()[1].specs_size(), 1);
}

TEST_F(DispatcherTest, OrdersOfAnotherSessionAreDropped) {
  ASSERT_TRUE(OpenAndGreet(2));
  Tell({Assignment(1, 1), Assignment(2, 2)});
  ASSERT_TRUE(worker_.Await([&] { return worker_.assigned() > 0; }));
  EXPECT_EQ(worker_.messages()[1].assignments(0).key().task(), 2u);
  EXPECT_EQ(worker_.assigned(), 1);
}

TEST_F(DispatcherTest, ReportsBecomeEvents) {
  worker_.FinishEverything();
  ASSERT_TRUE(OpenAndGreet(1));
  Tell({Assignment(8)});
  ASSERT_TRUE(worker_.Await([&] { return !events_.All<core::WorkerReports>().empty(); }));
  const auto reports = events_.All<core::WorkerReports>();
  EXPECT_EQ(reports[0].worker, kWorker);
  EXPECT_EQ(reports[0].started[0].key.task, TaskId(8));
  EXPECT_EQ(reports[0].results[0]->end.reason, EndReason::kExited);
}

TEST_F(DispatcherTest, AFirstMessageThatIsNoHelloEndsTheSession) {
  Open(1);
  ASSERT_TRUE(worker_.Await([&] { return !worker_.messages().empty(); }));
  v1::SessionResponse response;
  response.add_given_back()->set_task(1);
  ASSERT_TRUE(worker_.Say(response));
  ASSERT_TRUE(worker_.Await([&] { return !Closed().empty(); }));
  EXPECT_NE(Closed()[0].reason.find("no Hello"), std::string::npos);
  EXPECT_TRUE(events_.All<core::WorkerReports>().empty());
}

TEST_F(DispatcherTest, AWorkerThatNeverSaysHelloIsGivenUp) {
  Open(1);
  ASSERT_TRUE(worker_.Await([&] { return !Closed().empty(); }));
  EXPECT_NE(Closed()[0].reason.find("no Hello in time"), std::string::npos);
}

TEST_F(DispatcherTest, AWorkerThatIsNotThereIsToldOnce) {
  worker_.Stop();
  Open(1);
  ASSERT_TRUE(worker_.Await([&] { return !Closed().empty(); }));
  EXPECT_EQ(Closed().size(), 1u);
  ASSERT_TRUE(worker_.Await([&] { return dispatcher_->session_count() == 0; }));
}

TEST_F(DispatcherTest, ABrokenSessionIsToldAndTheNextOneWorks) {
  ASSERT_TRUE(OpenAndGreet(1));
  worker_.EndSessions();
  ASSERT_TRUE(worker_.Await([&] { return !Closed().empty(); }));
  EXPECT_EQ(Closed()[0].session, SessionNumber(1));
  Open(2);
  ASSERT_TRUE(worker_.Await([&] { return output_.reachable() == 2; }));
  Tell({Assignment(1, 2)});
  EXPECT_TRUE(worker_.Await([&] { return worker_.assigned() == 1; }));
}

TEST_F(DispatcherTest, ASessionThatTheCoreClosesIsNotToldBack) {
  ASSERT_TRUE(OpenAndGreet(1));
  Tell({core::CloseSession{kWorker, SessionNumber(1), "lost"}});
  ASSERT_TRUE(worker_.Await([&] { return dispatcher_->session_count() == 0; }));
  EXPECT_TRUE(Closed().empty());
}

TEST_F(DispatcherTest, OutputComesThroughAndControlsGoDown) {
  ASSERT_TRUE(OpenAndGreet(1));
  const AttemptKey key{TaskId(1), AttemptNumber(1)};
  dispatcher_->Subscribe(kWorker, key, core::OutputStreamKind::kStdout, 12, true);
  ASSERT_TRUE(worker_.Await([&] { return worker_.messages().size() == 2; }));
  EXPECT_EQ(worker_.messages()[1].output(0).action(), v1::OutputControl::ACTION_SUBSCRIBE);
  EXPECT_EQ(worker_.messages()[1].output(0).offset(), 12);
  v1::SessionResponse response;
  v1::AttemptOutput* output = response.add_output();
  output->mutable_key()->set_task(1);
  output->mutable_key()->set_attempt(1);
  output->set_stream(v1::OUTPUT_STREAM_STDOUT);
  output->set_data("hello");
  ASSERT_TRUE(worker_.Say(response));
  EXPECT_TRUE(worker_.Await([&] { return output_.text() == "hello"; }));
}

TEST_F(DispatcherTest, AFloodWaitsAtTheWorkerWhileTheLoopIsCongested) {
  ASSERT_TRUE(OpenAndGreet(1));
  congested_ = true;
  v1::SessionResponse response;
  v1::AttemptOutput* output = response.add_output();
  output->mutable_key()->set_task(1);
  output->mutable_key()->set_attempt(1);
  output->set_stream(v1::OUTPUT_STREAM_STDOUT);
  output->set_data(std::string(1000, 'x'));
  for (int64_t i = 0; i < 50; ++i) {
    output->set_offset(i * 1000);
    ASSERT_TRUE(worker_.Say(response));
  }
  // The read that was waiting takes one message, and at most one more follows it before the flag was seen.
  ASSERT_TRUE(worker_.Await([&] { return metrics_.Text().find("paused_reads_total 0") == std::string::npos; }));
  EXPECT_LE(output_.text().size(), 2000u);
  congested_ = false;
  EXPECT_TRUE(worker_.Await([&] { return output_.text().size() == 50'000; }));
}

TEST_F(DispatcherTest, ATaskTooLargeForAMessageFailsAndSaysSo) {
  spec_ = std::make_shared<TaskSpec>(TaskSpec{.payload = std::string(5 << 20, 'x')});
  ASSERT_TRUE(OpenAndGreet(1));
  Tell({Assignment(1)});
  ASSERT_TRUE(worker_.Await([&] { return !events_.All<core::WorkerReports>().empty(); }));
  const AttemptReportPtr report = events_.All<core::WorkerReports>()[0].results[0];
  EXPECT_EQ(report->end.reason, EndReason::kStartFailed);
  EXPECT_EQ(worker_.assigned(), 0);
}

TEST_F(DispatcherTest, WhatWaitsAtTheEndIsStillSent) {
  ASSERT_TRUE(OpenAndGreet(1));
  std::vector<core::Effect> effects;
  for (uint64_t task = 1; task <= 3000; ++task) {
    effects.push_back(core::Acknowledge{kWorker, SessionNumber(1), {TaskId(task), AttemptNumber(1)}});
  }
  Tell(std::move(effects));
  dispatcher_->Shutdown(absl::Seconds(5));
  EXPECT_EQ(worker_.acknowledged(), 3000);
  EXPECT_TRUE(Closed().empty());
}

}  // namespace
}  // namespace muster::dispatcher
