// The client against a master that misbehaves as real ones do: it goes away, comes back, repeats itself, refuses.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "cli/batch_calls.h"
#include "cli/client.h"
#include "cli/errors.h"
#include "cli/explanation_page.h"
#include "cli/follow.h"
#include "cli/map_run.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/queue_table.h"
#include "cli/task_table.h"
#include "cli/wait_for_end.h"
#include "cli/worker_table.h"
#include "common/base/refusal.h"
#include "common/rpc/status.h"
#include "tests/unit/cli/fake_cluster.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Said {
  int code = -1;
  std::string out, err;
};

class ConversationTest : public testing::Test {
 protected:
  ConversationTest() {
    std::string folder = testing::TempDir() + "/conversation-XXXXXX";
    setenv("XDG_STATE_HOME", mkdtemp(folder.data()), 1);
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    unsetenv("MUSTER_MASTER");
    cluster_.on_submit = [](int, const v1::SubmitRequest& request, v1::SubmitResponse* response) {
      *response->mutable_task()->mutable_spec() = request.task();
      response->mutable_task()->set_id("3F");
      return grpc::Status::OK;
    };
  }

  Said Run(std::vector<const char*> words) {
    const std::string master = cluster_.address();
    std::vector<const char*> argv = {"muster"};
    argv.push_back(words[0]);
    argv.push_back("--master");
    argv.push_back(master.c_str());
    argv.insert(argv.end(), words.begin() + 1, words.end());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Said said;
    said.code = RunProgram(static_cast<int>(argv.size()), argv.data());
    std::fflush(stdout);
    said.out = testing::internal::GetCapturedStdout();
    said.err = testing::internal::GetCapturedStderr();
    return said;
  }

  FakeCluster cluster_;
};

TEST_F(ConversationTest, RunWritesBothStreamsAndExitsWithTheTasksCode) {
  std::vector<v1::AttachRequest> requests;
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    requests.push_back(first);
    stream->Write(FakeCluster::State("3F", v1::TASK_STATE_RUNNING));
    stream->Write(FakeCluster::Attached(1));
    stream->Write(FakeCluster::Output("3F", 0, "out\n"));
    stream->Write(FakeCluster::Output("3F", 0, std::string("e\0\xff\n", 4), v1::OUTPUT_STREAM_STDERR));
    stream->Write(FakeCluster::State("3F", v1::TASK_STATE_FAILED, 7));
    FakeCluster::ReadAll(stream, &requests);
    return grpc::Status::OK;
  };
  const Said said = Run({"run", "--", "sh", "-c", "exit 7"});
  EXPECT_EQ(said.code, 7);
  EXPECT_EQ(said.out, "out\n");
  EXPECT_EQ(said.err, std::string("e\0\xff\n", 4));
  ASSERT_FALSE(requests.empty());
  EXPECT_THAT(requests[0].selectors(), ElementsAre("id:3F"));
  EXPECT_TRUE(cluster_.submits()[0].task().lossless_output());
}

TEST_F(ConversationTest, ABusyMasterIsTriedAgainAfterItsDelayWithTheSameRequestAndItIsShown) {
  std::vector<absl::Time> calls;
  const auto accept = cluster_.on_submit;
  cluster_.on_submit = [&](int call, const v1::SubmitRequest& request, v1::SubmitResponse* response) {
    calls.push_back(absl::Now());
    if (call == 0) return rpc::ToGrpc(RefuseForNow("QUEUE_FULL", "1 tasks wait already, 1 may", absl::Seconds(1)));
    return accept(call, request, response);
  };
  const Said said = Run({"submit", "--", "true"});
  EXPECT_EQ(said.code, 0);
  EXPECT_EQ(said.out, "3F\n");
  EXPECT_THAT(said.err, HasSubstr("muster: the master is busy (queue full); trying again in 1"));
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_GE(calls[1] - calls[0], absl::Seconds(1));
  EXPECT_EQ(cluster_.submits()[0].request_id(), cluster_.submits()[1].request_id());
}

