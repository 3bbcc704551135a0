// Where plain text may be spoken, and the credentials of a server.
// Thread rule: functions on values.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/server_credentials.h>

#include "common/rpc/tls_source.h"

namespace muster::rpc {

// What a caller without a certificate meets: no connection, or a gate that may know it otherwise.
enum class ClientCertificate { kRequired, kAsked };

// `tls` may be null: plain text, and then nobody stands at the gate.
std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const std::shared_ptr<const TlsSource>& tls,
                                                           ClientCertificate certificate,
                                                           const std::shared_ptr<grpc::AuthMetadataProcessor>& gate);

// Whether it is one host:port with a number for a port: no list, and nothing behind it. Some servers take more than that.
bool IsOneAddress(const std::string& address);
// Whether it is one host:port on loopback (127.0.0.0/8, ::1, localhost), or unix:, the only address allowed without TLS.
bool IsLoopback(const std::string& address);

}  // namespace muster::rpc
