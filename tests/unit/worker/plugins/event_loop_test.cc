#include "worker/plugins/command/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>

#include "tests/support/execution/recording_listener.h"

namespace muster::command {
namespace {

using execution::Eventually;
using std::chrono::milliseconds;

class Counting final : public Watcher {
 public:
  void OnReady(uint32_t tag, uint32_t) override {
    last_tag = tag;
    ++count;
    if (then) then();
  }
  std::atomic<int> count{0};
  std::atomic<uint32_t> last_tag{0};
  std::function<void()> then;
};

struct TestPipe {
  TestPipe() {
    int fds[2];
    EXPECT_EQ(pipe(fds), 0);
    read_end = Descriptor(fds[0]);
    write_end = Descriptor(fds[1]);
  }
  Descriptor read_end, write_end;
};

TEST(EventLoop, CallsTheWatcherWithItsTag) {
  EventLoop loop;
  TestPipe pipe;
  auto watcher = std::make_shared<Counting>();
  EventLoop::Watch watch = 0;
  watcher->then = [&] { loop.Unwatch(&watch, pipe.read_end.get()); };
  ASSERT_EQ(write(pipe.write_end.get(), "x", 1), 1);
  std::atomic<bool> added{false};
  loop.Post([&] {
    watch = loop.AddWatch(pipe.read_end.get(), EPOLLIN, watcher, 17);
    added = true;
  });
  EXPECT_TRUE(Eventually([&] { return watcher->count == 1; }));
  EXPECT_EQ(watcher->last_tag, 17u);
}

// A number that is closed and opened again while an event of its first life is on the way.
TEST(EventLoop, AnEventOfAnEarlierLifeGoesNowhere) {
  EventLoop loop;
  auto first = std::make_shared<Counting>(), second = std::make_shared<Counting>();
  TestPipe a, b;
  EventLoop::Watch watch_a = 0, watch_b = 0, watch_c = 0;
  // Both are ready in one wait; the handler of either takes the other away and reuses its entry.
  const auto steal = [&] {
    loop.Unwatch(&watch_a, a.read_end.get());
    loop.Unwatch(&watch_b, b.read_end.get());
    if (watch_c == 0) watch_c = loop.AddWatch(a.write_end.get(), 0, second, 3);
  };
  first->then = steal;
  ASSERT_EQ(write(a.write_end.get(), "x", 1), 1);
  ASSERT_EQ(write(b.write_end.get(), "x", 1), 1);
  std::atomic<bool> done{false};
  loop.Post([&] {
    watch_a = loop.AddWatch(a.read_end.get(), EPOLLIN, first, 1);
    watch_b = loop.AddWatch(b.read_end.get(), EPOLLIN, first, 2);
  });
  ASSERT_TRUE(Eventually([&] { return first->count > 0; }));
  loop.Post([&] {
    loop.Unwatch(&watch_c, a.write_end.get());
    done = true;
  });
  ASSERT_TRUE(Eventually([&] { return done.load(); }));
  EXPECT_EQ(first->count, 1);
  EXPECT_EQ(second->count, 0);
}

TEST(EventLoop, TimersFireInOrderAndCancelledOnesDoNot) {
  EventLoop loop;
  std::vector<int> order;
  std::atomic<bool> done{false};
  loop.Post([&] {
    loop.After(milliseconds(20), [&] { order.push_back(3); done = true; });
    EventLoop::Timer cancelled = loop.After(milliseconds(10), [&] { order.push_back(2); });
    loop.After(milliseconds(1), [&] { order.push_back(1); });
    loop.Cancel(&cancelled);
    loop.Cancel(&cancelled);
  });
  ASSERT_TRUE(Eventually([&] { return done.load(); }));
  EXPECT_EQ(order, (std::vector<int>{1, 3}));
}

TEST(EventLoop, PostSoonComesWithoutBeingAskedAgain) {
  EventLoop loop;
  std::atomic<int> count{0};
  for (int i = 0; i < 100; ++i) loop.PostSoon([&] { ++count; });
  EXPECT_TRUE(Eventually([&] { return count == 100; }));
  loop.PostSoon([&] { ++count; });
  EXPECT_TRUE(Eventually([&] { return count == 101; }));
}

TEST(EventLoop, WhatWasPostedRunsBeforeTheEnd) {
  std::atomic<int> count{0};
  {
    EventLoop loop;
    for (int i = 0; i < 1000; ++i) loop.Post([&] { ++count; });
  }
  EXPECT_EQ(count, 1000);
}

}  // namespace
}  // namespace muster::command