TEST_F(ConversationTest, PatienceWithABusyMasterEndsWhenItIsToldTo) {
  cluster_.on_submit = [&](int, const v1::SubmitRequest&, v1::SubmitResponse*) {
    return rpc::ToGrpc(RefuseForNow("QUEUE_FULL", "full", absl::Seconds(1)));
  };
  const Said said = Run({"submit", "--retry-for", "0.5s", "--", "true"});
  EXPECT_EQ(said.code, 125);
  EXPECT_EQ(said.err, "muster: refused: full [QUEUE_FULL]; try again in 1s\n");
}

TEST_F(ConversationTest, WhatWasWrittenIsAcknowledgedBeforeMoreIsAwaited) {
  std::atomic<int64_t> acknowledged = 0;
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest request;
    stream->Read(&request);
    const std::string block(100 << 10, 'x');
    for (int64_t offset = 0; offset < 10 * static_cast<int64_t>(block.size()); offset += static_cast<int64_t>(block.size())) {
      stream->Write(FakeCluster::Output("3F", offset, block));
      // As a worker whose window is full: nothing more until that is freed.
      while (acknowledged < offset + static_cast<int64_t>(block.size()) && stream->Read(&request)) {
        for (const auto& position : request.acknowledge()) acknowledged = position.offset();
      }
    }
    stream->Write(FakeCluster::State("3F", v1::TASK_STATE_SUCCEEDED));
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  const Said said = Run({"run", "--", "cat"});
  EXPECT_EQ(said.code, 0);
  EXPECT_EQ(said.out.size(), 1000u << 10);
  EXPECT_EQ(acknowledged, 1000 << 10);
}

TEST_F(ConversationTest, ABrokenStreamGoesOnWhereItBrokeOff) {
  std::vector<v1::AttachRequest> firsts(2);
  cluster_.on_attach = [&](int call, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    firsts[static_cast<size_t>(call)] = first;
    if (call == 0) {
      stream->Write(FakeCluster::Output("3F", 0, "hello "));
      v1::AttachRequest heard;
      stream->Read(&heard);  // its acknowledgement: it was written
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
    }
    stream->Write(FakeCluster::Output("3F", 3, "lo world"));
    stream->Write(FakeCluster::Output("3F", 0, "hello world"));
    stream->Write(FakeCluster::Output("3F", 11, "!\n"));
    stream->Write(FakeCluster::State("3F", v1::TASK_STATE_SUCCEEDED));
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  const Said said = Run({"run", "--", "x"});
  EXPECT_EQ(said.code, 0);
  EXPECT_EQ(said.out, "hello world!\n");
  ASSERT_EQ(firsts[1].resume_size(), 1);
  EXPECT_EQ(firsts[1].resume(0).offset(), 6);
  EXPECT_EQ(firsts[1].resume(0).attempt(), 1u);
}

TEST_F(ConversationTest, ChunksOfOneMessageFollowEachOther) {
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    v1::AttachResponse many = FakeCluster::Output("3F", 0, "one ");
    many.MergeFrom(FakeCluster::Output("3F", 4, "two "));
    many.MergeFrom(FakeCluster::Output("3F", 4, "two "));
    many.MergeFrom(FakeCluster::Output("3F", 8, "three\n"));
    stream->Write(many);
    stream->Write(FakeCluster::State("3F", v1::TASK_STATE_SUCCEEDED));
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  const Said said = Run({"run", "--", "x"});
  EXPECT_EQ(said.out, "one two three\n");
  EXPECT_EQ(said.err, "");
}

TEST_F(ConversationTest, AMasterThatStopsInOrderIsAwaitedToo) {
  cluster_.on_attach = [&](int call, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    if (call == 0) return grpc::Status::OK;
    stream->Write(FakeCluster::State("3F", v1::TASK_STATE_SUCCEEDED));
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"run", "--", "x"}).code, 0);
}

TEST_F(ConversationTest, ANewAttemptIsAnnouncedOnStderr) {
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    stream->Write(FakeCluster::Output("3F", 0, "one\n"));
    stream->Write(FakeCluster::Output("3F", 0, "two\n", v1::OUTPUT_STREAM_STDOUT, 2));
    stream->Write(FakeCluster::State("3F", v1::TASK_STATE_SUCCEEDED));
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  const Said said = Run({"run", "--", "x"});
  EXPECT_EQ(said.out, "one\ntwo\n");
  EXPECT_THAT(said.err, HasSubstr("3F: attempt 2"));
}

