#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>

#include "absl/strings/match.h"
#include "common/telemetry/http_server.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"

namespace muster::telemetry {
namespace {

std::string Get(const std::string& address, const std::string& request) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  ::close(fd);
  return answer;
}

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
