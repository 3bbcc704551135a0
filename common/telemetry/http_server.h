// The plain HTTP face of a daemon: /metrics, /healthz (the process turns), /readyz (it can take work), and where it is
// offered /drain and /v1/events/.
//
// Thread rule: the checks run on civetweb's threads and must not block; a drain does, and at most kMostDrains at a
// time, so that the checks keep threads of their own. Errors: Start's name the address.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/telemetry/metrics.h"

namespace muster::telemetry {

// What a program that has posted JSON is told: JSON when it went well, else one line.
struct HttpReply {
  int code = 200;
  std::string body;
  absl::Duration retry_after;  // zero: none
};

// Writes one line of an answer that is still going on. False: the caller has gone.
using SayLine = std::function<bool(std::string_view line)>;

struct HttpConfig {
  std::string listen;  // host:port; port 0 takes a free one
  const Metrics* metrics = nullptr;
  std::function<std::string()> unhealthy;  // empty: well
  std::function<std::string()> unready;    // empty: ready
  // Set: POST and GET /drain (a kubelet's hook can only GET) run it and answer with its lines as it says them. It
  // returns at the end of the drain, before the server stops, or once the caller has gone. False: it did not come to
  // its end; the answer is then cut short, so that curl and the hook fail. No page in a browser may call it.
  std::function<bool(const SayLine& say)> drain;
  // Set: a POST of JSON to /v1/events/NAME is told what it returns; it may block. Bodies are at most kMostBodyBytes. No page in
  // a browser may call it: those say where they come from or call a name, and cannot post this type by a form.
  std::function<HttpReply(const std::string& name, const std::string& body)> event;
  absl::Duration body_wait = absl::Seconds(5);  // in which a body must be here
};

// All that is served, and nothing else; what ends with '/' takes a name. Each has a row in security::RouteRows.
inline constexpr std::string_view kHttpRoutes[] = {"/metrics", "/healthz", "/readyz", "/drain", "/v1/events/"};

class HttpServer {
 public:
  static constexpr int kMostDrains = 2;
  static constexpr int kMostPosts = 8;  // at a time, for the checks' sake too
  static constexpr size_t kMostBodyBytes = size_t{64} << 10;

  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpConfig config);
  virtual ~HttpServer() = default;
  virtual std::string address() const = 0;  // host:port it really has
};

}  // namespace muster::telemetry