TEST_F(ConversationTest, BytesThatAreGoneAreSaidToBe) {
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    stream->Write(FakeCluster::Output("3F", 100, "rest\n"));
    stream->Write(FakeCluster::State("3F", v1::TASK_STATE_SUCCEEDED));
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  const Said said = Run({"run", "--", "x"});
  EXPECT_EQ(said.out, "rest\n");
  EXPECT_THAT(said.err, HasSubstr("3F: 100 bytes of stdout are not to be had any more"));
}

TEST_F(ConversationTest, ATimeoutIsExplained) {
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    v1::AttachResponse end = FakeCluster::State("3F", v1::TASK_STATE_TIMED_OUT, 124);
    end.mutable_events(0)->mutable_task()->set_reason("ran longer than 1s");
    stream->Write(end);
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  const Said said = Run({"run", "--timeout", "1s", "--", "sleep", "9"});
  EXPECT_EQ(said.code, 124);
  EXPECT_EQ(said.err, "muster: 3F timed out: ran longer than 1s\n");
}

TEST_F(ConversationTest, ASubmitThatGotNoAnswerIsRepeatedWithItsRequestId) {
  cluster_.on_submit = [](int call, const v1::SubmitRequest&, v1::SubmitResponse* response) {
    if (call < 2) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Connection reset by peer");
    response->mutable_task()->set_id("3F");
    return grpc::Status::OK;
  };
  const Said said = Run({"submit", "--", "x"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.out, "3F\n");
  const auto submits = cluster_.submits();
  ASSERT_EQ(submits.size(), 3u);
  EXPECT_EQ(submits[0].request_id(), submits[2].request_id());
  EXPECT_EQ(submits[0].request_id().size(), 32u);
}

TEST_F(ConversationTest, ARefusalForNowIsTriedAgainAfterItsDelay) {
  cluster_.on_submit = [](int call, const v1::SubmitRequest&, v1::SubmitResponse* response) {
    if (call == 0) return rpc::ToGrpc(RefuseForNow("QUEUE_FULL", "the queue is full", absl::Milliseconds(30)));
    response->mutable_task()->set_id("3F");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"submit", "--", "x"}).code, 0);
  EXPECT_EQ(cluster_.submits().size(), 2u);
}

TEST_F(ConversationTest, ARefusalForGoodIsNotRepeated) {
  cluster_.on_submit = [](int, const v1::SubmitRequest&, v1::SubmitResponse*) {
    return rpc::ToGrpc(RefuseField("UNKNOWN_EXECUTOR", "task.executor", "no worker ever offered 'x'"));
  };
  const Said said = Run({"submit", "--executor", "x"});
  EXPECT_EQ(said.code, 125);
  EXPECT_EQ(cluster_.submits().size(), 1u);
  EXPECT_THAT(said.err, HasSubstr("[UNKNOWN_EXECUTOR]"));
  EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1);
}

TEST_F(ConversationTest, AStreamOfTasksIsSentInCallsThatAreAcceptedWhole) {
  cluster_.on_submit_batch = [](int call, const v1::SubmitBatchRequest& request, v1::SubmitBatchResponse* response) {
    for (int i = 0; i < request.tasks_size(); ++i) response->add_task_ids(std::to_string(call) + "." + std::to_string(i));
    return grpc::Status::OK;
  };
  const std::string file = testing::TempDir() + "/stream.jsonl";
  std::ofstream out(file);
  for (int i = 0; i < 2200; ++i) out << "{\"command\":{\"argv\":[\"echo\",\"" << i << "\"]}}\n";
  out.close();
  const Said said = Run({"submit", "-f", file.c_str(), "--queue", "q"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(std::count(said.out.begin(), said.out.end(), '\n'), 2200);
  const auto batches = cluster_.batches();
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].tasks_size(), 1024);
  EXPECT_EQ(batches[2].tasks(0).command().argv(1), "2048");
  EXPECT_EQ(batches[1].tasks(0).queue(), "q");
  EXPECT_NE(batches[0].request_id(), batches[1].request_id());
}

grpc::Status TooLarge() {
  return rpc::ToGrpc(Refuse(absl::StatusCode::kFailedPrecondition, kCallTooLarge, "this call brings too many"));
}

