#include "master/request_handler/placement_change.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"

namespace muster::handler {
namespace {

// A name in a message, for people: nobody's screen gets a megabyte of it.
constexpr size_t kMostOfAName = 64;

absl::StatusOr<BalancerKind> ReadBalancer(const char* field, const std::string& name) {
  if (const std::optional<BalancerKind> kind = BalancerNamed(name)) return *kind;
  return RefuseField("BAD_PLACEMENT", absl::StrCat("placement.", field), WhyNoBalancer(name.substr(0, kMostOfAName)));
}

std::vector<std::string> PlacementPaths(const v1::UpdatePlacementRequest& request) {
  if (request.has_update_mask()) return {request.update_mask().paths().begin(), request.update_mask().paths().end()};
  std::vector<std::string> paths;
  if (!request.placement().balancer().empty()) paths.emplace_back("balancer");
  if (!request.placement().shadow().empty()) paths.emplace_back("shadow");
  return paths;
}

}  // namespace

absl::StatusOr<core::UpdatePlacement> ReadPlacementUpdate(const v1::UpdatePlacementRequest& request) {
  core::UpdatePlacement update{.call = {}, .reset = request.reset(), .change = {}, .by = {}};
  const v1::Placement& placement = request.placement();
  for (const std::string& path : PlacementPaths(request)) {
    if (path == "balancer") {
      MUSTER_ASSIGN_OR_RETURN(update.change.balancer, ReadBalancer("balancer", placement.balancer()));
    } else if (path == "shadow" && placement.shadow().empty()) {
      update.change.shadow.emplace();
    } else if (path == "shadow") {
      MUSTER_ASSIGN_OR_RETURN(const BalancerKind shadow, ReadBalancer("shadow", placement.shadow()));
      update.change.shadow.emplace(shadow);
    } else {
      return RefuseField("BAD_MASK", "update_mask", "names a setting that there is not; there are balancer and shadow");
    }
  }
  if (!update.reset && update.change.Empty()) {
    return RefuseField("BAD_PLACEMENT", "placement", "says nothing; set a balancer, a shadow, or `reset`");
  }
  return update;
}

}  // namespace muster::handler
