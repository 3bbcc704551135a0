// The balancers by name: how a worker is chosen for a task (master/balancer/policy.h says what each does).
// Thread rule: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

enum class BalancerKind : uint8_t { kLeastLoaded, kRoundRobin, kWeighted, kLocality };

inline constexpr BalancerKind kBalancers[] = {BalancerKind::kLeastLoaded, BalancerKind::kRoundRobin,
                                              BalancerKind::kWeighted, BalancerKind::kLocality};

std::string_view BalancerName(BalancerKind kind);                    // "least_loaded"
std::optional<BalancerKind> BalancerNamed(std::string_view name);    // empty: there is none of that name
const std::vector<std::string>& BalancerNames();                     // in the order of kBalancers
// For who named another: "\"best\" is no balancer; use least_loaded, round_robin, weighted, locality".
std::string WhyNoBalancer(std::string_view name);

}  // namespace muster