TEST_F(ConversationTest, AStreamLargerThanItsQueueIsCutUntilItsPartsFitAndKeepsItsOrder) {
  cluster_.on_submit_batch = [](int, const v1::SubmitBatchRequest& request, v1::SubmitBatchResponse* response) {
    if (request.tasks_size() > 50) return TooLarge();
    for (const v1::TaskSpec& task : request.tasks()) response->add_task_ids(task.command().argv(1));
    return grpc::Status::OK;
  };
  const std::string file = testing::TempDir() + "/cut.jsonl";
  std::ofstream out(file);
  std::string expected;
  for (int i = 0; i < 150; ++i) {
    out << "{\"command\":{\"argv\":[\"echo\",\"" << i << "\"]}}\n";
    expected += std::to_string(i) + "\n";
  }
  out.close();
  const Said said = Run({"submit", "-f", file.c_str(), "--request-id", "r"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.out, expected);
  std::vector<std::string> accepted;
  for (const v1::SubmitBatchRequest& call : cluster_.batches()) {
    if (call.tasks_size() <= 50) accepted.push_back(call.request_id());
  }
  EXPECT_THAT(accepted, ElementsAre("r.0", "r.37", "r.74", "r.111", "r.148"));
}

TEST_F(ConversationTest, AMapLargerThanItsQueueIsCutIntoOneBatch) {
  cluster_.on_submit_batch = [](int, const v1::SubmitBatchRequest& request, v1::SubmitBatchResponse* response) {
    if (request.rows_size() > 20) return TooLarge();
    response->mutable_batch()->set_id("B1");
    return grpc::Status::OK;
  };
  std::vector<const char*> words = {"map", "--detach", "--", "true", ":::"};
  for (int i = 0; i < 60; ++i) words.push_back("x");
  const Said said = Run(words);
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.out, "B1\n");
  int rows = 0;
  int templates = 0;
  for (const v1::SubmitBatchRequest& call : cluster_.batches()) {
    if (call.rows_size() > 20) continue;
    rows += call.rows_size();
    if (call.has_template_()) ++templates;
    EXPECT_NE(call.has_template_(), call.batch_id() == "B1");
  }
  EXPECT_EQ(rows, 60);
  EXPECT_EQ(templates, 1);
}

TEST_F(ConversationTest, AFlagWithAnEmptyValueIsRefusedAndNotDropped) {
  for (const char* flag : {"--validate", "--validate-output", "--accept-exit", "--retry-on", "--never-retry", "--retry-delay",
                           "--queue", "--name", "--limit-key", "--at", "--cwd", "--stdin"}) {
    const Said said = Run({"submit", flag, "", "--", "true"});
    EXPECT_EQ(said.code, 2) << flag;
    EXPECT_THAT(said.err, HasSubstr("is empty; give it a value or leave it out")) << flag;
    EXPECT_THAT(said.err, HasSubstr(flag));
  }
  EXPECT_TRUE(cluster_.submits().empty());
}

TEST_F(ConversationTest, APlaceThatNoSourceFillsIsRefusedAndNotEmptied) {
  for (const std::vector<const char*>& command :
       {std::vector<const char*>{"echo", "{2}"}, {"echo", "{1}", "x{2.}y"}, {"--validate", "test {2}", "--", "true"}}) {
    std::vector<const char*> words = {"map", "--detach"};
    if (command[0][0] != '-') words.push_back("--");
    words.insert(words.end(), command.begin(), command.end());
    words.insert(words.end(), {":::", "a"});
    const Said said = Run(words);
    EXPECT_EQ(said.code, 2) << said.err;
    EXPECT_THAT(said.err, HasSubstr("{2} has nothing to put there: there is one source of arguments"));
  }
  EXPECT_TRUE(cluster_.batches().empty());
}

// ESC, CR, BEL, DEL, a C1 control, a mark that turns the direction of writing.
const std::string kOrders = "a\033[2J\rb\ac\177d\xC2\x9B" "31me\xE2\x80\xAE";

bool HasOrders(const std::string& text) {
  return text.find_first_of("\033\r\a\177") != std::string::npos || text.find("\xC2\x9B") != std::string::npos ||
         text.find("\xE2\x80\xAE") != std::string::npos;
}

