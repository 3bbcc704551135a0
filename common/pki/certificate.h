// What a certificate says, and whether a key is its own: libcrypto behind plain values.
// Thread rule: functions on values. Errors: INVALID_ARGUMENT, one line; the caller adds which file it was.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/security/spiffe_id.h"

namespace muster::pki {

struct CertificateFacts {
  std::string subject;              // its common name
  std::vector<std::string> uris, dns, ips;
  absl::Time not_before, not_after;
  bool is_authority = false;
  std::string fingerprint;          // SHA-256, hexadecimal
};

// The first certificate of a PEM text.
absl::StatusOr<CertificateFacts> ReadCertificate(std::string_view pem);
// Its identity: it has exactly one URI, and that is one.
absl::StatusOr<security::SpiffeId> IdentityOf(const CertificateFacts& certificate);
// Not OK: the key does not belong to the first certificate, or either is none.
absl::Status CheckPair(std::string_view certificate_pem, std::string_view key_pem);

}  // namespace muster::pki
