// A gRPC server of ours: reflection and health on, limits set, the real port known, an orderly stop.
//
// Thread rule: Start and Stop from the composition root; SetServing from any thread. Ownership: services must outlive
// it. Errors: UNAVAILABLE naming the address when the port is taken.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/impl/codegen/service_type.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/credentials.h"

namespace muster::rpc {

struct ServerConfig {
  std::string listen;  // host:port or unix:path; port 0 takes a free one
  TlsFiles tls;
  int max_message_bytes = 4 << 20;
};

class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerConfig& config,
                                                       const std::vector<grpc::Service*>& services);
  virtual ~Server() = default;
  virtual std::string address() const = 0;  // host:port it really has
  // For grpc.health.v1; "" is the whole server. Not serving until said so.
  virtual void SetServing(const std::string& service, bool serving) = 0;
  // Refuses new calls, gives running ones until the deadline, then cuts them.
  virtual void Stop(absl::Duration grace) = 0;
};

// A channel to one of ours: keepalive on, message limits as ours, reconnects within a second.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                           int max_message_bytes = 4 << 20);

}  // namespace muster::rpc