TEST_F(ConversationTest, WordsOfOthersOrderNoTerminalAboutAndForgeNoLine) {
  cluster_.on_submit = [](int, const v1::SubmitRequest&, v1::SubmitResponse* response) {
    response->mutable_task()->set_id("3F");
    response->add_warnings(kOrders + "\nmuster: all is well");
    return grpc::Status::OK;
  };
  const Said submitted = Run({"submit", "--", "x"});
  EXPECT_FALSE(HasOrders(submitted.err)) << submitted.err;
  EXPECT_EQ(std::count(submitted.err.begin(), submitted.err.end(), '\n'), 1) << submitted.err;

  v1::Task task;
  task.set_id("3F");
  task.set_reason(kOrders + "\nState:         SUCCEEDED");
  task.mutable_spec()->set_name(kOrders);
  v1::Label* const label = task.mutable_spec()->add_labels();
  label->set_key("k");
  label->set_value(kOrders);
  task.add_attempts()->add_notes(kOrders + "\nNote:          forged");
  const std::string page = TaskPage(task, absl::Now());
  EXPECT_FALSE(HasOrders(page)) << page;
  EXPECT_EQ(page.find("\nState:         SUCCEEDED"), std::string::npos) << page;
  EXPECT_EQ(page.find("\nNote:"), std::string::npos) << page;

  v1::Queue queue;
  queue.set_name("q");
  queue.set_held_because(kOrders);
  queue.set_pause_reason(kOrders);
  EXPECT_FALSE(HasOrders(QueuePage(queue)));
  v1::Worker worker;
  worker.set_name(kOrders);
  worker.set_reason(kOrders + "\nState: fine");
  worker.mutable_offer()->add_executors()->set_reason(kOrders);
  EXPECT_FALSE(HasOrders(WorkerPage(worker, absl::Now())));
  v1::Explanation explanation;
  explanation.set_sentence(kOrders + "\nTo do:         nothing");
  const std::string explained = ExplanationPage(explanation, absl::Now());
  EXPECT_FALSE(HasOrders(explained));
  EXPECT_EQ(explained.find("\nTo do:"), std::string::npos) << explained;

  Table table({"NAME"});
  table.Add({kOrders + "\nforged"});
  EXPECT_FALSE(HasOrders(table.Text()));
  EXPECT_EQ(table.Text().find("\nforged"), std::string::npos);
  EXPECT_FALSE(HasOrders(Terminal("never").Paint(Colour::kRed, kOrders)));

  testing::internal::CaptureStdout();
  Print(kOrders + "\tx\n");
  PrintAsItIs("\033[1mdata\n");
  std::fflush(stdout);
  const std::string printed = testing::internal::GetCapturedStdout();
  EXPECT_FALSE(HasOrders(printed.substr(0, printed.find('\n')))) << "whether it is a terminal or a pipe";
  EXPECT_THAT(printed, HasSubstr("\tx\n\033[1mdata\n"));
}

TEST_F(ConversationTest, OneTaskThatNeverFitsIsRefusedAtOnce) {
  cluster_.on_submit_batch = [](int, const v1::SubmitBatchRequest&, v1::SubmitBatchResponse*) { return TooLarge(); };
  const Said said = Run({"map", "--detach", "--", "true", ":::", "x", "y", "z"});
  EXPECT_EQ(said.code, 125);
  EXPECT_EQ(said.err, "muster: refused: this call brings too many [CALL_TOO_LARGE]\n");
  EXPECT_EQ(cluster_.batches().size(), 2u);
}

TEST_F(ConversationTest, AStreamThatFillsItsQueueWaitsForRoomBeyondThePatienceWithOneCall) {
  cluster_.on_submit_batch = [](int call, const v1::SubmitBatchRequest&, v1::SubmitBatchResponse*) {
    return call % 3 == 1 ? rpc::ToGrpc(RefuseForNow("QUEUE_FULL", "full", absl::Milliseconds(20))) : grpc::Status::OK;
  };
  const auto client = Client::Make({.master = cluster_.address(), .patience = absl::Milliseconds(1)}, nullptr);
  ASSERT_TRUE(client.ok());
  v1::SubmitBatchRequest call;
  call.add_tasks();
  const auto send = [&](BatchCalls& calls) {
    return calls.Send(call, [](v1::SubmitBatchRequest*) {}, [](const auto&, const auto&) { return true; });
  };
  BatchCalls patient(client->get(), {});
  EXPECT_TRUE(send(patient).ok());
  EXPECT_TRUE(send(patient).ok());
  EXPECT_EQ(cluster_.batches().size(), 3u);
  BatchCalls bounded(client->get(), {.waits_for_room = false});
  EXPECT_TRUE(send(bounded).ok());
  EXPECT_EQ(ReasonOf(send(bounded)), "QUEUE_FULL");
}

