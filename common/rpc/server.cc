#include "common/rpc/server.h"

#include <utility>

#include <grpcpp/create_channel.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/rpc/listener.h"
#include "common/rpc/stream_watch.h"
#include "common/rpc/unix_socket.h"
#include "grpc/health/v1/health.pb.h"

namespace muster::rpc {
namespace {

constexpr int kKeepaliveMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kLeastBackoffMs = 50;
constexpr int kMostBackoffMs = 1'000;
constexpr int kHandshakeMs = 10'000;
constexpr int kIdleMs = 300'000;

void InitOnce() {
  static const bool done = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // gRPC's own health service brings no descriptor; with this one linked in, reflection can describe it.
    grpc::health::v1::HealthCheckRequest::descriptor();
    return true;
  }();
  (void)done;
}

std::string WithPort(const std::string& listen, int port) {
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

class ServerImpl final : public Server {
 public:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

  // `listener` is null where gRPC listens itself.
  ServerImpl(std::unique_ptr<grpc::Server> server, std::string address, std::unique_ptr<Acceptor> acceptor,
             std::unique_ptr<Listener> listener)
      : server_(std::move(server)),
        address_(std::move(address)),
        acceptor_(std::move(acceptor)),
        listener_(std::move(listener)) {
    server_->GetHealthCheckService()->SetServingStatus(false);
    if (listener_ == nullptr) return;
    listener_->Start([this](int listening, int connection) {
      Acceptor::NewConnectionParameters parameters;
      parameters.listener_fd = listening;
      parameters.fd = connection;
      acceptor_->HandleNewConnection(&parameters);
    });
  }
  ~ServerImpl() override { Stop(absl::ZeroDuration()); }

  std::string address() const override { return address_; }

  void SetServing(const std::string& service, bool serving) override {
    server_->GetHealthCheckService()->SetServingStatus(service, serving);
  }

  void Stop(absl::Duration grace) override {
    if (std::exchange(stopped_, true)) return;
    if (listener_ != nullptr) listener_->Stop();
    server_->GetHealthCheckService()->Shutdown();
    server_->Shutdown(absl::ToChronoTime(absl::Now() + grace));
    server_->Wait();
  }

 private:
  const std::unique_ptr<grpc::Server> server_;
  const std::string address_;
  const std::unique_ptr<Acceptor> acceptor_;
  const std::unique_ptr<Listener> listener_;
  bool stopped_ = false;
};

absl::Status CannotListen(const std::string& address) {
  return Refuse(absl::StatusCode::kUnavailable, "ADDRESS_IN_USE",
                absl::StrCat("cannot listen on ", address,
                             ": the port is taken or the address is not this machine's; "
                             "stop what listens there or choose another grpc.listen"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerConfig& config,
                                                      const std::vector<grpc::Service*>& services) {
  InitOnce();
  if (config.tls == nullptr && !IsLoopback(config.listen)) {
    return absl::InvalidArgumentError(
        absl::StrCat("will not listen on ", config.listen,
                     " without TLS: set grpc.tls.certificate, grpc.tls.key and grpc.tls.ca (`muster pki` makes the files), or "
                     "listen on 127.0.0.1"));
  }
  const bool is_unix = IsUnixSocket(config.listen);
  if (is_unix) MUSTER_RETURN_IF_ERROR(PrepareSocketDirectory(config.listen));
  const std::shared_ptr<Gate> gate =
      config.tls == nullptr ? nullptr : MakeGate(config.tls->self()->cluster, config.refused_call, &absl::Now);
  const auto credentials = ServerCredentials(config.tls, config.client_certificate, gate);
  grpc::ServerBuilder builder;
  std::unique_ptr<ServerImpl::Acceptor> acceptor;
  std::unique_ptr<Listener> listener;
  std::string address = config.listen;
  if (is_unix) {
    builder.AddListeningPort(config.listen, credentials);
  } else {
    auto bound = Listener::Bind(config.listen, {.max_connections = config.max_connections,
                                                .refused = config.refused_connections});
    if (!bound.ok()) return CannotListen(config.listen);
    listener = *std::move(bound);
    address = WithPort(config.listen, listener->port());
    acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  }
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, config.max_calls);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMs);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleMs);
  builder.SetResourceQuota(grpc::ResourceQuota("muster").Resize(config.memory_bytes));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kKeepaliveMs / 2);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.SetMaxReceiveMessageSize(config.max_message_bytes);
  builder.SetMaxSendMessageSize(-1);
  if (gate != nullptr) {
    const auto may_still = [gate](const grpc::AuthContext& caller, const std::string& method) { return gate->MayStill(caller, method); };
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> watches;
    watches.push_back(MakeStreamWatch(may_still, config.look_at_streams));
    builder.experimental().SetInterceptorCreators(std::move(watches));
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return CannotListen(config.listen);
  if (is_unix) MUSTER_RETURN_IF_ERROR(CloseSocketToOthers(config.listen));
  return std::make_unique<ServerImpl>(std::move(server), std::move(address), std::move(acceptor), std::move(listener));
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                           int max_message_bytes) {
  InitOnce();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kLeastBackoffMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kLeastBackoffMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMostBackoffMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // our peers are reached directly
  // One connection per channel: a channel's fate is its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(max_message_bytes + (1 << 20));
  arguments.SetMaxSendMessageSize(max_message_bytes);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace muster::rpc
