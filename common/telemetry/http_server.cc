#include "common/telemetry/http_server.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/refusal.h"

namespace muster::telemetry {
namespace {

constexpr std::string_view kEvents = "/v1/events/";
// A connection that says nothing holds one for a second: so many a second may come before a probe has to wait.
constexpr char kThreads[] = "32";
constexpr char kText[] = "text/plain; charset=utf-8";

// Each closes its connection: else civetweb would first read what is left of the request's body, however slowly that comes.
int Answer(mg_connection* connection, int code, const char* type, const std::string& body, const std::string& header = "") {
  mg_disable_connection_keep_alive(connection);
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
            "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            code, mg_get_response_code_text(connection, code), type, body.size(), header.c_str());
  mg_write(connection, body.data(), body.size());
  return code;
}

// A page in a browser on this machine reaches loopback too. Browsers tell where a request comes from, and a name that
// someone has pointed at this machine is no address.
bool MayComeFromAPage(const mg_connection* connection) {
  for (const char* header : {"Origin", "Referer", "Sec-Fetch-Site"}) {
    if (mg_get_header(connection, header) != nullptr) return true;
  }
  const char* const header = mg_get_header(connection, "Host");
  std::string host = header == nullptr ? "" : header;
  if (host.empty() || host.front() == '[') return false;
  host.resize(std::min(host.size(), host.find(':')));
  in_addr address{};
  return host != "localhost" && inet_pton(AF_INET, host.c_str(), &address) != 1;
}

// "application/json; charset=utf-8".
bool IsJson(const mg_connection* connection) {
  const char* const header = mg_get_header(connection, "Content-Type");
  std::string type = header == nullptr ? "" : header;
  type.resize(std::min(type.size(), type.find(';')));
  return absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(type), "application/json");
}

// civetweb waits until a piece is full, and for each of its bytes anew: a large one of a slow sender would outlast any deadline.
constexpr size_t kPieceBytes = 8;
// So much of a body that is not wanted is read, so that the answer to it is not lost with a connection that is reset.
constexpr size_t kMostUnwantedBytes = size_t{256} << 10;
constexpr absl::Duration kUnwantedWait = absl::Seconds(1);

enum class BodyEnd { kWhole, kTooLong, kLate, kBrokeOff };

// `length` is what the request says; below zero: nothing.
BodyEnd ReadBody(mg_connection* connection, long long length, size_t most, absl::Duration wait, std::string* body) {
  const absl::Time deadline = absl::Now() + wait;
  const bool is_known = length >= 0;
  char piece[kPieceBytes];
  while (body->size() <= most) {
    if (is_known && body->size() >= static_cast<size_t>(length)) return BodyEnd::kWhole;
    if (absl::Now() >= deadline) return BodyEnd::kLate;
    const int size = mg_read(connection, piece, sizeof(piece));
    if (size == 0) return is_known ? BodyEnd::kLate : BodyEnd::kWhole;  // nothing came for a while; at an end it is below zero
    if (size < 0) return BodyEnd::kBrokeOff;
    body->append(piece, static_cast<size_t>(size));
  }
  return BodyEnd::kTooLong;
}

void PassOverBody(mg_connection* connection) {
  const absl::Time deadline = absl::Now() + kUnwantedWait;
  char piece[kPieceBytes];
  for (size_t read = 0; read < kMostUnwantedBytes && absl::Now() < deadline;) {
    const int size = mg_read(connection, piece, sizeof(piece));
    if (size <= 0) return;
    read += static_cast<size_t>(size);
  }
}

// An answer of many lines, each sent when it is said. HTTP/1.0 knows no chunks: there the end of the connection is
// the end of the answer.
class LineAnswer {
 public:
  explicit LineAnswer(mg_connection* connection)
      : connection_(connection),
        chunked_(std::strcmp(mg_get_request_info(connection)->http_version, "1.0") != 0) {
    mg_disable_connection_keep_alive(connection_);
    mg_printf(connection_,
              "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%sX-Content-Type-Options: nosniff\r\n"
              "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
              kText, chunked_ ? "Transfer-Encoding: chunked\r\n" : "");
  }

