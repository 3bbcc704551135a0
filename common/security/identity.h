// Who calls: what a certificate proves, or that the call came over this machine's loopback.
// Thread rule: a value.
#pragma once

#include <cstdint>
#include <string>

#include "common/security/role.h"

namespace muster::security {

// How it is known.
enum class Proof : uint8_t {
  kLoopback,     // plain text, which is served on loopback and on sockets of one user alone: whoever is here may do all
  kCertificate,  // a certificate of the cluster's authority
};

struct Identity {
  Proof proof = Proof::kLoopback;
  Role role = Role::kAdmin;
  std::string name;     // empty on loopback
  std::string cluster;  // empty on loopback

  bool is_local() const { return proof == Proof::kLoopback; }
  // "operator/anna": as the activity log and the owner of a task say it. Empty on loopback, where the peer's host says more.
  std::string Text() const { return is_local() ? "" : std::string(RoleName(role)) + "/" + name; }
};

}  // namespace muster::security
