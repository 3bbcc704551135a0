#include "common/rpc/credentials.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
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

// Without brackets; nothing when what follows it is no port. It may be anything but empty.
std::optional<std::string> HostOf(const std::string& address) {
  if (address.find('\0') != std::string::npos) return std::nullopt;
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  const std::string port = address.substr(colon + 1);
  uint32_t number = 0;
  const bool is_number = std::all_of(port.begin(), port.end(), [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
  if (!is_number || !absl::SimpleAtoi(port, &number) || number > 65535) return std::nullopt;
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return host;
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

bool IsOneAddress(const std::string& address) {
  const std::optional<std::string> host = HostOf(address);
  if (!host.has_value()) return false;
  in6_addr ipv6{};
  const bool is_name = std::all_of(host->begin(), host->end(), [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_'; });
  return is_name || inet_pton(AF_INET6, host->c_str(), &ipv6) == 1;
}

bool IsLoopback(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) return true;
  const std::optional<std::string> host = HostOf(address);
  if (!host.has_value()) return false;
  in_addr ipv4{};
  if (inet_pton(AF_INET, host->c_str(), &ipv4) == 1) return ntohl(ipv4.s_addr) >> 24 == 127;
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, host->c_str(), &ipv6) == 1) return IN6_IS_ADDR_LOOPBACK(&ipv6);
  return *host == "localhost";
}

}  // namespace muster::rpc
