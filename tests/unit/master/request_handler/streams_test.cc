// Attach, Logs and Watch over real gRPC, real core and real store; the workers' output is made up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "tests/unit/master/request_handler/live_master.h"

namespace muster::handler {
namespace {

constexpr auto kOut = core::OutputStreamKind::kStdout;
constexpr auto kErr = core::OutputStreamKind::kStderr;

// One attached client: what it was told so far.
class Reader {
 public:
  explicit Reader(v1::TaskService::Stub* stub) : stream_(stub->Attach(&context_)) {}
  ~Reader() { Leave(); }

  void Attach(const std::string& selector, const std::function<void(v1::AttachRequest*)>& change = nullptr) {
    v1::AttachRequest request;
    request.add_selectors(selector);
    if (change) change(&request);
    stream_->Write(request);  // false: the stream has ended, and Finish says why
  }
  void Acknowledge(const std::string& task, int64_t offset) {
    v1::AttachRequest request;
    v1::OutputPosition* position = request.add_acknowledge();
    position->set_task_id(task);
    position->set_attempt(1);
    position->set_stream(v1::OUTPUT_STREAM_STDOUT);
    position->set_offset(offset);
    EXPECT_TRUE(stream_->Write(request));
  }
  void Detach() {
    v1::AttachRequest request;
    request.set_detach(true);
    stream_->Write(request);
  }
  // Reads until `met`, or the stream ends.
  bool ReadUntil(const std::function<bool()>& met) {
    v1::AttachResponse response;
    while (!met()) {
      if (!stream_->Read(&response)) return false;
      for (const v1::AttachEvent& event : response.events()) Take(event);
    }
    return true;
  }
  bool AwaitEnd(const std::string& id) {
    return ReadUntil([&] { return ended.contains(id); });
  }
  grpc::Status Finish() {
    stream_->WritesDone();
    v1::AttachResponse response;
    while (stream_->Read(&response)) {
      for (const v1::AttachEvent& event : response.events()) Take(event);
    }
    return stream_->Finish();
  }
  void Leave() { context_.TryCancel(); }

  std::string out;
  std::string err;
  int64_t skipped = 0;
  int64_t attached = -1;
  bool output_after_end = false;
  std::vector<v1::TaskState> states;
  std::map<std::string, v1::Task> ended;

 private:
  void Take(const v1::AttachEvent& event) {
    if (event.has_output()) {
      (event.output().stream() == v1::OUTPUT_STREAM_STDOUT ? out : err) += event.output().data();
      skipped += event.output().skipped_bytes();
      output_after_end |= ended.contains(event.output().task_id());
    } else if (event.has_task()) {
      states.push_back(event.task().state());
      if (event.task().state() >= v1::TASK_STATE_SUCCEEDED) ended[event.task().id()] = event.task();
    } else {
      attached = event.attached_count();
    }
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AttachRequest, v1::AttachResponse>> stream_;
};

class StreamsTest : public testing::Test {
 protected:
  explicit StreamsTest(TaskLimits limits = {}) : master(limits) { master.Join("w1", 4); }

  std::string SubmitLossless() {
    return master.Submit([](v1::SubmitRequest* r) { r->mutable_task()->set_lossless_output(true); });
  }
  std::pair<grpc::Status, std::string> Logs(const std::string& selector,
                                            const std::function<void(v1::LogsRequest*)>& change = nullptr) {
    v1::LogsRequest request;
    request.set_selector(selector);
    if (change) change(&request);
    grpc::ClientContext context;
    const auto stream = stub->Logs(&context, request);
    v1::LogsResponse response;
    std::string text;
    while (stream->Read(&response)) {
      for (const v1::OutputChunk& chunk : response.chunks()) text += chunk.data();
    }
    return {stream->Finish(), text};
  }

