#include "common/domain/balancer_kind.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace muster {

std::string_view BalancerName(BalancerKind kind) {
  switch (kind) {
    case BalancerKind::kLeastLoaded: return "least_loaded";
    case BalancerKind::kRoundRobin: return "round_robin";
    case BalancerKind::kWeighted: return "weighted";
    case BalancerKind::kLocality: return "locality";
  }
  return "";
}

std::optional<BalancerKind> BalancerNamed(std::string_view name) {
  for (const BalancerKind kind : kBalancers) {
    if (BalancerName(kind) == name) return kind;
  }
  return std::nullopt;
}

const std::vector<std::string>& BalancerNames() {
  static const auto& names = *[] {
    auto* const all = new std::vector<std::string>();
    for (const BalancerKind kind : kBalancers) all->emplace_back(BalancerName(kind));
    return all;
  }();
  return names;
}

std::string WhyNoBalancer(std::string_view name) {
  return absl::StrCat("\"", std::string(name), "\" is no balancer; use ", absl::StrJoin(BalancerNames(), ", "));
}

}  // namespace muster
