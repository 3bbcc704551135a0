// Who may do what: every gRPC method and every HTTP route, with the least role that it asks for. What has no row is for
// nobody. A test holds the table to the services' descriptors and to the routes.
//
//   Authorize("/muster.v1.TaskService/Submit", &identity)       OK, UNAUTHENTICATED or PERMISSION_DENIED
//
// Thread rule: functions on values. Errors: words that tell a caller what to ask its administrator for, and not what
// else there is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "common/security/identity.h"

namespace muster::security {

enum class Need : uint8_t {
  kNothing,  // not even an identity: metrics and health over HTTP
  kIdentity,  // any
  kViewer,    // this, or what is above it on the ladder
  kSubmitter,
  kOperator,
  kAdmin,
  kWorker,  // this alone
  kMaster,
};

struct AccessRow {
  std::string_view what;  // "/package.Service/Method", or an HTTP path
  Need need;
};

std::span<const AccessRow> MethodRows();
std::span<const AccessRow> RouteRows();

std::optional<Need> NeedOfMethod(std::string_view method);
std::optional<Need> NeedOfRoute(std::string_view route);
bool Meets(Role role, Need need);

// `identity` is null for a caller who has shown none.
absl::Status Authorize(std::string_view method, const Identity* identity);

}  // namespace muster::security
