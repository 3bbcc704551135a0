// The plain HTTP face of a daemon: /metrics, /healthz (the process turns), /readyz (it can take work).
//
// Thread rule: the checks run on civetweb's threads and must not block. Errors: Start's name the address.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/telemetry/metrics.h"

namespace muster::telemetry {

struct HttpConfig {
  std::string listen;  // host:port; port 0 takes a free one
  const Metrics* metrics = nullptr;
  std::function<std::string()> unhealthy;  // empty: well
  std::function<std::string()> unready;    // empty: ready
};

class HttpServer {
 public:
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpConfig config);
  virtual ~HttpServer() = default;
  virtual std::string address() const = 0;  // host:port it really has
};

}  // namespace muster::telemetry
