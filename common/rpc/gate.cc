#include "common/rpc/gate.h"

#include <utility>
#include <vector>

#include <grpc/grpc_security_constants.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/pki/certificate.h"
#include "common/rpc/status.h"
#include "common/security/access_table.h"
#include "common/security/spiffe_id.h"

namespace muster::rpc {
namespace {

std::string Copied(grpc::string_ref text) { return {text.data(), text.size()}; }

bool IsTls(const grpc::AuthContext& context) {
  const std::vector<grpc::string_ref> types = context.FindPropertyValues(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME);
  return types.size() == 1 && (types.front() == GRPC_TLS_TRANSPORT_SECURITY_TYPE || types.front() == GRPC_SSL_TRANSPORT_SECURITY_TYPE);
}

// Nothing: no certificate, or one that names nobody.
std::optional<security::Identity> OfCertificate(const grpc::AuthContext& context) {
  const std::vector<grpc::string_ref> uris = context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME);
  if (uris.size() != 1) return std::nullopt;
  absl::StatusOr<security::SpiffeId> id = security::ParseSpiffeId({uris.front().data(), uris.front().size()});
  if (!id.ok()) return std::nullopt;
  return security::Identity{security::Proof::kCertificate, id->role, std::move(id->name), std::move(id->cluster)};
}

// When certificates end, read once for each.
class Endings {
 public:
  absl::Time Of(const std::string& pem) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (const auto known = ends_.find(pem); known != ends_.end()) return known->second;
    const absl::StatusOr<pki::CertificateFacts> facts = pki::ReadCertificate(pem);
    if (ends_.size() >= kMostKnown) ends_.clear();
    return ends_[pem] = facts.ok() ? facts->not_after : absl::InfinitePast();
  }

 private:
  static constexpr size_t kMostKnown = 20'000;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, absl::Time> ends_ ABSL_GUARDED_BY(mutex_);
};

class GateImpl final : public Gate {
 public:
  GateImpl(std::string cluster, RefusedCall refused, std::function<absl::Time()> now)
      : cluster_(std::move(cluster)), refused_(std::move(refused)), now_(std::move(now)) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*, OutputMetadata*) override {
    const std::optional<security::Identity> caller = Caller(*context);
    const absl::Status verdict = Judge(caller, *context, MethodOf(metadata));
    if (verdict.ok()) return grpc::Status::OK;
    if (refused_) refused_(verdict, caller.has_value() ? caller->Text() : "nobody");
    return ToGrpc(verdict);
  }

  bool MayStill(const grpc::AuthContext& caller, const std::string& method) override {
    return Judge(Caller(caller), caller, method).ok();
  }

 private:
  static std::string MethodOf(const InputMetadata& metadata) {
    const auto path = metadata.find(":path");
    return path == metadata.end() ? "" : Copied(path->second);
  }

  std::optional<security::Identity> Caller(const grpc::AuthContext& context) const {
    std::optional<security::Identity> caller = OfCertificate(context);
    if (caller.has_value() && caller->cluster != cluster_) caller.reset();
    return caller;
  }

  absl::Status Judge(const std::optional<security::Identity>& caller, const grpc::AuthContext& context, const std::string& method) {
    if (caller.has_value()) MUSTER_RETURN_IF_ERROR(CheckStillValid(context));
    return security::Authorize(method, caller.has_value() ? &*caller : nullptr);
  }

  absl::Status CheckStillValid(const grpc::AuthContext& context) {
    const std::vector<grpc::string_ref> pem = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    if (pem.size() == 1 && now_() < endings_.Of(Copied(pem.front()))) return absl::OkStatus();
    return Refuse(absl::StatusCode::kUnauthenticated, "CERTIFICATE_EXPIRED",
                  "the certificate has expired; put a new one in its place and connect again");
  }

  const std::string cluster_;
  const RefusedCall refused_;
  const std::function<absl::Time()> now_;
  Endings endings_;
};

}  // namespace

std::shared_ptr<Gate> MakeGate(std::string cluster, RefusedCall refused, std::function<absl::Time()> now) {
  return std::make_shared<GateImpl>(std::move(cluster), std::move(refused), std::move(now));
}

security::Identity CallerOf(const grpc::ServerContextBase& context) {
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth == nullptr || !IsTls(*auth)) return {};
  // The gate let it pass, so it has a certificate. Were it not so, it would be nobody who may do anything.
  return OfCertificate(*auth).value_or(security::Identity{security::Proof::kCertificate, security::Role::kViewer, "", ""});
}

}  // namespace muster::rpc