  bool Say(std::string_view line) {
    const std::string text = absl::StrCat(absl::string_view(line.data(), line.size()), "\n");
    const auto size = static_cast<unsigned>(text.size());
    return (chunked_ ? mg_send_chunk(connection_, text.data(), size) : mg_write(connection_, text.data(), size)) > 0;
  }
  // Without it the answer is cut short.
  void End() {
    if (chunked_) mg_send_chunk(connection_, "", 0);
  }

 private:
  mg_connection* const connection_;
  const bool chunked_;
};

class HttpServerImpl final : public HttpServer {
 public:
  explicit HttpServerImpl(HttpConfig config) : config_(std::move(config)) {}
  ~HttpServerImpl() override {
    if (context_ == nullptr) return;
    std::atomic<bool> stopped{false};
    std::thread waker([this, &stopped] { WakeUntil(stopped); });
    mg_stop(context_);
    stopped = true;
    waker.join();
  }

  absl::Status Listen() {
    mg_init_library(0);
    // Without an origin and methods civetweb tells no page, before it asks us, that it may call.
    const char* options[] = {"listening_ports",    config_.listen.c_str(), "num_threads",       kThreads,
                             "request_timeout_ms", "1000",                 "enable_keep_alive", "no",
                             "decode_url",         "no",  // no name here has to be written so, and a decoded one may end at a NUL
                             "connection_queue",   "64",                   "access_control_allow_origin", "",
                             "access_control_allow_methods", "",           nullptr};
    mg_callbacks callbacks{};
    callbacks.log_message = [](const mg_connection*, const char*) { return 1; };  // not to stderr
    context_ = mg_start(&callbacks, this, options);
    if (context_ == nullptr) {
      return Refuse(absl::StatusCode::kUnavailable, "ADDRESS_IN_USE",
                    absl::StrCat("cannot listen on ", config_.listen,
                                 ": the port is taken or the address is not this machine's; "
                                 "stop what listens there or choose another http.listen"));
    }
    mg_set_request_handler(context_, "/", &HttpServerImpl::Handle, this);
    mg_server_port port{};
    if (mg_get_server_ports(context_, 1, &port) < 1) return absl::InternalError("the HTTP server has no port");
    address_ = absl::StrCat(config_.listen.substr(0, config_.listen.rfind(':')), ":", port.port);
    return absl::OkStatus();
  }

  std::string address() const override { return address_; }

 private:
  // civetweb looks at its stop flag only after a connection or two seconds; a connection is quicker.
  void WakeUntil(const std::atomic<bool>& stopped) const {
    const size_t colon = address_.rfind(':');
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* to = nullptr;
    if (getaddrinfo(address_.substr(0, colon).c_str(), address_.substr(colon + 1).c_str(), &hints, &to) != 0) return;
    while (!stopped) {
      const int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (fd >= 0) {
        connect(fd, to->ai_addr, to->ai_addrlen);
        close(fd);
      }
      absl::SleepFor(absl::Milliseconds(2));
    }
    freeaddrinfo(to);
  }

  static int Handle(mg_connection* connection, void* self) {
    return static_cast<HttpServerImpl*>(self)->Serve(connection);
  }

  int Serve(mg_connection* connection) {
    const mg_request_info* request = mg_get_request_info(connection);
    const std::string path = request->local_uri == nullptr ? "" : request->local_uri;
    if (!IsRoute(path)) return NothingHere(connection, request->request_method);
    if (config_.drain && path == "/drain") return Drain(connection, request->request_method);
    if (config_.event && path.rfind(kEvents, 0) == 0) return Event(connection, path.substr(kEvents.size()));
    if (std::strcmp(request->request_method, "GET") != 0 && std::strcmp(request->request_method, "HEAD") != 0) {
      return NothingHere(connection, request->request_method);
    }
    if (path == "/metrics") {
      return Answer(connection, 200, "text/plain; version=0.0.4; charset=utf-8", config_.metrics->Text());
    }
    if (path == "/healthz") return Check(connection, config_.unhealthy);
    if (path == "/readyz") return Check(connection, config_.unready);
    return NothingHere(connection, request->request_method);
  }

  static bool IsRoute(const std::string& path) {
    return std::any_of(std::begin(kHttpRoutes), std::end(kHttpRoutes), [&path](std::string_view route) {
      return route.back() == '/' ? path.compare(0, route.size(), route) == 0 : path == route;
    });
  }