TEST_F(ConversationTest, ACauseThatNothingCanRunIsToldOnceForAWholeStream) {
  cluster_.on_submit_batch = [](int call, const v1::SubmitBatchRequest& request, v1::SubmitBatchResponse* response) {
    for (int i = 0; i < request.tasks_size(); ++i) response->add_task_ids("T" + std::to_string(call));
    response->add_warnings("no worker has label gpu");
    if (call == 1) response->add_warnings("no worker has 9 cpu");
    return grpc::Status::OK;
  };
  const std::string file = testing::TempDir() + "/impossible.jsonl";
  std::ofstream out(file);
  for (int i = 0; i < 4096; ++i) out << "{\"executor\":\"noop\"}\n";
  out.close();
  const Said said = Run({"submit", "-f", file.c_str()});
  EXPECT_EQ(said.code, 0);
  EXPECT_EQ(said.err,
            "muster: T0 waits for a worker that can take it: no worker has label gpu; `muster explain T0` says more\n"
            "muster: T1 waits for a worker that can take it: no worker has 9 cpu; `muster explain T1` says more\n"
            "muster: the same is true of 2 more calls, with up to 2048 tasks: `muster ps` shows what waits\n");
}

TEST_F(ConversationTest, ABadLineEndsTheStreamAndSaysWhatWasAccepted) {
  cluster_.on_submit_batch = [](int, const v1::SubmitBatchRequest& request, v1::SubmitBatchResponse* response) {
    for (int i = 0; i < request.tasks_size(); ++i) response->add_task_ids("T");
    return grpc::Status::OK;
  };
  const std::string file = testing::TempDir() + "/bad.jsonl";
  std::ofstream(file) << "{\"name\":\"a\"}\n{\"nmae\":\"b\"}\n";
  const Said said = Run({"submit", "-f", file.c_str()});
  EXPECT_EQ(said.code, 2);
  EXPECT_EQ(said.out, "T\n");
  EXPECT_THAT(said.err, HasSubstr("1 tasks before this were accepted"));
  EXPECT_THAT(said.err, HasSubstr("bad.jsonl:2:"));
}

TEST_F(ConversationTest, NobodyThereIs125WithinABoundedTime) {
  const absl::Time begin = absl::Now();
  testing::internal::CaptureStderr();
  const char* argv[] = {"muster", "ps", "--master", "127.0.0.1:1"};
  EXPECT_EQ(RunProgram(4, argv), 125);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("cannot reach 127.0.0.1:1: connection refused"));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
}

TEST_F(ConversationTest, WaitSurvivesARestartAndExitsWithTheHighestCode) {
  cluster_.on_watch = [](int call, const v1::WatchRequest&, grpc::ServerWriter<v1::WatchResponse>* writer) {
    v1::WatchResponse response;
    const auto add = [&](const char* id, v1::TaskState state, int code) {
      v1::Task* task = response.add_tasks();
      task->set_id(id);
      task->set_state(state);
      task->set_exit_code(code);
    };
    add("A", v1::TASK_STATE_FAILED, 3);
    add("B", call == 0 ? v1::TASK_STATE_RUNNING : v1::TASK_STATE_SUCCEEDED, 0);
    response.set_snapshot_complete(true);
    writer->Write(response);
    return call == 0 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed") : grpc::Status::OK;
  };
  const Said said = Run({"wait", "A", "B"});
  EXPECT_EQ(said.code, 3);
  EXPECT_EQ(said.err, "muster: 1 succeeded, 1 failed\n");
}

