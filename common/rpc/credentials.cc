#include "common/rpc/credentials.h"

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"

namespace muster::rpc {
namespace {

absl::StatusOr<std::string> ReadPem(const std::string& what, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!file || !(content << file.rdbuf())) {
    return absl::NotFoundError(absl::StrCat("cannot read ", what, " ", path, "; check the path and its permissions"));
  }
  if (content.str().find("-----BEGIN ") == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(what, " ", path, " is not a PEM file"));
  }
  return content.str();
}

absl::Status CheckPair(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError("a TLS certificate and its key belong together; one of them is not set");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(const TlsFiles& files) {
  if (files.Empty()) return grpc::InsecureServerCredentials();
  MUSTER_RETURN_IF_ERROR(CheckPair(files));
  if (files.certificate.empty()) {
    return absl::InvalidArgumentError("a TLS server needs a certificate and a key, not only a CA");
  }
  grpc::SslServerCredentialsOptions options(
      files.ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                       : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  MUSTER_ASSIGN_OR_RETURN(const std::string key, ReadPem("the TLS key", files.key));
  MUSTER_ASSIGN_OR_RETURN(const std::string certificate, ReadPem("the TLS certificate", files.certificate));
  options.pem_key_cert_pairs.push_back({key, certificate});
  if (!files.ca.empty()) {
    MUSTER_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem("the TLS CA", files.ca));
  }
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentials(const TlsFiles& files) {
  if (files.Empty()) return grpc::InsecureChannelCredentials();
  MUSTER_RETURN_IF_ERROR(CheckPair(files));
  grpc::SslCredentialsOptions options;
  if (!files.ca.empty()) {
    MUSTER_ASSIGN_OR_RETURN(options.pem_root_certs, ReadPem("the TLS CA", files.ca));
  }
  if (!files.key.empty()) {
    MUSTER_ASSIGN_OR_RETURN(options.pem_private_key, ReadPem("the TLS key", files.key));
    MUSTER_ASSIGN_OR_RETURN(options.pem_cert_chain, ReadPem("the TLS certificate", files.certificate));
  }
  return grpc::SslCredentials(options);
}

bool IsLoopback(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) return true;
  const size_t colon = address.rfind(':');
  std::string host = colon == std::string::npos ? address : address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return absl::StartsWith(host, "127.") || host == "::1" || host == "localhost";
}

}  // namespace muster::rpc