  static int NothingHere(mg_connection* connection, std::string_view method) {
    if (method != "GET" && method != "HEAD") return Answer(connection, 405, kText, "only GET is served here\n");
    return Answer(connection, 404, kText, "nothing here; try /metrics, /healthz or /readyz\n");
  }

  int Drain(mg_connection* connection, std::string_view method) {
    if (method != "GET" && method != "POST") return Answer(connection, 405, kText, "GET or POST drains\n");
    if (MayComeFromAPage(connection)) {
      return Answer(connection, 403, kText, "a web page may not drain; call it by address, as curl or a kubelet does\n");
    }
    if (drains_.fetch_add(1) >= kMostDrains) {
      drains_.fetch_sub(1);
      return Answer(connection, 503, kText, "it drains, and others are being told already; try again later\n");
    }
    LineAnswer answer(connection);
    if (config_.drain([&answer](std::string_view line) { return answer.Say(line); })) answer.End();
    drains_.fetch_sub(1);
    return 200;
  }

  // However slow bodies are, they hold no more than kMostPosts threads.
  int Event(mg_connection* connection, const std::string& name) {
    if (posts_.fetch_add(1) >= kMostPosts) {
      posts_.fetch_sub(1);
      return Answer(connection, 503, kText, "too many events are on their way; send it again in a second\n", "Retry-After: 1\r\n");
    }
    const int code = TakeEvent(connection, name);
    posts_.fetch_sub(1);
    return code;
  }

  int TakeEvent(mg_connection* connection, const std::string& name) {
    const mg_request_info* request = mg_get_request_info(connection);
    if (std::strcmp(request->request_method, "POST") != 0) {
      return RefuseEvent(connection, 405, "events are sent by POST\n", "Allow: POST\r\n");
    }
    if (MayComeFromAPage(connection)) {
      return RefuseEvent(connection, 403, "a web page may not send events; a program may, by address, as curl does\n");
    }
    if (!IsJson(connection)) return RefuseEvent(connection, 415, "an event is JSON: send it with Content-Type: application/json\n");
    if (request->content_length > static_cast<long long>(kMostBodyBytes)) return TooLong(connection);
    if (mg_get_header(connection, "Expect") != nullptr) mg_printf(connection, "HTTP/1.1 100 Continue\r\n\r\n");
    std::string body;
    switch (ReadBody(connection, request->content_length, kMostBodyBytes, config_.body_wait, &body)) {
      case BodyEnd::kWhole: break;
      case BodyEnd::kTooLong: return TooLong(connection);
      case BodyEnd::kLate: return Answer(connection, 408, kText, "the body came too slowly; send it again\n");
      case BodyEnd::kBrokeOff: return Answer(connection, 400, kText, "the body broke off; send it again\n");
    }
    const HttpReply reply = config_.event(name, body);
    const std::string retry =
        reply.retry_after > absl::ZeroDuration()
            ? absl::StrCat("Retry-After: ", absl::ToInt64Seconds(absl::Ceil(reply.retry_after, absl::Seconds(1))), "\r\n")
            : "";
    return Answer(connection, reply.code, reply.code == 200 ? "application/json" : kText, reply.body + "\n", retry);
  }

  // Who waits to be told to go on has sent no body, and need not.
  static int RefuseEvent(mg_connection* connection, int code, const std::string& why, const std::string& header = "") {
    if (mg_get_header(connection, "Expect") == nullptr) PassOverBody(connection);
    return Answer(connection, code, kText, why, header);
  }

  static int TooLong(mg_connection* connection) {
    return RefuseEvent(connection, 413, absl::StrCat("the body is longer than ", kMostBodyBytes >> 10, " KiB; pass large data in files\n"));
  }

  static int Check(mg_connection* connection, const std::function<std::string()>& problem_of) {
    const std::string problem = problem_of ? problem_of() : std::string();
    if (problem.empty()) return Answer(connection, 200, kText, "ok\n");
    return Answer(connection, 503, kText, problem + "\n");
  }

  const HttpConfig config_;
  std::atomic<int> drains_{0};
  std::atomic<int> posts_{0};
  mg_context* context_ = nullptr;
  std::string address_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpConfig config) {
  auto server = std::make_unique<HttpServerImpl>(std::move(config));
  if (const absl::Status status = server->Listen(); !status.ok()) return status;
  return server;
}

}  // namespace muster::telemetry
