#include "common/rpc/outbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace muster::rpc {
namespace {

struct Note {
  std::string text;
  void Clear() { text.clear(); }
};

// A stream that records what is written and lets the test say when a write is done.
class FakeStream {
 public:
  Outbox<Note>::Options Options(size_t limit_bytes = 100) {
    return {.limit_bytes = limit_bytes,
            .start_write = [this](const Note* note) { written.push_back(note->text); },
            .finish =
                [this](grpc::Status status) {
                  ++finishes;
                  last = std::move(status);
                }};
  }
  std::vector<std::string> written;
  int finishes = 0;
  grpc::Status last;
};

TEST(Outbox, OneWriteIsInFlightAtATime) {
  FakeStream stream;
  Outbox<Note> outbox(stream.Options());
  EXPECT_TRUE(outbox.Push({"a"}, 1));
  EXPECT_TRUE(outbox.Push({"b"}, 1));
  EXPECT_EQ(stream.written, std::vector<std::string>{"a"});
  outbox.OnWriteDone(true);
  EXPECT_EQ(stream.written, (std::vector<std::string>{"a", "b"}));
}

TEST(Outbox, AFullOneTakesNothingAndOneLargeMessageAlwaysFitsAnEmptyOne) {
  FakeStream stream;
  Outbox<Note> outbox(stream.Options(10));
  EXPECT_TRUE(outbox.Push({"large"}, 50));
  EXPECT_FALSE(outbox.Push({"more"}, 1));
  outbox.OnWriteDone(true);
  EXPECT_TRUE(outbox.Push({"more"}, 1));
}

TEST(Outbox, FinishWaitsForWhatIsQueuedAndHappensOnce) {
  FakeStream stream;
  Outbox<Note> outbox(stream.Options());
  outbox.Push({"a"}, 1);
  outbox.Push({"b"}, 1);
  outbox.Finish(grpc::Status::OK);
  outbox.Finish(grpc::Status::CANCELLED);
  EXPECT_FALSE(outbox.Push({"late"}, 1));
  EXPECT_EQ(stream.finishes, 0);
  outbox.OnWriteDone(true);
  outbox.OnWriteDone(true);
  EXPECT_EQ(stream.finishes, 1);
  EXPECT_TRUE(stream.last.ok());
  EXPECT_EQ(stream.written.size(), 2u);
}

TEST(Outbox, AnAbortDropsTheQueueButWaitsForTheWriteInFlight) {
  FakeStream stream;
  Outbox<Note> outbox(stream.Options());
  outbox.Push({"a"}, 1);
  outbox.Push({"b"}, 1);
  outbox.Abort(grpc::Status::CANCELLED);
  EXPECT_EQ(stream.finishes, 0);
  outbox.OnWriteDone(true);
  EXPECT_EQ(stream.finishes, 1);
  EXPECT_EQ(stream.written.size(), 1u);
}

TEST(Outbox, ABrokenStreamWritesNoMoreAndStillFinishes) {
  FakeStream stream;
  Outbox<Note> outbox(stream.Options());
  outbox.Push({"a"}, 1);
  outbox.Push({"b"}, 1);
  outbox.OnWriteDone(false);
  EXPECT_EQ(stream.written.size(), 1u);
  outbox.Finish(grpc::Status::OK);
  EXPECT_EQ(stream.finishes, 1);
}

TEST(Outbox, WhatWaitsTravelsTogetherInTheNextMessage) {
  FakeStream stream;
  std::vector<std::string> waiting;
  auto options = stream.Options();
  options.fill = [&waiting](Note* note) {
    for (const std::string& text : waiting) note->text += text;
    waiting.clear();
    return !note->text.empty();
  };
  Outbox<Note> outbox(std::move(options));
  waiting = {"1"};
  outbox.Wake();
  waiting = {"2", "3"};
  outbox.Wake();
  EXPECT_EQ(stream.written, std::vector<std::string>{"1"});
  outbox.OnWriteDone(true);
  EXPECT_EQ(stream.written, (std::vector<std::string>{"1", "23"}));
}

TEST(Outbox, AWriteThatCompletesBeforeItsStartReturnsIsNoTrap) {
  Outbox<Note>* self = nullptr;
  std::vector<std::string> written;
  bool finished = false;
  Outbox<Note> outbox({.start_write =
                           [&](const Note* note) {
                             written.push_back(note->text);
                             self->OnWriteDone(true);
                           },
                       .finish = [&](grpc::Status) { finished = true; }});
  self = &outbox;
  outbox.Push({"a"}, 1);
  outbox.Push({"b"}, 1);
  outbox.Finish(grpc::Status::OK);
  EXPECT_EQ(written, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(finished);
}

TEST(Outbox, ManyPushersAndACompletingThreadLoseAndDoubleNothing) {
  std::atomic<int> pending{0};
  std::atomic<int> written{0};
  std::atomic<bool> finished{false};
  Outbox<Note> outbox({.limit_bytes = 1 << 20,
                       .start_write = [&](const Note*) { ++pending; },
                       .finish = [&](grpc::Status) { finished = true; }});
  std::thread completer([&] {
    while (!finished) {
      if (pending > 0) {
        EXPECT_EQ(pending.load(), 1);
        --pending;
        ++written;
        outbox.OnWriteDone(true);
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::vector<std::thread> pushers;
  for (int i = 0; i < 3; ++i) {
    pushers.emplace_back([&outbox] {
      for (int n = 0; n < 2000; ++n) EXPECT_TRUE(outbox.Push({"x"}, 1));
    });
  }
  for (std::thread& pusher : pushers) pusher.join();
  outbox.Finish(grpc::Status::OK);
  completer.join();
  EXPECT_EQ(written, 6000);
}

}  // namespace
}  // namespace muster::rpc
