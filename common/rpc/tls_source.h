// The TLS files of one of ours: read and checked at start, read again when they change, for as many servers and channels as
// one likes. A connection keeps what it began with; the next one takes what is new. So streams outlive a renewal.
//
//   auto tls = TlsSource::Open({.certificate = ..., .key = ..., .ca = ...}, security::Role::kWorker);
//   rpc::Server::Start({.listen = "0.0.0.0:7071", .tls = *tls, ...}, ...);
//   rpc::MakeChannel(address, ChannelCredentials(*tls, {.role = security::Role::kMaster}));
//
// Replace the files by renaming, the key first: what does not fit together opens no new connections until it does.
// Thread rule: Open by one thread; the rest any. Errors: one line that names the file and what would be right.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/security/spiffe_id.h"

namespace muster::rpc {

// Paths of PEM files; all empty: plain text.
struct TlsFiles {
  std::string certificate;  // of this side
  std::string key;
  std::string ca;           // whom to believe
  bool Empty() const { return certificate.empty() && key.empty() && ca.empty(); }
};

class TlsSource {
 public:
  // A daemon, which is known by its certificate. Null when there are no files: plain text.
  static absl::StatusOr<std::shared_ptr<const TlsSource>> Open(const TlsFiles& files, security::Role role,
                                                               absl::Duration look_every = absl::Seconds(10));
  // A person's program: it may be anyone, or have no certificate. Null as above.
  static absl::StatusOr<std::shared_ptr<const TlsSource>> OpenForClient(const TlsFiles& files);

  // Whom its certificate names; nothing when it has none.
  const std::optional<security::SpiffeId>& self() const { return self_; }
  bool has_certificate() const { return has_certificate_; }
  const std::shared_ptr<grpc::experimental::CertificateProviderInterface>& provider() const { return provider_; }

 private:
  TlsSource() = default;
  static absl::StatusOr<std::shared_ptr<TlsSource>> Read(const TlsFiles& files, absl::Duration look_every);

  std::optional<security::SpiffeId> self_;
  bool has_certificate_ = false;
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> provider_;
};

// Whom a certificate's file names.
absl::StatusOr<security::SpiffeId> ReadIdentity(const std::string& certificate_path);

// Not OK: it has ended, as of now. The other end would only say that the connection was closed.
absl::Status CheckNotExpired(const std::string& certificate_path);

// Who must be at the other end, by the name in its certificate; of our own cluster where we know it.
struct PeerRule {
  security::Role role = security::Role::kMaster;
  std::string name = {};  // empty: any
};

// `tls` may be null: plain text.
std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(const std::shared_ptr<const TlsSource>& tls, PeerRule peer);

}  // namespace muster::rpc