TEST_F(ConversationTest, WaitGivesUpInTime) {
  cluster_.on_watch = [](int, const v1::WatchRequest&, grpc::ServerWriter<v1::WatchResponse>* writer) {
    v1::WatchResponse response;
    response.add_tasks()->set_id("A");
    response.mutable_tasks(0)->set_state(v1::TASK_STATE_RUNNING);
    response.set_snapshot_complete(true);
    writer->Write(response);
    // Until the client has left.
    while (writer->Write(v1::WatchResponse())) absl::SleepFor(absl::Milliseconds(5));
    return grpc::Status::OK;
  };
  const Said said = Run({"wait", "A", "--timeout", "200ms"});
  EXPECT_EQ(said.code, 124);
  EXPECT_THAT(said.err, HasSubstr("1 running"));
}

// map, with a master that ends tasks as the test says.
class MapConversationTest : public ConversationTest {
 protected:
  MapConversationTest() {
    cluster_.on_submit_batch = [](int, const v1::SubmitBatchRequest&, v1::SubmitBatchResponse* response) {
      response->mutable_batch()->set_id("40");
      return grpc::Status::OK;
    };
  }
  static std::string Id(int64_t index) { return "T" + std::to_string(index); }
  static void End(FakeCluster::AttachStream* stream, int64_t index, v1::TaskState state = v1::TASK_STATE_SUCCEEDED, int code = 0) {
    stream->Write(FakeCluster::State(Id(index), state, code, "40", index));
  }
  static void Speak(FakeCluster::AttachStream* stream, int64_t index, const std::string& text, int64_t offset = 0) {
    stream->Write(FakeCluster::Output(Id(index), offset, text));
  }

  Said Map(MapOptions options, std::vector<std::string> arguments) {
    options.task_template.mutable_command()->add_argv("echo");
    Session session(GlobalFlags{.master = cluster_.address()});
    auto rows = ArgumentRows::Open({{.words = std::move(arguments)}}, '\n');
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Said said;
    {
      MapRun run(session, **session.client(), std::move(options), *std::move(rows));
      const absl::StatusOr<int> code = run.Run();
      said.code = code.ok() ? *code : ExitCodeOf(code.status());
    }
    said.out = testing::internal::GetCapturedStdout();
    said.err = testing::internal::GetCapturedStderr();
    return said;
  }
};

