// The name that a certificate carries: spiffe://CLUSTER/ROLE/NAME, its only URI.
//
// Read strictly, for a name that two readers take differently is a way in: nothing is decoded, folded or trimmed.
//   CLUSTER  1 to 63 of a-z 0-9 . _ -          ROLE  one of role.h          NAME  1 to 128 of A-Z a-z 0-9 . _ -, not . or ..
// Thread rule: functions on values. Errors: INVALID_ARGUMENT in words for whoever issues certificates.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/security/role.h"

namespace muster::security {

struct SpiffeId {
  std::string cluster;
  Role role = Role::kViewer;
  std::string name;

  friend bool operator==(const SpiffeId&, const SpiffeId&) = default;
};

absl::StatusOr<SpiffeId> ParseSpiffeId(std::string_view uri);
std::string ToText(const SpiffeId& id);  // the URI again

absl::Status CheckClusterName(std::string_view cluster);
absl::Status CheckIdentityName(std::string_view name);

}  // namespace muster::security
