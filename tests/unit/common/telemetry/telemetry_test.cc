#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/telemetry/http_server.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "tests/support/sanitized.h"

namespace muster::telemetry {
namespace {

// A connection on which `request` was sent. What is to be read of it comes within ten seconds.
int Connect(const std::string& address, const std::string& request) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval wait{.tv_sec = 10, .tv_usec = 0};
  EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
  return fd;
}

// Closes it.
std::string AnswerOn(int fd) {
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  ::close(fd);
  return answer;
}

std::string Get(const std::string& address, const std::string& request) { return AnswerOn(Connect(address, request)); }

// Sends a byte on each, again and again, until it is gone.
class Trickle {
 public:
  explicit Trickle(std::vector<int> fds) : thread_([this, fds = std::move(fds)] {
    while (!stopped_.WaitForNotificationWithTimeout(absl::Milliseconds(10))) {
      for (const int fd : fds) (void)!::send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  }) {}
  ~Trickle() {
    stopped_.Notify();
    thread_.join();
  }

 private:
  absl::Notification stopped_;
  std::thread thread_;
};

std::string Read(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

TEST(HttpServer, TellsTheTruthAboutHealthAndReadiness) {
  Metrics metrics;
  metrics.AddCounter("muster_things_total", "Things.").Increment(3);
  metrics.AddGaugeCallback("muster_depth", "Depth.", {{"queue", "a"}}, [] { return 7.0; });
  std::string problem = "recovering: 12 of 90 tasks";
  auto server = HttpServer::Start({.listen = "127.0.0.1:0", .metrics = &metrics, .unready = [&] { return problem; }});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string at = (*server)->address();
  EXPECT_TRUE(absl::StartsWith(Get(at, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200"));
  const std::string unready = Get(at, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(unready, "HTTP/1.1 503") && absl::StrContains(unready, problem)) << unready;
  problem.clear();
  EXPECT_TRUE(absl::StartsWith(Get(at, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200"));
  const std::string text = Get(at, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(absl::StrContains(text, "muster_things_total 3")) << text;
  EXPECT_TRUE(absl::StrContains(text, "muster_depth{queue=\"a\"} 7")) << text;
  EXPECT_TRUE(absl::StartsWith(Get(at, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 405"));
  EXPECT_TRUE(absl::StartsWith(Get(at, "GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 404"));
}

// The body of a chunked answer, and whether it came to its end.
std::pair<std::string, bool> Unchunk(const std::string& answer) {
  std::string body;
  size_t at = answer.find("\r\n\r\n") + 4;
  while (at < answer.size()) {
    const size_t size = std::stoul(answer.substr(at), nullptr, 16);
    at = answer.find("\r\n", at) + 2;
    if (size == 0) return {body, true};
    body += answer.substr(at, size);
    at += size + 2;
  }
  return {body, false};
}

class DrainOverHttp : public testing::Test {
 protected:
  void Start(std::function<bool(const SayLine&)> drain) {
    auto server = HttpServer::Start({.listen = "127.0.0.1:0", .metrics = &metrics_, .drain = std::move(drain)});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Ask(const std::string& head) { return Get(server_->address(), head + "\r\n\r\n"); }

  Metrics metrics_;
  std::atomic<int> drains_{0};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(DrainOverHttp, EachLineIsSentWhenItIsSaidAndTheEndWhenItIsDrained) {
  Start([this](const SayLine& say) {
    ++drains_;
    return say("w1 takes nothing new") && say("drained");
  });
  for (const char* method : {"POST", "GET"}) {
    const std::string answer = Ask(absl::StrCat(method, " /drain HTTP/1.1\r\nHost: 127.0.0.1:7081\r\nContent-Length: 0"));
    EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200")) << answer;
    EXPECT_EQ(Unchunk(answer), std::make_pair(std::string("w1 takes nothing new\ndrained\n"), true)) << answer;
  }
  EXPECT_EQ(drains_, 2);
  EXPECT_TRUE(absl::EndsWith(Ask("GET /drain HTTP/1.0"), "\r\n\r\nw1 takes nothing new\ndrained\n"));
}

TEST_F(DrainOverHttp, ADrainThatDidNotComeToItsEndIsAnAnswerCutShort) {
  Start([](const SayLine& say) { return say("not drained: 1 results were not acknowledged by the master") && false; });
  const auto [body, ended] = Unchunk(Ask("POST /drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0"));
  EXPECT_EQ(body, "not drained: 1 results were not acknowledged by the master\n");
  EXPECT_FALSE(ended);
}

TEST_F(DrainOverHttp, AWebPageOnThisMachineDrainsNothing) {
  Start([this](const SayLine&) { return ++drains_ > 0; });
  for (const char* head : {"Host: 127.0.0.1\r\nOrigin: http://evil.example", "Host: 127.0.0.1\r\nSec-Fetch-Site: cross-site",
                           "Host: 127.0.0.1\r\nReferer: http://evil.example/", "Host: rebound.evil.example:7081"}) {
    EXPECT_TRUE(absl::StartsWith(Ask(absl::StrCat("GET /drain HTTP/1.1\r\n", head)), "HTTP/1.1 403")) << head;
  }
  for (const char* method : {"HEAD", "PUT", "DELETE"}) {
    EXPECT_TRUE(absl::StartsWith(Ask(absl::StrCat(method, " /drain HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0")),
                                 "HTTP/1.1 405"))
        << method;
  }
  EXPECT_EQ(drains_, 0);
}

TEST_F(DrainOverHttp, WhereItIsNotOfferedThereIsNoSuchPath) {
  Start(nullptr);
  EXPECT_TRUE(absl::StartsWith(Ask("GET /drain HTTP/1.1\r\nHost: 127.0.0.1"), "HTTP/1.1 404"));
}

TEST_F(DrainOverHttp, ManyCallersLeaveThreadsForTheHealthChecks) {
  absl::Notification go_on;
  absl::BlockingCounter drains(HttpServer::kMostDrains);
  Start([&](const SayLine& say) {
    drains.DecrementCount();
    go_on.WaitForNotification();
    return say("drained");
  });
  std::vector<std::thread> callers;
  for (int i = 0; i < HttpServer::kMostDrains; ++i) {
    callers.emplace_back([this] { Ask("POST /drain HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0"); });
  }
  drains.Wait();
  EXPECT_TRUE(absl::StartsWith(Ask("GET /drain HTTP/1.1\r\nHost: 127.0.0.1"), "HTTP/1.1 503"));
  EXPECT_TRUE(absl::StartsWith(Ask("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1"), "HTTP/1.1 200"));
  go_on.Notify();
  for (std::thread& caller : callers) caller.join();
}

class EventsOverHttp : public testing::Test {
 protected:
  void Start(std::function<HttpReply(const std::string&, const std::string&)> event, absl::Duration body_wait = absl::Seconds(5)) {
    auto server = HttpServer::Start({.listen = "127.0.0.1:0", .metrics = &metrics_, .event = std::move(event), .body_wait = body_wait});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Post(const std::string& headers, const std::string& body, const std::string& path = "/v1/events/push") {
    return Get(server_->address(), absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: 127.0.0.1\r\n", headers, "Content-Length: ", body.size(), "\r\n\r\n", body));
  }

  Metrics metrics_;
  std::unique_ptr<HttpServer> server_;
};

constexpr char kJson[] = "Content-Type: application/json\r\n";

TEST_F(EventsOverHttp, TheBodyAndTheNameGoInAndTheReplyComesBack) {
  Start([](const std::string& name, const std::string& body) { return HttpReply{200, absl::StrCat("{\"", name, "\": ", body, "}"), {}}; });
  const std::string answer = Post(kJson, "{\"id\": 7}");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "Content-Type: application/json")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n{\"push\": {\"id\": 7}}\n")) << answer;
  EXPECT_TRUE(absl::StartsWith(Post("content-type: Application/JSON ; charset=utf-8\r\n", "{}"), "HTTP/1.1 200"));
}

TEST_F(EventsOverHttp, ANameThatIsWrittenOtherwiseIsNotTakenForIt) {
  Start([](const std::string& name, const std::string&) { return HttpReply{200, name, {}}; });
  const std::string answer = Post(kJson, "{}", "/v1/events/push%00");
  EXPECT_FALSE(absl::EndsWith(answer, "\r\n\r\npush\n")) << answer;
  EXPECT_FALSE(absl::StartsWith(Post(kJson, "{}", "/v1/%65vents/push"), "HTTP/1.1 200"));
}

TEST_F(EventsOverHttp, ConnectionsThatSayNothingLeaveThreadsForTheHealthChecks) {
  Start([](const std::string&, const std::string&) { return HttpReply(); });
  std::vector<int> fds;
  for (int i = 0; i < 60; ++i) fds.push_back(Connect(server_->address(), ""));
  const absl::Time begin = absl::Now();
  EXPECT_TRUE(absl::StartsWith(Get(server_->address(), "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), "HTTP/1.1 200"));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(kSanitized ? 20 : 5));
  for (const int fd : fds) ::close(fd);
}

TEST_F(EventsOverHttp, ARefusalIsALineWithItsDelay) {
  Start([](const std::string&, const std::string&) { return HttpReply{429, "the queue is full", absl::Milliseconds(1100)}; });
  const std::string answer = Post(kJson, "{}");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 429")) << answer;
  EXPECT_TRUE(absl::StrContains(answer, "Retry-After: 2\r\n")) << answer;
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nthe queue is full\n")) << answer;
}

TEST_F(EventsOverHttp, NoFormAndNoPageSendsOneAndNoBodyIsLong) {
  int taken = 0;
  Start([&taken](const std::string&, const std::string&) { return HttpReply{200, absl::StrCat(++taken), {}}; });
  EXPECT_TRUE(absl::StartsWith(Post("Content-Type: text/plain\r\n", "{}"), "HTTP/1.1 415"));
  EXPECT_TRUE(absl::StartsWith(Post("Content-Type: application/x-www-form-urlencoded\r\n", "{}"), "HTTP/1.1 415"));
  EXPECT_TRUE(absl::StartsWith(Post("", "{}"), "HTTP/1.1 415"));
  for (const std::string header : {"Origin: null", "Sec-Fetch-Site: same-origin", "Referer: http://localhost/"}) {
    EXPECT_TRUE(absl::StartsWith(Post(absl::StrCat(kJson, header, "\r\n"), "{}"), "HTTP/1.1 403")) << header;
  }
  EXPECT_TRUE(absl::StartsWith(Post(kJson, std::string(HttpServer::kMostBodyBytes + 1, 'x')), "HTTP/1.1 413"));
  EXPECT_TRUE(absl::StartsWith(Get(server_->address(), "GET /v1/events/push HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), "HTTP/1.1 405"));
  EXPECT_EQ(taken, 0);
  EXPECT_TRUE(absl::StartsWith(Post(kJson, std::string(HttpServer::kMostBodyBytes, 'x')), "HTTP/1.1 200"));
}

TEST_F(EventsOverHttp, WhereTheyAreNotOfferedThereIsNoSuchPath) {
  Start(nullptr);
  EXPECT_TRUE(absl::StartsWith(Post(kJson, "{}"), "HTTP/1.1 405")) << "only GET is served";
}

TEST_F(EventsOverHttp, ManySendersLeaveThreadsForTheHealthChecks) {
  absl::Notification go_on;
  absl::BlockingCounter posts(HttpServer::kMostPosts);
  Start([&](const std::string&, const std::string&) {
    posts.DecrementCount();
    go_on.WaitForNotification();
    return HttpReply();
  });
  std::vector<std::thread> senders;
  for (int i = 0; i < HttpServer::kMostPosts; ++i) senders.emplace_back([this] { Post(kJson, "{}"); });
  posts.Wait();
  EXPECT_TRUE(absl::StartsWith(Post(kJson, "{}"), "HTTP/1.1 503"));
  EXPECT_TRUE(absl::StartsWith(Get(server_->address(), "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), "HTTP/1.1 200"));
  go_on.Notify();
  for (std::thread& sender : senders) sender.join();
}

TEST_F(EventsOverHttp, APageWhoseNameWasPointedHereSendsNone) {
  int taken = 0;
  Start([&taken](const std::string&, const std::string&) { return HttpReply{200, absl::StrCat(++taken), {}}; });
  const std::string head = absl::StrCat(kJson, "Content-Length: 2\r\n\r\n{}");
  const auto post_to = [&](const char* host) {
    return Get(server_->address(), absl::StrCat("POST /v1/events/push HTTP/1.1\r\nHost: ", host, "\r\n", head));
  };
  EXPECT_TRUE(absl::StartsWith(post_to("rebound.evil.example:7080"), "HTTP/1.1 403"));
  EXPECT_EQ(taken, 0);
  EXPECT_TRUE(absl::StartsWith(post_to("localhost:7080"), "HTTP/1.1 200"));
  EXPECT_TRUE(absl::StartsWith(post_to("[::1]:7080"), "HTTP/1.1 200"));
}

TEST_F(EventsOverHttp, NoPageIsToldThatItMaySend) {
  Start([](const std::string&, const std::string&) { return HttpReply(); });
  const std::string answer = Get(server_->address(),
                                 "OPTIONS /v1/events/push HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n"
                                 "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 405")) << answer;
  EXPECT_FALSE(absl::StrContains(answer, "Access-Control")) << answer;
}

TEST_F(EventsOverHttp, ABodyThatTricklesInIsGivenUp) {
  Start([](const std::string&, const std::string&) { return HttpReply(); }, absl::Milliseconds(100));
  const int fd = Connect(server_->address(), absl::StrCat("POST /v1/events/push HTTP/1.1\r\nHost: 127.0.0.1\r\n", kJson, "Content-Length: 60000\r\n\r\n"));
  const Trickle trickle({fd});
  const std::string answer = AnswerOn(fd);
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 408")) << answer;
}

TEST_F(EventsOverHttp, ABodyThatEndsEarlyIsNoEvent) {
  int taken = 0;
  Start([&taken](const std::string&, const std::string&) { return HttpReply{200, absl::StrCat(++taken), {}}; });
  const int fd = Connect(server_->address(), absl::StrCat("POST /v1/events/push HTTP/1.1\r\nHost: 127.0.0.1\r\n", kJson, "Content-Length: 3\r\n\r\n{}"));
  EXPECT_EQ(::shutdown(fd, SHUT_WR), 0);
  const std::string answer = AnswerOn(fd);
  EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 400") && absl::StrContains(answer, "broke off")) << answer;
  EXPECT_EQ(taken, 0);
}

TEST_F(EventsOverHttp, TheAnswerToABodyThatIsTooLongIsNotLost) {
  Start([](const std::string&, const std::string&) { return HttpReply(); });
  for (int i = 0; i < 5; ++i) {
    const std::string answer = Post(kJson, std::string(200'000, 'x'));
    ASSERT_TRUE(absl::StartsWith(answer, "HTTP/1.1 413")) << answer;
  }
}

// Those that nobody wants, too: what is left of a body is not waited for.
TEST_F(EventsOverHttp, SlowBodiesLeaveThreadsForTheHealthChecks) {
  Start([](const std::string&, const std::string&) { return HttpReply(); });
  for (const std::string head : {"POST /v1/events/push HTTP/1.1\r\nContent-Type: application/json", "POST /v1/events/push HTTP/1.1",
                                 "POST /drain HTTP/1.1", "GET /metrics HTTP/1.1"}) {
    std::vector<int> fds;
    for (int i = 0; i < 20; ++i) fds.push_back(Connect(server_->address(), head + "\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\r\n"));
    {
      const Trickle trickle(fds);
      const std::string answer = Get(server_->address(), "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
      EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200")) << head;
    }
    for (const int fd : fds) ::close(fd);
  }
}

TEST(HttpServer, ATakenPortIsOneClearLine) {
  Metrics metrics;
  auto first = HttpServer::Start({.listen = "127.0.0.1:0", .metrics = &metrics});
  ASSERT_TRUE(first.ok());
  auto second = HttpServer::Start({.listen = (*first)->address(), .metrics = &metrics});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(std::string(second.status().message()), (*first)->address()));
}

class LogTest : public testing::Test {
 protected:
  std::string Logged(const std::string& format, const std::function<void()>& what) {
    const std::string path = testing::TempDir() + "/log_test_" + format + ".log";
    std::remove(path.c_str());
    const absl::Status status = StartLogging(
        {.program = "test", .level = "info", .format = format, .file = path, .stderr_too = false});
    EXPECT_TRUE(status.ok()) << status;
    what();
    StopLogging();
    return Read(path);
  }
};

TEST_F(LogTest, BytesFromAPeerStayInTheirLineAndNeverFormat) {
  const std::string text = Logged("text", [] {
    MUSTER_LOG(kInfo, "worker joined", {{"worker", "evil\nname {} %s"}, {"slots", 4}});
    MUSTER_LOG(kDebug, "not shown", {});
  });
  EXPECT_TRUE(absl::StrContains(text, "test: worker joined worker=\"evil\\nname {} %s\" slots=4\n")) << text;
  EXPECT_FALSE(absl::StrContains(text, "not shown"));
}

TEST_F(LogTest, JsonLinesStayJson) {
  const std::string text =
      Logged("json", [] { MUSTER_LOG(kError, "it \"broke\"", {{"why", std::string("a\0\xff", 3)}}); });
  EXPECT_TRUE(absl::StrContains(text, "\"level\":\"error\",\"program\":\"test\",\"message\":\"it \\\"broke\\\"\","
                                      "\"why\":\"a\\u0000\\u00ff\"}\n"))
      << text;
}

TEST_F(LogTest, AnUnknownLevelIsRefused) {
  EXPECT_FALSE(StartLogging({.program = "test", .level = "loud"}).ok());
}

}  // namespace
}  // namespace muster::telemetry
