#include "common/rpc/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "absl/synchronization/mutex.h"
#include "tests/support/sanitized.h"

namespace muster::rpc {
namespace {

// Takes connections over and keeps them, as a server does.
class ListenerTest : public ::testing::Test {
 protected:
  ~ListenerTest() override {
    listener_.reset();
    for (const int fd : taken_) close(fd);
    for (const int fd : links_) close(fd);
  }

  void Start(Listener::Options options) {
    options.refused = [this](size_t count) {
      absl::MutexLock lock(&mutex_);
      refused_ += count;
    };
    auto listener = Listener::Bind("127.0.0.1:0", std::move(options));
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    listener_->Start([this](int, int connection) {
      absl::MutexLock lock(&mutex_);
      taken_.push_back(connection);
    });
  }

  // The client's side; -1: nobody listens.
  int Connect() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{.sin_family = AF_INET,
                   .sin_port = htons(static_cast<uint16_t>(listener_->port())),
                   .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
      if (fd >= 0) close(fd);
      return -1;
    }
    links_.push_back(fd);
    return fd;
  }
  static bool WasClosed(int fd) {
    pollfd watched{fd, POLLIN, 0};
    char byte;
    return poll(&watched, 1, 10'000) == 1 && recv(fd, &byte, 1, 0) <= 0;
  }
  bool AwaitTaken(size_t count) {
    const auto there = [this, count]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return taken_.size() >= count; };
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10));
  }
  // The server's side ends some.
  void CloseTaken(size_t count) {
    absl::MutexLock lock(&mutex_);
    for (; count > 0; --count) {
      close(taken_.back());
      taken_.pop_back();
    }
  }

  absl::Mutex mutex_;
  std::vector<int> taken_;
  size_t refused_ = 0;
  std::vector<int> links_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, OneTooManyIsClosedAtOnceAndTakenWhenAnotherHasGone) {
  Start({.max_connections = 10});
  for (int i = 0; i < 10; ++i) ASSERT_GE(Connect(), 0);
  ASSERT_TRUE(AwaitTaken(10));
  EXPECT_TRUE(WasClosed(Connect()));
  CloseTaken(3);
  for (int i = 0; i < 3; ++i) Connect();
  EXPECT_TRUE(AwaitTaken(10));
  EXPECT_TRUE(WasClosed(Connect()));
  listener_->Stop();
  EXPECT_EQ(refused_, 2u) << "every refusal is told";
}

TEST_F(ListenerTest, ConnectionsThatComeAndGoCostNothing) {
  Start({.max_connections = 10});
  for (int i = 0; i < 1000; ++i) {
    close(Connect());
    links_.pop_back();
    ASSERT_TRUE(AwaitTaken(1));
    CloseTaken(1);
  }
  listener_->Stop();
  EXPECT_EQ(refused_, 0u);
}

class FewDescriptors : public ListenerTest {
 protected:
  FewDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 200;
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() override {
    for (const int fd : others_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  // Whatever else the process opens, until there is nothing left.
  void TakeAll() {
    for (int fd; (fd = dup(0)) >= 0;) others_.push_back(fd);
    ASSERT_EQ(errno, EMFILE);
  }
  void GiveBack(size_t count) {
    for (; count > 0 && !others_.empty(); --count) {
      close(others_.back());
      others_.pop_back();
    }
  }

  rlimit before_{};
  std::vector<int> others_;
};

TEST_F(FewDescriptors, ConnectionsLeaveAQuarterToTheProcess) {
  Start({});
  for (int i = 0; i < 90; ++i) ASSERT_GE(Connect(), 0) << "the descriptors ran out before the bound";
  const auto all = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return taken_.size() + refused_ == 90; };
  {
    absl::MutexLock lock(&mutex_);
    ASSERT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&all), absl::Seconds(10)));
    EXPECT_GT(refused_, 5u);
    EXPECT_GT(taken_.size(), 50u);
  }
  const int more = dup(0);
  EXPECT_GE(more, 0) << "the process has some left";
  close(more);
}

TEST_F(FewDescriptors, WithoutAnyLeftItRefusesAndServesAgainWhenThereAreSome) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer looks at memory through a pipe";
  Start({});
  const int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  TakeAll();
  sockaddr_in to{.sin_family = AF_INET,
                 .sin_port = htons(static_cast<uint16_t>(listener_->port())),
                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
  ASSERT_EQ(connect(waiting, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  EXPECT_TRUE(WasClosed(waiting)) << "told at once, instead of waiting for ever";
  close(waiting);
  GiveBack(150);
  ASSERT_GE(Connect(), 0);
  EXPECT_TRUE(AwaitTaken(1)) << "it is not deaf";
}

TEST_F(ListenerTest, AfterStopNobodyListens) {
  Start({});
  ASSERT_GE(Connect(), 0);
  ASSERT_TRUE(AwaitTaken(1));
  listener_->Stop();
  EXPECT_EQ(Connect(), -1);
}

TEST_F(ListenerTest, AnAddressThatIsTakenIsSaid) {
  Start({});
  const auto second = Listener::Bind("127.0.0.1:" + std::to_string(listener_->port()), {});
  EXPECT_FALSE(second.ok());
  EXPECT_FALSE(Listener::Bind("no-such-host.invalid:0", {}).ok());
  EXPECT_FALSE(Listener::Bind("nothing", {}).ok());
}

TEST_F(ListenerTest, EveryAddressOfAHostHasTheSamePort) {
  auto listener = Listener::Bind("localhost:0", {});
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_GT((*listener)->port(), 0);
}

}  // namespace
}  // namespace muster::rpc
