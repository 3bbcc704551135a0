#include "common/security/spiffe_id.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace muster::security {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr size_t kLongestCluster = 63;
constexpr size_t kLongestIdentityName = 128;

bool IsMark(char c) { return c == '.' || c == '_' || c == '-'; }
bool IsOfCluster(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'z') || IsMark(c); }
bool IsOfName(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || IsMark(c); }

}  // namespace

absl::Status CheckClusterName(std::string_view cluster) {
  if (!cluster.empty() && cluster.size() <= kLongestCluster && std::all_of(cluster.begin(), cluster.end(), IsOfCluster)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("a cluster's name is 1 to 63 lower-case letters, digits, '.', '_' or '-'");
}

absl::Status CheckIdentityName(std::string_view name) {
  if (!name.empty() && name.size() <= kLongestIdentityName && name != "." && name != ".." &&
      std::all_of(name.begin(), name.end(), IsOfName)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("a name is 1 to 128 letters, digits, '.', '_' or '-'");
}

absl::StatusOr<SpiffeId> ParseSpiffeId(std::string_view uri) {
  const absl::Status malformed = absl::InvalidArgumentError("an identity is spiffe://CLUSTER/ROLE/NAME");
  if (uri.substr(0, kScheme.size()) != kScheme) return malformed;
  uri.remove_prefix(kScheme.size());
  const size_t first = uri.find('/');
  if (first == std::string_view::npos) return malformed;
  const size_t second = uri.find('/', first + 1);
  if (second == std::string_view::npos) return malformed;
  const std::string_view cluster = uri.substr(0, first), name = uri.substr(second + 1);
  MUSTER_RETURN_IF_ERROR(CheckClusterName(cluster));
  MUSTER_RETURN_IF_ERROR(CheckIdentityName(name));
  const std::optional<Role> role = RoleNamed(uri.substr(first + 1, second - first - 1));
  if (!role.has_value()) {
    return absl::InvalidArgumentError("its role is none of viewer, submitter, operator, admin, worker, master");
  }
  return SpiffeId{std::string(cluster), *role, std::string(name)};
}

std::string ToText(const SpiffeId& id) {
  const std::string_view role = RoleName(id.role);
  return absl::StrCat("spiffe://", id.cluster, "/", absl::string_view(role.data(), role.size()), "/", id.name);
}

}  // namespace muster::security