  LiveMaster master;
  std::unique_ptr<v1::TaskService::Stub> stub = master.Stub();
};

TEST_F(StreamsTest, AShortTaskGivesItsOutputItsCodeAndThenTheEnd) {
  const std::string id = SubmitLossless();
  Reader reader(stub.get());
  reader.Attach(id);
  master.End(master.AwaitAssignment(), 7, "out\n", "err\n");
  ASSERT_TRUE(reader.AwaitEnd(id));
  EXPECT_EQ(reader.out, "out\n");
  EXPECT_EQ(reader.err, "err\n");
  EXPECT_EQ(reader.ended[id].exit_code(), 7);
  EXPECT_EQ(reader.ended[id].state(), v1::TASK_STATE_FAILED);
  EXPECT_FALSE(reader.output_after_end);
  EXPECT_TRUE(reader.Finish().ok());
}

TEST_F(StreamsTest, ATaskThatHasEndedIsNotToldAgainWhenItIsNamedAgain) {
  const std::string first = SubmitLossless();
  const std::string second = SubmitLossless();
  Reader reader(stub.get());
  reader.Attach(first);
  const AttemptKey key = master.AwaitAssignment();
  master.End(key, 0, "once\n");
  ASSERT_TRUE(reader.AwaitEnd(first));
  const size_t told = reader.states.size();
  reader.Attach(first, [&](v1::AttachRequest* request) { request->add_selectors(first); });
  reader.Attach(second);
  master.End(master.AwaitAssignment(), 0, "other\n");
  ASSERT_TRUE(reader.AwaitEnd(second));
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_EQ(reader.out, "once\nother\n");
  EXPECT_EQ(reader.attached, 2);
  EXPECT_EQ(std::count(reader.states.begin() + static_cast<long>(told), reader.states.end(), v1::TASK_STATE_SUCCEEDED), 1);
}

TEST_F(StreamsTest, LiveOutputIsSubscribedFromByteZeroAndTheReportBringsTheRest) {
  const std::string id = SubmitLossless();
  const AttemptKey key = master.AwaitAssignment();
  Reader reader(stub.get());
  reader.Attach(id);
  master.Started(key);
  ASSERT_TRUE(Eventually([&] { return master.workers().WasAsked("subscribe", key, kOut, 0); }));
  EXPECT_TRUE(master.workers().asked()[0].lossless);
  master.Output(key, kOut, 0, "hello ");
  ASSERT_TRUE(reader.ReadUntil([&] { return reader.out == "hello "; }));
  reader.Acknowledge(id, 6);
  EXPECT_TRUE(Eventually([&] { return master.workers().WasAsked("acknowledge", key, kOut, 6); }));
  master.End(key, 0, "hello world");
  ASSERT_TRUE(reader.AwaitEnd(id));
  EXPECT_EQ(reader.out, "hello world");
}

TEST_F(StreamsTest, AnAcknowledgementOfWhatWasNeverSentFreesNothing) {
  const std::string id = SubmitLossless();
  const AttemptKey key = master.AwaitAssignment();
  Reader reader(stub.get());
  reader.Attach(id);
  master.Started(key);
  ASSERT_TRUE(Eventually([&] { return master.workers().WasAsked("subscribe", key, kErr, 0); }));
  master.Output(key, kOut, 0, "abc");
  ASSERT_TRUE(reader.ReadUntil([&] { return reader.out == "abc"; }));
  reader.Acknowledge(id, 1'000'000);
  ASSERT_TRUE(Eventually([&] { return master.workers().WasAsked("acknowledge", key, kOut); }));
  EXPECT_TRUE(master.workers().WasAsked("acknowledge", key, kOut, 3));
}

TEST_F(StreamsTest, ATaskThatEndedBeforeIsReadFromTheStore) {
  const std::string id = SubmitLossless();
  master.End(master.AwaitAssignment(), 0, "kept");
  ASSERT_TRUE(master.AwaitState(id, v1::TASK_STATE_SUCCEEDED));
  Reader reader(stub.get());
  reader.Attach(id);
  EXPECT_TRUE(reader.Finish().ok()) << "the stream ends with its last task";
  EXPECT_EQ(reader.out, "kept");
  EXPECT_TRUE(reader.ended.contains(id));
}

TEST_F(StreamsTest, AReaderThatComesBackGetsOnlyWhatItLacks) {
  const std::string id = SubmitLossless();
  master.End(master.AwaitAssignment(), 0, "hello world");
  ASSERT_TRUE(master.AwaitState(id, v1::TASK_STATE_SUCCEEDED));
  Reader reader(stub.get());
  reader.Attach(id, [&](v1::AttachRequest* request) {
    v1::OutputPosition* position = request->add_resume();
    position->set_task_id(id);
    position->set_attempt(1);
    position->set_stream(v1::OUTPUT_STREAM_STDOUT);
    position->set_offset(6);
  });
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_EQ(reader.out, "world");
}

TEST_F(StreamsTest, DetachingLetsTheCommandGoOnAndLeavingHoldsItsBytes) {
  for (const bool detach : {true, false}) {
    const std::string id = SubmitLossless();
    const AttemptKey key = master.AwaitAssignment();
    Reader reader(stub.get());
    reader.Attach(id);
    master.Started(key);
    ASSERT_TRUE(Eventually([&] { return master.workers().WasAsked("subscribe", key, kErr, 0); }));
    if (detach) {
      reader.Detach();
      EXPECT_TRUE(reader.Finish().ok());
    } else {
      reader.Leave();
    }
    EXPECT_TRUE(Eventually([&] { return master.workers().WasAsked(detach ? "detach" : "pause", key, kOut); }));
  }
}

TEST_F(StreamsTest, WhenTheWorkerIsBackTheReaderGoesOnWhereItWas) {
  const std::string id = SubmitLossless();
  const AttemptKey key = master.AwaitAssignment();
  Reader reader(stub.get());
  reader.Attach(id);
  master.Started(key);
  ASSERT_TRUE(Eventually([&] { return master.workers().WasAsked("subscribe", key, kErr, 0); }));
  master.Output(key, kOut, 0, "12345");
  ASSERT_TRUE(reader.ReadUntil([&] { return reader.out == "12345"; }));
  master.service().OnWorkerReachable(master.workers().ReportsFor(key).worker);
  EXPECT_TRUE(master.workers().WasAsked("subscribe", key, kOut, 5));
}

TEST_F(StreamsTest, ABatchIsAttachedWholeAndEveryTaskEndsOnce) {
  v1::SubmitBatchRequest request;
  request.mutable_template_()->mutable_command()->add_argv("echo");
  request.mutable_template_()->set_lossless_output(true);
  constexpr int kTasks = 200;
  for (int i = 0; i < kTasks; ++i) request.add_rows()->add_values(std::to_string(i));
  v1::SubmitBatchResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->SubmitBatch(&context, request, &response).ok());
  Reader reader(stub.get());
  reader.Attach(response.batch().id());
  std::thread worker([this] {
    for (int i = 0; i < kTasks; ++i) {
      const AttemptKey key = master.AwaitAssignment();
      if (i % 2 == 0) master.Started(key);
      master.End(key, i % 3, "x");
    }
  });
  EXPECT_TRUE(reader.Finish().ok());
  worker.join();
  EXPECT_EQ(reader.attached, kTasks);
  EXPECT_EQ(reader.ended.size(), size_t{kTasks});
  EXPECT_EQ(reader.out.size(), size_t{kTasks});
  EXPECT_FALSE(reader.output_after_end);
}

TEST_F(StreamsTest, AttachingToNothingSaysSo) {
  Reader reader(stub.get());
  reader.Attach("ZZZ");
  const absl::Status status = rpc::FromGrpc(reader.Finish());
  EXPECT_EQ(ReasonOf(status), "NO_SUCH_TASK") << status;
}

TEST_F(StreamsTest, StatesOnlyBringsNoBytes) {
  const std::string id = SubmitLossless();
  Reader reader(stub.get());
  reader.Attach(id, [](v1::AttachRequest* request) { request->set_states_only(true); });
  master.End(master.AwaitAssignment(), 0, "not wanted");
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_EQ(reader.out, "");
  EXPECT_TRUE(reader.ended.contains(id));
}

class CrampedStreamsTest : public StreamsTest {
 protected:
  CrampedStreamsTest() : StreamsTest({.reader_bytes = 4096, .message_bytes = 1024}) {}
};

TEST_F(CrampedStreamsTest, AReaderOfMuchOutputIsGivenItAllFromTheStore) {
  v1::SubmitBatchRequest request;
  request.mutable_template_()->mutable_command()->add_argv("echo");
  constexpr int kTasks = 20;
  for (int i = 0; i < kTasks; ++i) request.add_rows()->add_values(std::to_string(i));
  v1::SubmitBatchResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub->SubmitBatch(&context, request, &response).ok());
  Reader reader(stub.get());
  reader.Attach(response.batch().id());
  ASSERT_TRUE(reader.ReadUntil([&] { return reader.attached == kTasks; }));
  for (int i = 0; i < kTasks; ++i) master.End(master.AwaitAssignment(), 0, std::string(3000, 'x'));
  EXPECT_TRUE(reader.Finish().ok());
  EXPECT_EQ(reader.out.size(), size_t{kTasks} * 3000);
  EXPECT_EQ(reader.skipped, 0);
}

TEST_F(StreamsTest, LogsOfAnEndedTaskAreWhatWasRetained) {
  const std::string id = master.Submit();
  master.End(master.AwaitAssignment(), 0, "one\ntwo\nthree\n", "oops\n");
  ASSERT_TRUE(master.AwaitState(id, v1::TASK_STATE_SUCCEEDED));
  EXPECT_EQ(Logs(id).second, "one\ntwo\nthree\noops\n");
  EXPECT_EQ(Logs(id, [](auto* r) { r->add_streams(v1::OUTPUT_STREAM_STDERR); }).second, "oops\n");
  const auto [status, tail] = Logs(id, [](auto* r) {
    r->set_tail_lines(2);
    r->add_streams(v1::OUTPUT_STREAM_STDOUT);
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(tail, "two\nthree\n");
}

TEST_F(StreamsTest, FollowedLogsGoOnUntilTheTaskEnds) {
  const std::string id = master.Submit();
  const AttemptKey key = master.AwaitAssignment();
  master.Started(key);
  ASSERT_TRUE(master.AwaitState(id, v1::TASK_STATE_RUNNING));
  std::thread worker([&] {
    EXPECT_TRUE(Eventually([&] { return master.workers().WasAsked("subscribe", key, kErr, 0); }));
    master.Output(key, kOut, 0, "live ");
    master.End(key, 0, "live end");
  });
  const auto [status, text] = Logs(id, [](auto* r) { r->set_follow(true); });
  worker.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(text, "live end");
  for (const auto& asked : master.workers().asked()) EXPECT_FALSE(asked.lossless) << "logs slow nobody";
}

TEST_F(StreamsTest, LogsOfARunningTaskAreWhatItsWorkerHasSoFar) {
  const std::string id = master.Submit();
  const AttemptKey key = master.AwaitAssignment();
  master.Started(key);
  ASSERT_TRUE(master.AwaitState(id, v1::TASK_STATE_RUNNING));
  std::thread worker([&] {
    EXPECT_TRUE(Eventually([&] { return master.workers().WasAsked("subscribe", key, kErr, 0); }));
    master.Output(key, kOut, 0, "so far");
  });
  const auto [status, text] = Logs(id);
  worker.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(text, "so far");
  EXPECT_TRUE(Eventually([&] { return master.workers().WasAsked("pause", key, kOut); }));
}

TEST_F(StreamsTest, LogsOfAQueuedTaskAreEmpty) {
  const std::string id = master.Submit([](auto* r) { r->mutable_task()->mutable_requirements()->add_needs("gpu"); });
  const auto [status, text] = Logs(id);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(text, "");
}

TEST_F(StreamsTest, AnAttemptThatNeverWasIsNotFound) {
  const std::string id = master.Submit();
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(Logs(id, [](auto* r) { r->set_attempt(9); }).first)), "NO_SUCH_ATTEMPT");
}

TEST_F(StreamsTest, AWatcherSeesTheSnapshotAndThenEachEnd) {
  const std::string before = master.Submit([](auto* r) { r->mutable_task()->set_queue("watched"); });
  v1::WatchRequest request;
  request.mutable_filter()->set_queue("watched");
  grpc::ClientContext context;
  const auto stream = stub->Watch(&context, request);
  v1::WatchResponse response;
  std::map<std::string, v1::TaskState> seen;
  const auto read_until = [&](const std::function<bool()>& met) {
    while (!met()) {
      if (!stream->Read(&response)) return false;
      for (const v1::Task& task : response.tasks()) seen[task.id()] = task.state();
    }
    return true;
  };
  ASSERT_TRUE(read_until([&] { return response.snapshot_complete(); }));
  EXPECT_TRUE(seen.contains(before));
  const std::string other = master.Submit();
  const std::string after = master.Submit([](auto* r) { r->mutable_task()->set_queue("watched"); });
  for (int i = 0; i < 3; ++i) master.End(master.AwaitAssignment(), 0);
  ASSERT_TRUE(read_until([&] {
    return seen[before] == v1::TASK_STATE_SUCCEEDED && seen[after] == v1::TASK_STATE_SUCCEEDED;
  }));
  EXPECT_FALSE(seen.contains(other));
  context.TryCancel();
}

TEST_F(StreamsTest, AWatcherThatResumesIsToldOfTheEndsThatItMissed) {
  const std::string early = master.Submit();
  master.End(master.AwaitAssignment(), 0);
  ASSERT_TRUE(master.AwaitState(early, v1::TASK_STATE_SUCCEEDED));
  const int64_t commit = master.store().last_commit().value();
  const std::string missed = master.Submit();
  master.End(master.AwaitAssignment(), 3);
  ASSERT_TRUE(master.AwaitState(missed, v1::TASK_STATE_FAILED));
  v1::WatchRequest request;
  request.set_resume_commit(commit);
  grpc::ClientContext context;
  const auto stream = stub->Watch(&context, request);
  v1::WatchResponse response;
  std::map<std::string, v1::TaskState> seen;
  while (!seen.contains(missed) && stream->Read(&response)) {
    for (const v1::Task& task : response.tasks()) seen[task.id()] = task.state();
  }
  EXPECT_EQ(seen[missed], v1::TASK_STATE_FAILED);
  EXPECT_FALSE(seen.contains(early));
  context.TryCancel();
}

TEST_F(StreamsTest, StoppingTellsEveryReader) {
  const std::string id = SubmitLossless();
  Reader reader(stub.get());
  reader.Attach(id);
  ASSERT_TRUE(reader.ReadUntil([&] { return reader.attached == 1; }));
  master.service().Stop(Refuse(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the master is stopping"));
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(reader.Finish())), "SHUTTING_DOWN");
  Reader late(stub.get());
  late.Attach(id);
  EXPECT_EQ(ReasonOf(rpc::FromGrpc(late.Finish())), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace muster::handler
