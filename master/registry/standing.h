// How far a worker is trusted after its failures: what worker_health.h finds, and what WorkerTable makes of it.
//
// Thread rule: a value.
#pragma once

#include <cstdint>
#include <string>

namespace muster::registry {

struct Standing {
  enum class Level : uint8_t { kSound, kOneAtATime, kQuarantined };

  Level level = Level::kSound;
  bool may_try = false;  // below kSound: it may be given one attempt more than it has
  std::string reason;    // below kSound

  friend bool operator==(const Standing&, const Standing&) = default;
};

}  // namespace muster::registry
