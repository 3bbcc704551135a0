// A gRPC server of ours: reflection and health on, limits set, the real port known, an orderly stop.
//
// What bounds a peer that means no good: connections (listener.h), calls of one connection, bytes of a message, memory of
// all that gRPC holds, ten seconds to shake hands, and five minutes for a connection without a call. With TLS every call
// passes the gate (gate.h) first, and open streams end with the right to them (stream_watch.h).
// Thread rule: Start and Stop from the composition root; SetServing from any thread. Ownership: services must outlive
// it. Errors: UNAVAILABLE naming the address when the port is taken.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/impl/codegen/service_type.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/credentials.h"
#include "common/rpc/gate.h"

namespace muster::rpc {

struct ServerConfig {
  std::string listen;  // host:port or unix:path; port 0 takes a free one
  std::shared_ptr<const TlsSource> tls = nullptr;  // null: plain text, which only loopback may speak
  ClientCertificate client_certificate = ClientCertificate::kRequired;
  RefusedCall refused_call = nullptr;  // with TLS: the gate's refusals
  absl::Duration look_at_streams = absl::Seconds(30);  // with TLS: whether the right to them has ended
  int max_message_bytes = 4 << 20;
  size_t max_connections = 10'000;          // more are closed at once
  int max_calls = 1000;                     // open at a time on one connection; more wait in the client
  size_t memory_bytes = size_t{512} << 20;  // of buffers; near it gRPC reads less and ends calls
  // So many connections were closed because there were too many; once a second at most, from a thread of its own.
  std::function<void(size_t count)> refused_connections = nullptr;
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
