#include "common/rpc/credentials.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>

#include <grpcpp/security/tls_credentials_options.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

namespace muster::rpc {
namespace {

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

}  // namespace

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(const std::shared_ptr<const TlsSource>& tls,
                                                           ClientCertificate certificate,
                                                           const std::shared_ptr<grpc::AuthMetadataProcessor>& gate) {
  if (tls == nullptr) return grpc::InsecureServerCredentials();
  grpc::experimental::TlsServerCredentialsOptions options(tls->provider());
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(certificate == ClientCertificate::kRequired
                                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                    : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::experimental::TlsServerCredentials(options);
  credentials->SetAuthMetadataProcessor(gate);
  return credentials;
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
