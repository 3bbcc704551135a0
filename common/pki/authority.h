// A small certificate authority for a cluster that has none: ECDSA on P-256, one level, in memory. Where the files go is
// the caller's business (write_file.h).
//
//   auto ca = MakeAuthority("prod", 10 years);
//   auto worker = Issue(*ca, {.id = {"prod", Role::kWorker, "node-1"}, .dns = {"node-1"}, .valid_for = 1 year});
//
// Daemons serve and dial, so their certificates are for both; those of people are for dialling alone.
// Thread rule: functions on values. Errors: INVALID_ARGUMENT, in words for who asked for the certificate.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/security/spiffe_id.h"

namespace muster::pki {

// PEM, both.
struct KeyAndCertificate {
  std::string certificate;
  std::string key;
};

struct CertificateWish {
  security::SpiffeId id;
  std::vector<std::string> dns;
  std::vector<std::string> ips;
  absl::Time now;
  absl::Duration valid_for;
};

absl::StatusOr<KeyAndCertificate> MakeAuthority(std::string_view cluster, absl::Time now, absl::Duration valid_for);
// Never valid for longer than its authority.
absl::StatusOr<KeyAndCertificate> Issue(const KeyAndCertificate& authority, const CertificateWish& wish);

}  // namespace muster::pki
