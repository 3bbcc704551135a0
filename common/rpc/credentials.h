// TLS from files, for servers and clients; plain when nothing is configured.
// Errors: NOT_FOUND / INVALID_ARGUMENT naming the key and the file.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include "absl/status/statusor.h"

namespace muster::rpc {

// Paths of PEM files; all empty: plain text.
struct TlsFiles {
  std::string certificate;  // of this side
  std::string key;
  std::string ca;           // whom to believe; with it a server asks for client certificates
  bool Empty() const { return certificate.empty() && key.empty() && ca.empty(); }
};

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(const TlsFiles& files);
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentials(const TlsFiles& files);

// Whether it is one host:port with a number for a port: no list, and nothing behind it. Some servers take more than that.
bool IsOneAddress(const std::string& address);
// Whether it is one host:port on loopback (127.0.0.0/8, ::1, localhost), or unix:, the only address allowed without TLS.
bool IsLoopback(const std::string& address);

}  // namespace muster::rpc