TEST_F(MapConversationTest, OutputOfOneTaskIsNeverMixedWithAnothers) {
  cluster_.on_attach = [](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    Speak(stream, 1, "one ");
    Speak(stream, 2, "two\n");
    Speak(stream, 1, "more\n", 4);
    End(stream, 2);
    End(stream, 1);
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  const Said said = Map({}, {"a", "b"});
  EXPECT_EQ(said.code, 0);
  EXPECT_EQ(said.out, "two\none more\n");
  EXPECT_THAT(said.err, HasSubstr("40: 2 succeeded"));
}

TEST_F(MapConversationTest, KeptOrderIsTheOrderOfTheArguments) {
  cluster_.on_attach = [](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    for (int64_t index = 100; index >= 1; --index) {
      Speak(stream, index, std::to_string(index) + "\n");
      End(stream, index, index == 50 ? v1::TASK_STATE_FAILED : v1::TASK_STATE_SUCCEEDED, index == 50 ? 9 : 0);
    }
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  std::vector<std::string> arguments(100, "x");
  std::string expected;
  for (int index = 1; index <= 100; ++index) expected += std::to_string(index) + "\n";
  const Said said = Map({.keep_order = true}, arguments);
  EXPECT_EQ(said.out, expected);
  EXPECT_EQ(said.code, 9) << "the highest";
  EXPECT_THAT(said.err, HasSubstr("99 succeeded, 1 failed"));
}

TEST_F(MapConversationTest, TagsAreTheArguments) {
  cluster_.on_attach = [](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    Speak(stream, 1, "a\nb\n");
    End(stream, 1);
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  const std::string log = testing::TempDir() + "/tags.joblog";
  EXPECT_EQ(Map({.tag = true, .job_log_file = log}, {"x y"}).out, "x y\ta\nx y\tb\n");
  std::ifstream in(log);
  std::string line;
  std::getline(in, line);
  std::getline(in, line);
  EXPECT_THAT(line, HasSubstr("\techo 'x y'\t"));
}

TEST_F(MapConversationTest, WhatIsToldAgainAfterAReconnectionIsNotPrintedTwice) {
  std::vector<std::string> wanted;
  cluster_.on_attach = [&](int call, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    Speak(stream, 1, "one\n");
    End(stream, 1);
    if (call == 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
    wanted.assign(first.selectors().begin(), first.selectors().end());
    Speak(stream, 2, "two\n");
    End(stream, 2);
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Map({}, {"a", "b"}).out, "one\ntwo\n");
  EXPECT_THAT(wanted, ElementsAre("id:40/2")) << "only what has not ended";
}

// A master that was started again tells a whole batch anew; what has ended and waits for its turn is held once.
TEST_F(MapConversationTest, WhatWaitsForItsTurnIsNotHeldTwiceWhenItIsToldAgain) {
  cluster_.on_attach = [&](int call, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    Speak(stream, 2, "two\n");
    End(stream, 2);
    if (call == 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
    Speak(stream, 1, "one\n");
    End(stream, 1);
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Map({.keep_order = true}, {"a", "b"}).out, "one\ntwo\n");
}

TEST_F(MapConversationTest, WhatWasWrittenAtOnceIsNotWrittenAgainWhenItIsToldAgain) {
  cluster_.on_attach = [&](int call, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    Speak(stream, 1, "one\n");
    End(stream, 1);
    if (call == 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
    Speak(stream, 2, "two\n");
    End(stream, 2);
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Map({.ungroup = true}, {"a", "b"}).out, "one\ntwo\n");
}

TEST_F(MapConversationTest, HaltNowCancelsTheRestAndKeepsTheFailuresCode) {
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    End(stream, 1, v1::TASK_STATE_FAILED, 3);
    while (cluster_.cancels().empty()) absl::SleepFor(absl::Milliseconds(1));
    End(stream, 2, v1::TASK_STATE_CANCELLED, 125);
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  MapOptions options;
  options.halt = *HaltPolicy::Parse("now,fail=1");
  const Said said = Map(std::move(options), {"a", "b"});
  EXPECT_EQ(said.code, 3);
  EXPECT_THAT(cluster_.cancels()[0].selectors(), ElementsAre("id:40"));
  EXPECT_THAT(said.err, HasSubstr("1 failed, 1 cancelled"));
}

TEST_F(MapConversationTest, HaltSoonCancelsOnlyWhatHasNotStarted) {
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    stream->Write(FakeCluster::State(Id(2), v1::TASK_STATE_RUNNING, 0, "40", 2));
    stream->Write(FakeCluster::State(Id(3), v1::TASK_STATE_QUEUED, 0, "40", 3));
    End(stream, 1, v1::TASK_STATE_FAILED, 3);
    while (cluster_.cancels().empty()) absl::SleepFor(absl::Milliseconds(1));
    End(stream, 3, v1::TASK_STATE_CANCELLED, 125);
    End(stream, 2);
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  MapOptions options;
  options.halt = *HaltPolicy::Parse("soon,fail=1");
  EXPECT_EQ(Map(std::move(options), {"a", "b", "c"}).code, 3);
  EXPECT_THAT(cluster_.cancels()[0].selectors(), ElementsAre("id:40/3"));
}

TEST_F(MapConversationTest, ALimitHoldsRowsBackUntilOthersHaveEnded) {
  cluster_.on_attach = [&](int, FakeCluster::AttachStream* stream) {
    v1::AttachRequest first;
    stream->Read(&first);
    for (int64_t index = 1; index <= 5; ++index) {
      while (static_cast<int64_t>(cluster_.batches().size()) * 2 < index) absl::SleepFor(absl::Milliseconds(1));
      End(stream, index);
    }
    FakeCluster::ReadAll(stream);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Map({.most_open = 2}, {"a", "b", "c", "d", "e"}).code, 0);
  const auto batches = cluster_.batches();
  ASSERT_GE(batches.size(), 3u);
  EXPECT_EQ(batches[0].rows_size(), 2);
  EXPECT_TRUE(batches[0].has_template_());
  EXPECT_EQ(batches[1].batch_id(), "40");
  EXPECT_FALSE(batches[1].has_template_());
}

TEST_F(MapConversationTest, NoArgumentsIsNothingToDo) {
  const Said said = Map({}, {});
  EXPECT_EQ(said.code, 0);
  EXPECT_THAT(said.err, HasSubstr("nothing to do"));
}

}  // namespace
}  // namespace muster::cli
