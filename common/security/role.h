// What a caller may be. viewer < submitter < operator < admin is a ladder: who is higher may do what is lower. worker and
// master stand beside it: they do their own work and nothing else, so that a stolen key of a machine is no key of a person.
// Thread rule: functions on values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace muster::security {

enum class Role : uint8_t { kViewer, kSubmitter, kOperator, kAdmin, kWorker, kMaster };

inline constexpr std::array<Role, 6> kRoles = {Role::kViewer, Role::kSubmitter, Role::kOperator,
                                               Role::kAdmin,  Role::kWorker,    Role::kMaster};

std::string_view RoleName(Role role);                      // "viewer"
std::optional<Role> RoleNamed(std::string_view name);      // exactly as written above
inline bool IsDaemon(Role role) { return role == Role::kWorker || role == Role::kMaster; }

}  // namespace muster::security
