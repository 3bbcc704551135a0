#include "common/rpc/tls_source.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/pki/certificate.h"

namespace muster::rpc {
namespace {

using grpc::experimental::ExternalCertificateVerifier;
using grpc::experimental::FileWatcherCertificateProvider;
using grpc::experimental::TlsCustomVerificationCheckRequest;

absl::StatusOr<std::string> ReadPem(const char* what, const std::string& path) {
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

absl::Status About(const std::string& path, const absl::Status& status) {
  return {status.code(), absl::StrCat("the TLS certificate ", path, ": ", status.message())};
}

std::string Text(std::string_view text) { return std::string(text); }

// After the chain has been verified: is it whom we mean to talk to? Hosts' names do not matter, for addresses change hands.
class PeerVerifier final : public ExternalCertificateVerifier {
 public:
  PeerVerifier(std::optional<std::string> cluster, PeerRule rule) : cluster_(std::move(cluster)), rule_(std::move(rule)) {}

  bool Verify(TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>, grpc::Status* now) override {
    const std::vector<grpc::string_ref> uris = request->uri_names();
    if (uris.size() == 1 && IsMeant({uris.front().data(), uris.front().size()})) {
      *now = grpc::Status::OK;
    } else {
      *now = {grpc::StatusCode::UNAUTHENTICATED,
              absl::StrCat("the other end is not the ", Text(security::RoleName(rule_.role)), rule_.name.empty() ? "" : " ",
                           rule_.name, cluster_ ? absl::StrCat(" of the cluster ", *cluster_) : "")};
    }
    return true;  // it is decided here and now
  }
  void Cancel(TlsCustomVerificationCheckRequest*) override {}

 private:
  bool IsMeant(std::string_view uri) const {
    const absl::StatusOr<security::SpiffeId> id = security::ParseSpiffeId(uri);
    return id.ok() && id->role == rule_.role && (rule_.name.empty() || id->name == rule_.name) &&
           (!cluster_.has_value() || id->cluster == *cluster_);
  }

  const std::optional<std::string> cluster_;
  const PeerRule rule_;
};

}  // namespace

absl::StatusOr<security::SpiffeId> ReadIdentity(const std::string& certificate_path) {
  MUSTER_ASSIGN_OR_RETURN(const std::string certificate, ReadPem("the TLS certificate", certificate_path));
  const absl::StatusOr<pki::CertificateFacts> facts = pki::ReadCertificate(certificate);
  if (!facts.ok()) return About(certificate_path, facts.status());
  const absl::StatusOr<security::SpiffeId> id = pki::IdentityOf(*facts);
  if (!id.ok()) return About(certificate_path, id.status());
  return id;
}

absl::Status CheckNotExpired(const std::string& certificate_path) {
  MUSTER_ASSIGN_OR_RETURN(const std::string certificate, ReadPem("the TLS certificate", certificate_path));
  const absl::StatusOr<pki::CertificateFacts> facts = pki::ReadCertificate(certificate);
  if (!facts.ok()) return About(certificate_path, facts.status());
  if (absl::Now() < facts->not_after) return absl::OkStatus();
  return About(certificate_path, absl::FailedPreconditionError(absl::StrCat(
                                     "it has expired on ", absl::FormatTime("%Y-%m-%d %H:%M UTC", facts->not_after, absl::UTCTimeZone()),
                                     "; put a new one in its place (`muster pki issue ROLE NAME --renew`)")));
}

absl::StatusOr<std::shared_ptr<TlsSource>> TlsSource::Read(const TlsFiles& files, absl::Duration look_every) {
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError("a TLS certificate and its key belong together; one of them is not set");
  }
  if (files.ca.empty()) {
    return absl::InvalidArgumentError("TLS needs the CA whom to believe; set the file of the cluster's CA");
  }
  std::shared_ptr<TlsSource> source(new TlsSource());
  MUSTER_ASSIGN_OR_RETURN(const std::string ca, ReadPem("the TLS CA", files.ca));
  if (const auto read = pki::ReadCertificate(ca); !read.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the TLS CA ", files.ca, ": ", read.status().message()));
  }
  if (!files.key.empty()) {
    MUSTER_ASSIGN_OR_RETURN(const std::string key, ReadPem("the TLS key", files.key));
    MUSTER_ASSIGN_OR_RETURN(const std::string certificate, ReadPem("the TLS certificate", files.certificate));
    if (const absl::Status pair = pki::CheckPair(certificate, key); !pair.ok()) return About(files.certificate, pair);
    MUSTER_ASSIGN_OR_RETURN(source->self_, ReadIdentity(files.certificate));
    source->has_certificate_ = true;
  }
  const auto seconds = static_cast<unsigned>(std::max<int64_t>(1, absl::ToInt64Seconds(look_every)));
  source->provider_ = std::make_shared<FileWatcherCertificateProvider>(files.key, files.certificate, files.ca, seconds);
  return source;
}

absl::StatusOr<std::shared_ptr<const TlsSource>> TlsSource::Open(const TlsFiles& files, security::Role role,
                                                                 absl::Duration look_every) {
  if (files.Empty()) return nullptr;
  if (files.certificate.empty() && files.key.empty()) {
    return absl::InvalidArgumentError("a TLS server needs a certificate and a key, not only a CA");
  }
  MUSTER_ASSIGN_OR_RETURN(std::shared_ptr<const TlsSource> source, Read(files, look_every));
  MUSTER_RETURN_IF_ERROR(CheckNotExpired(files.certificate));
  if (source->self_->role == role) return source;
  return About(files.certificate,
               absl::InvalidArgumentError(absl::StrCat("it is for the role ", Text(security::RoleName(source->self_->role)),
                                                       ", and this is a ", Text(security::RoleName(role)))));
}

absl::StatusOr<std::shared_ptr<const TlsSource>> TlsSource::OpenForClient(const TlsFiles& files) {
  if (files.Empty()) return nullptr;
  return Read(files, absl::Minutes(10));
}

std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(const std::shared_ptr<const TlsSource>& tls, PeerRule peer) {
  if (tls == nullptr) return grpc::InsecureChannelCredentials();
  std::optional<std::string> cluster;
  if (tls->self().has_value()) cluster = tls->self()->cluster;
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(tls->provider());
  options.watch_root_certs();
  if (tls->has_certificate()) options.watch_identity_key_cert_pairs();
  options.set_check_call_host(false);  // the verifier says who it is
  options.set_certificate_verifier(ExternalCertificateVerifier::Create<PeerVerifier>(std::move(cluster), std::move(peer)));
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace muster::rpc
